"""What is known of one contact: its rows, what changed them, and who decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledgerline.databases import edits, staging
from ledgerline.databases.database import Database
from ledgerline.databases.runs import named
from ledgerline.databases.schema import (
    changes,
    contact_edits,
    contact_versions,
    contacts,
    ingestion_runs,
    source_records,
    value_suggestions,
)
from ledgerline.databases.staging import Current

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """All rows that tell of a contact, the oldest first."""

    contact: dict[str, Any]
    current: Current
    records: Rows  # source records, live or not
    changes: Rows  # with kind and finished_at of their runs
    edits: Rows  # of the contact and of those that joined it
    suggestions: Rows
    joined: Rows  # [id, run_id]: contacts that joined it, and the run that made them


def of_contact(main: Database, contact_id: int) -> Known:
    """Raises UsageError when there is no such contact."""
    one = sa.select(contacts).where(contacts.c.id == contact_id)
    joined = sa.select(contacts.c.id, contacts.c.updated_run.label("run_id")).where(
        contacts.c.merged_into == contact_id
    )
    mine = sa.select(contacts.c.id).where(contacts.c.id == contact_id)
    changed = (
        sa.select(changes, ingestion_runs.c.kind, ingestion_runs.c.finished_at)
        .join(ingestion_runs, ingestion_runs.c.id == changes.c.run_id)
        .where(changes.c.contact_id == contact_id)
        .order_by(changes.c.run_id, changes.c.field)
    )
    records = sa.select(source_records).where(source_records.c.contact_id == contact_id)
    edited = sa.select(contact_edits).where(
        (contact_edits.c.contact_id == contact_id)
        | contact_edits.c.contact_id.in_(sa.select(contacts.c.id).where(contacts.c.merged_into == contact_id))
    )
    suggested = sa.select(value_suggestions).where(value_suggestions.c.contact_id == contact_id)
    with main.connect() as connection:

        def rows(query: sa.Select[Any]) -> Rows:
            return [named(row) for row in connection.execute(query)]

        found = rows(one)
        if not found:
            raise edits.unknown(contact_id)
        return Known(
            contact=found[0],
            current=staging.current_of(connection, mine),
            records=rows(records.order_by(source_records.c.record_key, source_records.c.source_record_id)),
            changes=rows(changed),
            edits=rows(edited.order_by(contact_edits.c.id)),
            suggestions=rows(suggested.order_by(value_suggestions.c.field)),
            joined=rows(joined.order_by(contacts.c.id)),
        )


def gone(main: Database, contact_id: int) -> int | None:
    """The run that deleted a contact, if there was one: an undo."""
    query = sa.select(sa.func.max(contact_versions.c.replaced_by_run)).where(
        contact_versions.c.id == contact_id, contact_versions.c.gone
    )
    with main.connect() as connection:
        return connection.execute(query).scalar()
