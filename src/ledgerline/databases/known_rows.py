"""What the main database knows of the rows of a source: as records, or as rejects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.engines import in_lots
from ledgerline.databases.schema import rejects, source_records
from ledgerline.databases.staging import typed

KNOWN = pl.Schema(
    {
        "record_key": pl.Int64,
        "source_record_id": pl.String,
        "contact_id": pl.Int64,  # null: the row is known only as a reject
        "payload_hash": pl.Int64,
        "is_live": pl.Boolean,
        "reject_hash": pl.Int64,  # null: no open reject
    }
)
FAULTS = pl.Schema({"record_key": pl.Int64, "source_record_id": pl.String, "payload_hash": pl.Int64})


@dataclass(frozen=True, slots=True)
class Known:
    """What the main database knows of the source's rows in a range."""

    rows: pl.DataFrame  # KNOWN
    faults: pl.DataFrame  # FAULTS: open rejects for want of a key of their own
    by_id: bool  # whether `source_record_id` is filled: an integer key says it already
    is_whole: bool = True  # whether these are the rows of the range alone: what is not there is gone

    @staticmethod
    def nothing() -> Known:
        return Known(KNOWN.to_frame(), FAULTS.to_frame(), by_id=False)


def in_range(main: Database, system: str, lower: int | None, upper: int | None) -> Known:
    """Records and open rejects whose record keys, the integers themselves, are in (lower, upper]."""
    records, refused = _known_queries(system, by_id=False)
    return _known(
        main.read(records.where(*_between(source_records, lower, upper))),
        main.read(refused.where(*_between(rejects, lower, upper))),
        by_id=False,
    )


def all_of(main: Database, system: str) -> Known:
    """All records and open rejects that have a key."""
    records, refused = map(main.read, _known_queries(system, by_id=True))
    return replace(_known(records, refused, by_id=True), is_whole=False)


def of_keys(main: Database, system: str, record_keys: pl.Series) -> Known:
    """Records and open rejects of these keys, looked up one by one: of other rows nothing is said."""
    lots = list(in_lots(record_keys.unique().sort().to_list(), main.server.named_at_once))
    records, refused = _known_queries(system, by_id=True)
    with main.connect() as connection:

        def of_lots(query: sa.Select[Any], table: sa.Table) -> pl.DataFrame:
            wanted = (query.where(main.server.is_among(table.c.record_key, lot)) for lot in lots)
            frames = [main.server.read_few(connection, some) for some in wanted]
            return pl.concat(frames, how="vertical_relaxed")

        known = _known(of_lots(records, source_records), of_lots(refused, rejects), by_id=True)
    return replace(known, is_whole=False)


def _known_queries(system: str, *, by_id: bool) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Of the source records, and of the open rejects that have a key."""
    records = sa.select(
        source_records.c.record_key,
        *([source_records.c.source_record_id] if by_id else []),
        source_records.c.contact_id,
        source_records.c.payload_hash,
        source_records.c.is_live,
    ).where(source_records.c.source_system == system)
    refused = sa.select(
        rejects.c.record_key, rejects.c.source_record_id, rejects.c.payload_hash, rejects.c.key_fault
    ).where(
        rejects.c.source_system == system,
        rejects.c.resolved_run.is_(None),
        rejects.c.source_record_id.is_not(None),
    )
    return records, refused


def _known(records: pl.DataFrame, refused: pl.DataFrame, *, by_id: bool) -> Known:
    is_fault = refused["key_fault"].cast(pl.Boolean)
    versions = refused.filter(~is_fault).rename({"payload_hash": "reject_hash"})
    return Known(
        _joined(typed(records, KNOWN), typed(versions, KNOWN), by_id=by_id),
        typed(refused.filter(is_fault), FAULTS),
        by_id,
    )


def without_key(main: Database, system: str) -> Known:
    """The open rejects that have no key at all."""
    refused = main.read(
        sa.select(rejects.c.record_key, rejects.c.source_record_id, rejects.c.payload_hash).where(
            rejects.c.source_system == system,
            rejects.c.resolved_run.is_(None),
            rejects.c.key_fault,
            rejects.c.source_record_id.is_(None),
        )
    )
    return Known(KNOWN.to_frame(), typed(refused, FAULTS), by_id=False)


def _joined(records: pl.DataFrame, refused: pl.DataFrame, *, by_id: bool) -> pl.DataFrame:
    if refused.is_empty():
        return records
    on = ["record_key", "source_record_id"] if by_id else ["record_key"]
    both = records.drop("reject_hash").join(
        refused.select(*on, "reject_hash"), on=on, how="full", coalesce=True
    )
    return typed(both, KNOWN)


def _between(table: sa.Table, lower: int | None, upper: int | None) -> list[sa.ColumnElement[bool]]:
    bounds: list[sa.ColumnElement[bool]] = []
    if lower is not None:
        bounds.append(table.c.record_key > lower)
    if upper is not None:
        bounds.append(table.c.record_key <= upper)
    return bounds
