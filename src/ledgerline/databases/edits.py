"""What people entered in place of a source's value: storing it, and reading what holds.

A run works out its contacts before its writing transaction begins, and a person may edit one meanwhile. Both
lock the leases first, so one waits for the other; a run that finds the journal longer than when it read it
(`mark`) works its contacts out once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ledgerline.contacts.edits import EDITS, POINT_KINDS
from ledgerline.databases.database import Database
from ledgerline.databases.runs import holding, named, utc_now
from ledgerline.databases.schema import contact_edits, contact_points, contacts, leases, value_suggestions
from ledgerline.errors import UsageError


def mark(connection: sa.Connection) -> int:
    """Rises with every edit."""
    return connection.execute(sa.select(sa.func.max(contact_edits.c.id))).scalar() or 0


def in_force() -> sa.Select[Any]:
    """The edits that hold, in the columns `EDITS`."""
    newest = sa.select(sa.func.max(contact_edits.c.id)).group_by(
        contact_edits.c.contact_id, contact_edits.c.field
    )
    owner = sa.func.coalesce(contacts.c.merged_into, contacts.c.id).label("owner_id")
    columns = [owner if name == "owner_id" else contact_edits.c[name] for name in EDITS]
    return (
        sa.select(*columns)
        .join(contacts, contacts.c.id == contact_edits.c.contact_id)
        .where(contact_edits.c.id.in_(newest), ~contact_edits.c.withdrawn)
    )


def edit(
    main: Database,
    contact_id: int,
    values: Mapping[str, str | None],
    by: str,
    said: Callable[[sa.Connection], Mapping[str, str | None]],
) -> None:
    """Store a person's values for fields of a contact, all or none. They hold until `withdraw`.

    values  field of `contacts.edits.EDITABLE` → value to store, already checked (see `ingest.editing`)
    said    what the sources say of the contact by now, by field; nothing where it has no live record

    Raises UsageError when there is no such contact, or it has joined another.
    """
    with main.begin() as connection:
        current = _locked(connection, contact_id)
        sources = said(connection)
        for field, value in values.items():
            source = sources[field] if field in sources else _last_known(connection, current, field)
            _journal(connection, current, field, value, by, source)
            connection.execute(
                value_suggestions.delete().where(
                    value_suggestions.c.contact_id == contact_id, value_suggestions.c.field == field
                )
            )
            if field in POINT_KINDS:
                _move_points(connection, current, field, value, source)
        connection.execute(contacts.update().where(contacts.c.id == contact_id).values(**values))


def system_of(main: Database, contact_id: int) -> str:
    """The source that a contact came from. Raises UsageError when there is no such contact."""
    query = sa.select(contacts.c.source_system).where(contacts.c.id == contact_id)
    with main.connect() as connection:
        system = connection.execute(query).scalar()
    if system is None:
        raise unknown(contact_id)
    return str(system)


def unknown(contact_id: int) -> UsageError:
    return UsageError(f"There is no contact {contact_id}.", hint="See: ledgerline export contacts")


def lock(connection: sa.Connection) -> None:
    """Wait for whoever is writing, and let nobody write until this transaction ends."""
    connection.execute(holding(sa.select(leases.c.token).order_by(leases.c.name))).all()


def _locked(connection: sa.Connection, contact_id: int) -> Mapping[str, Any]:
    """The contact as it is, with nobody else writing until this transaction ends."""
    lock(connection)
    found = connection.execute(sa.select(contacts).where(contacts.c.id == contact_id)).first()
    if found is None:
        raise unknown(contact_id)
    row = named(found)
    if row["merged_into"] is not None:
        raise UsageError(
            f"Contact {contact_id} is one with contact {row['merged_into']}.",
            hint=f"Edit contact {row['merged_into']}.",
        )
    return row


def _journal(
    connection: sa.Connection,
    current: Mapping[str, Any],
    field: str,
    value: str | None,
    by: str,
    source: str | None,
    *,
    withdrawn: bool = False,
) -> None:
    """`source`: what the sources say of the field by now."""
    connection.execute(
        contact_edits.insert().values(
            contact_id=current["id"],
            field=field,
            value=value,
            old_value=current[field],
            source_value=source,
            withdrawn=withdrawn,
            edited_by=by,
            edited_at=utc_now(),
        )
    )


def _last_known(connection: sa.Connection, current: Mapping[str, Any], field: str) -> str | None:
    """What the sources said of a field last: what they suggest, or said at the last edit, or what it is."""
    suggested = connection.execute(
        sa.select(value_suggestions.c.value).where(
            value_suggestions.c.contact_id == current["id"], value_suggestions.c.field == field
        )
    ).first()
    if suggested is not None:
        return _text(suggested.value)
    last = connection.execute(
        sa.select(contact_edits.c.source_value, contact_edits.c.withdrawn)
        .where(contact_edits.c.contact_id == current["id"], contact_edits.c.field == field)
        .order_by(contact_edits.c.id.desc())
        .limit(1)
    ).first()
    return _text(current[field] if last is None or last.withdrawn else last.source_value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _move_points(
    connection: sa.Connection,
    current: Mapping[str, Any],
    field: str,
    value: str | None,
    source: str | None,
) -> None:
    """Among the further values what the sources think best comes first, and the contact's own value never."""
    mine = (contact_points.c.contact_id == current["id"]) & (contact_points.c.kind == POINT_KINDS[field])
    known = (
        connection.execute(sa.select(contact_points.c.value).where(mine).order_by(contact_points.c.position))
        .scalars()
        .all()
    )
    listed = [text for text in dict.fromkeys([source, *known]) if text is not None and text != value]
    connection.execute(contact_points.delete().where(mine))
    rows = [
        {"contact_id": current["id"], "kind": POINT_KINDS[field], "position": number, "value": text}
        for number, text in enumerate(listed, start=1)
    ]
    if rows:
        connection.execute(contact_points.insert(), rows)


def withdraw(connection: sa.Connection, contact_id: int, fields: Sequence[str], by: str) -> None:
    """Give fields back to the sources; the caller makes the contact anew. Raises as `edit` does.

    Edits of contacts that joined it hold for it too, so they are withdrawn with its own.
    """
    current = _locked(connection, contact_id)
    held = in_force().subquery("held")
    query = sa.select(held.c.contact_id, held.c.field).where(
        held.c.owner_id == contact_id, held.c.contact_id != contact_id, held.c.field.in_(fields)
    )
    of_joined = [(row.contact_id, row.field) for row in connection.execute(query)]
    for owner, field in [*((contact_id, field) for field in fields), *of_joined]:
        own = {**current, "id": owner}
        _journal(connection, own, field, None, by, _last_known(connection, own, field), withdrawn=True)
