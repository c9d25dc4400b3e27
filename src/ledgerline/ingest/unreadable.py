"""A row that the database cannot give out must not take the others of its range with it.

Such a row fails the whole statement: a view whose expression fails on it, a value that no driver can
convert. So the range is halved until the row is alone, and that row is rejected as unreadable.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ledgerline.contacts.model import RAW, Reason
from ledgerline.errors import UnreadableValue
from ledgerline.sources import Partition, Source

_Fetch = Callable[[Source, Partition], pl.DataFrame]


def read(fetch: _Fetch, source: Source, partition: Partition) -> tuple[pl.DataFrame, list[str]]:
    """The rows of a range, and the keys of those among them that could not be read: they have nothing else.

    Raises UnreadableValue when such a row has no key by which it could be told from the others.
    """
    try:
        return fetch(source, partition), []
    except UnreadableValue:
        halves = source.halves(partition)
        if not halves:
            raise
        if isinstance(halves, str):
            return _nothing_but(halves), [halves]
    parts = [read(fetch, source, half) for half in halves]
    return pl.concat(rows for rows, _ in parts), [key for _, keys in parts for key in keys]


def _nothing_but(key: str) -> pl.DataFrame:
    row = pl.DataFrame({"source_record_id": [key], "is_active": [True]})
    return pl.concat([RAW.to_frame(), row], how="diagonal")


def marked(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Rows with `key_reason`, where those that could not be read have that as their reason."""
    unreadable = pl.col("source_record_id").is_in(keys)
    reason = pl.when(unreadable).then(pl.lit(Reason.UNREADABLE.value)).otherwise("key_reason")
    return rows.with_columns(key_reason=reason) if keys else rows
