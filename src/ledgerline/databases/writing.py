"""The one writing transaction of a run, as named set-based statements.

Everything here runs on one connection inside one transaction: it is all there, or not there. The order
matters and is told by `_Writing.merge`. A first load writes otherwise, see `filling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from ledgerline.databases import images
from ledgerline.databases.schema import (
    ENDED,
    OF_ITS_RECORD,
    changes,
    contact_owners,
    contact_points,
    contact_versions,
    contacts,
    match_suggestions,
    owners,
    rejects,
    source_record_versions,
    source_records,
    value_suggestions,
)
from ledgerline.databases.staging import choose
from ledgerline.databases.staging_tables import Staging

REASONS = ("match_rule", "match_partner", "match_score")  # why a record belongs to its contact
# The fields that hang on contacts, as `changes` has them.
DETAILS = ("further_emails", "further_phones", "owners")
UNDONE = "UNDONE"  # the status of a match suggestion whose run was undone

OF_CONTACTS = (contacts, contact_points, contact_owners)
OF_RECORDS = (source_records, source_record_versions)
TABLES = (*OF_RECORDS, *OF_CONTACTS)  # the largest first


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows the statements wrote, by what that means in the account."""

    new_records: int
    inserted: int  # contacts that came to be
    updated: int  # known records with another content
    same: int  # known records that came with another hash but say what they said
    withdrawn: int
    vanished: int
    rejected: int


NOTHING = Written(0, 0, 0, 0, 0, 0, 0)


class Merging(Protocol):
    """What goes on while that is written which asks for no cluster."""

    def linked(self) -> None:
        """Returns when links and suggestions are staged."""

    def merged(self, connection: sa.Connection) -> None:
        """Returns when golden contacts are staged too, and nobody can edit a contact any more."""


def write(
    connection: sa.Connection,
    staging: Staging,
    run_id: int,
    first_contact_id: int,
    merging: Merging | None = None,
) -> Written:
    """Bring the staged work into the tables of the application.

    merging  what is not staged by now; None: everything is
    """
    return _Writing(connection, staging, run_id, first_contact_id).merge(merging)


def settle_first(connection: sa.Connection, staging: Staging, run_id: int, first_contact_id: int) -> int:
    """What a first load writes of its staging tables: suggestions and rejects; how many of the latter."""
    step = _Writing(connection, staging, run_id, first_contact_id)
    step.insert_suggestions()
    return step.copy(staging.rejects, rejects)


def is_empty(connection: sa.Connection) -> bool:
    """Whether there is nothing that a run could touch: no contact, no record, no open reject."""
    of_each = (
        sa.select(contacts.c.id),
        sa.select(source_records.c.record_key),
        sa.select(rejects.c.record_key).where(rejects.c.resolved_run.is_(None)),
    )
    return not any(connection.execute(query.limit(1)).first() for query in of_each)


def highest_contact_id(connection: sa.Connection) -> int:
    """The highest id that a contact ever had, or 0. No id is given twice, not even after an undo."""
    highest = (sa.select(sa.func.max(ids)) for ids in (contacts.c.id, contact_versions.c.id))
    return max(number or 0 for number in connection.execute(sa.union_all(*highest)).scalars())


def foresee(connection: sa.Connection, staging: Staging, run_id: int, first_contact_id: int) -> Written:
    """What `write` would come to, without writing."""
    step = _Writing(connection, staging, run_id, first_contact_id)
    new, known = step.count_staged()
    same = step.count_same()
    inserted = step.count_plain() + step.count(staging.golden, staging.golden.c.id >= first_contact_id)
    withdrawn, vanished = (step.count(staging.marks, staging.marks.c.mark == mark) for mark in ENDED)
    rejected = step.count(staging.rejects)
    return Written(new, inserted, known - same, same, withdrawn, vanished, rejected)


class _Writing:
    def __init__(
        self, connection: sa.Connection, staging: Staging, run_id: int, first_contact_id: int
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._run_id = run_id
        self._first = first_contact_id

    def merge(self, merging: Merging | None) -> Written:
        new, known = self.count_staged()
        same = self.count_same()
        self.keep_versions()
        self.update_records()
        withdrawn, vanished = self.mark_records()
        self.settle_rejects()
        rejected = self.copy(self._staging.rejects, rejects)
        if merging is not None:
            merging.linked()
        self.keep_moved_versions()  # no key binds records to contacts: they may go to theirs before those are
        self.link_records()
        self.move_records()
        self.insert_records()
        self.insert_suggestions()
        if merging is not None:
            merging.merged(self._connection)
        self.add_owners(self._staging.records, self._staging.golden_owners)
        self.keep_contacts()
        inserted = self.insert_plain_contacts() + self.insert_golden_contacts()
        self.insert_plain_points()
        self.update_golden_contacts()
        self.redirect_merged_contacts()
        self.clear_details()
        self.insert_golden_details()
        self.copy(self._staging.changes, changes)
        self.note_source_values()
        return Written(new, inserted, known - same, same, withdrawn, vanished, rejected)

    def _do(self, statement: Any) -> int:
        result = self._connection.execute(statement, execution_options={"preserve_rowcount": True})
        return int(result.rowcount)

    def copy(self, staged: sa.Table, table: sa.Table) -> int:
        names = [column.name for column in table.columns]
        return self._do(table.insert().from_select(names, sa.select(*[staged.c[name] for name in names])))

    def count(self, rows: sa.FromClause, *where: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(rows).where(*where)
        return int(self._connection.execute(query).scalar_one())

    # -- owners ------------------------------------------------------------------------------------

    def add_owners(self, *tables: sa.Table) -> None:
        """Owners named in these tables who were not known."""
        named = (
            sa.select(table.c.owner.label("name")).distinct().where(table.c.owner.is_not(None))
            for table in tables
        )
        names = sa.union(*named).subquery("names")
        unknown = sa.select(names.c.name).where(~sa.exists().where(owners.c.name == names.c.name))
        highest = sa.select(sa.func.coalesce(sa.func.max(owners.c.id), 0)).scalar_subquery()
        number = sa.func.row_number().over(order_by=names.c.name)
        rows = unknown.with_only_columns(highest + number, names.c.name)
        self._do(owners.insert().from_select(["id", "name"], rows))

    # -- contacts ----------------------------------------------------------------------------------

    def insert_plain_contacts(self) -> int:
        """A new record in no cluster is a contact as it stands."""
        records = self._staging.records
        given = {name: records.c[name] for name in OF_ITS_RECORD} | {
            "id": records.c.contact_id,
            "mobile_e164": records.c.phone,
            "owner_id": owners.c.id,
            "created_run": records.c.run_id,
        }
        rows = (
            sa.select(*given.values())
            .select_from(self._unlinked(records).outerjoin(owners, owners.c.name == records.c.owner))
            .where(*self._is_plain(records))
        )
        return self._do(contacts.insert().from_select(list(given), rows))

    def count_plain(self) -> int:
        records = self._staging.records
        return self.count(self._unlinked(records), *self._is_plain(records))

    def _is_plain(self, staged: sa.Table) -> list[sa.ColumnElement[bool]]:
        return [staged.c.contact_id >= self._first, self._staging.links.c.contact_id.is_(None)]

    def insert_plain_points(self) -> None:
        points = self._staging.points
        names = [column.name for column in contact_points.columns]
        rows = (
            sa.select(*[points.c[name] for name in names])
            .select_from(self._unlinked(points))
            .where(*self._is_plain(points))
        )
        self._do(contact_points.insert().from_select(names, rows))

    def _unlinked(self, staged: sa.Table) -> sa.Join:
        """With its links; those without one are plain. (SQLite makes an index for a join, not for EXISTS.)"""
        links = self._staging.links
        return staged.outerjoin(links, links.c.old_contact_id == staged.c.contact_id)

    def insert_golden_contacts(self) -> int:
        golden = self._staging.golden
        names = [c.name for c in golden.columns if c.name not in ("owner_id", "merged_into", "updated_run")]
        rows = (
            sa.select(*[golden.c[name] for name in names], owners.c.id)
            .select_from(self._with_owner(golden))
            .where(golden.c.id >= self._first)
        )
        return self._do(contacts.insert().from_select([*names, "owner_id"], rows))

    def update_golden_contacts(self) -> None:
        golden = self._staging.golden
        kept = (
            "id",
            "source_system",
            "source_record_id",
            "created_run",
            "updated_run",
            "merged_into",
            "owner_id",
        )
        names = [c.name for c in golden.columns if c.name not in kept]
        wanted = (
            sa.select(golden.c.id, *(golden.c[name] for name in names), owners.c.id.label("owner_id"))
            .select_from(self._with_owner(golden))
            .where(golden.c.id < self._first)
            .subquery("wanted")
        )
        given = {name: wanted.c[name] for name in (*names, "owner_id")}
        self._do(
            contacts.update()
            .where(contacts.c.id == wanted.c.id)
            .values({**given, "updated_run": self._run_id})
        )

    def _with_owner(self, golden: sa.Table) -> sa.Join:
        named = self._staging.golden_owners
        return golden.outerjoin(
            named, (named.c.contact_id == golden.c.id) & (named.c.position == 0)
        ).outerjoin(owners, owners.c.name == named.c.owner)

    def redirect_merged_contacts(self) -> None:
        """Known contacts that joined an older one become redirects to it, and so do those before them."""
        target = self._moved()
        for column in (contacts.c.id, contacts.c.merged_into):
            self._do(
                contacts.update()
                .where(column == target.c.old_contact_id)
                .values(merged_into=target.c.contact_id, is_active=sa.false(), updated_run=self._run_id)
            )

    def _moved(self) -> sa.Subquery:
        """[old_contact_id, contact_id] of the known contacts that joined an older one."""
        links = self._staging.links
        pairs = sa.select(links.c.old_contact_id, links.c.contact_id).where(
            links.c.old_contact_id < self._first, links.c.old_contact_id != links.c.contact_id
        )
        return pairs.distinct().subquery("moved")

    # -- what hangs on contacts ---------------------------------------------------------------------

    def clear_details(self) -> None:
        """Drop the further values of contacts that get others, or that became redirects."""
        chosen, golden, noted = self._staging.chosen, self._staging.golden, self._staging.changes
        redirects = sa.select(chosen.c.contact_id).where(chosen.c.contact_id.not_in(sa.select(golden.c.id)))
        differing = sa.select(noted.c.contact_id).where(noted.c.field.in_(DETAILS))
        for table in (contact_points, contact_owners):
            cleared = sa.union(redirects, differing)
            self._do(table.delete().where(table.c.contact_id.in_(cleared)))

    def insert_golden_details(self) -> None:
        self.copy(self._staging.golden_points, contact_points)
        named = self._staging.golden_owners
        rows = (
            sa.select(named.c.contact_id, owners.c.id, named.c.position)
            .join(owners, owners.c.name == named.c.owner)
            .where(named.c.position > 0)
        )
        self._do(contact_owners.insert().from_select(["contact_id", "owner_id", "position"], rows))

    # -- source records ------------------------------------------------------------------------------

    def count_staged(self) -> tuple[int, int]:
        """(new records, new versions of known ones)."""
        records = self._staging.records
        is_new = sa.case((records.c.contact_id >= self._first, 1), else_=0)
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(is_new), 0)).select_from(records)
        every, new = self._connection.execute(query).one()
        return int(new), int(every) - int(new)

    def count_same(self) -> int:
        """Known records whose new version says what they said."""
        records = self._staging.records
        skipped = ("payload_hash", "contact_id", "run_id", *REASONS)
        compared = [c.name for c in source_records.columns if c.name not in skipped and not c.primary_key]
        equal = [~_whole(records, name).is_distinct_from(_whole(source_records, name)) for name in compared]
        query = sa.select(sa.func.count()).select_from(
            records.join(source_records, self._same_record(records, source_records))
        )
        return int(self._connection.execute(query.where(*equal)).scalar_one())

    def keep_versions(self) -> None:
        """Keep what known records were that have a new version, or ended."""
        records, marks = self._staging.records, self._staging.marks
        keys = sa.union(
            sa.select(records.c.record_key, records.c.source_record_id).where(
                records.c.contact_id < self._first
            ),
            sa.select(marks.c.record_key, marks.c.source_record_id).where(marks.c.mark.in_(ENDED)),
        ).subquery("keys")
        self._keep(source_records.join(keys, self._same_record(keys, source_records)))

    def keep_moved_versions(self) -> None:
        """Keep what the other records were of known contacts that joined an older one."""
        records, marks = self._staging.records, self._staging.marks
        others = source_records.outerjoin(records, self._same_record(records, source_records)).outerjoin(
            marks, self._same_record(marks, source_records) & marks.c.mark.in_(ENDED)
        )
        self._keep(
            others,
            source_records.c.source_system == self._staging.system,
            source_records.c.contact_id.in_(sa.select(self._moved().c.old_contact_id)),
            records.c.record_key.is_(None),
            marks.c.record_key.is_(None),
        )

    def _keep(self, rows: sa.FromClause, *where: sa.ColumnElement[bool]) -> None:
        names = [column.name for column in source_records.columns]
        versions = sa.select(sa.literal(self._run_id), *[source_records.c[name] for name in names])
        versions = versions.select_from(rows).where(*where)
        self._do(source_record_versions.insert().from_select(["replaced_by_run", *names], versions))

    def keep_contacts(self) -> None:
        """Keep what known contacts were before this run touches them, and what redirected to them."""
        moved, golden = self._moved(), self._staging.golden
        concerned = sa.union(
            sa.select(golden.c.id).where(golden.c.id < self._first),
            sa.select(moved.c.old_contact_id),
            sa.select(contacts.c.id).join(moved, contacts.c.merged_into == moved.c.old_contact_id),
        )
        choose(self._connection, self._staging, concerned)
        images.keep_contacts(self._connection, self._run_id, self._touched_contacts())

    def _touched_contacts(self) -> sa.Select[Any]:
        """The ids of known contacts that this run touches, chosen once by `keep_contacts`."""
        return sa.select(self._staging.chosen.c.contact_id)

    def update_records(self) -> None:
        """New versions of known records take the place of the old; to whom they belong, and why, stays."""
        new = self._staging.records
        names = [c.name for c in source_records.columns if not c.primary_key and c.name not in REASONS]
        self._do(
            source_records.update()
            .where(self._same_record(new, source_records), new.c.contact_id < self._first)
            .values({name: new.c[name] for name in names})
        )

    def link_records(self) -> None:
        """Why new versions of known records belong to their contacts, where that is another reason now."""
        links, records = self._staging.links, self._staging.records
        newer = _newer_reasons(links)
        is_other = sa.or_(*(source_records.c[name].is_distinct_from(newer[name]) for name in REASONS))
        self._do(
            source_records.update()
            .where(
                self._same_record(links, source_records),
                self._same_record(records, source_records),
                source_records.c.contact_id == links.c.contact_id,
                is_other,
            )
            .values(newer)
        )

    def move_records(self) -> None:
        """What else belongs to a contact that joined another, live or not, goes with it."""
        links = self._staging.links
        self._do(
            source_records.update()
            .where(
                self._same_record(links, source_records),
                links.c.old_contact_id != links.c.contact_id,
                source_records.c.contact_id != links.c.contact_id,
            )
            .values(contact_id=links.c.contact_id, run_id=self._run_id, **_newer_reasons(links))
        )
        moved = self._moved()
        self._do(
            source_records.update()
            .where(source_records.c.contact_id == moved.c.old_contact_id)
            .values(contact_id=moved.c.contact_id, run_id=self._run_id)
        )

    def insert_records(self) -> None:
        """The new records, with the contacts they were linked to."""
        records, links = self._staging.records, self._staging.links
        columns = {
            **{c.name: records.c[c.name] for c in source_records.columns},
            **{name: links.c[name].label(name) for name in REASONS},
            "contact_id": sa.func.coalesce(links.c.contact_id, records.c.contact_id).label("contact_id"),
        }
        new = (
            sa.select(*columns.values())
            .select_from(records.outerjoin(links, links.c.old_contact_id == records.c.contact_id))
            .where(records.c.contact_id >= self._first)
        )
        self._do(source_records.insert().from_select(list(columns), new))

    def mark_records(self) -> tuple[int, int]:
        """(withdrawn, vanished): known records that are live no longer."""
        marks = self._staging.marks
        counts = [
            self._do(
                source_records.update()
                .where(self._same_record(marks, source_records), marks.c.mark == mark)
                .values(is_live=sa.false(), run_id=self._run_id)
            )
            for mark in ENDED
        ]
        return counts[0], counts[1]

    def _same_record(self, staged: sa.FromClause, table: sa.Table) -> sa.ColumnElement[bool]:
        same = (staged.c.record_key == table.c.record_key) & (
            staged.c.source_record_id == table.c.source_record_id
        )
        return same & (table.c.source_system == self._staging.system)

    # -- rejects and suggestions -----------------------------------------------------------------------

    def settle_rejects(self) -> None:
        marks = self._staging.marks
        settled = sa.exists().where(
            marks.c.record_key == rejects.c.record_key,
            marks.c.payload_hash == rejects.c.payload_hash,
            marks.c.key_fault == rejects.c.key_fault,
            marks.c.mark.in_(["settled", "gone"]),
        )
        marked = sa.select(marks.c.record_key).where(marks.c.payload_hash.is_not(None))
        self._do(
            rejects.update()
            .where(
                rejects.c.source_system == self._staging.system,
                rejects.c.record_key.in_(marked),
                rejects.c.resolved_run.is_(None),
                settled,
            )
            .values(resolved_run=self._run_id)
        )

    def insert_suggestions(self) -> None:
        """Suggestions that were not made before; one that an undo took back is open again."""
        staged = self._staging.suggestions
        self._do(
            match_suggestions.update()
            .where(
                match_suggestions.c.left_contact_id == staged.c.left_contact_id,
                match_suggestions.c.right_contact_id == staged.c.right_contact_id,
                match_suggestions.c.status == UNDONE,
            )
            .values(status="OPEN", run_id=self._run_id)
        )
        names = [column.name for column in match_suggestions.columns if column.name != "status"]
        known = sa.exists().where(
            match_suggestions.c.left_contact_id == staged.c.left_contact_id,
            match_suggestions.c.right_contact_id == staged.c.right_contact_id,
        )
        rows = sa.select(*[staged.c[name] for name in names]).where(~known)
        self._do(match_suggestions.insert().from_select(names, rows))

    def note_source_values(self) -> None:
        """What the sources say by now about fields that a person has edited."""
        staged = self._staging.source_values
        said = sa.exists().where(
            staged.c.contact_id == value_suggestions.c.contact_id,
            staged.c.field == value_suggestions.c.field,
        )
        self._do(value_suggestions.delete().where(said))
        news = sa.select(staged.c.contact_id, staged.c.field, staged.c.value, sa.literal(self._run_id))
        names = ["contact_id", "field", "value", "run_id"]
        self._do(value_suggestions.insert().from_select(names, news.where(staged.c.is_news)))


def _whole(table: sa.Table, name: str) -> sa.ColumnElement[Any]:
    """A column to be compared. Of raw text the end too: SQL Server compares as if both had as many blanks."""
    column = table.c[name]
    return column + "." if name.startswith("raw_") else column


def _newer_reasons(new: sa.FromClause) -> dict[str, sa.ColumnElement[Any]]:
    """Why a record belongs to its contact: as it is told now, or else as it was."""
    return {name: sa.func.coalesce(new.c[name], source_records.c[name]) for name in REASONS}
