"""Designations, and damage to any text."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Floats, Ints, choice_of, edges_of
from ledgerline.sources.sample.columns import edited, either
from ledgerline.sources.sample.names import as_mojibake
from ledgerline.sources.sample.people import Rows


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
        edges=edges_of([1 / (rank + 4) for rank in range(len(groups))]),
    )


def designation_column(rows: Rows) -> pl.Series:
    """Somebody's title at that job, in any of its notations."""
    dice, key, titles = rows.dice, rows.key, _titles()
    title = dice.index("title", rows.person * 2 + rows.fields.job, titles.edges)
    notation = dice.below("notation", key, titles.counts[title]) * dice.hits("other notation", key, 0.4)
    text = titles.texts.gather(titles.first[title] + notation)
    text = either(dice.hits("title upper", key, 0.08), text.str.to_uppercase(), text)
    relation = dice.text("vendor", rows.person, choice_of(words.OTHER_RELATIONS))
    text = either(dice.hits("is vendor", rows.person, 0.04), relation, text)
    text = either(
        dice.hits("title junk", key, 0.05),
        dice.text("which title junk", key, choice_of(words.TITLE_JUNK)),
        text,
    )
    foreign = pl.select(text.str.len_bytes() > text.str.len_chars()).to_series().to_numpy()
    text = edited(text, foreign & dice.hits("title mojibake", key, 0.3), key.astype(np.uint64), as_mojibake)
    empty = either(dice.hits("null title", key, 0.7), None, dice.text("empty title", key, choice_of("1 ")))
    return either(dice.hits("no title", key, 0.11), empty, text)


# Without NUL, which PostgreSQL refuses.
_CONTROLS = [chr(code) for code in (*range(1, 9), 11, 12, *range(14, 32), 127, 133)]


def with_damage(rows: Rows, columns: list[pl.Series]) -> list[pl.Series]:
    """A few rows with a control character, or far too much text, in one of the columns."""
    dice, key = rows.dice, rows.key
    which = dice.below("damaged column", key, len(columns))
    chance = dice.roll("damage", key)
    control, long = dice.hits("control", key, 0.0006), dice.hits("long", key, 0.0002)
    damaged = []
    for number, column in enumerate(columns):
        controlled = edited(column, control & (which == number), chance, _with_control)
        damaged.append(edited(controlled, long & (which == number), chance, _with_long_text))
    return damaged


def _with_control(text: str, chance: int) -> str:
    at = chance % (len(text) + 1)
    return text[:at] + _CONTROLS[chance // 1000 % len(_CONTROLS)] + text[at:]


def _with_long_text(text: str, _: int) -> str:
    """As if a whole letter had been pasted."""
    return (text + " - please call before noon and ask for the accounts department. " * 40)[:2000]
