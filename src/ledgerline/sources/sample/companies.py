"""The companies that people work for."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Bools, Dice, Hashes, Ints, choice_of, duplicate_ranks
from ledgerline.sources.sample.columns import either, optional, together
from ledgerline.sources.sample.lexicon import NAME_SLOTS, known_names, mailable
from ledgerline.sources.sample.places import PLACE_SLOTS, known_places


class Companies:
    """Companies by number, the largest first. Some are customers twice, under two ids."""

    def __init__(self, rows: int, dice: Dice) -> None:
        self.dice = dice
        self.count = max(4, rows // 9)
        twins = self.count // 60
        self.customers = self.count + twins
        self._twinned = dice.below("twin", np.arange(twins), self.count)
        self.twin = np.full(self.count, -1, dtype=np.int64)
        self.twin[self._twinned] = np.arange(self.count, self.customers)
        self._domain_number = duplicate_ranks(self._label_keys(np.arange(self.count)))

    def place(self, company: Ints) -> Ints:
        return self.dice.index("place", company, known_places().edges)

    def has_domain(self, company: Ints) -> Bools:
        """The larger ones have a mail domain of their own; of the others, most."""
        return self.dice.hits("domain", company, np.where(company < self.count // 20, 1.0, 0.75))

    def customer_id(self, customer: Ints) -> Ints:
        return 1000 + 3 * customer + self.dice.below("customer id", customer, 3)

    def customer_of(self, company: Ints, key: Ints) -> Ints:
        """The customer id that a row of that company names."""
        twin = self.twin[company]
        use_twin = (twin >= 0) & self.dice.hits("use twin", key, 0.4)
        return self.customer_id(np.where(use_twin, twin, company))

    def _words(self, company: Ints) -> tuple[Ints, Ints, Ints]:
        """First, middle and last word, of `_company_words`; the middle one may be the empty word 0."""
        table, dice = _company_words(), self.dice
        culture = known_places().culture[self.place(company), 0]
        family = table.family[culture, dice.below("family", company, NAME_SLOTS)]
        first = np.where(
            dice.hits("family firm", company, 0.3),
            family,
            table.first[dice.below("first word", company, len(table.first))],
        )
        middle = np.where(
            dice.hits("two words", company, 0.35),
            table.first[dice.below("middle word", company, len(table.first))],
            0,
        )
        return first, middle, table.last[dice.below("last word", company, len(table.last))]

    def _label_keys(self, company: Ints) -> Hashes:
        first, middle, last = self._words(company)
        return ((first << 40) | (middle << 20) | last).astype(np.uint64)

    def label(self, company: Ints) -> pl.Series:
        """One word for a domain or a mailbox; no two companies have the same."""
        table = _company_words()
        number = self._domain_number[company]
        parts = [table.mails.gather(word) for word in self._words(company)]
        return together(*parts, optional(pl.Series(number + 1), number > 0))

    def domain(self, company: Ints) -> pl.Series:
        tails = choice_of("70 .example|18 .co.example|12 .com.example")
        return together(self.label(company), self.dice.text("domain tail", company, tails))

    def customer_name(self, customer: Ints) -> pl.Series:
        """The name as somebody typed it: a twin has the legal form in another notation."""
        dice, table = self.dice, _company_words()
        company = np.where(customer < self.count, customer, 0)
        company[self.count :] = self._twinned
        first, middle, last = (table.texts.gather(word) for word in self._words(company))
        form = known_places().forms[self.place(company), dice.below("form", customer, PLACE_SLOTS)]
        gaps = choice_of("97 |2  |1 \u00a0")
        name = together(
            first,
            middle,
            last,
            dice.text("company gap", customer, gaps),
            known_places().form_texts.gather(form),
        )
        name = name.str.strip_chars()
        upper = dice.hits("company upper", customer, 0.12)
        name = either(upper, name.str.to_uppercase(), name)
        junk = dice.hits("company junk", customer, 0.003)
        return name.scatter(
            np.flatnonzero(junk), dice.text("junk name", customer[junk], choice_of("5 NA|4 -|3 test|2 ."))
        )


class _CompanyWords(NamedTuple):
    texts: pl.Series  # each with a space behind; the first one is empty
    mails: pl.Series
    first: Ints
    last: Ints
    family: Ints  # (culture, slot), surnames


@cache
def _company_words() -> _CompanyWords:
    names = known_names()
    first, last = words.COMPANY_FIRST.split(), words.COMPANY_SECOND.split()
    surnames = names.texts.gather(names.main).to_list()
    texts = ["", *first, *last, *surnames]
    family = names.surname + 1 + len(first) + len(last)
    return _CompanyWords(
        texts=pl.Series([text and text + " " for text in texts]),
        mails=pl.Series([text and mailable(text) for text in texts]),
        first=np.arange(1, 1 + len(first)),
        last=np.arange(1 + len(first), 1 + len(first) + len(last)),
        family=family,
    )
