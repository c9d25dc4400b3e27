"""Which tables tell when their rows were changed, and by which column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

import sqlalchemy as sa

from ledgerline.databases.engines import ChangeKind, Server
from ledgerline.errors import SettingsError
from ledgerline.sources.watermark import Mark

_RECOGNISED = "updated_at"
# No row was changed before: what lies there says that none ever was, or nothing. MySQL's 0000-00-00, .NET's
# 0001-01-01, SQL Server's 1900-01-01, the first day of Unix.
FIRST_MOMENT = datetime.fromisoformat("1971-01-01")
_Kinds: TypeAlias = Mapping[sa.ColumnElement[Any], ChangeKind | None]


@dataclass(frozen=True)
class Described:
    """A table of the source, and what its server tells of it."""

    table: sa.TableClause
    nullable: frozenset[str]  # the columns that may hold NULL
    find_indexes: Callable[[], Sequence[tuple[tuple[str, ...], bool]]]

    @cached_property
    def indexes(self) -> Sequence[tuple[tuple[str, ...], bool]]:
        """(columns, whether it is unique), keys among them; asked for when they are first needed."""
        return self.find_indexes()

    def is_unique(self, column: str) -> bool:
        return ((column,), True) in self.indexes

    def is_indexed(self, column: str) -> bool:
        return any(columns[:1] == (column,) for columns, _ in self.indexes)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A table with a column that tells when a row was changed."""

    described: Described
    column: sa.ColumnElement[Any]
    kind: ChangeKind

    @property
    def name(self) -> str:
        return self.described.table.name

    def advice(self) -> str | None:
        if self.described.is_indexed(self.column.name):
            return None
        return f"An index on {self.name}.{self.column.name} would spare each run a scan of that table."

    def changed(
        self, server: Server, mark: Mark, overlap: timedelta, table: sa.FromClause
    ) -> sa.ColumnElement[bool]:
        """That a row of `table`, this one or an alias of it, changed since; what has no time may have."""
        return sa.or_(*self.changes(server, mark, overlap, table))

    def changes(
        self, server: Server, mark: Mark, overlap: timedelta, table: sa.FromClause
    ) -> list[sa.ColumnElement[bool]]:
        """The same as conditions of which a row meets one or none."""
        column = table.c[self.column.name]
        conditions = [server.changed_since(column, self._bound(mark, overlap))]
        if self.kind is not ChangeKind.VERSION:
            conditions.append((column < server.instant(column, FIRST_MOMENT)) & ~conditions[0])
        if self.column.name in self.described.nullable:
            conditions.append(column.is_(None))
        return conditions

    def _bound(self, mark: Mark, overlap: timedelta) -> datetime | str:
        assert mark.base is not None
        if self.kind is ChangeKind.VERSION:
            return mark.base
        days = timedelta(days=1 if self.kind is ChangeKind.DAY else 0)
        return datetime.fromisoformat(mark.base) - overlap - days


def tracked(server: Server, described: Described, wanted: str | None) -> Tracked | None:
    """The table with its update column: the one that is wanted, else a rowversion, else `updated_at`.

    Raises SettingsError when the wanted one is not there, or cannot tell when a row was changed.
    """
    kinds: _Kinds = {column: server.change_kind(column) for column in described.table.columns}
    by_name = {column.name.casefold(): column for column in kinds}
    if wanted is not None:
        return _wanted(described, by_name, kinds, wanted)
    versions = [column for column, kind in kinds.items() if kind is ChangeKind.VERSION]
    for column in (*versions, by_name.get(_RECOGNISED)):
        if column is not None and (kind := kinds[column]) is not None:
            return Tracked(described, column, kind)
    return None


def _wanted(
    described: Described,
    by_name: Mapping[str, sa.ColumnElement[Any]],
    kinds: _Kinds,
    name: str,
) -> Tracked:
    column = by_name.get(name.casefold())
    if column is None:
        have = ", ".join(column.name for column in kinds)
        raise SettingsError(
            f"INVOICE_UPDATED_COLUMN: {described.table.name} has no column {name}. It has: {have}.",
            hint="Name a rowversion or update-time column, or leave the setting out.",
        )
    kind = kinds[column]
    if kind is None:
        raise SettingsError(
            f"INVOICE_UPDATED_COLUMN: {name} is of type {column.type}, which tells no time of a change.",
            hint="Name a column that is a rowversion, a time or a date, or leave the setting out.",
        )
    return Tracked(described, column, kind)
