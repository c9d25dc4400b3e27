"""What people ask of the main database after a run: rejects, examples, the contacts themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import named
from ledgerline.databases.schema import contact_points, contacts, rejects, source_records, undo_kept
from ledgerline.databases.staging import CONTACTS, POINTS, typed

_TEXTS: Any = pl.List(pl.String)
EXPORT = pl.Schema(
    {
        "id": pl.Int64,
        "name": pl.String,
        "companyName": pl.String,
        "email": pl.String,
        "mobileE164": pl.String,
        "emails": _TEXTS,
        "phones": _TEXTS,
        "designation": pl.String,
        "relationshipType": pl.String,
        "dataQualityScore": pl.Int16,
        "sourceSystem": pl.String,
        "sourceRecordIds": _TEXTS,
    }
)
_KEYS = pl.Schema({"contact_id": pl.Int64, "record_key": pl.Int64, "source_record_id": pl.String})
_CONTACTS_AT_ONCE = 50_000


def open_rejects(main: Database, run_id: int) -> Iterator[dict[str, Any]]:
    """The rows that this run rejected, in the order of their keys."""
    query = sa.select(rejects).where(rejects.c.run_id == run_id)
    with main.connect() as connection:
        yield from map(named, connection.execute(query.order_by(rejects.c.ordinal)))


def all_open_rejects(main: Database) -> Iterator[dict[str, Any]]:
    """The rows that are rejected now, whichever run did it."""
    query = sa.select(rejects).where(rejects.c.resolved_run.is_(None))
    with main.connect() as connection:
        yield from map(named, connection.execute(query.order_by(rejects.c.run_id, rejects.c.ordinal)))


def rejects_of(main: Database, source_record_id: str) -> list[dict[str, Any]]:
    """Every time that a source row was rejected, the oldest first."""
    same = rejects.c.source_record_id == source_record_id
    if re.fullmatch(r"0|[1-9][0-9]{0,17}", source_record_id):
        same &= rejects.c.record_key == int(source_record_id)  # the index
    with main.connect() as connection:
        query = sa.select(rejects).where(same).order_by(rejects.c.run_id, rejects.c.ordinal)
        return [named(row) for row in connection.execute(query)]


def kept_by_undo(main: Database, run_id: int) -> list[dict[str, Any]]:
    """What an undo left as it was, as rows of `undo_kept`."""
    query = sa.select(undo_kept).where(undo_kept.c.run_id == run_id).order_by(undo_kept.c.ordinal)
    with main.connect() as connection:
        return [named(row) for row in connection.execute(query)]


def reject_reasons(main: Database, system: str) -> list[tuple[str, int]]:
    """How often each set of reasons stands among the open rejects of a source, the most frequent first."""
    count = sa.func.count().label("rows")
    query = (
        sa.select(rejects.c.reasons, count)
        .where(rejects.c.source_system == system, rejects.c.resolved_run.is_(None))
        .group_by(rejects.c.reasons)
        .order_by(count.desc(), rejects.c.reasons)
    )
    with main.connect() as connection:
        return [(row.reasons, row.rows) for row in connection.execute(query)]


def rejected_anew(main: Database, run_id: int) -> bool:
    """Whether this run rejected rows that were not rejected before."""
    query = sa.select(rejects.c.ordinal).where(rejects.c.run_id == run_id).limit(1)
    with main.connect() as connection:
        return connection.execute(query).first() is not None


def cleaned_examples(main: Database, run_id: int, count: int) -> list[dict[str, Any]]:
    """Records of this run of which several values were cleaned, raw beside clean."""
    several = sa.and_(
        source_records.c.run_id == run_id,
        source_records.c.raw_phone.is_not(None),
        source_records.c.raw_name.is_not(None),
        source_records.c.raw_email.is_not(None),
    )
    query = sa.select(source_records).where(several).limit(count)
    with main.connect() as connection:
        return [named(row) for row in connection.execute(query)]


def merged_examples(main: Database, run_id: int, count: int) -> list[dict[str, Any]]:
    """Records of this run that joined a contact, with what they joined."""
    joined = sa.and_(source_records.c.run_id == run_id, source_records.c.match_rule.is_not(None))
    query = (
        sa.select(
            source_records.c.name,
            source_records.c.match_rule,
            source_records.c.source_record_id,
            source_records.c.match_partner,
            contacts.c.name.label("contact_name"),
            contacts.c.id.label("contact_id"),
        )
        .join(contacts, contacts.c.id == source_records.c.contact_id)
        .where(joined, contacts.c.name != source_records.c.name)
        .limit(count)
    )
    with main.connect() as connection:
        return [named(row) for row in connection.execute(query)]


def export_contacts(main: Database, *, inactive: bool = False) -> Iterator[pl.DataFrame]:
    """All contacts in the order of their ids, in frames of the columns `EXPORT`; redirects are left out."""
    after = 0
    while True:
        page = _page(main, after, inactive=inactive)
        if page.is_empty():
            return
        after = page["id"][-1]
        yield page


def _page(main: Database, after: int, *, inactive: bool) -> pl.DataFrame:
    chosen = [contacts.c.id > after, contacts.c.merged_into.is_(None)]
    if not inactive:
        chosen.append(contacts.c.is_active)
    query = sa.select(contacts).where(*chosen).order_by(contacts.c.id).limit(_CONTACTS_AT_ONCE)
    rows = typed(main.read(query), CONTACTS)
    if rows.is_empty():
        return EXPORT.to_frame()
    lower, upper = after, rows["id"][-1]
    of_page = contact_points.c.contact_id.between(lower + 1, upper)
    points = typed(main.read(sa.select(contact_points).where(of_page)), POINTS)
    of_page = source_records.c.contact_id.between(lower + 1, upper)
    keys = sa.select(*[source_records.c[name] for name in _KEYS]).where(of_page, source_records.c.is_live)
    records = typed(main.read(keys), _KEYS)
    ids = records.sort("contact_id", "record_key", "source_record_id").group_by(
        "contact_id", maintain_order=True
    )
    listed = ids.agg(pl.col("source_record_id").alias("sourceRecordIds"))
    page = rows.join(listed, left_on="id", right_on="contact_id", how="left").with_columns(
        pl.col("sourceRecordIds").fill_null([])
    )
    for kind, first, every in (("EMAIL", "email", "emails"), ("PHONE", "mobile_e164", "phones")):
        page = page.join(
            _listed(points, kind, every), left_on="id", right_on="contact_id", how="left"
        ).with_columns(
            pl.concat_list(pl.concat_list(first), pl.col(every).fill_null([])).list.drop_nulls().alias(every)
        )
    renamed = page.rename(
        {
            "company_name": "companyName",
            "mobile_e164": "mobileE164",
            "relationship_type": "relationshipType",
            "data_quality_score": "dataQualityScore",
            "source_system": "sourceSystem",
        }
    )
    return renamed.select(pl.col(name).cast(dtype) for name, dtype in EXPORT.items())


def _listed(points: pl.DataFrame, kind: str, name: str) -> pl.DataFrame:
    return (
        points.filter(pl.col("kind") == kind)
        .sort("contact_id", "position")
        .group_by("contact_id", maintain_order=True)
        .agg(pl.col("value").alias(name))
    )
