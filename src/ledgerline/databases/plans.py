"""What a run would do, told from its staging tables before anything is written."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ledgerline.databases.runs import named
from ledgerline.databases.schema import ENDED, contacts, source_records
from ledgerline.databases.staging_tables import Staging

Section = dict[str, Any]


def foreseen(
    connection: sa.Connection, staging: Staging, first_contact_id: int, samples: int | None
) -> dict[str, Section]:
    """What would happen, by kind: {inserted, merged, joined, changed, rejected, ended, suggested}.

    Each is {"total": how many, "samples": the first of them, at most `samples` (None: all)}; `changed` and
    `rejected` also have {"groups": how many by field, or by reasons}.
    """
    told = _Foreseen(connection, staging, first_contact_id, samples)
    return {
        "inserted": told.inserted(),
        "merged": told.merged(),
        "joined": told.joined(),
        "changed": told.changed(),
        "rejected": told.rejected(),
        "ended": told.ended(),
        "suggested": told.suggested(),
    }


class _Foreseen:
    def __init__(
        self, connection: sa.Connection, staging: Staging, first_contact_id: int, samples: int | None
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._first = first_contact_id
        self._samples = samples

    def inserted(self) -> Section:
        """Contacts that would come to be: of one record, or of several."""
        records, links, golden = self._staging.records, self._staging.links, self._staging.golden
        plain = (
            sa.select(
                records.c.source_record_id,
                records.c.name,
                records.c.company_name,
                records.c.email,
                records.c.phone,
            )
            .select_from(records.outerjoin(links, links.c.old_contact_id == records.c.contact_id))
            .where(records.c.contact_id >= self._first, links.c.contact_id.is_(None))
        )
        of_several = sa.select(
            golden.c.source_record_id,
            golden.c.name,
            golden.c.company_name,
            golden.c.email,
            golden.c.mobile_e164.label("phone"),
        ).where(golden.c.id >= self._first)
        return self._section(plain.union_all(of_several).subquery("inserted"), "source_record_id")

    def merged(self) -> Section:
        """Records that would join a contact that others make, with the evidence."""
        records, links, golden = self._staging.records, self._staging.links, self._staging.golden
        rows = (
            sa.select(
                records.c.source_record_id,
                records.c.name,
                records.c.email,
                records.c.phone,
                links.c.match_rule.label("rule"),
                links.c.match_partner.label("partner"),
                links.c.match_score.label("score"),
                sa.case((links.c.contact_id < self._first, links.c.contact_id)).label("contact_id"),
                sa.func.coalesce(golden.c.name, contacts.c.name).label("contact_name"),
            )
            .select_from(
                records.join(
                    links,
                    (links.c.record_key == records.c.record_key)
                    & (links.c.source_record_id == records.c.source_record_id),
                )
                .outerjoin(golden, golden.c.id == links.c.contact_id)
                .outerjoin(contacts, contacts.c.id == links.c.contact_id)
            )
            .where(records.c.contact_id >= self._first, links.c.match_rule.is_not(None))
        )
        return self._section(rows.subquery("merged"), "source_record_id")

    def joined(self) -> Section:
        """Known contacts that would become one with an older one."""
        links, older = self._staging.links, contacts.alias("older")
        pairs = (
            sa.select(links.c.old_contact_id, links.c.contact_id)
            .where(links.c.old_contact_id < self._first, links.c.old_contact_id != links.c.contact_id)
            .distinct()
            .subquery("pairs")
        )
        rows = (
            sa.select(
                pairs.c.old_contact_id.label("contact_id"),
                contacts.c.name,
                pairs.c.contact_id.label("into_contact_id"),
                older.c.name.label("into_name"),
            )
            .join(contacts, contacts.c.id == pairs.c.old_contact_id)
            .outerjoin(older, older.c.id == pairs.c.contact_id)
        )
        return self._section(rows.subquery("joined"), "contact_id")

    def changed(self) -> Section:
        """Fields of known contacts that would get another value."""
        changes = self._staging.changes
        columns = ("contact_id", "field", "old_value", "new_value", "source_record_id", "rule")
        rows = sa.select(*(changes.c[name] for name in columns))
        section = self._section(rows.subquery("changed"), "contact_id", "field")
        return {**section, "groups": self._groups(changes.c.field)}

    def rejected(self) -> Section:
        rejects = self._staging.rejects
        rows = sa.select(rejects.c.ordinal, rejects.c.source_record_id, rejects.c.reasons, rejects.c.raw)
        section = self._section(rows.subquery("rejected"), "ordinal")
        return {**section, "groups": self._groups(rejects.c.reasons)}

    def ended(self) -> Section:
        """Records that would be withdrawn, or are gone from the source."""
        marks = self._staging.marks
        rows = (
            sa.select(
                source_records.c.source_record_id,
                source_records.c.name,
                source_records.c.contact_id,
                marks.c.mark,
            )
            .join(
                marks,
                (marks.c.record_key == source_records.c.record_key)
                & (marks.c.source_record_id == source_records.c.source_record_id),
            )
            .where(source_records.c.source_system == self._staging.system, marks.c.mark.in_(ENDED))
        )
        return self._section(rows.subquery("ended"), "source_record_id")

    def suggested(self) -> Section:
        """Pairs that are too doubtful to be merged, for a person to look at."""
        suggestions = self._staging.suggestions
        columns = ("left_contact_id", "right_contact_id", "rule", "score", "why")
        rows = sa.select(*(suggestions.c[name] for name in columns))
        return self._section(rows.subquery("suggested"), "left_contact_id", "right_contact_id")

    def _section(self, rows: sa.Subquery, *order: str) -> Section:
        total = self._connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
        first = sa.select(rows).order_by(*(rows.c[name] for name in order)).limit(self._samples)
        return {"total": total, "samples": [named(row) for row in self._connection.execute(first)]}

    def _groups(self, column: sa.Column[Any]) -> dict[str, int]:
        count = sa.func.count().label("rows")
        query = sa.select(column, count).group_by(column).order_by(count.desc(), column)
        return {str(row[0]): int(row[1]) for row in self._connection.execute(query)}
