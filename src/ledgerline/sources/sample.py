"""Sample invoice databases, as messy as real ones, whose truth is known.

They exist to measure: how fast a run is, and how well the records of one person are found again. Everything
derives from hashes of (seed, purpose, person or row): the same arguments give the same rows on every
machine, whatever the batch size, and only some numbers a row are held in memory. (`numpy.random` does not
promise the same numbers in every version.) Nothing is anybody's data: names are random pairings of common
ones, digits are random, mail domains end in the reserved `.example`.

Shares, of rows unless said otherwise:

people      25 % are further rows of somebody seen before, 1 to 6 rows a person, a tenth of them at another
            company; 1.2 % are nobody (`test`, `NA`, 'Reception'), each a person of its own in the truth
links       3 % of the further rows share neither mobile nor personal mailbox with an earlier row; most of
            them still have company and name in common, exactly or nearly. The others, 0.7 % of the true
            pairs, are beyond anyone.
strangers   namesakes, as names are skewed, also within big companies; 3 % of the people share a mobile or a
            mailbox with a relative or colleague; 0.1 % have a number that was somebody else's; role
            mailboxes, switchboards, and the one mailbox of a small company without a domain are used by many
names       9 % upper and 5 % lower case, 4 % a typo, 5 % not in the person's own spelling, 20 % with initials
            (most in South India), 5 % swapped, 5 % the given name only, 12 % an honorific, 2 % a tail (` ji`,
            `(Owner)`), 6 % odd spaces, 1.3 % in a script of their own, 2 % with accents, 0.3 % mojibake
phones      7 % none, 3 % junk, 1.5 % invalid, 20 % several, 3 % with a slip (a wrong digit, an O for a 0);
            0.2 % in other digits; about 82 % Indian, the others of 36 country codes
e-mails     20 % none, 3 % junk, 15 % several, 3 % with a slip (a mistyped domain, no @), 7 % with capitals
the rest    0.06 % a control character, 0.02 % a field of 2,000 characters, 0.1 % a date of 1900 or 9999,
            0.8 % without a customer and 0.5 % with one that does not exist
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias
from unicodedata import normalize

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ledgerline.sources import sample_words as words

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Hashes: TypeAlias = NDArray[np.uint64]

CONTACTS = pl.Schema(
    [
        ("contactid", pl.Int64()),
        ("customerid", pl.Int64()),
        ("contact_person_name", pl.String()),
        ("contact_no", pl.String()),
        ("designation", pl.String()),
        ("contact_person_email", pl.String()),
        ("added_by", pl.String()),
        ("status", pl.String()),
        ("del_sts", pl.String()),
        ("created_at", pl.Datetime("us")),
        ("updated_at", pl.Datetime("us")),
    ]
)
TRUTH = pl.Schema({"contactid": pl.Int64, "personid": pl.Int64})
CUSTOMERS = pl.Schema({"customerid": pl.Int64, "customer_name": pl.String})


class SampleBatch(NamedTuple):
    """Some rows of the contacts table (`CONTACTS`), and who they are (`TRUTH`), in order of `contactid`."""

    contacts: pl.DataFrame
    truth: pl.DataFrame


def generate(rows: int, seed: int, *, batch_rows: int = 50_000) -> Iterator[SampleBatch]:
    """`rows` contacts in batches of `batch_rows`; nothing at all when there are none."""
    if rows < 1:
        return
    world = _World(rows, seed)
    for start in range(0, rows, batch_rows):
        yield _batch(world, np.arange(start, min(start + batch_rows, rows)))


def customers(rows: int, seed: int) -> pl.DataFrame:
    """The customers (`CUSTOMERS`) that `generate(rows, seed)` refers to, some companies under two ids."""
    if rows < 1:
        return pl.DataFrame(schema=CUSTOMERS)
    companies = _Companies(rows, _Dice(seed))
    customer = np.arange(companies.customers)
    return pl.DataFrame(
        {"customerid": companies.customer_id(customer), "customer_name": companies.customer_name(customer)},
        schema=CUSTOMERS,
    )


# ── chance ───────────────────────────────────────────────────────────────────────────────────────────────


class _Dice:
    """Throws that depend on nothing but the seed, the purpose and the key."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def roll(self, purpose: str, keys: Ints) -> Hashes:
        return _mixed(keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + _stream(self._seed, purpose))

    def unit(self, purpose: str, keys: Ints) -> Floats:
        """Uniform in [0, 1)."""
        return (self.roll(purpose, keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, purpose: str, keys: Ints, limit: int | Ints) -> Ints:
        """Uniform in 0 … limit - 1."""
        return ((self.roll(purpose, keys) >> np.uint64(1)).astype(np.int64)) % limit

    def hits(self, purpose: str, keys: Ints, share: float | Floats) -> Bools:
        return np.asarray(self.unit(purpose, keys) < share)

    def index(self, purpose: str, keys: Ints, edges: Floats) -> Ints:
        """Of the weighted entries whose upper edges these are."""
        return np.searchsorted(edges, self.unit(purpose, keys), side="right").astype(np.int64)

    def text(self, purpose: str, keys: Ints, choice: _Choice) -> pl.Series:
        return choice.texts.gather(self.index(purpose, keys, choice.edges))


@cache
def _stream(seed: int, purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest(), "little"))


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: neighbouring values come out unrelated."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class _Choice(NamedTuple):
    texts: pl.Series
    edges: Floats


def _choice(entries: str) -> _Choice:
    """From `12 this|3 that`."""
    pairs = [entry.split(" ", 1) for entry in entries.split("|")]
    return _Choice(
        pl.Series([text for _, text in pairs], dtype=pl.String), _edges([float(w) for w, _ in pairs])
    )


def _edges(weights: Sequence[float] | Floats) -> Floats:
    sums = np.cumsum(np.asarray(weights, dtype=np.float64))
    edges: Floats = sums / sums[-1]
    edges[-1] = 1.0
    return edges


def _wheel(weights: Sequence[float] | Floats, slots: int) -> Ints:
    """`slots` indices, each as often as its weight says: a table that a hash's low bits can look up."""
    return np.searchsorted(_edges(weights), (np.arange(slots) + 0.5) / slots).astype(np.int64)


def _duplicate_ranks(keys: Hashes) -> Ints:
    """For each key, how many equal ones stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    position = np.arange(len(keys))
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[order] = position - np.maximum.accumulate(np.where(first, position, 0))
    return ranks


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────

_NAME_SLOTS = 1 << 13
_CULTURE_NUMBER = {name: number for number, name in enumerate(words.CULTURES)}


class _Names(NamedTuple):
    """Names as numbers. A *token* is a name; a *spelling* is one way to write it, an index of `texts`."""

    texts: pl.Series  # as written, then all of them in upper, then in lower case
    spellings: int
    mails: pl.Series  # for a mailbox: ASCII lower case, then Title, then UPPER
    mail: Ints  # spelling → index of `mails`
    initial: Ints  # spelling → spelling of 'R'; the next one is 'R.'
    main: Ints  # token → its first spelling; the others follow
    counts: Ints  # token → how many spellings
    native: Ints  # token → spelling in the native script, or -1
    woman: Bools  # by token
    given: Ints  # (culture, slot) → token
    surname: Ints


class _NameBuilder:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.main: list[int] = []
        self.count: list[int] = []
        self.native: list[int] = []
        self.woman: list[bool] = []

    def token(self, entry: str, *, woman: bool = False) -> int:
        latin, _, native = entry.replace("_", " ").partition("=")
        spellings = latin.split("/")
        self.main.append(len(self.texts))
        self.count.append(len(spellings))
        self.texts += spellings
        self.native.append(len(self.texts) if native else -1)
        self.texts += [native] if native else []
        self.woman.append(woman)
        return len(self.main) - 1

    def wheel(self, heads: Sequence[tuple[str, float, bool]], tail: list[str], tail_share: float) -> Ints:
        """Slots for frequent names (`heads`: entry, weight, woman) and a long tail of composed ones."""
        tokens = [self.token(entry, woman=woman) for entry, _, woman in heads]
        weights = [weight for _, weight, _ in heads]
        total = sum(weights)
        tokens += [self.token(_with_variant(name)) for name in tail]
        weights += [total * tail_share / (1 - tail_share) / len(tail) for _ in tail]
        return np.asarray(tokens, dtype=np.int64)[_wheel(weights, _NAME_SLOTS)]

    def names(self, given: list[Ints], surname: list[Ints]) -> _Names:
        spellings = len(self.texts)
        initials = sorted({text[0].upper() for text in self.texts})
        number = {letter: spellings + 2 * position for position, letter in enumerate(initials)}
        texts = self.texts + [text for letter in initials for text in (letter, letter + ".")]
        mail_texts = [_mailable(text) for text in texts]
        mails = {text: position for position, text in enumerate(dict.fromkeys(mail_texts))}
        cased = texts + [text.upper() for text in texts] + [text.lower() for text in texts]
        return _Names(
            texts=pl.Series(cased, dtype=pl.String),
            spellings=len(texts),
            mails=pl.Series([*mails, *(m.title() for m in mails), *(m.upper() for m in mails)]),
            mail=np.asarray([mails[text] for text in mail_texts], dtype=np.int64),
            initial=np.asarray([number.get(text[0].upper(), 0) for text in texts], dtype=np.int64),
            main=np.asarray(self.main, dtype=np.int64),
            counts=np.asarray(self.count, dtype=np.int64),
            native=np.asarray(self.native, dtype=np.int64),
            woman=np.asarray(self.woman),
            given=np.stack(given),
            surname=np.stack(surname),
        )


@cache
def _names() -> _Names:
    builder = _NameBuilder()
    given, surname = [], []
    for culture in words.CULTURES.values():
        heads = [*_ranked(culture.men, 0.78, woman=False), *_ranked(culture.women, 0.22, woman=True)]
        given.append(builder.wheel(heads, _composed(culture.stems, culture.ends), 0.28))
        heads = _ranked(culture.surnames, 1.0, woman=False)
        surname.append(builder.wheel(heads, _composed(culture.surname_stems, culture.surname_ends), 0.32))
    return builder.names(given, surname)


def _ranked(entries: str, share: float, *, woman: bool) -> list[tuple[str, float, bool]]:
    """Entries with weights that fall as ranks of names do."""
    weights = [1 / (rank + 3) for rank in range(len(entries.split()))]
    total = sum(weights)
    return [
        (entry, share * weight / total, woman) for entry, weight in zip(entries.split(), weights, strict=True)
    ]


def _composed(stems: str, ends: str) -> list[str]:
    return [stem + end for stem in stems.split() for end in ends.split()]


_SOUNDS_ALIKE = (("ksh", "x"), ("sh", "s"), ("ee", "i"), ("th", "t"), ("oo", "u"), ("dh", "d"), ("kh", "k"))


def _with_variant(name: str) -> str:
    for one, other in _SOUNDS_ALIKE:
        if one in name[1:]:
            return f"{name}/{name[0]}{name[1:].replace(one, other, 1)}"
    return name


_FOLDED = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ı": "i", "đ": "d"})


def _mailable(text: str) -> str:
    ascii_text = normalize("NFKD", text.translate(_FOLDED)).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in ascii_text if letter.isalnum()) or "x"


# ── places and their telephone numbers ───────────────────────────────────────────────────────────────────


class _Lines(NamedTuple):
    """Number ranges by place: a prefix, then random digits."""

    prefixes: Ints  # (place, which), the first ones repeated where a place has fewer
    counts: Ints  # how many it has
    digits: Ints  # that follow
    area: Ints  # how many leading digits are written apart


class _Places(NamedTuple):
    edges: Floats
    code: Ints  # index of `codes`
    codes: list[str]
    culture: Ints  # (place, slot) → culture
    mobile: _Lines
    desk: _Lines
    forms: Ints  # (place, slot) → index of `form_texts`
    form_texts: pl.Series


_PLACE_SLOTS = 256
_INDIAN_SHARE = 0.82


@cache
def _places() -> _Places:
    cities = [_city(line) for line in words.CITIES.split("\n") if line]
    abroad = [_country(line) for line in words.COUNTRIES.split("\n") if line]
    everywhere = cities + abroad
    codes = sorted({place.code for place in everywhere})
    forms: list[str] = list(dict.fromkeys(form for place in everywhere for form, _ in place.forms))
    weights = [_INDIAN_SHARE * p.weight / sum(c.weight for c in cities) for p in cities]
    weights += [(1 - _INDIAN_SHARE) * p.weight / sum(c.weight for c in abroad) for p in abroad]
    return _Places(
        edges=_edges(weights),
        code=np.asarray([codes.index(place.code) for place in everywhere], dtype=np.int64),
        codes=codes,
        culture=np.stack([_slots({_CULTURE_NUMBER[c]: w for c, w in p.cultures}) for p in everywhere]),
        mobile=_lines([(place.mobile, 5 if place.code == words.INDIA_CODE else 2) for place in everywhere]),
        desk=_lines([(place.desk, place.area) for place in everywhere]),
        forms=np.stack([_slots({forms.index(f): w for f, w in place.forms}) for place in everywhere]),
        form_texts=pl.Series(forms),
    )


class _Place(NamedTuple):
    weight: float
    code: str
    mobile: str
    desk: str
    area: int
    cultures: list[tuple[str, float]]
    forms: list[tuple[str, float]]


def _city(line: str) -> _Place:
    weight, area, cultures = line.split()
    desk = f"{area}2,{area}4/{9 - len(area)}"
    forms = [
        (text, float(w)) for w, text in (entry.split(" ", 1) for entry in words.COMPANY_FORMS.split("|"))
    ]
    return _Place(
        float(weight), words.INDIA_CODE, words.INDIA_MOBILE, desk, len(area), _weights(cultures), forms
    )


def _country(line: str) -> _Place:
    weight, code, mobile, desk, cultures, forms = line.split(maxsplit=5)
    return _Place(
        float(weight), code, mobile, desk, 2, _weights(cultures), [(f, 1.0) for f in forms[2:].split("|")]
    )


def _weights(entries: str) -> list[tuple[str, float]]:
    return [(name, float(weight)) for name, weight in (entry.split(":") for entry in entries.split(","))]


def _slots(weights: dict[int, float]) -> Ints:
    return np.asarray(list(weights), dtype=np.int64)[_wheel(list(weights.values()), _PLACE_SLOTS)]


def _lines(ranges: list[tuple[str, int]]) -> _Lines:
    prefixes = [[int(prefix) for prefix in text.split("/")[0].split(",")] for text, _ in ranges]
    most = max(map(len, prefixes))
    return _Lines(
        prefixes=np.asarray([(row * most)[:most] for row in prefixes], dtype=np.int64),
        counts=np.asarray([len(row) for row in prefixes], dtype=np.int64),
        digits=np.asarray([int(text.split("/")[1]) for text, _ in ranges], dtype=np.int64),
        area=np.asarray([area for _, area in ranges], dtype=np.int64),
    )


_SERIAL_BITS = 30


def _number(lines: _Lines, place: Ints, serial: Ints) -> Ints:
    """The national number of that serial number (below 2**30); in India no two serials give the same."""
    tens: Ints = 10 ** lines.digits[place]
    prefix: Ints = lines.prefixes[place, (serial // tens) % lines.counts[place]]
    return prefix * tens + serial % tens


def _scattered(serial: Ints) -> Ints:
    """A permutation of the serial numbers: neighbours get numbers that have nothing in common."""
    mask = (1 << _SERIAL_BITS) - 1
    for factor in (0x2545F491, 0x1B873593, 0x0E6546B5):
        serial = (serial * factor + 0x3C6EF35) & mask
        serial ^= serial >> (_SERIAL_BITS // 2)
    return serial


# ── companies ────────────────────────────────────────────────────────────────────────────────────────────


class _Companies:
    """Companies by number, the largest first. Some are customers twice, under two ids."""

    def __init__(self, rows: int, dice: _Dice) -> None:
        self.dice = dice
        self.count = max(4, rows // 9)
        twins = self.count // 60
        self.customers = self.count + twins
        self._twinned = dice.below("twin", np.arange(twins), self.count)
        self.twin = np.full(self.count, -1, dtype=np.int64)
        self.twin[self._twinned] = np.arange(self.count, self.customers)
        self._domain_number = _duplicate_ranks(self._label_keys(np.arange(self.count)))

    def place(self, company: Ints) -> Ints:
        return self.dice.index("place", company, _places().edges)

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
        culture = _places().culture[self.place(company), 0]
        family = table.family[culture, dice.below("family", company, _NAME_SLOTS)]
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
        return _joined(*parts, _optional(pl.Series(number + 1), number > 0))

    def domain(self, company: Ints) -> pl.Series:
        tails = _choice("70 .example|18 .co.example|12 .com.example")
        return _joined(self.label(company), self.dice.text("domain tail", company, tails))

    def customer_name(self, customer: Ints) -> pl.Series:
        """The name as somebody typed it: a twin has the legal form in another notation."""
        dice, table = self.dice, _company_words()
        company = np.where(customer < self.count, customer, 0)
        company[self.count :] = self._twinned
        first, middle, last = (table.texts.gather(word) for word in self._words(company))
        form = _places().forms[self.place(company), dice.below("form", customer, _PLACE_SLOTS)]
        gaps = _choice("97 |2  |1 \u00a0")
        name = _joined(
            first, middle, last, dice.text("company gap", customer, gaps), _places().form_texts.gather(form)
        )
        name = name.str.strip_chars()
        upper = pl.Series(dice.hits("company upper", customer, 0.12))
        name = name.to_frame("n").select(pl.when(upper).then(pl.col("n").str.to_uppercase()).otherwise("n"))[
            "n"
        ]
        junk = dice.hits("company junk", customer, 0.003)
        return name.scatter(
            np.flatnonzero(junk), dice.text("junk name", customer[junk], _choice("5 NA|4 -|3 test|2 ."))
        )


class _CompanyWords(NamedTuple):
    texts: pl.Series  # each with a space behind; the first one is empty
    mails: pl.Series
    first: Ints
    last: Ints
    family: Ints  # (culture, slot), surnames


@cache
def _company_words() -> _CompanyWords:
    names = _names()
    first, last = words.COMPANY_FIRST.split(), words.COMPANY_SECOND.split()
    surnames = names.texts.gather(names.main).to_list()
    texts = ["", *first, *last, *surnames]
    family = names.surname + 1 + len(first) + len(last)
    return _CompanyWords(
        texts=pl.Series([text and text + " " for text in texts]),
        mails=pl.Series([text and _mailable(text) for text in texts]),
        first=np.arange(1, 1 + len(first)),
        last=np.arange(1 + len(first), 1 + len(first) + len(last)),
        family=family,
    )


# ── columns of text ──────────────────────────────────────────────────────────────────────────────────────


def _joined(*parts: pl.Series | str) -> pl.Series:
    """The texts of each row, one behind the other; null where any is."""
    columns = [pl.lit(part) if isinstance(part, str) else part for part in parts]
    return pl.select(pl.concat_str(columns)).to_series()


def _optional(texts: pl.Series, wanted: Bools) -> pl.Series:
    """The text where it is wanted, else an empty one."""
    return pl.select(pl.when(pl.Series(wanted)).then(texts.cast(pl.String)).otherwise(pl.lit(""))).to_series()


def _where(wanted: Bools, yes: pl.Series | None, no: pl.Series) -> pl.Series:
    return pl.select(pl.when(pl.Series(wanted)).then(yes).otherwise(no)).to_series().cast(pl.String)


def _spread(texts: pl.Series, wanted: Bools) -> pl.Series:
    """Texts made for the wanted rows only, among empty ones."""
    return pl.concat([pl.Series([""]), texts]).gather(np.where(wanted, np.cumsum(wanted), 0))


def _edited(texts: pl.Series, chosen: Bools, chance: Hashes, edit: Callable[[str, int], str]) -> pl.Series:
    """The texts, with the chosen ones edited one by one: for what is rare."""
    rows = np.flatnonzero(chosen & texts.is_not_null().to_numpy())
    if len(rows) == 0:
        return texts
    pairs = zip(texts.gather(rows).to_list(), chance[rows].tolist(), strict=True)
    return texts.scatter(rows, pl.Series([edit(text, number) for text, number in pairs], dtype=pl.String))


# ── people, and which row is whose ───────────────────────────────────────────────────────────────────────

_NOBODY_SHARE = 0.012
_ROWS_A_PERSON = _edges([0.79, 0.13, 0.05, 0.018, 0.008, 0.004])
_MOST_ROWS = 6

# What neighbours (persons 2n and 2n + 1) share: ranges of a number that each pair throws.
_RELATIVES_MOBILE, _RELATIVES_MAILBOX = (0.0, 0.006), (0.006, 0.014)
_COLLEAGUES_MOBILE, _COLLEAGUES_MAILBOX = (0.014, 0.020), (0.020, 0.028)
_SAME_COMPANY = (0.003, 0.028)

# What a contact_no field shows, and what a contact_person_email field shows (bits; weights in per cent).
_MOBILE, _SECOND_MOBILE, _DESK, _AGAIN, _JUNK, _INVALID = 1, 2, 4, 8, 16, 32
_PHONE_FIELDS = {
    _MOBILE: 56.5, _SECOND_MOBILE: 4, _DESK: 8, _MOBILE | _SECOND_MOBILE: 8, _MOBILE | _DESK: 8,
    _MOBILE | _AGAIN: 2, _MOBILE | _SECOND_MOBILE | _DESK: 1.5, _JUNK: 4, _INVALID: 1.5, 0: 8.5,
}  # fmt: skip
_PERSONAL, _WORK, _ROLE, _OTHER_ROLE = 1, 2, 4, 8
_MAIL_FIELDS = {
    _PERSONAL: 24, _WORK: 28, _PERSONAL | _WORK: 11, _WORK | _ROLE: 7.5, _ROLE: 7.5, _ROLE | _OTHER_ROLE: 2,
    _JUNK: 4, 0: 16,
}  # fmt: skip

# Slips of a number: a wrong digit, one missing, one too many, a letter, what a spreadsheet made of it,
# and a foreign number without its country. Slips of an address: see `_mail_slip`.
_NO_SLIP, _WITHOUT_COUNTRY, _SLIPS = 0, 6, 5

# What two rows can have in common that tells (bits): mobile, second mobile, personal mailbox, mailbox at
# the first and at the second job.
_LINK_MOBILE, _LINK_SECOND, _LINK_PERSONAL, _LINK_WORK = 1, 2, 4, 8
_ALL_LINKS = 31

_MAIL_SEPARATORS, _FIRST_ONLY = ("", ".", "_", ""), 3  # of a mailbox's first and second part
# Of the rows that chance left without a link, those that stay so: at the same job, and at another one.
_STRANGERS = np.asarray([0.125, 0.03])


class _Fields(NamedTuple):
    """What some rows show; arrays by row."""

    job: Ints  # 0, or 1 after a change
    phone: Ints
    phone_slip: Ints
    mail: Ints
    mail_slip: Ints

    def links(self) -> Ints:
        phone = np.where(self.phone_slip == _NO_SLIP, self.phone & 3, 0)
        personal = np.where(self.mail & _PERSONAL, _LINK_PERSONAL, 0)
        work = np.where(self.mail & _WORK, _LINK_WORK << self.job, 0)
        mail = np.where(self.mail_slip == _NO_SLIP, personal | work, 0)
        return np.bitwise_or(phone, mail)


class _World:
    """Everybody, in a few numbers each; all else derives from a person's number."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rows = rows
        self.dice = _Dice(seed)
        self.companies = _Companies(rows, self.dice)
        self.sizes = self._sizes(rows)
        self.people = len(self.sizes)
        self.person, self.ordinal = self._seating()
        self.repair = self._repairs()
        self._suffixes = self._mailbox_suffixes()

    def _sizes(self, rows: int) -> NDArray[np.uint8]:
        """Rows of each person; the nobodies come last."""
        nobodies = int(rows * _NOBODY_SHARE)
        keys = np.arange(rows - nobodies)
        sizes = 1 + self.dice.index("rows", keys, _ROWS_A_PERSON)
        ends = np.cumsum(sizes)
        people = int(np.searchsorted(ends, rows - nobodies)) + 1
        sizes = sizes[:people]
        sizes[-1] -= ends[people - 1] - (rows - nobodies)
        self.somebodies = people
        return np.concatenate([sizes, np.ones(nobodies, dtype=np.int64)]).astype(np.uint8)

    def _seating(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Who each row is, in a random order, and which of that person's rows it is."""
        seats = np.repeat(np.arange(self.people, dtype=np.int32), self.sizes)
        shuffled = np.argsort(self.dice.roll("seat", np.arange(self.rows)), kind="stable")
        person = seats[shuffled]
        starts = np.cumsum(self.sizes, dtype=np.int64) - self.sizes
        ordinal = np.empty(self.rows, dtype=np.uint8)
        ordinal[np.argsort(person, kind="stable")] = np.arange(self.rows) - starts[seats]
        return person, ordinal

    def row_keys(self, person: Ints, ordinal: Ints) -> Ints:
        return person * 8 + ordinal

    # who they are

    def _leader(self, person: Ints, *ranges: tuple[float, float]) -> Ints:
        """The first of a pair of neighbours, for those whose relation is in one of the ranges."""
        relation = self.dice.unit("relation", person >> 1)
        related = np.logical_or.reduce([(relation >= low) & (relation < high) for low, high in ranges])
        return np.where(related, person & ~np.int64(1), person)

    def family(self, person: Ints) -> Ints:
        return self._leader(person, _RELATIVES_MOBILE, _RELATIVES_MAILBOX)

    def mobile_owner(self, person: Ints) -> Ints:
        owner = self._leader(person, _RELATIVES_MOBILE, _COLLEAGUES_MOBILE)
        recycled = self.dice.hits("recycled", person, 0.001)
        return np.where(recycled, self.dice.below("former owner", person, self.people), owner)

    def personal_owner(self, person: Ints) -> Ints:
        return self._leader(person, _RELATIVES_MAILBOX)

    def work_owner(self, person: Ints, job: Ints) -> Ints:
        return np.where(job == 0, self._leader(person, _COLLEAGUES_MAILBOX), person)

    def company(self, person: Ints, job: Ints) -> Ints:
        leader = np.where(job == 0, self._leader(person, _SAME_COMPANY), person)
        chance = self.dice.unit("company", leader * 2 + job)
        return (chance * chance * self.companies.count).astype(np.int64)

    def place(self, person: Ints) -> Ints:
        """Where somebody is from: mostly where the first company is."""
        abroad = self.dice.hits("elsewhere", self.family(person), 0.05)
        own = self.dice.index("home", self.family(person), _places().edges)
        kin = self.family(person)
        return np.where(abroad, own, self.companies.place(self.company(kin, np.zeros_like(kin))))

    def culture(self, person: Ints) -> Ints:
        kin = self.family(person)
        return _places().culture[self.place(person), self.dice.below("culture", kin, _PLACE_SLOTS)]

    def given(self, person: Ints) -> Ints:
        """Relatives who share something have not the same name as well: nobody could tell them apart."""
        leader = self.family(person)
        slot = self.dice.below("given", person, _NAME_SLOTS)
        given = _names().given
        culture = self.culture(person)
        same = (leader != person) & (
            given[culture, slot] == given[culture, self.dice.below("given", leader, _NAME_SLOTS)]
        )
        return given[culture, np.where(same, (slot + _NAME_SLOTS // 2) % _NAME_SLOTS, slot)]

    def middle(self, person: Ints) -> Ints:
        return _names().given[
            self.culture(person), self.dice.below("middle", self.family(person), _NAME_SLOTS)
        ]

    def surname(self, person: Ints) -> Ints:
        return _names().surname[
            self.culture(person), self.dice.below("surname", self.family(person), _NAME_SLOTS)
        ]

    def spelling(self, purpose: str, person: Ints, token: Ints) -> Ints:
        """How somebody spells a name: mostly in its first spelling."""
        unusual = self.dice.hits(purpose + " spelling", person, 0.3)
        which = self.dice.below(purpose + " which", person, _names().counts[token])
        return _names().main[token] + np.where(unusual, which, 0)

    def mobile(self, person: Ints, which: int) -> Ints:
        serial = (self.mobile_owner(person) if which == 0 else person) * 2 + which
        return _number(_places().mobile, self.place(person), _scattered(serial))

    # what their rows show

    def fields(self, person: Ints, ordinal: Ints) -> _Fields:
        """What chance makes a row show, before `repair`."""
        dice, key = self.dice, self.row_keys(person, ordinal)
        job = self._job(person, ordinal)
        phone = np.asarray(list(_PHONE_FIELDS))[
            dice.index("phone", key, _edges(list(_PHONE_FIELDS.values())))
        ]
        foreign = _places().code[self.place(person)] != _places().codes.index(words.INDIA_CODE)
        slip = np.where(
            dice.hits("phone slip", key, 0.03), 1 + dice.below("which slip", key, _SLIPS), _NO_SLIP
        )
        slip = np.where(foreign & dice.hits("no country", key, 0.05), _WITHOUT_COUNTRY, slip)
        mail = self._mail(person, job, key)
        mail_slip = np.where(
            dice.hits("mail slip", key, 0.03), 1 + dice.below("mail which", key, 6), _NO_SLIP
        )
        return _Fields(job, phone, np.where(phone & 7, slip, _NO_SLIP), mail, mail_slip)

    def repaired(self, person: Ints, ordinal: Ints, repair: Ints) -> _Fields:
        """What a row shows: the link of `repair` is there, without a slip."""
        fields = self.fields(person, ordinal)
        by_phone, by_mail = (repair & 3) > 0, repair > 3
        mail = np.where(repair == _LINK_PERSONAL, _PERSONAL, _WORK)
        phone = np.where(repair == _LINK_MOBILE, _MOBILE, _SECOND_MOBILE) | (fields.phone & _DESK)
        return fields._replace(
            phone=np.where(by_phone, phone, fields.phone),
            phone_slip=np.where(by_phone, _NO_SLIP, fields.phone_slip),
            mail=np.where(by_mail, mail, fields.mail),
            mail_slip=np.where(by_mail, _NO_SLIP, fields.mail_slip),
        )

    def _job(self, person: Ints, ordinal: Ints) -> Ints:
        size = self.sizes[person].astype(np.int64)
        change = 1 + self.dice.below("change", person, np.maximum(size - 1, 1))
        return (self.dice.hits("mover", person, 0.14) & (size > 1) & (ordinal >= change)).astype(np.int64)

    def _mail(self, person: Ints, job: Ints, key: Ints) -> Ints:
        """A mailbox that somebody has not got gives way to one that is there."""
        wanted = np.asarray(list(_MAIL_FIELDS))[
            self.dice.index("mail", key, _edges(list(_MAIL_FIELDS.values())))
        ]
        has_personal = self.dice.hits("has personal", self.personal_owner(person), 0.62)
        has_work = self.companies.has_domain(self.company(person, job))
        has_work &= self.dice.hits("has work", self.work_owner(person, job) * 2 + job, 0.85)
        wants_personal, wants_work = (wanted & _PERSONAL) > 0, (wanted & _WORK) > 0
        personal = has_personal & (wants_personal | (wants_work & ~has_work))
        work = has_work & (wants_work | (wants_personal & ~has_personal))
        nothing_left = (wants_personal | wants_work) & ~personal & ~work
        others = wanted & ~(_PERSONAL | _WORK) | np.where(
            nothing_left & self.dice.hits("role instead", key, 0.4), _ROLE, 0
        )
        return others | np.where(personal, _PERSONAL, 0) | np.where(work, _WORK, 0)

    def _repairs(self) -> NDArray[np.uint8]:
        """By row: the link (one bit) that it must show, for most rows that chance left without any."""
        repair = np.zeros((self.people, _MOST_ROWS), dtype=np.uint8)
        seen = np.full(self.people, _ALL_LINKS)
        for ordinal in range(_MOST_ROWS):
            person = np.flatnonzero(self.sizes > max(ordinal, 1))
            order = np.full_like(person, ordinal)
            fields = self.fields(person, order)
            links, key = fields.links(), self.row_keys(person, order)
            alone = (links & seen[person]) == 0
            mended = alone & ~self.dice.hits("stranger", key, _STRANGERS[fields.job] * (ordinal > 0))
            possible = seen[person] & (7 | (_LINK_WORK << fields.job))
            link = self._one_of(possible, key) if ordinal else np.full_like(person, _LINK_MOBILE)
            repair[person, ordinal] = np.where(mended, link, 0)
            links = np.where(mended, links | link, links)
            seen[person] = links if ordinal == 0 else seen[person] | links
        return repair[self.person, self.ordinal]

    def _one_of(self, bits: Ints, key: Ints) -> Ints:
        """The lowest or the highest bit."""
        lowest = bits & -bits
        highest = np.asarray([0, *(1 << (n.bit_length() - 1) for n in range(1, 32))])[bits]
        return np.where(self.dice.hits("lowest link", key, 0.6), lowest, highest)

    # mailboxes

    def mailbox(self, person: Ints, which: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Index of the first part, of the separator and of the second part, and a number for the domain.

        `which`: 0 the personal one, 1 and 2 at the first and second job.
        """
        dice, names, personal = self.dice, _names(), which == 0
        company = self.company(person, np.maximum(which - 1, 0))
        style = np.where(
            personal,
            dice.index("personal style", person, _edges([40, 22, 8, 12, 10, 8])),
            dice.index("work style", company, _edges([46, 6, 6, 24, 4, 14])),
        )
        given = self.spelling("given", person, self.given(person))
        surname = self.spelling("surname", person, self.surname(person))
        first = np.where(style == 3, names.initial[given], np.where(style == 4, surname, given))
        second = names.mail[np.where(style == 4, given, surname)]
        separator = np.asarray([1, 0, 2, 0, 1, _FIRST_ONLY])[style]
        provider = dice.index("provider", person, _choice(words.MAIL_PROVIDERS).edges)
        second = np.where(separator == _FIRST_ONLY, 0, second)
        return names.mail[first], separator, second, np.where(personal, provider, company + 100)

    def mailbox_number(self, person: Ints, which: Ints) -> Ints:
        """What stands behind the name in a mailbox, so that no two people have the same; -1 for nothing."""
        rank = self._suffixes[np.where(which == 0, 0, which), person].astype(np.int64)
        plain = (rank == 0) & ((which > 0) | self.dice.hits("plain mailbox", person, 0.45))
        first, separator, second, domain = self.mailbox(person, which)
        offset = self.dice.below(
            "mailbox number", (first << 40) ^ (second << 20) ^ (domain << 2) ^ separator, 9967
        )
        personal = (rank % 9967 * 3571 + offset) % 9967 + 1 + rank // 9967 * 10000
        return np.where(plain, -1, np.where(which == 0, personal, rank + 1))

    def _mailbox_suffixes(self) -> NDArray[np.int32]:
        """By kind of mailbox and person: how many people before have that mailbox's name already."""
        keys = np.empty(3 * self.people, dtype=np.uint64)
        for which in range(3):
            for start in range(0, self.people, 1 << 17):
                person = np.arange(start, min(start + (1 << 17), self.people))
                first, separator, second, domain = self.mailbox(person, np.full_like(person, which))
                name = ((first << 32) | (second << 4) | separator).astype(np.uint64)
                at = which * self.people + start
                keys[at : at + len(person)] = _mixed(name) ^ _mixed(
                    (domain + 1).astype(np.uint64) << np.uint64(32)
                )
        return _duplicate_ranks(keys).reshape(3, self.people).astype(np.int32)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────


class _Rows(NamedTuple):
    """Some rows of a world, by number."""

    world: _World
    position: Ints
    person: Ints
    key: Ints  # of the person's row
    nobody: Bools
    company: Ints
    fields: _Fields

    @property
    def dice(self) -> _Dice:
        return self.world.dice

    def only(self, chosen: Bools) -> _Rows:
        fields = _Fields(*(column[chosen] for column in self.fields))
        position, person, key, company = (
            column[chosen] for column in (self.position, self.person, self.key, self.company)
        )
        return _Rows(self.world, position, person, key, self.nobody[chosen], company, fields)


def _batch(world: _World, position: Ints) -> SampleBatch:
    person = world.person[position].astype(np.int64)
    ordinal = world.ordinal[position].astype(np.int64)
    fields = world.repaired(person, ordinal, world.repair[position].astype(np.int64))
    key = world.row_keys(person, ordinal)
    company = world.company(person, fields.job)
    rows = _Rows(world, position, person, key, person >= world.somebodies, company, fields)
    contactid = pl.Series(_contact_id(world.dice, position))
    name, phone, designation, mail = _damaged(
        rows, [_name(rows), _phone(rows), _designation(rows), _email(rows)]
    )
    created, updated = _dates(rows)
    contacts = pl.DataFrame(
        [
            contactid.alias("contactid"),
            _customer(rows).alias("customerid"),
            name.alias("contact_person_name"),
            phone.alias("contact_no"),
            designation.alias("designation"),
            mail.alias("contact_person_email"),
            _added_by(rows).alias("added_by"),
            world.dice.text("status", key, _choice("94 APP|4 PEN|2 REJ")).alias("status"),
            world.dice.text("deleted", key, _choice("97 N|3 Y")).alias("del_sts"),
            created.alias("created_at"),
            updated.alias("updated_at"),
        ],
        schema=CONTACTS,
    )
    truth = pl.DataFrame([contactid.alias("contactid"), pl.Series("personid", person + 1)], schema=TRUTH)
    return SampleBatch(contacts, truth)


def _contact_id(dice: _Dice, position: Ints) -> Ints:
    """One number in ten is missing, and a thousand wherever the server was restarted."""
    gap = (position + dice.below("gap", position // 9, 9)) // 9
    return 1 + position + gap + position // 20_011 * 1000


def _customer(rows: _Rows) -> pl.Series:
    companies, dice = rows.world.companies, rows.dice
    customer = companies.customer_of(rows.company, rows.key)
    beyond = 1000 + 3 * companies.customers + dice.below("dangling id", rows.key, 5000)
    customer = np.where(dice.hits("dangling", rows.key, 0.005), beyond, customer)
    known = pl.Series(~dice.hits("no customer", rows.key, 0.008))
    return pl.select(pl.when(known).then(pl.Series(customer))).to_series()


_DAY = 86_400_000_000
_FIRST_DAY, _DAYS = 16_436, 4_320  # from 2015-01-01 to autumn 2026
_YEAR_1900, _YEAR_9999 = -25_567 * _DAY, 2_932_896 * _DAY


def _dates(rows: _Rows) -> tuple[pl.Series, pl.Series]:
    """Rows were entered in order of their ids, half of them never changed since."""
    dice, key = rows.dice, rows.key
    passed = (rows.position + dice.unit("entered", rows.position)) / rows.world.rows
    created = ((_FIRST_DAY + _DAYS * passed) * _DAY).astype(np.int64)
    later = ((_FIRST_DAY + _DAYS) * _DAY - created) * dice.unit("updated", key) ** 2
    updated = np.where(dice.hits("changed", key, 0.5), created + later.astype(np.int64), created)
    odd = np.where(dice.hits("far future", key, 0.4), _YEAR_9999, _YEAR_1900)
    created = np.where(dice.hits("odd created", key, 0.0005), odd, created)
    updated = np.where(dice.hits("odd updated", key, 0.0005), odd, updated)
    known = pl.Series(~dice.hits("no date", key, 0.003))
    frame = pl.DataFrame({"created": created, "updated": updated}).select(
        pl.when(known).then(pl.all()).cast(pl.Datetime("us"))
    )
    return frame["created"], frame["updated"]


def _added_by(rows: _Rows) -> pl.Series:
    dice, key = rows.dice, rows.key
    owners = words.OWNERS.split("|")
    count = 10 + int(dice.below("owners", np.zeros(1, dtype=np.int64), len(owners) - 9)[0])
    chance = dice.unit("owner", key)
    name = pl.Series(owners).gather((chance * chance * count).astype(np.int64))
    name = _where(dice.hits("owner lower", key, 0.03), name.str.to_lowercase(), name)
    name = _joined(name, dice.text("owner space", key, _choice("98 |2  ")))
    name = _where(
        dice.hits("owner system", key, 0.02), dice.text("system", key, _choice("3 admin|1 import")), name
    )
    return _where(dice.hits("no owner", key, 0.01), None, name)


# ── names of people ──────────────────────────────────────────────────────────────────────────────────────

_GIVEN, _MIDDLE, _SURNAME, _GIVEN_DOT, _MIDDLE_DOT, _SURNAME_DOT, _GIVEN_LETTER, _SURNAME_LETTER = range(1, 9)
_STYLES = (  # the pieces, and the weight of that order: in most cultures, in the south, in East Asia
    ((_GIVEN, _MIDDLE, _SURNAME), (78.0, 30.0, 16.0)),
    ((_GIVEN, _MIDDLE_DOT, _SURNAME), (3.0, 1.0, 0.0)),
    ((_GIVEN, 0, _SURNAME), (3.0, 1.0, 0.0)),
    ((_GIVEN_DOT, 0, _SURNAME), (2.5, 1.0, 1.0)),
    ((_GIVEN_LETTER, 0, _SURNAME), (1.0, 0.0, 0.0)),
    ((_GIVEN_DOT, _MIDDLE_DOT, _SURNAME), (0.7, 0.0, 0.0)),
    ((_GIVEN, 0, _SURNAME_DOT), (1.0, 14.0, 0.0)),
    ((_GIVEN, 0, _SURNAME_LETTER), (1.3, 22.0, 0.0)),
    ((_SURNAME_DOT, 0, _GIVEN), (0.0, 24.0, 0.0)),
    ((_SURNAME, 0, _GIVEN), (5.0, 2.0, 78.0)),
    ((_GIVEN, 0, 0), (4.0, 4.0, 3.0)),
)
_NAME_GAPS = "965  |18   |5 \u00a0|3 \u200b |2 . |2 , |2 Â\u00a0|2 \t|1  \u200d"


@cache
def _culture_traits() -> tuple[Ints, Floats]:
    """By culture: which weights of `_STYLES` hold, and how many of its people use its script."""
    cultures = words.CULTURES.values()
    kinds = [1 if culture.initials else 2 if culture.family_first else 0 for culture in cultures]
    return np.asarray(kinds), np.asarray([culture.native for culture in cultures])


def _name(rows: _Rows) -> pl.Series:
    dice, key, texts = rows.dice, rows.key, _names().texts
    first, middle, last, dotted, joined = _name_pieces(rows)
    case = dice.index("case", key, _edges([86, 9, 5])) * _names().spellings
    gap = dice.text("name gap", key, _choice(_NAME_GAPS))
    tight = joined | (dotted & (middle < 0) & dice.hits("tight", key, 0.25))
    name = _joined(
        texts.gather(first + case),
        _optional(_joined(gap, texts.gather(np.maximum(middle, 0) + case)), middle >= 0),
        _optional(_joined(_optional(gap, ~tight), texts.gather(np.maximum(last, 0) + case)), last >= 0),
    )
    name = _edited(name, dice.hits("typo", key, 0.04), dice.roll("which typo", key), _with_typo)
    name = _with_surroundings(rows, name)
    foreign = pl.select(name.str.len_bytes() > name.str.len_chars()).to_series().to_numpy()
    name = _edited(name, foreign & dice.hits("mojibake", key, 0.05), key.astype(np.uint64), _mojibake)
    return _where(rows.nobody, _nobody_name(rows), name)


def _name_pieces(rows: _Rows) -> tuple[Ints, Ints, Ints, Bools, Bools]:
    """Three spellings (-1 for none), whether the first is an initial with a dot, and has no gap behind."""
    world, dice, names = rows.world, rows.dice, _names()
    person, key = rows.person, rows.key
    culture = world.culture(person)
    kind, native_share = _culture_traits()
    style = _style(dice, key, kind[culture])
    tokens = [world.given(person), world.middle(person), world.surname(person)]
    given, middle, surname = (
        _row_spelling(rows, purpose, token)
        for purpose, token in zip(("given", "middle", "surname"), tokens, strict=True)
    )
    initials = [names.initial[spelling] for spelling in (given, middle, surname)]
    none = np.full_like(given, -1)
    choices = np.stack(
        [none, given, middle, surname, *(initial + 1 for initial in initials), initials[0], initials[2]]
    )
    pieces = choices[_PIECES[style].T, np.arange(len(key))]
    pieces[1] = np.where(dice.hits("has middle", person, 0.16), pieces[1], -1)
    native = (names.native[tokens[0]] >= 0) & (names.native[tokens[2]] >= 0)
    native &= dice.hits("native", person, native_share[culture]) & dice.hits("native row", key, 0.7)
    east = kind[culture] == 2
    pieces[0] = np.where(native, names.native[np.where(east, tokens[2], tokens[0])], pieces[0])
    pieces[1] = np.where(native, -1, pieces[1])
    pieces[2] = np.where(native, names.native[np.where(east, tokens[0], tokens[2])], pieces[2])
    dotted = np.isin(_PIECES[style, 0], (_GIVEN_DOT, _SURNAME_DOT)) & ~native
    return pieces[0], pieces[1], pieces[2], dotted, native & east


_PIECES = np.asarray([pieces for pieces, _ in _STYLES])


def _style(dice: _Dice, key: Ints, kind: Ints) -> Ints:
    wheels = np.stack([_wheel([weights[k] for _, weights in _STYLES], 1024) for k in range(3)])
    return wheels[kind, dice.below("style", key, 1024)]


def _row_spelling(rows: _Rows, purpose: str, token: Ints) -> Ints:
    """Mostly the person's own spelling."""
    which = rows.dice.below(purpose + " row which", rows.key, _names().counts[token])
    other = rows.dice.hits(purpose + " row spelling", rows.key, 0.06)
    return np.where(other, _names().main[token] + which, rows.world.spelling(purpose, rows.person, token))


def _with_surroundings(rows: _Rows, name: pl.Series) -> pl.Series:
    dice, key = rows.dice, rows.key
    woman = _names().woman[rows.world.given(rows.person)]
    men, women = _choice(words.HONORIFICS_MEN), _choice(words.HONORIFICS_WOMEN)
    honorific = _where(woman, dice.text("Mrs", key, women), dice.text("Mr", key, men))
    return _joined(
        dice.text("name lead", key, _choice("985 |10  |2 \u200b|3   ")),
        _optional(honorific, dice.hits("honorific", key, 0.12)),
        name,
        _optional(dice.text("name tail", key, _choice(words.NAME_TAILS)), dice.hits("tail", key, 0.02)),
        dice.text("name end", key, _choice("980 |14  |3 \u00a0|3   ")),
    )


def _nobody_name(rows: _Rows) -> pl.Series:
    dice, key = rows.dice, rows.key
    name = dice.text("nobody", key, _choice(words.NOBODY_NAMES))
    company = rows.world.companies.label(rows.company).str.to_uppercase()
    name = _where(dice.hits("company as name", key, 0.08), company, name)
    return _where(dice.hits("null name", key, 0.12), None, name)


_VOWELS = "aeiou"


def _with_typo(text: str, chance: int) -> str:
    """One slip of the fingers behind the first letter of a word."""
    places = [at for at in range(1, len(text)) if text[at].isalpha() and text[at - 1].isalpha()]
    if not places:
        return text
    at = places[chance // 8 % len(places)]
    before, letter, after = text[:at], text[at], text[at + 1 :]
    vowel = _VOWELS[chance // 1024 % 5]
    slips = (
        before[:-1] + letter + before[-1] + after,
        before + after,
        before + letter + letter + after,
        before + (vowel if letter.lower() in _VOWELS else letter + vowel) + after,
    )
    return slips[chance % 4]


def _mojibake(text: str, _: int) -> str:
    """UTF-8 read as Windows-1252, as far as that has such letters."""
    return text.encode().decode("cp1252", "replace").replace("\ufffd", "")


# ── contact_no ───────────────────────────────────────────────────────────────────────────────────────────


class _Formats(NamedTuple):
    """All notations of numbers in one list."""

    wheel: Ints  # (kind, slot) → notation
    lead: pl.Series  # by notation and country code
    cuts: Ints  # (notation, 2): where the digits are parted; 0 is behind the area code
    gaps: tuple[pl.Series, pl.Series]  # what stands there


_NOWHERE = 99


@cache
def _formats() -> _Formats:
    lists = (words.INDIAN_MOBILES, words.INDIAN_DESKS, words.FOREIGN_NUMBERS, words.DOMESTIC_NUMBERS)
    kinds = [_choice(entries) for entries in lists]
    every = [_notation(text) for kind in kinds for text in kind.texts]
    starts = np.cumsum([0, *(len(kind.texts) for kind in kinds)])
    wheels = [
        start + _wheel(np.diff(kind.edges, prepend=0.0), 1024)
        for start, kind in zip(starts[:-1], kinds, strict=True)
    ]
    return _Formats(
        wheel=np.stack(wheels),
        lead=pl.Series([lead.replace("C", code) for lead, _, _ in every for code in _places().codes]),
        cuts=np.asarray([cuts for _, cuts, _ in every]),
        gaps=(pl.Series([gaps[0] for _, _, gaps in every]), pl.Series([gaps[1] for _, _, gaps in every])),
    )


def _notation(text: str) -> tuple[str, list[int], list[str]]:
    """What stands before the digits, where they are cut, and what stands there: from `+C {5}-{*}`."""
    lead, *groups = re.split(r"[{}]", text)
    sizes, gaps = groups[0:-2:2], groups[1:-2:2]
    cuts: list[int] = []
    for size in sizes:
        known = 0 if size == "a" else int(size)
        cuts.append(known if not cuts or cuts[-1] == 0 else cuts[-1] + known)
    return lead, [*cuts, _NOWHERE, _NOWHERE][:2], [*gaps, "", ""][:2]


@cache
def _number_order() -> Ints:
    """By what a field shows (and 16 for the desk first): its numbers in order, 0 for no more."""
    order = np.zeros((32, 3), dtype=np.int64)
    bits = ((_FIRST, _MOBILE), (_SECOND, _SECOND_MOBILE), (_AT_DESK, _DESK), (_FIRST, _AGAIN))
    for shown in range(32):
        numbers = [number for number, bit in bits if shown & bit][:3]
        order[shown, : len(numbers)] = sorted(numbers, key=lambda n: n != _AT_DESK) if shown & 16 else numbers
    return order


_FIRST, _SECOND, _AT_DESK = 1, 2, 3  # the numbers that a row may show


def _phone(rows: _Rows) -> pl.Series:
    dice, key, shown = rows.dice, rows.key, rows.fields.phone
    desk_first = np.where(dice.hits("desk first", key, 0.25), 16, 0)
    numbers = _number_order()[(shown & 15) | desk_first]
    separators = _choice("36 , |20 / |14 /|12 ,|8 ; |4 ;|4 \n|2  & |3  or |4   |2  - ")
    phone = _labelled(rows, _dialled(rows, numbers[:, 0], 0, rows.fields.phone_slip))
    for which in (1, 2):
        chosen = numbers[:, which] > 0
        part = rows.only(chosen)
        more = _dialled(part, numbers[chosen, which], which, np.zeros_like(part.key))
        phone = _joined(phone, _spread(_joined(dice.text("phones", part.key, separators), more), chosen))
    phone = _where((shown & _JUNK) > 0, dice.text("phone junk", key, _choice(words.PHONE_JUNK)), phone)
    phone = _where((shown & _INVALID) > 0, _invalid_number(rows), phone)
    empty = _where(dice.hits("null phone", key, 0.6), None, dice.text("empty", key, _choice("4 |1  ")))
    phone = _where(shown == 0, empty, phone)
    return _edited(phone, dice.hits("other digits", key, 0.002), key.astype(np.uint64), _in_other_digits)


def _dialled(rows: _Rows, number: Ints, which: int, slip: Ints) -> pl.Series:
    """A first or second mobile or a desk's number, as somebody wrote it."""
    world, dice, places, formats = rows.world, rows.dice, _places(), _formats()
    desk = number == _AT_DESK
    place = np.where(desk, world.companies.place(rows.company), world.place(rows.person))
    desk_serial = dice.below("desk", rows.company, 1 << _SERIAL_BITS)
    mobile = np.where(number == _SECOND, world.mobile(rows.person, 1), world.mobile(rows.person, 0))
    digits = pl.Series(np.where(desk, _number(places.desk, place, desk_serial), mobile)).cast(pl.String)
    foreign = places.code[place] != places.codes.index(words.INDIA_CODE)
    kind = np.where(foreign, 2, desk.astype(np.int64))
    kind = np.where(foreign & (slip == _WITHOUT_COUNTRY), 3, kind)
    form = formats.wheel[kind, dice.below(f"format {which}", rows.key, 1024)]
    area = np.where(desk, places.desk.area[place], places.mobile.area[place])
    digits = _edited(digits, (slip > 0) & (slip <= _SLIPS), _with_low_digit(dice, rows.key, slip), _with_slip)
    first, second = formats.cuts[form].T
    second = np.where((first == 0) & (second < _NOWHERE), area + second, second)
    first = np.where(first == 0, area, first)
    parts = pl.DataFrame({"digits": digits, "first": first, "second": second}).select(
        one=pl.col("digits").str.slice(0, "first"),
        two=pl.col("digits").str.slice("first", pl.col("second") - pl.col("first")),
        three=pl.col("digits").str.slice("second"),
    )
    lead = formats.lead.gather(form * len(places.codes) + places.code[place])
    gaps = [gap.gather(form) for gap in formats.gaps]
    return _joined(lead, parts["one"], gaps[0], parts["two"], gaps[1], parts["three"])


def _with_low_digit(dice: _Dice, key: Ints, digit: Ints) -> Hashes:
    """Chance whose last decimal digit says which slip it is to be."""
    return dice.roll("slip", key) // np.uint64(100) * np.uint64(10) + digit.astype(np.uint64)


def _with_slip(digits: str, chance: int) -> str:
    at = 2 + chance // 10 % (len(digits) - 2)
    other = str((int(digits[at]) + 1 + chance // 1000 % 9) % 10)
    slips = (
        digits[:at] + other + digits[at + 1 :],
        digits[:at] + digits[at + 1 :],
        digits[:at] + other + digits[at:],
        digits.replace("0", "O", 1) if "0" in digits else digits[:-1] + "l",
        digits + ".0" if chance % 20 < 10 else f"{float(digits):.5E}",
    )
    return slips[chance % 10 - 1]


def _labelled(rows: _Rows, number: pl.Series) -> pl.Series:
    dice, key = rows.dice, rows.key
    desk_only = rows.fields.phone == _DESK
    extension = _joined(
        dice.text("ext", key, _choice(words.EXTENSIONS)),
        pl.Series(dice.below("extension", key, 890) + 10).cast(pl.String),
    )
    return _joined(
        _optional(dice.text("label", key, _choice(words.PHONE_LABELS)), dice.hits("labelled", key, 0.04)),
        number,
        _optional(extension, desk_only & dice.hits("has extension", key, 0.15)),
        _optional(
            dice.text("phone tail", key, _choice(words.PHONE_TAILS)), dice.hits("phone tailed", key, 0.02)
        ),
    )


def _invalid_number(rows: _Rows) -> pl.Series:
    """Nine digits, eleven digits, or ten that no mobile begins with."""
    dice, key = rows.dice, rows.key
    lowest = np.asarray([600_000_000, 20_000_000_000, 1_100_000_000])[dice.below("invalid kind", key, 3)]
    return pl.Series(lowest + dice.below("invalid", key, 1 << 28)).cast(pl.String)


_OTHER_DIGITS = tuple(
    str.maketrans("0123456789", digits) for digits in ("०१२३४५६७८९", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９")
)


def _in_other_digits(text: str, chance: int) -> str:
    return text.translate(_OTHER_DIGITS[(0, 0, 0, 1, 2)[chance % 5]])


# ── contact_person_email ─────────────────────────────────────────────────────────────────────────────────


def _email(rows: _Rows) -> pl.Series:
    dice, key, shown = rows.dice, rows.key, rows.fields.mail
    separators = _choice("40 , |20 ; |14 ;|14 ,|8  / |4 \n|3  ")
    email = pl.Series([""]).new_from_index(0, len(key))
    before = np.zeros(len(key), dtype=np.bool_)
    for kind in (_PERSONAL, _WORK, _ROLE, _OTHER_ROLE):
        chosen = (shown & kind) > 0
        address = _spread(_address(rows.only(chosen), kind), chosen)
        slipped = chosen & ~before & (rows.fields.mail_slip > 0)
        address = _edited(address, slipped, _with_low_digit(dice, key, rows.fields.mail_slip), _mail_slip)
        email = _joined(email, _optional(dice.text("mails", key, separators), chosen & before), address)
        before |= chosen
    email = _joined(
        _optional(
            dice.text("mail lead", key, _choice(words.MAIL_LEADS)), before & dice.hits("mail led", key, 0.015)
        ),
        email,
        _optional(
            dice.text("mail tail", key, _choice(words.MAIL_TAILS)),
            before & dice.hits("mail tailed", key, 0.02),
        ),
    )
    email = _where((shown & _JUNK) > 0, dice.text("mail junk", key, _choice(words.MAIL_JUNK)), email)
    empty = _where(dice.hits("null mail", key, 0.6), None, dice.text("empty mail", key, _choice("4 |1  ")))
    return _where(shown == 0, empty, email)


def _address(rows: _Rows, kind: int) -> pl.Series:
    world, dice, key = rows.world, rows.dice, rows.key
    if kind == _PERSONAL:
        owner = world.personal_owner(rows.person)
        provider = dice.text("provider", owner, _choice(words.MAIL_PROVIDERS))
        return _own_address(rows, owner, np.zeros_like(owner), provider)
    if kind == _WORK:
        owner = world.work_owner(rows.person, rows.fields.job)
        return _own_address(rows, owner, 1 + rows.fields.job, world.companies.domain(rows.company))
    role = dice.text(f"role {kind}", key, _choice(words.ROLE_MAILBOXES))
    shared = _joined(world.companies.label(rows.company), "@post.example")
    of_company = _joined(role, "@", world.companies.domain(rows.company))
    return _where(world.companies.has_domain(rows.company), of_company, shared)


def _own_address(rows: _Rows, owner: Ints, which: Ints, domain: pl.Series) -> pl.Series:
    """Somebody's own mailbox, as it was typed: lower case, Like This, or UPPER."""
    names, key = _names(), rows.key
    first, separator, second, _ = rows.world.mailbox(owner, which)
    number = rows.world.mailbox_number(owner, which)
    case = rows.dice.index("mail case", key, _edges([93, 4, 3]))
    shift = case * (len(names.mails) // 3)
    address = _joined(
        names.mails.gather(first + shift),
        pl.Series(_MAIL_SEPARATORS).gather(separator),
        _optional(names.mails.gather(second + shift), separator != _FIRST_ONLY),
        _optional(pl.Series(number), number >= 0),
        "@",
        domain,
    )
    return _where(case == 2, address.str.to_uppercase(), address)


def _mail_slip(address: str, chance: int) -> str:
    local, _, domain = address.partition("@")
    at = 1 + chance // 10 % (len(domain.partition(".")[0]) - 1)
    slips = (
        f"{local}@{domain[: at - 1]}{domain[at]}{domain[at - 1]}{domain[at + 1 :]}",
        f"{local}@{domain[:at]}{domain[at - 1 :]}",
        f"{local}@{domain[: at - 1]}{domain[at:]}",
        f"{local}{domain}",
        f"{local}(at){domain}" if chance % 20 < 10 else f"{local}@@{domain}",
        f"{local}@{domain}".replace(".", " ", 1) if "." in local else f"{local} @{domain}",
    )
    return slips[chance % 10 - 1]


# ── designation, and damage to any text ──────────────────────────────────────────────────────────────────


class _Titles(NamedTuple):
    texts: pl.Series
    first: Ints
    counts: Ints
    edges: Floats


@cache
def _titles() -> _Titles:
    groups = [entry.replace("_", " ").split("/") for entry in words.TITLES.split()]
    counts = [len(group) for group in groups]
    return _Titles(
        texts=pl.Series([text for group in groups for text in group]),
        first=np.cumsum([0, *counts[:-1]]),
        counts=np.asarray(counts),
        edges=_edges([1 / (rank + 4) for rank in range(len(groups))]),
    )


def _designation(rows: _Rows) -> pl.Series:
    """Somebody's title at that job, in any of its notations."""
    dice, key, titles = rows.dice, rows.key, _titles()
    title = dice.index("title", rows.person * 2 + rows.fields.job, titles.edges)
    notation = dice.below("notation", key, titles.counts[title]) * dice.hits("other notation", key, 0.4)
    text = titles.texts.gather(titles.first[title] + notation)
    text = _where(dice.hits("title upper", key, 0.08), text.str.to_uppercase(), text)
    relation = dice.text("vendor", rows.person, _choice(words.OTHER_RELATIONS))
    text = _where(dice.hits("is vendor", rows.person, 0.04), relation, text)
    text = _where(
        dice.hits("title junk", key, 0.05),
        dice.text("which title junk", key, _choice(words.TITLE_JUNK)),
        text,
    )
    foreign = pl.select(text.str.len_bytes() > text.str.len_chars()).to_series().to_numpy()
    text = _edited(text, foreign & dice.hits("title mojibake", key, 0.3), key.astype(np.uint64), _mojibake)
    empty = _where(dice.hits("null title", key, 0.7), None, dice.text("empty title", key, _choice("1 ")))
    return _where(dice.hits("no title", key, 0.11), empty, text)


_CONTROLS = [
    chr(code) for code in (*range(1, 9), 11, 12, *range(14, 32), 127, 133)
]  # no NUL: PostgreSQL refuses it


def _damaged(rows: _Rows, columns: list[pl.Series]) -> list[pl.Series]:
    """A few rows with a control character, or far too much text, in one of the columns."""
    dice, key = rows.dice, rows.key
    which = dice.below("damaged column", key, len(columns))
    chance = dice.roll("damage", key)
    control, long = dice.hits("control", key, 0.0006), dice.hits("long", key, 0.0002)
    damaged = []
    for number, column in enumerate(columns):
        controlled = _edited(column, control & (which == number), chance, _with_control)
        damaged.append(_edited(controlled, long & (which == number), chance, _with_long_text))
    return damaged


def _with_control(text: str, chance: int) -> str:
    at = chance % (len(text) + 1)
    return text[:at] + _CONTROLS[chance // 1000 % len(_CONTROLS)] + text[at:]


def _with_long_text(text: str, _: int) -> str:
    """As if a whole letter had been pasted."""
    return (text + " - please call before noon and ask for the accounts department. " * 40)[:2000]
