"""The tables in which a run keeps what it has come to, until its one writing transaction.

They have the layout of the tables that they feed, carry their run's number in their name, and are dropped
with its end.
"""

from __future__ import annotations

import re
import threading
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa

from ledgerline.databases.engines import LANDING
from ledgerline.databases.schema import (
    CODE,
    NAME,
    RECORD_ID,
    BigInt,
    Text,
    changes,
    contact_points,
    contacts,
    match_suggestions,
    rejects,
    source_records,
)

T = TypeVar("T")

PASSING = "passing"  # in a table's `info`: it lives as long as its run

# What matching and survivorship read of a record.
COMPARED_COLUMNS = (
    "record_key",
    "source_record_id",
    "contact_id",
    "name",
    "honorific",
    "company_name",
    "email",
    "further_emails",
    "phone",
    "phone_type",
    "further_phones",
    "designation",
    "relationship_type",
    "data_quality_score",
    "owner",
)


# PostgreSQL would try to compress what is compressed, which takes longer than all else about it.
_AS_IT_IS = sa.DDL(  # type: ignore[no-untyped-call]
    "ALTER TABLE %(fullname)s ALTER head SET STORAGE EXTERNAL, ALTER body SET STORAGE EXTERNAL"
).execute_if(dialect="postgresql")


def is_staging(table: str) -> bool:
    """Whether a table is one of `Staging`, or rows land in it: such tables come and go with runs."""
    return re.fullmatch(rf"staging_\d+_[a-z_]+|{LANDING}[0-9a-f]+", table) is not None


_describing = threading.RLock()


class _described(cached_property[T]):  # noqa: N801  (it is used like a function)
    """What is described when it is first needed. Of two threads that need it both get the same."""

    def __get__(self, instance: object, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with _describing:
            return super().__get__(instance, owner)


class Staging:
    """The staging tables of one run, which reads one source system.

    To describe all of them takes some milliseconds: each is described when it is first needed.
    """

    def __init__(self, run_id: int, system: str) -> None:
        self.system = system
        self._run_id = run_id

    def named(self, name: str) -> str:
        return f"staging_{self._run_id}_{name}"

    @_described
    def tables(self) -> tuple[sa.Table, ...]:
        return (
            self.records,
            self.rejects,
            self.points,
            self.marks,
            self.chosen,
            self.pages,
            self.links,
            self.touched,
            self.members,
            self.golden,
            self.golden_points,
            self.golden_owners,
            self.changes,
            self.suggestions,
            self.source_values,
        )

    @_described
    def records(self) -> sa.Table:
        """What is the same in all of them need not be loaded."""
        return like(
            source_records,
            self.named("records"),
            source_system=self.system,
            is_live=sa.true(),
            run_id=sa.text(str(self._run_id)),
        )

    @_described
    def rejects(self) -> sa.Table:
        return like(rejects, self.named("rejects"))

    @_described
    def points(self) -> sa.Table:
        """The further e-mails and phones of staged records; `contact_id` as in the staged record."""
        return like(contact_points, self.named("points"))

    @_described
    def marks(self) -> sa.Table:
        """Known records whose row needs no cleaning: withdrawn, vanished, or a reject that is settled."""
        return _passing_table(
            self.named("marks"),
            sa.Column("record_key", BigInt, nullable=False),
            sa.Column("source_record_id", RECORD_ID),  # of a record that ended
            sa.Column("payload_hash", BigInt),  # of a reject that is out of date, as the next
            sa.Column("key_fault", sa.Boolean),
            # one of ENDED; settled or gone: a reject that is out of date
            sa.Column("mark", CODE, nullable=False),
        )

    @_described
    def chosen(self) -> sa.Table:
        """Contacts that the next statements are about; whoever needs it clears it first."""
        return _passing_table(self.named("chosen"), sa.Column("contact_id", BigInt))

    @_described
    def pages(self) -> sa.Table:
        """Of a first load, what `records` has otherwise, a partition a row: see `databases.pages`."""
        table = _passing_table(
            self.named("pages"),
            sa.Column("partition", BigInt, nullable=False),
            sa.Column("head", sa.LargeBinary, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
        )
        sa.event.listen(table, "after_create", _AS_IT_IS)
        return table

    @_described
    def links(self) -> sa.Table:
        """Each record, staged or known, that is in a cluster with another: the contact it belongs to now."""
        return _passing_table(
            self.named("links"),
            sa.Column("record_key", BigInt, nullable=False),
            sa.Column("source_record_id", RECORD_ID, nullable=False),
            sa.Column("old_contact_id", BigInt, nullable=False),
            sa.Column("contact_id", BigInt, nullable=False),
            sa.Column("match_rule", CODE),
            sa.Column("match_partner", RECORD_ID),
            sa.Column("match_score", sa.Float),
        )

    @_described
    def touched(self) -> sa.Table:
        """Known contacts, in no cluster, of which a record changed."""
        return _passing_table(self.named("touched"), sa.Column("contact_id", BigInt))

    @_described
    def members(self) -> sa.Table:
        """All live records of linked and touched contacts, with the contact it belongs to after the run."""
        columns = (sa.Column(name, source_records.c[name].type) for name in COMPARED_COLUMNS)
        return _passing_table(self.named("members"), *columns)

    @_described
    def golden(self) -> sa.Table:
        """What linked and touched contacts shall be."""
        return like(contacts, self.named("golden"))

    @_described
    def golden_points(self) -> sa.Table:
        return like(contact_points, self.named("golden_points"))

    @_described
    def golden_owners(self) -> sa.Table:
        return _passing_table(
            self.named("golden_owners"),
            sa.Column("contact_id", BigInt, nullable=False),
            sa.Column("position", sa.SmallInteger, nullable=False),  # 0 stands in the contact itself
            sa.Column("owner", NAME, nullable=False),
        )

    @_described
    def changes(self) -> sa.Table:
        return like(changes, self.named("changes"))

    @_described
    def suggestions(self) -> sa.Table:
        return like(match_suggestions, self.named("suggestions"))

    @_described
    def source_values(self) -> sa.Table:
        """What the sources say about fields that a person has edited; `is_news`: not seen by the person."""
        return _passing_table(
            self.named("source_values"),
            sa.Column("contact_id", BigInt, nullable=False),
            sa.Column("field", CODE, nullable=False),
            sa.Column("value", Text),
            sa.Column("is_news", sa.Boolean, nullable=False),
        )


def like(table: sa.Table, name: str, **defaults: Any) -> sa.Table:
    """A bare table with the columns of another: no key, no index, no constraint but NOT NULL.

    defaults  of columns that have none in the other
    """
    columns = (
        sa.Column(c.name, c.type, nullable=c.nullable, server_default=defaults.get(c.name, _default(c)))
        for c in table.columns
    )
    return _passing_table(name, *columns)


def _passing_table(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    """A table that lives as long as its run. What needs statistics of it makes them: PostgreSQL's autovacuum
    would come at the wrong time, and make the dropping of the table wait a second for it."""
    settings = {"autovacuum_enabled": "false"}
    return sa.Table(name, sa.MetaData(), *items, info={PASSING: True}, postgresql_with=settings)


def _default(column: sa.Column[Any]) -> Any:
    default = column.server_default
    return default.arg if isinstance(default, sa.DefaultClause) else None
