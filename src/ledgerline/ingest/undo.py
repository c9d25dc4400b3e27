"""Undo a run: the main database as it was before it, but for what people or later runs changed since.

One transaction under the source's lease. An undo is a run itself, leaves before-images like any other, and
can be undone. See `databases.undoing` for how a run's doing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import sqlalchemy as sa

from ledgerline.databases import runs, settling, staging
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Server
from ledgerline.databases.runs import Lease, Run
from ledgerline.databases.schema import (
    changes,
    contact_edits,
    contact_versions,
    contacts,
    source_record_versions,
    source_records,
    undo_kept,
)
from ledgerline.databases.undoing import Fate, Undoing, Work
from ledgerline.errors import UndoRefused, UsageError
from ledgerline.ingest.golden import comparable
from ledgerline.ingest.opening import add_run, job_of, leased
from ledgerline.ingest.remaking import Hand, remake

KINDS = ("ingest", "undo", "unmerge")  # that change contacts
_SHOWN = 5
_BEST = {"further_emails": "email", "further_phones": "mobile_e164"}  # whose edit moves the further ones


class Reason(StrEnum):
    """Why something was kept."""

    EDITED = "edited"  # by a person
    CHANGED = "changed"  # by a later run
    IN_USE = "in_use"  # messages were sent to the contact, or another joined it


@dataclass(frozen=True, slots=True)
class Kept:
    """What an undo leaves as it is."""

    reason: str  # a Reason
    changed_by: str | None  # the person, or the number of the run
    contact_id: int | None
    source_record_id: str | None = None
    field: str | None = None  # None: the contact, or the record, as a whole
    value: str | None = None
    value_before: str | None = None  # before the run that is undone


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did: its run, how many rows by `Fate`, and what it kept."""

    run: Run
    contacts: dict[str, int]
    records: dict[str, int]
    kept: Sequence[Kept]
    paused: bool  # whether the source is paused now
    dry_run: bool = False  # nothing was changed, and the run does not exist


def undo(main: Database, run_id: int, *, strict: bool = False, dry_run: bool = False) -> Undone:
    """Take a run back and pause its source.

    strict   only if nothing of it must be kept
    dry_run  tell what would happen, and change nothing

    Raises UsageError when there is no such run, UndoRefused when it cannot be undone, or not strictly, and
    RunInProgress when a run of the source is going.
    """
    of = _undoable(main, run_id)
    with leased(main, of.source_system) as lease:
        _check_in_effect(main, of)
        with main.begin() as connection:
            lease.check(connection)
            undone = _undo(connection, main.server, lease, of)
            if strict and undone.kept:
                connection.rollback()
                raise UndoRefused(
                    f"{len(undone.kept)} changes came after run {of.id}, among them: {_listed(undone.kept)}.",
                    hint="Nothing was changed. Without --strict they are kept and the rest is undone.",
                )
            if dry_run:
                connection.rollback()
    return replace(undone, dry_run=dry_run)


# -- what can be undone ----------------------------------------------------------------------------------


def _undoable(main: Database, run_id: int) -> Run:
    run = runs.get(main, run_id)
    if run is None:
        raise UsageError(f"There is no run {run_id}.", hint="See: ledgerline runs")
    if run.kind not in KINDS or run.status != "succeeded":
        raise UndoRefused(
            f"Run {run_id} is of kind {run.kind} and {run.status}.",
            hint=f"What can be undone has succeeded and is one of: {', '.join(KINDS)}.",
        )
    if run.state_before is None:
        raise UndoRefused(
            f"Run {run_id} was made by a version of Ledgerline that kept no before-images.",
            hint="Only later runs can be undone; restore a backup instead.",
        )
    return run


def _check_in_effect(main: Database, run: Run) -> None:
    undo_run = runs.undone_by(main, run.id)
    if undo_run is not None:
        raise UndoRefused(
            f"Run {run.id} is undone already, by run {undo_run}.",
            hint=f"To bring it again: ledgerline undo {undo_run}",
        )


# -- doing ---------------------------------------------------------------------------------------------


def _undo(connection: sa.Connection, server: Server, lease: Lease, of: Run) -> Undone:
    system = lease.name
    run_id = add_run(connection, lease, "undo", undoes_run=of.id)
    work = Work(run_id)
    work.create(connection)
    step = Undoing(connection, work, system, of.id)
    step.classify_records()
    server.analyze(connection, [work.records])
    step.put_back_records()
    step.classify_contacts()
    server.analyze(connection, [work.contacts])
    step.put_back_contacts()
    step.reverse_changes()
    remake(Hand(connection, job_of(run_id, lease), "undo"), work.ids(Fate.REMAKE, Fate.IDLE))
    paused = _settle(connection, system, of, run_id)
    kept = _Keeping(connection, work, of.id).all()
    _note_kept(connection, run_id, kept)
    of_contacts, of_records = (_tally(connection, table) for table in (work.contacts, work.records))
    work.drop(connection)
    runs.finish(connection, run_id, "succeeded")
    run = runs.get_in(connection, run_id)
    assert run is not None
    return Undone(run, of_contacts, of_records, kept, paused)


def _settle(connection: sa.Connection, system: str, of: Run, by: int) -> bool:
    """Rejects, suggestions, splits, and what is known of the source; whether it is paused now."""
    assert of.state_before is not None
    root, undoes = runs.root_of(connection, of)
    if root.kind != "ingest":
        if undoes:
            settling.restore_splits(connection, root.id, of.id)
        else:
            settling.lift_splits(connection, root.id, by)
        return False
    unread = runs.oldest_unread(connection, system)
    runs.put_back_state(connection, system, (unread and unread.state_before) or of.state_before)
    if undoes:
        settling.bring_again(connection, system, root.id, of.id)
        settling.unpause(connection, system, of.id)
    else:
        settling.take_back(connection, system, root.id, by)
        settling.pause(connection, system, by)
    return not undoes


def _tally(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    query = sa.select(table.c.fate, sa.func.count()).group_by(table.c.fate)
    return {fate: int(count) for fate, count in connection.execute(query)}


# -- what was kept -------------------------------------------------------------------------------------


class _Keeping:
    """Finds what the run did and the undo left, and who is the reason."""

    def __init__(self, connection: sa.Connection, work: Work, of: int) -> None:
        self._connection = connection
        self._work = work
        self._of = of  # the run that is undone

    def all(self) -> list[Kept]:
        return [*self._fields(), *self._contacts(), *self._records()]

    def _fields(self) -> Iterator[Kept]:
        """Fields that the run changed, of contacts made anew, that are not what they were before it."""
        ids = self._work.ids(Fate.REMAKE, Fate.IDLE)
        query = sa.select(changes.c.contact_id, changes.c.field, changes.c.old_value)
        changed = list(
            self._connection.execute(
                query.where(changes.c.run_id == self._of, changes.c.contact_id.in_(ids)).order_by(
                    changes.c.contact_id, changes.c.field
                )
            )
        )
        if not changed:
            return
        current = staging.current_of(self._connection, ids)
        rows = comparable(current.contacts, current.points, current.owners).to_dicts()
        now = {row["id"]: row for row in rows}
        editors, later = self._editors(), self._later_runs()
        for contact_id, field, old_value in changed:
            value = now.get(contact_id, {}).get(field)
            if contact_id in now and value != old_value:
                editor = editors.get((contact_id, _BEST.get(field, field)))
                yield Kept(
                    Reason.CHANGED if editor is None else Reason.EDITED,
                    later.get(contact_id) if editor is None else editor,
                    contact_id,
                    field=field,
                    value=value,
                    value_before=old_value,
                )

    def _editors(self) -> dict[tuple[int, str], str]:
        rows = self._connection.execute(
            sa.select(
                sa.func.coalesce(contacts.c.merged_into, contacts.c.id),
                contact_edits.c.field,
                contact_edits.c.edited_by,
                contact_edits.c.withdrawn,
            )
            .join(contacts, contacts.c.id == contact_edits.c.contact_id)
            .order_by(contact_edits.c.id)
        )
        newest = {(contact_id, field): (by, withdrawn) for contact_id, field, by, withdrawn in rows}
        return {key: by for key, (by, withdrawn) in newest.items() if not withdrawn}

    def _later_runs(self) -> dict[int, str]:
        """Contact → the last run that touched it, or a record of it, between the run and its undo."""
        images, records = contact_versions, source_record_versions
        mine = images.c.replaced_by_run == self._work.run_id, records.c.replaced_by_run == self._work.run_id
        touched = sa.union_all(
            sa.select(images.c.id.label("contact_id"), images.c.updated_run.label("run_id")).where(mine[0]),
            sa.select(records.c.contact_id, records.c.run_id).where(mine[1]),
            sa.select(source_records.c.contact_id, source_records.c.run_id),
            sa.select(contacts.c.id, contacts.c.updated_run),
        ).subquery("touched")
        query = sa.select(touched.c.contact_id, sa.func.max(touched.c.run_id)).where(
            touched.c.run_id > self._of,
            touched.c.run_id < self._work.run_id,
            touched.c.contact_id.in_(self._work.ids(Fate.REMAKE, Fate.IDLE)),
        )
        rows = self._connection.execute(query.group_by(touched.c.contact_id))
        return {contact_id: str(run_id) for contact_id, run_id in rows}

    def _contacts(self) -> Iterator[Kept]:
        """Contacts that the run created and that stay."""
        work = self._work.contacts
        staying = (Fate.REMAKE, Fate.IDLE)
        query = sa.select(work.c.contact_id, work.c.fate).where(work.c.is_created, work.c.fate.in_(staying))
        stay = list(self._connection.execute(query.order_by(work.c.contact_id)))
        if not stay:
            return
        editors = {contact_id: by for (contact_id, _), by in self._editors().items()}
        later = self._later_runs()
        for contact_id, fate in stay:
            if fate == Fate.REMAKE:
                yield Kept(Reason.CHANGED, later.get(contact_id), contact_id)
            elif contact_id in editors:
                yield Kept(Reason.EDITED, editors[contact_id], contact_id)
            else:
                yield Kept(Reason.IN_USE, None, contact_id)

    def _records(self) -> Iterator[Kept]:
        """Records that the run wrote and that were written again since."""
        records, image = self._work.records, source_record_versions.alias("image")

        def same(table: sa.FromClause) -> sa.ColumnElement[bool]:
            same_key = table.c.record_key == records.c.record_key
            return same_key & (table.c.source_record_id == records.c.source_record_id)

        written_by = sa.func.coalesce(image.c.run_id, source_records.c.run_id)
        query = (
            sa.select(records.c.source_record_id, records.c.now_contact, records.c.fate, written_by)
            .outerjoin(source_records, same(source_records))
            .outerjoin(image, same(image) & (image.c.replaced_by_run == self._work.run_id))
            .where(records.c.fate.in_([Fate.KEPT, Fate.CONTENT, Fate.MEMBERSHIP]))
        )
        for record, contact_id, fate, run_id in self._connection.execute(
            query.order_by(records.c.record_key)
        ):
            field = {Fate.CONTENT: "contact_id", Fate.MEMBERSHIP: "content"}.get(fate)
            by = None if run_id is None else str(run_id)
            yield Kept(Reason.CHANGED, by, contact_id, source_record_id=record, field=field)


def _note_kept(connection: sa.Connection, run_id: int, kept: Sequence[Kept]) -> None:
    rows = [
        {
            "run_id": run_id,
            "ordinal": number,
            **{name: getattr(one, name) for name in Kept.__dataclass_fields__},
        }
        for number, one in enumerate(kept, start=1)
    ]
    if rows:
        connection.execute(undo_kept.insert(), rows)


def _listed(kept: Sequence[Kept]) -> str:
    names = [f"contact {one.contact_id}" + (f" ({one.field})" if one.field else "") for one in kept[:_SHOWN]]
    return ", ".join(dict.fromkeys(names))
