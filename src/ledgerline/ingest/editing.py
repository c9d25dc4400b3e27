"""What a person enters for a field of a contact: checked, stored, and given back to the sources again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import sqlalchemy as sa

from ledgerline.contacts.edits import EDITABLE, checked
from ledgerline.contacts.survive import survive
from ledgerline.databases import edits, runs, staging
from ledgerline.databases.database import Database
from ledgerline.databases.schema import contacts, value_suggestions
from ledgerline.errors import UsageError
from ledgerline.ingest.golden import lined_up
from ledgerline.ingest.opening import add_run, job_of, leased
from ledgerline.ingest.remaking import Hand, remake


def edit_contact(
    main: Database, contact_id: int, values: Mapping[str, str | None], *, by: str, region: str
) -> None:
    """Store values for fields of a contact; no run overwrites them, until they are withdrawn.

    values  field of `contacts.edits.EDITABLE` → what the person wrote; None: there is no such value
    region  default country of phones

    Raises UsageError when a field or value will not do, or there is no such contact; then nothing is stored.
    """
    values = {name: checked(name, text, region) for name, text in values.items()}
    edits.edit(main, contact_id, values, by, partial(_said, contact_id))


def _said(contact_id: int, connection: sa.Connection) -> dict[str, str | None]:
    """What the live records of a contact say of each field; nothing where it has none."""
    members = staging.members_of(connection, sa.select(contacts.c.id).where(contacts.c.id == contact_id))
    if members.is_empty():
        return {}
    golden = survive(lined_up(members)).contacts.row(0, named=True)
    return {field: golden[field] for field in EDITABLE}


def withdraw_edits(main: Database, contact_id: int, fields: Sequence[str], *, by: str) -> None:
    """Give fields back to the sources: the contact says what they say now. A run of kind `edit` tells of it.

    Raises UsageError as `edit_contact`, and RunInProgress while a run of the contact's source is going.
    """
    if unknown := [name for name in fields if name not in EDITABLE]:
        raise UsageError(f"{', '.join(unknown)} cannot be edited.", hint=f"Fields: {', '.join(EDITABLE)}.")
    system = edits.system_of(main, contact_id)
    with leased(main, system) as lease, main.begin() as connection:
        lease.check(connection)
        edits.withdraw(connection, contact_id, fields, by)
        run_id = add_run(connection, lease, "edit")
        chosen = sa.select(contacts.c.id).where(contacts.c.id == contact_id)
        remake(Hand(connection, job_of(run_id, lease), "edit"), chosen)
        connection.execute(
            value_suggestions.delete().where(
                value_suggestions.c.contact_id == contact_id, value_suggestions.c.field.in_(fields)
            )
        )
        runs.finish(connection, run_id, "succeeded")
