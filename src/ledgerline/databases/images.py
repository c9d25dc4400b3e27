"""Before-images: what rows were before a run touched them, kept by the transaction that touches them.

Only what existed gets an image; a row that a run created has none, and a first load therefore writes none.
From the images and the marks of who wrote a row (`run_id` of a record, `updated_run` of a contact) follows
what a run did, and how to take it back (see `undoing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from ledgerline.databases.schema import (
    contact_owner_versions,
    contact_owners,
    contact_point_versions,
    contact_points,
    contact_versions,
    contacts,
    restored_contacts,
    source_record_versions,
    source_records,
)

Ids: TypeAlias = sa.Select[Any] | sa.CompoundSelect[Any]

_DETAILS = ((contact_points, contact_point_versions), (contact_owners, contact_owner_versions))


def keep_contacts(
    connection: sa.Connection,
    run_id: int,
    ids: Ids,
    *,
    gone: bool = False,
) -> None:
    """Keep what these contacts are, once a run; what it brought back itself has no image.

    gone  whether the run deletes them
    """
    brought_back = sa.select(restored_contacts.c.contact_id).where(restored_contacts.c.run_id == run_id)
    kept = sa.select(contact_versions.c.id).where(contact_versions.c.replaced_by_run == run_id)
    for table, versions, key in (  # the contacts last: that they are kept says that all of them is
        *((table, versions, table.c.contact_id) for table, versions in _DETAILS),
        (contacts, contact_versions, contacts.c.id),
    ):
        names = [column.name for column in table.columns]
        values = [sa.literal(run_id), *(table.c[name] for name in names)]
        if table is contacts:
            names, values = [*names, "gone"], [*values, sa.literal(gone, sa.Boolean)]
        rows = sa.select(*values).where(key.in_(ids), key.not_in(brought_back), key.not_in(kept))
        connection.execute(versions.insert().from_select(["replaced_by_run", *names], rows))


def keep_records(
    connection: sa.Connection, run_id: int, condition: sa.ColumnElement[bool], *, gone: bool = False
) -> None:
    """Keep what these source records are. `gone`: the run deletes them."""
    names = [column.name for column in source_records.columns]
    values = [sa.literal(run_id), *(source_records.c[name] for name in names)]
    rows = sa.select(*values, sa.literal(gone, sa.Boolean)).where(condition)
    columns = ["replaced_by_run", *names, "gone"]
    connection.execute(source_record_versions.insert().from_select(columns, rows))


def bring_back_contacts(connection: sa.Connection, run_id: int, ids: sa.Select[Any]) -> None:
    """Insert contacts as they were before a run that deleted them, without what hangs on them."""
    names = [column.name for column in contacts.columns]
    rows = sa.select(*(contact_versions.c[name] for name in names))
    rows = rows.where(contact_versions.c.replaced_by_run == run_id, contact_versions.c.id.in_(ids))
    connection.execute(contacts.insert().from_select(names, rows))


def put_back_contacts(connection: sa.Connection, run_id: int, ids: sa.Select[Any]) -> None:
    """Make contacts what they were before a run, without what hangs on them."""
    names = [column.name for column in contacts.columns if not column.primary_key]
    put_back = contacts.update().where(
        contacts.c.id == contact_versions.c.id,
        contact_versions.c.replaced_by_run == run_id,
        contacts.c.id.in_(ids),
    )
    connection.execute(put_back.values({name: contact_versions.c[name] for name in names}))


def put_back_details(connection: sa.Connection, run_id: int, ids: sa.Select[Any]) -> None:
    """The further values of contacts as they were before a run."""
    clear_details(connection, ids)
    for table, versions in _DETAILS:
        names = [column.name for column in table.columns]
        rows = sa.select(*(versions.c[name] for name in names))
        rows = rows.where(versions.c.replaced_by_run == run_id, versions.c.contact_id.in_(ids))
        connection.execute(table.insert().from_select(names, rows))


def clear_details(connection: sa.Connection, ids: sa.Select[Any] | Sequence[int]) -> None:
    for table, _ in _DETAILS:
        connection.execute(table.delete().where(table.c.contact_id.in_(ids)))
