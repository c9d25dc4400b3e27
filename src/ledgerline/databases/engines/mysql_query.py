"""Guarded queries on MySQL: a read-only transaction that is rolled back, rows streamed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.mysql import open_connection
from ledgerline.databases.engines.querying import Access, Column, fetched
from ledgerline.url import DatabaseUrl

_TYPES = {
    code: name.lower()
    for name, code in vars(FIELD_TYPE).items()
    if isinstance(code, int) and name not in ("CHAR", "INTERVAL")
}


# Modes in which a statement means something else than it does to the guard, such as `||` that joins texts.
# Those after the first four stand for several others.
_OTHER_MEANINGS = {
    "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "HIGH_NOT_PRECEDENCE",
    "ANSI", "DB2", "MAXDB", "MSSQL", "MYSQL323", "MYSQL40", "ORACLE", "POSTGRESQL",
}  # fmt: skip


def as_the_guard_reads(modes: str) -> str:
    """A server's `sql_mode` without the modes in which a statement means something else."""
    return ",".join(mode for mode in modes.split(",") if mode not in _OTHER_MEANINGS)


class MySQLSession:
    def __init__(self, url: DatabaseUrl, limits: Limits) -> None:
        self._url, self._limits = url, limits
        self._connection = open_connection(url, limits, read_only=True, autocommit=True)
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT @@sql_mode")
            (modes,) = cursor.fetchone() or ("",)
            cursor.execute("SET SESSION sql_mode = %s", (as_the_guard_reads(modes),))
        self.is_over = False
        self._cursor: SSCursor | None = None
        self._ended = True

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        self.is_over = False
        del rows, explain, access
        with self._connection.cursor() as cursor:
            cursor.execute("START TRANSACTION READ ONLY")
        self._cursor = self._connection.cursor(SSCursor)
        self._ended = False
        # The driver puts the values in by `%`, which then has to be doubled everywhere else.
        self._cursor.execute(_interpolated(sql) if values else sql, tuple(values) or None)
        return [
            Column(column[0], _TYPES.get(int(column[1]), "")) for column in self._cursor.description or ()
        ]

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        assert self._cursor is not None
        batch, self.is_over = fetched(self._cursor.fetchmany, rows)
        self._ended = self.is_over
        return batch

    def finish(self) -> bool:
        if not self._ended:
            return False  # the driver would read what is left of the result
        try:
            self._connection.rollback()
        except pymysql.Error:
            return False
        return True

    def cancel(self) -> None:
        with contextlib.suppress(pymysql.Error):
            killer = open_connection(self._url, self._limits, read_only=True, autocommit=True)
            try:
                killer.kill(self._connection.thread_id())  # type: ignore[no-untyped-call]
            finally:
                killer.close()

    def close(self) -> None:
        self._connection._force_close()  # type: ignore[attr-defined]


def _interpolated(sql: str) -> str:
    """`?` as `%s`. Outside of quotes the guard lets no other `?` through."""
    pieces = []
    quote = ""
    for character in sql:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'`":
            quote = character
        pieces.append("%s" if character == "?" and not quote else "%%" if character == "%" else character)
    return "".join(pieces)


def open_session(url: DatabaseUrl, limits: Limits) -> MySQLSession:
    return MySQLSession(url, limits)
