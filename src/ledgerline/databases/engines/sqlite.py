"""SQLite: the embedded default. `sqlite3` for statements, ADBC's SQLite where rows go in or out in bulk.

Two copies of SQLite in one process do not see each other's file locks, so the two never have one file
open at the same time (https://www.sqlite.org/howtocorrupt.html, "multiple copies of SQLite"):

- the main database is `sqlite3`'s alone; ADBC fills a landing file of its own, closes it, and only then
  is the file attached and its rows moved inside the caller's transaction;
- the invoice database is only read, and `read` opens it by ADBC alone.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import adbc_driver_sqlite
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ledgerline.databases.engines import (
    ChangeKind,
    Limits,
    Load,
    decoded,
    time_kind,
    without_secondary_indexes,
)
from ledgerline.databases.engines.arrow import ArrowConnection, SharedDatabase
from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    LedgerlineError,
    PermissionDenied,
    TableMissing,
    TransientFault,
    UnreadableValue,
)
from ledgerline.url import DatabaseUrl, Engine

_CACHE_KIB = 64_000
_BATCH_ROWS, _ALL_ROWS = "adbc.sqlite.query.batch_rows", "1000000000"


def file_of(url: DatabaseUrl) -> Path:
    return Path(url.database or "")


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(path.as_posix())}?mode={mode}"


def _arrow_database(path: Path, mode: str) -> SharedDatabase:
    return SharedDatabase(partial(adbc_driver_sqlite.connect, _uri(path, mode)))


class _ArrowReader:
    """Reads the invoice database; nothing else in this process may have that file open meanwhile."""

    def __init__(self, path: Path) -> None:
        # The driver takes a column's type from the first batch, and fails when a later one has another.
        self._connection = ArrowConnection(_arrow_database(path, "ro"), {_BATCH_ROWS: _ALL_ROWS})
        self._connection.execute("PRAGMA query_only = ON")

    def read(self, sql: str) -> pl.DataFrame:
        return decoded(self._connection.read(sql))

    def close(self) -> None:
        self._connection.close()


class _RowReader:
    """Reads the main database, through `sqlite3`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def read(self, sql: str) -> pl.DataFrame:
        result = self._connection.exec_driver_sql(sql)
        names, rows = list(result.keys()), result.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pl.DataFrame(
            [pl.Series(name, values, strict=False) for name, values in zip(names, columns, strict=True)]
        )

    def close(self) -> None:
        self._connection.close()


class SQLite:
    engine = Engine.SQLITE
    dialect = sqlite.dialect(paramstyle="named")
    writes_side_by_side = False
    opens_readers_slowly = False

    def __init__(self) -> None:
        self._activity: dict[str, sa.Engine] = {}

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        path = file_of(url)

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                _uri(path, "ro" if read_only else "rwc"),
                uri=True,
                timeout=limits.acquire_ms / 1000,
                isolation_level=None,  # transactions begin where SQLAlchemy says, see _begin
                check_same_thread=False,
            )
            if read_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            return connection

        engine = sa.create_engine(
            "sqlite://",
            creator=connect,
            poolclass=sa.QueuePool,
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.acquire_ms / 1000,
        )

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            # A writer takes its lock at once: one that began as a reader cannot wait for it later.
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                driver.execute("BEGIN IMMEDIATE")

        return engine

    def open_reader(
        self,
        url: DatabaseUrl,
        engine: sa.Engine,
        limits: Limits,  # noqa: ARG002
        *,
        read_only: bool,
    ) -> _ArrowReader | _RowReader:
        if not read_only:
            return _RowReader(engine)
        engine.dispose()  # `sqlite3` lets go of the file
        return _ArrowReader(file_of(url))

    @contextmanager
    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> Iterator[sa.Connection]:
        landing = _land(loads)
        try:
            with engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                if landing:
                    driver.execute("ATTACH DATABASE ? AS landing", (str(landing),))
                try:
                    with connection.begin():
                        for table, frame in loads:
                            if frame.height:
                                connection.exec_driver_sql(_move(table, frame))
                        yield connection
                finally:
                    if landing:
                        driver.execute("DETACH DATABASE landing")
        finally:
            if landing:
                landing.unlink(missing_ok=True)

    def activity_engine(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits) -> sa.Engine:  # noqa: ARG002
        known = self._activity.get(url.database)
        if known is None:
            beside = replace(url, database=f"{url.database}-activity")
            known = self._activity[url.database] = self.create_engine(beside, limits, read_only=False)
        return known

    def as_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        # As bytes: SQLite keeps any bytes as text, and only the bytes come out whole.
        return sa.cast(column, sa.LargeBinary)

    def change_kind(self, column: sa.ColumnElement[Any]) -> ChangeKind | None:
        return ChangeKind.TIME if isinstance(column.type, sa.String) else time_kind(column)

    def clock(self, *, versions: bool = False) -> sa.Select[Any]:  # noqa: ARG002
        now = [sa.func.strftime("%Y-%m-%d %H:%M:%f", "now", *zone) for zone in ((), ("localtime",))]
        unknown = sa.literal(None, sa.String)
        return sa.select(
            now[0].label("utc"), now[1].label("local"), unknown.label("version"), unknown.label("open")
        )

    def instant(self, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:  # noqa: ARG002
        # With a blank, which sorts before a T: of a day that is written with one, all is behind the bound.
        return sa.literal(moment.isoformat(" ", "microseconds"), sa.Unicode())

    def changed_since(self, column: sa.ColumnElement[Any], bound: datetime | str) -> sa.ColumnElement[bool]:
        # Numbers sort before all text, and days such as 01/12/2026 before the years: who knows when that is.
        assert isinstance(bound, datetime)
        value = sa.type_coerce(column, sa.Unicode())
        return (value >= self.instant(column, bound)) | (value < sa.literal("1-", sa.Unicode()))

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        if isinstance(error, LedgerlineError):
            return error
        text = str(getattr(error, "orig", None) or error)
        known: tuple[tuple[str, type[DatabaseError], str], ...] = (
            ("unable to open database file", DatabaseMissing, f"Check the path {url.database!r}."),
            ("failed to open", DatabaseMissing, f"Check the path {url.database!r}."),  # ADBC
            ("file is not a database", DatabaseError, f"{url.database!r} is not an SQLite database."),
            ("no such table", TableMissing, "Check the table's name."),
            ("no such column", ColumnMissing, "Check the column's name."),
            ("readonly database", PermissionDenied, "This process may not write to the file."),
            ("malformed JSON", UnreadableValue, "See which row has a text that is no JSON."),
            ("integer overflow", UnreadableValue, "See which row has a number that is too large."),
            ("database is locked", TransientFault, "Another process writes to it; try again."),
            ("disk I/O error", DatabaseUnreachable, "Check the disk that holds the file."),
            ("database or disk is full", DatabaseError, "Free some space on the disk that holds the file."),
        )
        for words, kind, hint in known:
            if words in text:
                return kind(f"SQLite says: {words}.", hint=hint)
        return DatabaseError(text.splitlines()[0] if text else "SQLite gave no reason.")

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:  # noqa: ARG002
        return None

    def unindexed(
        self, connection: sa.Connection, tables: Sequence[sa.Table]
    ) -> AbstractContextManager[None]:
        return without_secondary_indexes(connection, tables)

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Nothing to do: a full ANALYZE costs a scan, and no statement of ours hangs on its figures."""

    def take_turn(self, connection: sa.Connection) -> None:
        """A transaction begins by waiting for all others that write, see `_begin`."""


def _land(loads: Sequence[Load]) -> Path | None:
    """The frames in a database file of their own, one table each, or None when there is nothing to load."""
    if not any(frame.height for _, frame in loads):
        return None
    handle, name = tempfile.mkstemp(prefix="ledgerline-", suffix=".landing")
    os.close(handle)
    connection = ArrowConnection(_arrow_database(Path(name), "rwc"))
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for table, frame in loads:
            if frame.height:
                # ADBC knows no column that is null throughout.
                typed = frame.with_columns(pl.selectors.by_dtype(pl.Null).cast(pl.String))
                connection.ingest(table.name, typed)
    finally:
        connection.close()
    return Path(name)


def _move(table: sa.Table, frame: pl.DataFrame) -> str:
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    return f'INSERT INTO main."{table.name}" ({columns}) SELECT {columns} FROM landing."{table.name}"'  # noqa: S608


SERVER = SQLite()
