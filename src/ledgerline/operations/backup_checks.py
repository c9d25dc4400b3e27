"""The application's own check of a main database: what its tables promise and no constraint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.schema import contact_points, contacts, ingestion_runs, owners, source_records
from ledgerline.operations.backup_manifest import Check

_CLASSES = ("inserted", "updated", "unchanged", "merged", "rejected", "withdrawn", "inactive")


def application_checks(database: Database) -> list[Check]:
    """Of a database at this version's revision."""
    with database.connect() as connection:
        found = [
            Check(promise, not broken, f"{broken:,} rows break it" if broken else "")
            for promise, query in _promises().items()
            for broken in (int(connection.execute(query).scalar_one()),)
        ]
        return [*found, _redirects_end(connection)]


def _promises() -> Mapping[str, sa.Select[int]]:
    """Promise → how many rows break it."""
    home, points, runs = contacts.alias("home"), contact_points, ingestion_runs
    of_record = source_records.outerjoin(home, home.c.id == source_records.c.contact_id)
    of_point = points.outerjoin(home, home.c.id == points.c.contact_id)
    of_owner = contacts.outerjoin(owners, owners.c.id == contacts.c.owner_id)
    live = source_records.c.is_live == sa.true()
    account = sum((runs.c[name] for name in _CLASSES[1:]), runs.c[_CLASSES[0]])

    def count(source: sa.FromClause, *broken: sa.ColumnElement[bool]) -> sa.Select[int]:
        return sa.select(sa.func.count()).select_from(source).where(*broken)

    return {
        "every live source record has a contact": count(of_record, live, home.c.id.is_(None)),
        "no live source record stands behind a redirect": count(
            of_record, live, home.c.merged_into.is_not(None)
        ),
        "every further e-mail and phone has a contact": count(of_point, home.c.id.is_(None)),
        "every contact's owner is there": count(
            of_owner, contacts.c.owner_id.is_not(None), owners.c.id.is_(None)
        ),
        "the account of every run is balanced": count(
            runs, runs.c.status == "succeeded", runs.c.kind == "ingest", runs.c.fetched != account
        ),
    }


def _redirects_end(connection: sa.Connection) -> Check:
    """Redirects are followed in steps that double, so that a long chain and a circle are told apart."""
    name = "every redirect ends at a contact"
    rows = connection.execute(
        sa.select(contacts.c.id, contacts.c.merged_into).where(contacts.c.merged_into.is_not(None))
    )
    redirects = pl.DataFrame(list(map(tuple, rows)), schema={"id": pl.Int64, "to": pl.Int64}, orient="row")
    lost = connection.execute(_without_target()).scalar_one()
    for _ in range(redirects.height.bit_length()):
        further = redirects.rename({"id": "to", "to": "further"})
        redirects = redirects.join(further, on="to", how="left").select(
            "id", pl.coalesce("further", "to").alias("to")
        )
    circular = redirects.join(redirects.select(pl.col("id").alias("to")), on="to", how="semi").height
    broken = int(lost) + circular
    return Check(name, not broken, f"{broken:,} do not" if broken else "")


def _without_target() -> sa.Select[int]:
    target = contacts.alias("target")
    both = contacts.outerjoin(target, target.c.id == contacts.c.merged_into)
    return (
        sa.select(sa.func.count())
        .select_from(both)
        .where(contacts.c.merged_into.is_not(None), target.c.id.is_(None))
    )


def differences(
    expected: Mapping[str, object], found: Mapping[str, object], uncertain: frozenset[str]
) -> Iterator[str]:
    """Tables that are not what the manifest says, each with what is wrong."""
    for table in sorted({*expected, *found} - uncertain):
        if table not in found:
            yield f"{table} is missing"
        elif table not in expected:
            yield f"{table} should not be there"
        elif expected[table] != found[table]:
            yield f"{table} holds something else"
