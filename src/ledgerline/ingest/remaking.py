"""Contacts made anew of the records they have, inside the transaction of an undo, an unmerge or an edit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import sqlalchemy as sa

from ledgerline.contacts.edits import EDITS, effective
from ledgerline.databases import edits, images, staging
from ledgerline.databases.engines import BOUND_AT_ONCE, in_lots
from ledgerline.databases.schema import (
    changes,
    contact_owners,
    contact_points,
    contacts,
    owners,
    source_records,
    value_suggestions,
)
from ledgerline.ingest.golden import Remade, remade
from ledgerline.ingest.partitions import Job

_CONTACTS_AT_ONCE = 5_000
_FIXED = ("id", "source_system", "source_record_id", "created_run")  # of a known contact


@dataclass(frozen=True, slots=True)
class Hand:
    """Who makes contacts anew, and how it is noted."""

    connection: sa.Connection
    job: Job
    rule: str  # of the changes


def remake(hand: Hand, ids: sa.Select[Any]) -> None:
    """Make these contacts what their live records and people's edits say, or inactive without such records.

    Those that differ get a before-image and rows in `changes`. One that is not there yet is inserted.
    """
    _revive(hand, ids)
    edited = effective(staging.fetched(hand.connection, edits.in_force(), EDITS), staging.MOVED.to_frame())
    for chosen in _slices(hand.connection, ids):
        members = staging.members_of(hand.connection, chosen)
        before = staging.current_of(hand.connection, chosen)
        made = remade(members, before, edited, hand.job)
        _forget_suggestions(hand, members)
        _note_source_values(hand, made.source_values)
        if made.contacts.is_empty():
            continue
        _write(hand, made, before)


def _revive(hand: Hand, ids: sa.Select[Any]) -> None:
    """A contact that has records again, live or not, is no redirect any more."""
    with_records = sa.select(source_records.c.contact_id)
    is_revived = (
        contacts.c.id.in_(ids) & contacts.c.id.in_(with_records) & contacts.c.merged_into.is_not(None)
    )
    images.keep_contacts(hand.connection, hand.job.run_id, sa.select(contacts.c.id).where(is_revived))
    hand.connection.execute(
        contacts.update().where(is_revived).values(merged_into=sa.null(), updated_run=hand.job.run_id)
    )


def _slices(connection: sa.Connection, ids: sa.Select[Any]) -> Iterator[sa.Select[Any]]:
    """The same ids, some at a time."""
    column = ids.selected_columns[0]
    every = sorted(set(connection.execute(ids).scalars()))
    for start in range(0, len(every), _CONTACTS_AT_ONCE):
        part = every[start : start + _CONTACTS_AT_ONCE]
        yield ids.where(column.between(part[0], part[-1]))


def _write(hand: Hand, made: Remade, before: staging.Current) -> None:
    connection, run_id = hand.connection, hand.job.run_id
    known = made.contacts.join(before.contacts.select("id"), on="id", how="semi")
    new = made.contacts.join(before.contacts.select("id"), on="id", how="anti")
    for frame in known.iter_slices(BOUND_AT_ONCE):
        concerned = frame["id"].to_list()
        images.keep_contacts(connection, run_id, sa.select(contacts.c.id).where(contacts.c.id.in_(concerned)))
        images.clear_details(connection, concerned)
    owner_ids = _owner_ids(connection, made.owners["owner"].unique().to_list())
    standing = made.owners.filter(pl.col("position") == 0).select("contact_id", "owner")
    first_owners = {contact_id: owner_ids[name] for contact_id, name in standing.iter_rows()}
    _update(hand, known, first_owners)
    _insert(connection, contacts, [_row(row, first_owners) for row in new.to_dicts()])
    _insert(connection, contact_points, made.points.to_dicts())
    further = made.owners.filter(pl.col("position") > 0).iter_rows(named=True)
    _insert(
        connection,
        contact_owners,
        [
            {
                "contact_id": row["contact_id"],
                "owner_id": owner_ids[row["owner"]],
                "position": row["position"],
            }
            for row in further
        ],
    )
    if made.changes is not None:
        noted = made.changes.with_columns(rule=pl.lit(hand.rule), run_id=pl.lit(run_id, pl.Int64))
        _insert(connection, changes, noted.to_dicts())


def _update(hand: Hand, known: pl.DataFrame, first_owners: dict[int, int]) -> None:
    names = [name for name in known.columns if name not in (*_FIXED, "owner")]
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in (*names, "owner_id")}
    of_row = contacts.update().where(contacts.c.id == sa.bindparam("of_id"))
    statement = of_row.values({**values, "updated_run": hand.job.run_id})
    for frame in known.iter_slices(BOUND_AT_ONCE):
        rows = [_row(row, first_owners) for row in frame.to_dicts()]
        bound = [{"of_id": row["id"], **{f"new_{name}": row[name] for name in values}} for row in rows]
        hand.connection.execute(statement, bound)


def _row(row: dict[str, Any], first_owners: dict[int, int]) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if name != "owner"}
    return {**values, "owner_id": first_owners.get(row["id"])}


def _owner_ids(connection: sa.Connection, names: list[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for some in in_lots(names, BOUND_AT_ONCE):
        query = sa.select(owners.c.name, owners.c.id).where(owners.c.name.in_(some))
        ids.update((row.name, row.id) for row in connection.execute(query))
    return ids


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _forget_suggestions(hand: Hand, members: pl.DataFrame) -> None:
    """What was suggested to contacts that are made of records: what holds of it is noted again."""
    for some in in_lots(members["contact_id"].unique().to_list(), BOUND_AT_ONCE):
        mine = value_suggestions.c.contact_id.in_(some)
        hand.connection.execute(value_suggestions.delete().where(mine))


def _note_source_values(hand: Hand, said: pl.DataFrame) -> None:
    for row in said.iter_rows(named=True):
        mine = (value_suggestions.c.contact_id == row["contact_id"]) & (
            value_suggestions.c.field == row["field"]
        )
        hand.connection.execute(value_suggestions.delete().where(mine))
        if row["is_news"]:
            hand.connection.execute(
                value_suggestions.insert().values(
                    contact_id=row["contact_id"],
                    field=row["field"],
                    value=row["value"],
                    run_id=hand.job.run_id,
                )
            )
