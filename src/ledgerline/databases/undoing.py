"""Taking a run back, as named set-based statements on one connection inside one transaction.

What a run did to a row is known without a log: it has a before-image where the row existed (`gone` says that
the run deleted it), and it created the row where `run_id`, or `created_run`, names the run and there is no
image. What the row was *after* the run is the image that the next run left, or the row as it is now. Two
states of a record are the same when their `run_id` is, two of a contact when their `updated_run` is, because
whoever writes a row signs it. An undo that restores a row restores the signature too.

A row is put back whole where nobody touched it since. Where somebody did, a record keeps what was changed
(its content, or its contact), and its contacts are made anew of the records they then have (`Fate.REMAKE`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from ledgerline.databases import images
from ledgerline.databases.schema import (
    CODE,
    RECORD_ID,
    BigInt,
    changes,
    contact_edits,
    contact_versions,
    contacts,
    ingestion_runs,
    messages,
    restored_contacts,
    restored_records,
    source_record_versions,
    source_records,
    value_suggestions,
)

_MEMBERSHIP = ("contact_id", "match_rule", "match_partner", "match_score")
_KEYS = ("record_key", "source_record_id")


class Fate(StrEnum):
    """What becomes of a row that the run touched."""

    INSERT = "insert"  # the run deleted it
    RESTORE = "restore"
    DELETE = "delete"  # the run created it
    CONTENT = "content"  # a record that joined another contact since: only its content is put back
    MEMBERSHIP = "membership"  # a record whose content changed since: only its contact is put back
    KEPT = "kept"  # changed since in all that the run did to it
    REMAKE = "remake"  # a contact, to be made of its records
    IDLE = "idle"  # a contact that the run created and that must not go: it stays, inactive


class Work:
    """What is to be done, in tables that live no longer than the transaction."""

    def __init__(self, run_id: int) -> None:
        """run_id: of the run that works, not of the one that is undone"""
        self.run_id = run_id
        self.records = sa.Table(
            f"undo_{run_id}_records",
            sa.MetaData(),
            sa.Column("record_key", BigInt, nullable=False),
            sa.Column("source_record_id", RECORD_ID, nullable=False),
            sa.Column("before_contact", BigInt),
            sa.Column("now_contact", BigInt),
            sa.Column("fate", CODE, nullable=False),
        )
        self.contacts = sa.Table(
            f"undo_{run_id}_contacts",
            sa.MetaData(),
            sa.Column("contact_id", BigInt, nullable=False),
            sa.Column("is_created", sa.Boolean, nullable=False),
            sa.Column("fate", CODE, nullable=False),
        )

    def create(self, connection: sa.Connection) -> None:
        for table in (self.records, self.contacts):
            table.create(connection)
        sa.Index(f"ix_{self.records.name}", self.records.c.record_key).create(connection)
        sa.Index(f"ix_{self.contacts.name}", self.contacts.c.contact_id).create(connection)

    def drop(self, connection: sa.Connection) -> None:
        for table in (self.records, self.contacts):
            table.drop(connection)

    def ids(self, *fates: Fate) -> sa.Select[Any]:
        """The contacts of these fates."""
        return sa.select(self.contacts.c.contact_id).where(self.contacts.c.fate.in_(fates))

    def of(self, *fates: Fate) -> sa.ColumnElement[bool]:
        """That a source record is one of these fates."""
        chosen = self.records.c.fate.in_(fates)
        return sa.exists().where(_same(self.records, source_records), chosen)


class Undoing:
    """The run `of` of a source, taken back by `work.run_id`; to be called in the order of the methods."""

    def __init__(self, connection: sa.Connection, work: Work, system: str, of: int) -> None:
        self._connection = connection
        self._work = work
        self._system = system
        self._of = of

    def _do(self, statement: Any) -> int:
        result = self._connection.execute(statement, execution_options={"preserve_rowcount": True})
        return int(result.rowcount)

    # -- source records --------------------------------------------------------------------------------

    def classify_records(self) -> None:
        """Note what becomes of each record, its `Fate`."""
        self._add_records(self._known_records())
        self._add_records(self._created_records())
        self._add_records(self._brought_back_records())

    def _add_records(self, rows: sa.Select[Any]) -> None:
        names = [column.name for column in self._work.records.columns]
        self._do(self._work.records.insert().from_select(names, rows))

    def _later(self) -> sa.Subquery:
        """[key, run]: of each record the first run after that one which touched it."""
        versions = source_record_versions
        later = sa.select(
            *(versions.c[name] for name in _KEYS), sa.func.min(versions.c.replaced_by_run).label("run")
        ).where(versions.c.source_system == self._system, versions.c.replaced_by_run > self._of)
        return later.group_by(*(versions.c[name] for name in _KEYS)).subquery("later")

    def _known_records(self) -> sa.Select[Any]:
        """Records that were there before the run."""
        before, after = source_record_versions.alias("before"), source_record_versions.alias("after")
        now, later = source_records, self._later()
        is_there = now.c.record_key.is_not(None)
        same_content = (now.c.payload_hash == after.c.payload_hash) & (now.c.is_live == after.c.is_live)
        same_contact = now.c.contact_id == after.c.contact_id
        content_differs = (now.c.payload_hash != before.c.payload_hash) | (now.c.is_live != before.c.is_live)
        fate = sa.case(
            (before.c.gone & ~is_there, Fate.INSERT.value),
            (before.c.gone | ~is_there, Fate.KEPT.value),
            (later.c.run.is_(None) | (now.c.run_id == after.c.run_id), Fate.RESTORE.value),
            (same_content & same_contact, Fate.RESTORE.value),
            (same_contact & (now.c.contact_id != before.c.contact_id), Fate.MEMBERSHIP.value),
            (same_content & content_differs, Fate.CONTENT.value),
            else_=Fate.KEPT.value,
        )
        sources = (
            before.outerjoin(later, _same(later, before))
            .outerjoin(after, _same_record(after, before) & (after.c.replaced_by_run == later.c.run))
            .outerjoin(now, _same_record(now, before))
        )
        keys = (before.c[name] for name in _KEYS)
        rows = sa.select(*keys, before.c.contact_id, now.c.contact_id, fate).select_from(sources)
        return rows.where(before.c.replaced_by_run == self._of, before.c.source_system == self._system)

    def _created_records(self) -> sa.Select[Any]:
        """Records that the run created: it wrote their first version, so it left no image of them."""
        now, later = source_records, self._later()
        after, image = source_record_versions.alias("after"), source_record_versions.alias("image")
        fate = sa.case((now.c.run_id == self._of, Fate.DELETE.value), else_=Fate.KEPT.value)
        sources = (
            now.outerjoin(later, _same(later, now))
            .outerjoin(after, _same_record(after, now) & (after.c.replaced_by_run == later.c.run))
            .outerjoin(image, _same_record(image, now) & (image.c.replaced_by_run == self._of))
        )
        keys = (now.c[name] for name in _KEYS)
        rows = sa.select(*keys, sa.null(), now.c.contact_id, fate).select_from(sources)
        return rows.where(
            now.c.source_system == self._system,
            image.c.record_key.is_(None),
            (now.c.run_id == self._of) | (after.c.run_id == self._of),
        )

    def _brought_back_records(self) -> sa.Select[Any]:
        """Records that the run, an undo, brought back."""
        now, later = source_records, self._later()
        after = source_record_versions.alias("after")
        is_same = later.c.run.is_(None) | (now.c.run_id == after.c.run_id)
        fate = sa.case((is_same, Fate.DELETE.value), else_=Fate.KEPT.value)
        sources = (
            restored_records.join(now, _same_record(now, restored_records))
            .outerjoin(later, _same(later, now))
            .outerjoin(after, _same_record(after, now) & (after.c.replaced_by_run == later.c.run))
        )
        keys = (now.c[name] for name in _KEYS)
        rows = sa.select(*keys, sa.null(), now.c.contact_id, fate).select_from(sources)
        return rows.where(
            restored_records.c.run_id == self._of, restored_records.c.source_system == self._system
        )

    def put_back_records(self) -> None:
        work, run_id = self._work, self._work.run_id
        of_source = source_records.c.source_system == self._system
        images.keep_records(self._connection, run_id, of_source & work.of(Fate.DELETE), gone=True)
        changing = work.of(Fate.RESTORE, Fate.CONTENT, Fate.MEMBERSHIP)
        images.keep_records(self._connection, run_id, of_source & changing)
        self._do(source_records.delete().where(of_source, work.of(Fate.DELETE)))
        names = [column.name for column in source_records.columns if not column.primary_key]
        content = [name for name in names if name not in (*_MEMBERSHIP, "run_id")]
        self._put_back(Fate.RESTORE, names)
        self._put_back(Fate.CONTENT, content, run_id=run_id)
        self._put_back(Fate.MEMBERSHIP, list(_MEMBERSHIP), run_id=run_id)
        self._bring_back()

    def _put_back(self, fate: Fate, names: list[str], **others: Any) -> None:
        before, records = source_record_versions, self._work.records
        self._do(
            source_records.update()
            .where(
                before.c.replaced_by_run == self._of,
                _same_record(source_records, before),
                source_records.c.source_system == self._system,
                _same(records, before),
                records.c.fate == fate,
            )
            .values({**{name: before.c[name] for name in names}, **others})
        )

    def _bring_back(self) -> None:
        before, records = source_record_versions, self._work.records
        columns = [column.name for column in source_records.columns]
        rows = (
            sa.select(*(before.c[name] for name in columns))
            .join(records, _same(records, before))
            .where(
                before.c.replaced_by_run == self._of,
                before.c.source_system == self._system,
                records.c.fate == Fate.INSERT,
            )
        )
        self._do(source_records.insert().from_select(columns, rows))
        keys = sa.select(
            sa.literal(self._work.run_id), sa.literal(self._system), *(records.c[name] for name in _KEYS)
        ).where(records.c.fate == Fate.INSERT)
        names = ["run_id", "source_system", *_KEYS]
        self._do(restored_records.insert().from_select(names, keys))

    # -- contacts ------------------------------------------------------------------------------------------

    def classify_contacts(self) -> None:
        """Note what becomes of each contact, as far as it depends on the contact itself."""
        for rows in (self._known_contacts(), self._created_contacts(), self._brought_back_contacts()):
            self._do(self._work.contacts.insert().from_select(["contact_id", "is_created", "fate"], rows))

    def _later_contacts(self) -> sa.Subquery:
        versions = contact_versions
        later = sa.select(versions.c.id, sa.func.min(versions.c.replaced_by_run).label("run"))
        return later.where(versions.c.replaced_by_run > self._of).group_by(versions.c.id).subquery("later")

    def _known_contacts(self) -> sa.Select[Any]:
        before, after = contact_versions.alias("before"), contact_versions.alias("after")
        later, is_there = self._later_contacts(), contacts.c.id.is_not(None)
        fate = sa.case(
            (before.c.gone & ~is_there, Fate.INSERT.value),
            (before.c.gone | ~is_there, Fate.KEPT.value),
            (_untouched(later, after), Fate.RESTORE.value),
            else_=Fate.REMAKE.value,
        )
        sources = (
            before.outerjoin(later, later.c.id == before.c.id)
            .outerjoin(after, (after.c.id == before.c.id) & (after.c.replaced_by_run == later.c.run))
            .outerjoin(contacts, contacts.c.id == before.c.id)
        )
        rows = sa.select(before.c.id, sa.literal(False, sa.Boolean), fate).select_from(sources)
        return rows.where(before.c.replaced_by_run == self._of)

    def _created_contacts(self) -> sa.Select[Any]:
        return self._own_contacts(contacts).where(contacts.c.created_run == self._of)

    def _brought_back_contacts(self) -> sa.Select[Any]:
        brought_back = contacts.join(restored_contacts, restored_contacts.c.contact_id == contacts.c.id)
        return self._own_contacts(brought_back).where(restored_contacts.c.run_id == self._of)

    def _own_contacts(self, sources: sa.FromClause) -> sa.Select[Any]:
        after, later = contact_versions.alias("after"), self._later_contacts()
        fate = sa.case((_untouched(later, after), Fate.DELETE.value), else_=Fate.REMAKE.value)
        joined = sources.outerjoin(later, later.c.id == contacts.c.id).outerjoin(
            after, (after.c.id == contacts.c.id) & (after.c.replaced_by_run == later.c.run)
        )
        return sa.select(contacts.c.id, sa.literal(True, sa.Boolean), fate).select_from(joined)

    def put_back_contacts(self) -> None:
        """Bring back what the run deleted, then find out which contacts cannot be put back whole."""
        connection, work = self._connection, self._work
        self._do(
            restored_contacts.insert().from_select(
                ["run_id", "contact_id"],
                sa.select(sa.literal(work.run_id), work.contacts.c.contact_id).where(
                    work.contacts.c.fate == Fate.INSERT
                ),
            )
        )
        images.bring_back_contacts(connection, self._of, work.ids(Fate.INSERT))
        images.put_back_details(connection, self._of, work.ids(Fate.INSERT))
        self._find_mixed()
        images.keep_contacts(connection, work.run_id, work.ids(Fate.RESTORE))
        images.put_back_contacts(connection, self._of, work.ids(Fate.RESTORE))
        images.put_back_details(connection, self._of, work.ids(Fate.RESTORE))
        self._forget_suggestions()
        self._delete_contacts()

    def _find_mixed(self) -> None:
        """Contacts with a record, or an edit, that came later are made anew of what they have; so are those
        that gained or lost a record without a change: whoever wrote their others may be undone as well."""
        work, records = self._work.contacts, self._work.records
        partly = records.c.fate.in_([Fate.KEPT, Fate.CONTENT, Fate.MEMBERSHIP])
        later = sa.select(source_records.c.contact_id).where(source_records.c.run_id > self._of)
        mixed = sa.union(
            later,
            sa.select(records.c.before_contact).where(partly, records.c.before_contact.is_not(None)),
            sa.select(records.c.now_contact).where(partly, records.c.now_contact.is_not(None)),
        ).subquery("mixed")
        edited = work.c.contact_id.in_(edited_contacts()) & (work.c.fate != Fate.DELETE)
        self._do(
            work.update()
            .where(
                work.c.fate.in_([Fate.RESTORE, Fate.DELETE, Fate.INSERT]),
                work.c.contact_id.in_(sa.select(mixed.c.contact_id)) | (edited & self._can_be_made()),
            )
            .values(fate=Fate.REMAKE)
        )
        touched = sa.union(
            sa.select(records.c.before_contact.label("id")), sa.select(records.c.now_contact)
        ).subquery("touched")
        others = sa.select(contacts.c.id, sa.literal(False, sa.Boolean), sa.literal(Fate.REMAKE.value)).where(
            contacts.c.id.in_(sa.select(touched.c.id)),
            ~sa.exists().where(work.c.contact_id == contacts.c.id),  # NOT IN may read all for each
        )
        self._do(work.insert().from_select(["contact_id", "is_created", "fate"], others))

    def _can_be_made(self) -> sa.ColumnElement[bool]:
        """Whether there is something to make an edited contact of: a live record, or an edit that came later.

        Otherwise what it was before the run, with the edits until then, would be lost.
        """
        contact_id = self._work.contacts.c.contact_id
        live = sa.select(source_records.c.contact_id).where(source_records.c.is_live)
        began = sa.select(ingestion_runs.c.started_at).where(ingestion_runs.c.id == self._of)
        later = sa.select(contact_edits.c.contact_id).where(
            contact_edits.c.edited_at >= began.scalar_subquery()
        )
        return contact_id.in_(live) | contact_id.in_(later)

    def _forget_suggestions(self) -> None:
        """What the run noted of fields that a person edited, of contacts that are put back whole."""
        mine = value_suggestions.c.run_id == self._of
        ids = self._work.ids(Fate.RESTORE)
        self._do(value_suggestions.delete().where(mine, value_suggestions.c.contact_id.in_(ids)))

    def _delete_contacts(self) -> None:
        """Contacts that the run created go, but for those that somebody else has a use for."""
        work = self._work.contacts
        left = sa.select(source_records.c.contact_id)
        redirects = sa.select(contacts.c.id).where(contacts.c.merged_into.is_not(None))
        self._do(
            work.update()
            .where(
                work.c.fate == Fate.REMAKE,
                work.c.is_created,
                work.c.contact_id.not_in(left),
                work.c.contact_id.not_in(redirects),
            )
            .values(fate=Fate.DELETE)
        )
        used = sa.union(
            edited_contacts(),
            sa.select(messages.c.contact_id),
            sa.select(contacts.c.merged_into).where(contacts.c.merged_into.is_not(None)),
        ).subquery("used")
        self._do(
            work.update()
            .where(work.c.fate == Fate.DELETE, work.c.contact_id.in_(sa.select(used.c[0])))
            .values(fate=Fate.IDLE)
        )
        going = self._work.ids(Fate.DELETE)
        images.keep_contacts(self._connection, self._work.run_id, going, gone=True)
        images.clear_details(self._connection, going)
        self._do(contacts.delete().where(contacts.c.id.in_(going)))

    def reverse_changes(self) -> None:
        """The changes that the run made to contacts which are put back whole, the other way round."""
        names = [column.name for column in changes.columns]
        values = {
            "run_id": sa.literal(self._work.run_id),
            "old_value": changes.c.new_value,
            "new_value": changes.c.old_value,
            "rule": sa.literal("undo"),
            "source_system": sa.null(),
            "source_record_id": sa.null(),
        }
        rows = sa.select(*(values.get(name, changes.c[name]) for name in names)).where(
            changes.c.run_id == self._of, changes.c.contact_id.in_(self._work.ids(Fate.RESTORE))
        )
        self._do(changes.insert().from_select(names, rows))


def _untouched(later: sa.Subquery, after: sa.FromClause) -> sa.ColumnElement[bool]:
    """That nobody touched a contact after the run, or that it is again what the run left."""
    return later.c.run.is_(None) | ~contacts.c.updated_run.is_distinct_from(after.c.updated_run)


def edited_contacts() -> sa.Select[Any]:
    """The contacts that a person ever edited."""
    return sa.select(contact_edits.c.contact_id)


def _same(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    return (one.c.record_key == other.c.record_key) & (one.c.source_record_id == other.c.source_record_id)


def _same_record(one: sa.FromClause, other: sa.FromClause) -> sa.ColumnElement[bool]:
    return _same(one, other) & (one.c.source_system == other.c.source_system)
