"""Guarded queries on PostgreSQL: a cursor in a read-only transaction that is rolled back.

A cursor takes SELECT and VALUES alone, never a statement that writes, also not inside WITH; and its rows stay
in the server until they are fetched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.raw_cursor import RawCursor, RawServerCursor

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.postgresql import libpq
from ledgerline.databases.engines.querying import Access, Column, fetched
from ledgerline.url import DatabaseUrl

_LOCK_MS = 5_000


class _Text(Loader):
    """Moments as ISO 8601 text: PostgreSQL's reach further than Python's, and `infinity` is one of them."""

    def load(self, data: Any) -> str:
        return bytes(data).replace(b" ", b"T", 1).decode("utf-8", "replace")


class _Words(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode("utf-8", "replace")


class PostgreSQLSession:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.is_over = False
        self._cursor: psycopg.Cursor[Any] | psycopg.ServerCursor[Any] | None = None

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        self.is_over = False
        del rows, access
        if explain:
            self._cursor = RawCursor(self._connection)
        else:
            self._cursor = RawServerCursor(self._connection, "ledgerline_query")
        self._cursor.execute(sql.encode(), list(values))
        types = self._connection.adapters.types
        return [
            Column(column.name, getattr(types.get(column.type_code), "name", "text"))
            for column in self._cursor.description or ()
        ]

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        assert self._cursor is not None
        batch, self.is_over = fetched(self._cursor.fetchmany, rows)
        return batch

    def finish(self) -> bool:
        try:
            if self._cursor is not None:
                self._cursor.close()
            self._connection.rollback()
        except psycopg.Error:
            return False
        finally:
            self._cursor = None
        return not self._connection.closed

    def cancel(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=5)

    def close(self) -> None:
        if self._cursor is not None:
            with contextlib.suppress(psycopg.Error):
                self._cursor.close()
        self._connection.close()


def open_session(url: DatabaseUrl, limits: Limits) -> PostgreSQLSession:
    connection: psycopg.Connection[Any] = psycopg.connect(**libpq(url))  # type: ignore[arg-type]
    try:
        connection.execute(
            f"SET statement_timeout = {limits.statement_ms}; SET lock_timeout = {_LOCK_MS};"
            f" SET idle_in_transaction_session_timeout = {limits.statement_ms + _LOCK_MS};"
            " SET standard_conforming_strings = on; SET timezone = 'UTC'; SET datestyle = 'ISO';"
            " SET default_transaction_read_only = on"
        )
        connection.commit()
        connection.read_only = True
        for name in ("timestamp", "timestamptz"):
            connection.adapters.register_loader(name, _Text)
        for name in ("date", "time", "timetz", "interval"):
            connection.adapters.register_loader(name, _Words)
    except BaseException:
        connection.close()
        raise
    return PostgreSQLSession(connection)
