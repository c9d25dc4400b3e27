"""Of a first load, the staged records of each partition as two values, each a Parquet file.

Nothing is known that they would have to be joined with, so the server need not look into them: to keep rows,
to read them and to write them again costs it as much as all else in a first load.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.staging_tables import Staging

_HEAD = ("record_key", "source_record_id", "contact_id", "name")  # what is read apart from all else
_LEVEL = 1  # of zstd's: more takes longer, and hardly less room


@dataclass(frozen=True, slots=True)
class Page:
    head: bytes
    body: bytes


def packed(records: pl.DataFrame) -> Page:
    return Page(_packed(records.select(_HEAD)), _packed(records.drop(_HEAD)))


def _packed(records: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    records.write_parquet(content, compression="zstd", compression_level=_LEVEL, statistics=False)
    return content.getvalue()


def put(connection: sa.Connection, staging: Staging, partition: int, page: Page) -> None:
    """Stage the records of a partition."""
    values = {"partition": partition, "head": page.head, "body": page.body}
    connection.execute(staging.pages.insert(), values)


def read(
    main: Database, staging: Staging, partition: int, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """Of what a partition staged, if it did, these columns, in the order of its contact ids."""
    pages = staging.pages
    parts = [pages.c.head, pages.c.body]
    if columns is not None and set(columns) <= set(_HEAD):
        parts = [pages.c.head]
    content = main.read(sa.select(*parts).where(pages.c.partition == partition))
    if content.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(columns or (), pl.Null))
    read = pl.concat([pl.read_parquet(part) for part in content.row(0)], how="horizontal")
    return read if columns is None else read.select(columns)


def partitions(connection: sa.Connection, staging: Staging) -> list[int]:
    """The partitions that have staged something."""
    pages = staging.pages
    return list(connection.execute(sa.select(pages.c.partition).order_by(pages.c.partition)).scalars())
