"""Names of people, by culture, and how often each is borne."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Bools, Ints, wheel_of

NAME_SLOTS = 1 << 13
CULTURE_NUMBER = {name: number for number, name in enumerate(words.CULTURES)}


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
        return np.asarray(tokens, dtype=np.int64)[wheel_of(weights, NAME_SLOTS)]

    def names(self, given: list[Ints], surname: list[Ints]) -> _Names:
        spellings = len(self.texts)
        initials = sorted({text[0].upper() for text in self.texts})
        number = {letter: spellings + 2 * position for position, letter in enumerate(initials)}
        texts = self.texts + [text for letter in initials for text in (letter, letter + ".")]
        mail_texts = [mailable(text) for text in texts]
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
def known_names() -> _Names:
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


def mailable(text: str) -> str:
    ascii_text = normalize("NFKD", text.translate(_FOLDED)).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in ascii_text if letter.isalnum()) or "x"
