"""Columns of text, put together and edited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ledgerline.sources.sample.chance import Bools, Hashes


def together(*parts: pl.Series | str) -> pl.Series:
    """The texts of each row, one behind the other; null where any is."""
    columns = [pl.lit(part) if isinstance(part, str) else part for part in parts]
    return pl.select(pl.concat_str(columns)).to_series()


def optional(texts: pl.Series, wanted: Bools) -> pl.Series:
    """The text where it is wanted, else an empty one."""
    return pl.select(pl.when(pl.Series(wanted)).then(texts.cast(pl.String)).otherwise(pl.lit(""))).to_series()


def either(wanted: Bools, yes: pl.Series | None, no: pl.Series) -> pl.Series:
    return pl.select(pl.when(pl.Series(wanted)).then(yes).otherwise(no)).to_series().cast(pl.String)


def spread(texts: pl.Series, wanted: Bools) -> pl.Series:
    """Texts made for the wanted rows only, among empty ones."""
    return pl.concat([pl.Series([""]), texts]).gather(np.where(wanted, np.cumsum(wanted), 0))


def edited(texts: pl.Series, chosen: Bools, chance: Hashes, edit: Callable[[str, int], str]) -> pl.Series:
    """The texts, with the chosen ones edited one by one: for what is rare."""
    rows = np.flatnonzero(chosen & texts.is_not_null().to_numpy())
    if len(rows) == 0:
        return texts
    pairs = zip(texts.gather(rows).to_list(), chance[rows].tolist(), strict=True)
    return texts.scatter(rows, pl.Series([edit(text, number) for text, number in pairs], dtype=pl.String))
