"""Guarded queries on SQL Server: a transaction that is always rolled back, query and lock timeouts.

The server knows no read-only transaction, so the last wall is a login that may only read; `may_write` tells
whether this one is.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Sequence
from typing import Any, Final

import mssql_python

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.querying import Access, Column, fetched
from ledgerline.databases.engines.sqlserver import open_connection
from ledgerline.url import DatabaseUrl

# Of some twenty columns: the tree of steps, and what each is thought to cost.
_OF_PLANS: Final = frozenset({"StmtText", "EstimateRows", "TotalSubtreeCost", "Warnings"})


# ODBC's codes. The driver's description tells the types of Python alone.
_TYPES: Final[dict[int | None, str]] = {
    -155: "datetimeoffset",
    -154: "time",
    -152: "xml",
    -150: "sql_variant",
    -11: "uniqueidentifier",
    -10: "ntext",
    -9: "nvarchar",
    -8: "nchar",
    -7: "bit",
    -6: "tinyint",
    -5: "bigint",
    -4: "image",
    -3: "varbinary",
    -2: "binary",
    -1: "text",
    1: "char",
    2: "numeric",
    3: "decimal",
    4: "int",
    5: "smallint",
    6: "float",
    7: "real",
    8: "float",
    12: "varchar",
    91: "date",
    92: "time",
    93: "datetime2",
}


class SQLServerSession:
    def __init__(self, connection: mssql_python.Connection) -> None:
        self._connection = connection
        self.is_over = False
        self._cursor: Any = None
        self._shows_plans = False
        self._places: list[int] | None = None  # of the columns that are given out; None: all

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        self.is_over = False
        del rows, access
        if explain:
            return self._start_plan(sql, values)
        self._cursor = self._connection.cursor()
        self._cursor.execute(sql, *([tuple(values)] if values else []))
        return self._columns()

    def _start_plan(self, sql: str, values: Sequence[Any]) -> list[Column]:
        """The session is one that only shows plans from now on."""
        self._shows_plans = True
        with self._connection.cursor() as cursor:
            cursor.execute("SET SHOWPLAN_ALL ON")  # must be alone in its batch
        self._cursor = self._connection.cursor()
        self._cursor.execute(_with_declared(sql, values))
        columns = self._columns()
        told = [place for place, column in enumerate(columns) if column.name in _OF_PLANS]
        self._places = told or list(range(len(columns)))
        return [columns[place] for place in self._places]

    def _columns(self) -> list[Column]:
        described = self._cursor.description or ()
        codes = getattr(self._cursor, "_column_sql_types", None) or [None] * len(described)
        return [
            Column(column[0], _TYPES.get(code) or _type_name(column[1]))
            for column, code in zip(described, codes, strict=True)
        ]

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        found, _ = fetched(self._cursor.fetchmany, rows)
        self.is_over = not found  # fewer than asked for may be those before an error, which comes next
        if self._places is None:
            return [tuple(row) for row in found]
        return [tuple(row[place] for place in self._places) for row in found]

    def finish(self) -> bool:
        try:
            if self._cursor is not None:
                self._cursor.close()
            self._connection.rollback()
        except mssql_python.Error:
            return False
        self._cursor = None
        return not self._shows_plans  # such a session runs nothing

    def cancel(self) -> None:
        """An attention: the server stops the statement, and what executes or fetches it here fails."""
        handle = getattr(self._cursor, "hstmt", None)
        if handle is not None:
            with contextlib.suppress(Exception):
                handle._cancel()

    def close(self) -> None:
        with contextlib.suppress(mssql_python.Error):
            self._connection.close()

    def may_write(self) -> bool:
        """Whether the login may change any table of the database."""
        with self._connection.cursor() as cursor:
            cursor.execute(MAY_WRITE)
            (found,) = cursor.fetchone() or (1,)
        self._connection.rollback()
        return bool(found)


def _may_write() -> str:
    """Rights on the database count, and on a single table: of a schema's, every table has them."""

    def any_of(securable: str, kind: str, *rights: str) -> str:
        return ", ".join(f"HAS_PERMS_BY_NAME({securable}, '{kind}', '{right}')" for right in rights)

    # A name is read as an identifier is: one with a dot in it would be looked for in vain, and be no right.
    of_all = any_of("QUOTENAME(DB_NAME())", "DATABASE", "INSERT", "UPDATE", "DELETE", "ALTER", "EXECUTE")
    name = "QUOTENAME(SCHEMA_NAME(o.schema_id)) + '.' + QUOTENAME(o.name)"
    of_one = any_of(name, "OBJECT", "INSERT", "UPDATE", "DELETE", "ALTER")
    tables = "sys.objects AS o WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0"
    one = f"SELECT 1 FROM {tables} AND 1 IN ({of_one})"  # noqa: S608
    return f"SELECT CASE WHEN 1 IN ({of_all}) OR EXISTS ({one}) THEN 1 ELSE 0 END"


MAY_WRITE: Final = _may_write()

_PLACE: Final = re.compile(r"'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|(\?)")


def _with_declared(sql: str, values: Sequence[Any]) -> str:
    """The query with variables, of its values' types and without a value, in place of what is bound.

    A statement with bound values is the text of a procedure's call, of which alone a plan would be shown.
    """
    numbers = itertools.count(1)
    declared = "".join(f"DECLARE @p{n} {_sql_type(value)}; " for n, value in enumerate(values, 1))
    return declared + _PLACE.sub(lambda found: f"@p{next(numbers)}" if found[1] else found[0], sql)


def _sql_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bit"
    return {int: "bigint", float: "float"}.get(type(value), "nvarchar(4000)")


def _type_name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind) or "").lower()


def open_session(url: DatabaseUrl, limits: Limits) -> SQLServerSession:
    return SQLServerSession(open_connection(url, limits, read_only=True, autocommit=False))
