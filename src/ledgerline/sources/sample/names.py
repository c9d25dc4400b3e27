"""How the name of a person is written in a row."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Bools, Dice, Floats, Ints, choice_of, edges_of, wheel_of
from ledgerline.sources.sample.columns import edited, either, optional, together
from ledgerline.sources.sample.lexicon import known_names
from ledgerline.sources.sample.people import Rows

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


def name_column(rows: Rows) -> pl.Series:
    dice, key, texts = rows.dice, rows.key, known_names().texts
    first, middle, last, dotted, joined = _name_pieces(rows)
    case = dice.index("case", key, edges_of([86, 9, 5])) * known_names().spellings
    gap = dice.text("name gap", key, choice_of(_NAME_GAPS))
    tight = joined | (dotted & (middle < 0) & dice.hits("tight", key, 0.25))
    name = together(
        texts.gather(first + case),
        optional(together(gap, texts.gather(np.maximum(middle, 0) + case)), middle >= 0),
        optional(together(optional(gap, ~tight), texts.gather(np.maximum(last, 0) + case)), last >= 0),
    )
    name = edited(name, dice.hits("typo", key, 0.04), dice.roll("which typo", key), _with_typo)
    name = _with_surroundings(rows, name)
    foreign = pl.select(name.str.len_bytes() > name.str.len_chars()).to_series().to_numpy()
    name = edited(name, foreign & dice.hits("mojibake", key, 0.05), key.astype(np.uint64), as_mojibake)
    return either(rows.nobody, _nobody_name(rows), name)


def _name_pieces(rows: Rows) -> tuple[Ints, Ints, Ints, Bools, Bools]:
    """Three spellings (-1 for none), whether the first is an initial with a dot, and has no gap behind."""
    world, dice, names = rows.world, rows.dice, known_names()
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


def _style(dice: Dice, key: Ints, kind: Ints) -> Ints:
    wheels = np.stack([wheel_of([weights[k] for _, weights in _STYLES], 1024) for k in range(3)])
    return wheels[kind, dice.below("style", key, 1024)]


def _row_spelling(rows: Rows, purpose: str, token: Ints) -> Ints:
    """Mostly the person's own spelling."""
    which = rows.dice.below(purpose + " row which", rows.key, known_names().counts[token])
    other = rows.dice.hits(purpose + " row spelling", rows.key, 0.06)
    return np.where(
        other, known_names().main[token] + which, rows.world.spelling(purpose, rows.person, token)
    )


def _with_surroundings(rows: Rows, name: pl.Series) -> pl.Series:
    dice, key = rows.dice, rows.key
    woman = known_names().woman[rows.world.given(rows.person)]
    men, women = choice_of(words.HONORIFICS_MEN), choice_of(words.HONORIFICS_WOMEN)
    honorific = either(woman, dice.text("Mrs", key, women), dice.text("Mr", key, men))
    return together(
        dice.text("name lead", key, choice_of("985 |10  |2 \u200b|3   ")),
        optional(honorific, dice.hits("honorific", key, 0.12)),
        name,
        optional(dice.text("name tail", key, choice_of(words.NAME_TAILS)), dice.hits("tail", key, 0.02)),
        dice.text("name end", key, choice_of("980 |14  |3 \u00a0|3   ")),
    )


def _nobody_name(rows: Rows) -> pl.Series:
    dice, key = rows.dice, rows.key
    name = dice.text("nobody", key, choice_of(words.NOBODY_NAMES))
    company = rows.world.companies.label(rows.company).str.to_uppercase()
    name = either(dice.hits("company as name", key, 0.08), company, name)
    return either(dice.hits("null name", key, 0.12), None, name)


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


def as_mojibake(text: str, _: int) -> str:
    """UTF-8 read as Windows-1252, as far as that has such letters."""
    return text.encode().decode("cp1252", "replace").replace("\ufffd", "")
