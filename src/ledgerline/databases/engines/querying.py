"""Guarded queries on each kind of server, behind one protocol: one file each, `*_query.py`.

A session is a connection of its own, apart from those of the flow, on which one query runs at a time: read
only as far as the server can, rolled back always, and stopped from another thread.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledgerline.databases.engines import Limits, explained, server_for
from ledgerline.url import DatabaseUrl, Engine

FIRST_ROWS = 128
"""Of the first batch: few, so that it comes at once and huge rows fit into memory; more than a usual page,
so that one fetch shows that it is the last."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str  # as the server calls it, in lower case; empty where only values have types


@dataclass(frozen=True, slots=True)
class Access:
    """For a server that asks about each table and function: what it is told."""

    functions: frozenset[str] = field(default_factory=frozenset)
    catalog_tables: frozenset[str] = field(default_factory=frozenset)
    hidden_tables: frozenset[str] = field(default_factory=frozenset)


class QuerySession(Protocol):
    """Raises driver's errors; `Server.explain` tells what they mean."""

    is_over: bool
    """Whether the last `fetch` came to the end; where nobody could tell, the next one brings nothing."""

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        """Run a query of which no more than `rows` rows will be fetched."""

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        """The next rows, about so many; none at the end."""

    def finish(self) -> bool:
        """End the query, rolling back; whether the session can be used again."""

    def cancel(self) -> None:
        """Stop the query in the database. From any thread, at any time, as often as one likes."""

    def close(self) -> None: ...


_MODULES = {
    Engine.SQLITE: "sqlite_query",
    Engine.POSTGRESQL: "postgresql_query",
    Engine.SQLSERVER: "sqlserver_query",
    Engine.MYSQL: "mysql_query",
}


def open_session(url: DatabaseUrl, limits: Limits) -> QuerySession:
    """A new connection. Raises errors of `ledgerline.errors`."""
    server = server_for(url.engine)  # says which driver is missing
    module = importlib.import_module(f"{__package__}.{_MODULES[url.engine]}")
    try:
        session: QuerySession = module.open_session(url, limits)
    except Exception as error:
        raise explained(server, error, url) from error
    return session
