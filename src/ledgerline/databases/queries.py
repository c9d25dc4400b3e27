"""The log of queries, and saved queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ledgerline.databases.database import Database
from ledgerline.databases.runs import named, utc_now
from ledgerline.databases.schema import query_log, saved_queries

_MANY = 1000
_BEGUN = (
    "query_id", "key_name", "database", "fingerprint", "statement", "started_at", "outcome", "error_code",
)  # fmt: skip
_ENDED = ("outcome", "error_code", "row_count", "elapsed_ms")


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """A row of `query_log`. `outcome`: running, succeeded, truncated, failed, refused, timeout, cancelled."""

    id: int
    query_id: str
    key_name: str
    database: str
    fingerprint: str
    statement: str
    started_at: datetime
    outcome: str
    error_code: str | None
    row_count: int | None
    elapsed_ms: int | None


_begin = query_log.insert()
_end = (
    query_log.update()
    .where(query_log.c.id == sa.bindparam("row"))
    .values({name: sa.bindparam(f"ended_{name}") for name in _ENDED})
)


def begin(main: Database, entries: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add rows to the log, in one transaction; their ids."""
    added = [{name: one.get(name) for name in _BEGUN} for one in entries]
    with main.begin_activity() as connection:
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            return [_added_to_file(driver, one) for one in added]
        return [_added(connection, one) for one in added]


def complete(main: Database, ends: Sequence[Mapping[str, Any]]) -> None:
    """Complete rows of the log, in one transaction. An end has the id of its row as `row`, and `outcome`,
    `row_count`, `elapsed_ms` and `error_code`."""
    ended = [{"row": one["row"], **{f"ended_{name}": one.get(name) for name in _ENDED}} for one in ends]
    with main.begin_activity() as connection:
        connection.execute(_end, ended)


def _added_to_file(driver: sqlite3.Connection, values: dict[str, Any]) -> int:
    """The same past SQLAlchemy, whose part in so small a statement takes longer than the statement."""
    written = values["started_at"].isoformat(" ", "microseconds")  # as SQLAlchemy writes it
    return driver.execute(_text(), {**values, "started_at": written}).lastrowid or 0


@cache
def _text() -> str:
    return str(_begin.compile(dialect=sqlite.dialect(paramstyle="named"), column_keys=list(_BEGUN)))


def _added(connection: sa.Connection, values: dict[str, Any]) -> int:
    key = connection.execute(_begin, values).inserted_primary_key
    assert key is not None
    return int(key[0])


def logged(
    main: Database, *, slowest: bool = False, limit: int = 20, key_name: str | None = None
) -> list[LoggedQuery]:
    """The newest queries, or the slowest."""
    order = query_log.c.elapsed_ms.desc() if slowest else query_log.c.id.desc()
    query = sa.select(query_log).order_by(order, query_log.c.id.desc()).limit(limit)
    if slowest:
        query = query.where(query_log.c.elapsed_ms.is_not(None))
    if key_name is not None:
        query = query.where(query_log.c.key_name == key_name)
    with main.begin_activity() as connection:
        return [LoggedQuery(**named(row)) for row in connection.execute(query)]


def forget(main: Database, older_than: timedelta) -> int:
    """Delete old rows of the log; how many."""
    old = query_log.delete().where(query_log.c.started_at < utc_now() - older_than)
    with main.begin_activity() as connection:
        return connection.execute(old).rowcount


# -- saved queries -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SavedQuery:
    name: str
    database: str
    sql: str
    description: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


def save(main: Database, name: str, database: str, sql: str, *, by: str, description: str | None) -> None:
    """Under a name that exists, the query is replaced."""
    values = {"database": database, "sql": sql, "description": description, "updated_at": utc_now()}
    with main.begin() as connection:
        known = saved_queries.update().where(saved_queries.c.name == name)
        if connection.execute(known.values(**values)).rowcount == 0:
            first = {"name": name, "created_by": by, "created_at": values["updated_at"]}
            connection.execute(saved_queries.insert().values(**first, **values))


def saved(main: Database, name: str) -> SavedQuery | None:
    with main.connect() as connection:
        row = connection.execute(sa.select(saved_queries).where(saved_queries.c.name == name)).first()
    return None if row is None else SavedQuery(**named(row))


def all_saved(main: Database) -> list[SavedQuery]:
    with main.connect() as connection:
        rows = connection.execute(sa.select(saved_queries).order_by(saved_queries.c.name).limit(_MANY))
        return [SavedQuery(**named(row)) for row in rows]


def delete_saved(main: Database, name: str) -> bool:
    with main.begin() as connection:
        return connection.execute(saved_queries.delete().where(saved_queries.c.name == name)).rowcount == 1
