"""Guarded queries on each kind of server, behind one protocol: one file each, `*_query.py`.

A session is a connection of its own, apart from those of the flow, on which one query runs at a time: read
only as far as the server can, rolled back always, and stopped from another thread.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from ledgerline.databases.engines import Limits, explained, server_for
from ledgerline.url import DatabaseUrl, Engine

Row = TypeVar("Row", bound=Sequence[Any])

FIRST_ROWS = 128
"""Of the first batch: few, so that it comes at once; more than a usual page, so that one fetch shows that it
is the last."""

_BATCH_BYTES: Final = 4_000_000
_PROBED_ROWS: Final = 10


def fetched(fetch: Callable[[int], Sequence[Row]], wanted: int) -> tuple[list[Row], bool]:
    """So many rows, or as many as fit by the size of the first; and whether fewer came than asked for."""
    asked = min(wanted, _PROBED_ROWS)
    rows = list(fetch(asked))
    if len(rows) == asked < wanted:
        texts = (len(value) for row in rows for value in row if isinstance(value, str | bytes))
        more = min(wanted - asked, _BATCH_BYTES * asked // (1 + sum(texts)))
        asked += more
        rows += fetch(more) if more else ()
    return rows, len(rows) < asked


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
