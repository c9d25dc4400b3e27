"""Split a contact into its source records, for good: they are declared to be different people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledgerline.databases import edits, images, runs, settling, writing
from ledgerline.databases.database import Database
from ledgerline.databases.engines import BOUND_AT_ONCE, in_lots
from ledgerline.databases.runs import Run, named
from ledgerline.databases.schema import OF_ITS_RECORD, contacts, source_records
from ledgerline.errors import UsageError
from ledgerline.ingest.opening import add_run, job_of, leased
from ledgerline.ingest.remaking import Hand, remake

_KEY = ("source_system", "record_key", "source_record_id")
_NO_MATCH = dict.fromkeys(writing.REASONS, sa.null())


@dataclass(frozen=True, slots=True)
class Unmerged:
    """The run, and each source record with the contact that it is now."""

    run: Run
    contacts: Mapping[str, int]


def unmerge(main: Database, contact_id: int, record_ids: Sequence[str] = ()) -> Unmerged:
    """Make source records of a contact contacts of their own, and remember that they are other people.

    record_ids  those that leave the contact; none: all but its first

    What stays keeps the contact, with its edits and messages. A record whose own contact had joined it gets
    that one back, the others get new ones. A run that can be undone.

    Raises UsageError when there is nothing to split, RunInProgress while a run of the source is going.
    """
    system = edits.system_of(main, contact_id)
    with leased(main, system) as lease, main.begin() as connection:
        lease.check(connection)
        contact, records = _contact(connection, contact_id), _records(connection, contact_id)
        if len(records) < 2:
            raise UsageError(
                f"Contact {contact_id} is made of {len(records)} source record: nothing to split.",
                hint=f"See: ledgerline history {contact_id}",
            )
        leaving = _leaving(contact, [record["source_record_id"] for record in records], record_ids)
        run_id = add_run(connection, lease, "unmerge")
        owner = _owners(connection, contact, records, leaving)
        _split(connection, run_id, contact_id, records, owner)
        split_up = (source_records.c.contact_id == contact_id) | (source_records.c.run_id == run_id)
        chosen = sa.select(source_records.c.contact_id).where(split_up)  # also those that are not there yet
        remake(Hand(connection, job_of(run_id, lease), "unmerge"), chosen)
        settling.split(connection, system, owner, run_id)
        runs.finish(connection, run_id, "succeeded")
        run = runs.get_in(connection, run_id)
    assert run is not None
    return Unmerged(run, owner)


def _contact(connection: sa.Connection, contact_id: int) -> Mapping[str, Any]:
    row = connection.execute(sa.select(contacts).where(contacts.c.id == contact_id)).one()
    if row.merged_into is not None:
        raise UsageError(
            f"Contact {contact_id} is one with contact {row.merged_into}.",
            hint=f"Split that: ledgerline unmerge {row.merged_into}",
        )
    return named(row)


def _records(connection: sa.Connection, contact_id: int) -> Sequence[Mapping[str, Any]]:
    query = sa.select(source_records).where(source_records.c.contact_id == contact_id)
    ordered = query.order_by(source_records.c.record_key, source_records.c.source_record_id)
    return [named(row) for row in connection.execute(ordered)]


def _leaving(contact: Mapping[str, Any], ids: Sequence[str], named_ids: Sequence[str]) -> set[str]:
    """The records that get contacts of their own."""
    first = contact["source_record_id"] if contact["source_record_id"] in ids else ids[0]
    leaving = set(named_ids) or {record for record in ids if record != first}
    if unknown := sorted(leaving.difference(ids)):
        raise UsageError(
            f"Contact {contact['id']} has no source record {', '.join(unknown)}.",
            hint=f"See: ledgerline history {contact['id']}",
        )
    if leaving == set(ids):
        raise UsageError(
            "One source record has to stay with the contact.", hint="Leave one out, or name none of them."
        )
    return leaving


def _owners(
    connection: sa.Connection,
    contact: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    leaving: Collection[str],
) -> dict[str, int]:
    """Each source record → the contact that it shall be."""
    joined = sa.select(contacts.c.source_record_id, contacts.c.id).where(
        contacts.c.merged_into == contact["id"]
    )
    former = {row.source_record_id: row.id for row in connection.execute(joined)}
    ids = [record["source_record_id"] for record in records]
    next_id = writing.highest_contact_id(connection) + 1
    owner = {}
    for record_id in ids:
        if record_id not in leaving:
            owner[record_id] = contact["id"]
        elif record_id in former:
            owner[record_id] = former[record_id]
        else:
            owner[record_id], next_id = next_id, next_id + 1
    return owner


def _split(
    connection: sa.Connection,
    run_id: int,
    contact_id: int,
    records: Sequence[Mapping[str, Any]],
    owner: Mapping[str, int],
) -> None:
    """Move the records; the new contact of one that is not live is made here, those of live ones later."""
    moving = [record for record in records if owner[record["source_record_id"]] != contact_id]
    for some in in_lots([record["source_record_id"] for record in moving], BOUND_AT_ONCE):
        left = source_records.c.source_record_id.in_(some)
        images.keep_records(connection, run_id, (source_records.c.contact_id == contact_id) & left)
    for record in moving:
        mine = [source_records.c[name] == record[name] for name in _KEY]
        values = {"contact_id": owner[record["source_record_id"]], "run_id": run_id, **_NO_MATCH}
        connection.execute(source_records.update().where(*mine).values(**values))
    joined = sa.select(contacts.c.id).where(contacts.c.merged_into == contact_id)
    there = set(connection.execute(joined).scalars())
    ended = [record for record in moving if not record["is_live"]]
    rows = [_idle(record, owner[record["source_record_id"]], run_id) for record in ended]
    if new := [row for row in rows if row["id"] not in there]:
        connection.execute(contacts.insert(), new)


def _idle(record: Mapping[str, Any], contact_id: int, run_id: int) -> dict[str, Any]:
    """The contact of a record that is not live, as it would be if it were, but inactive."""
    return {
        **{name: record[name] for name in OF_ITS_RECORD},
        "id": contact_id,
        "mobile_e164": record["phone"],
        "is_active": False,
        "created_run": run_id,
    }
