"""SQLite: the embedded default. `sqlite3` for statements, ADBC's SQLite where rows go in or out in bulk.

Two copies of SQLite in one process do not see each other's file locks, so the two never have one file
open at the same time (https://www.sqlite.org/howtocorrupt.html, "multiple copies of SQLite"):

- the main database is `sqlite3`'s alone; ADBC fills a landing file of its own, closes it, and only then
  is the file attached and its rows moved inside the caller's transaction; many rows come out the same way,
  by a file that `sqlite3` fills and ADBC reads;
- the invoice database is only read, and `read` opens it by ADBC alone.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ledgerline.databases.engines import (
    NAMED_AT_ONCE,
    ChangeKind,
    Limits,
    Load,
    decoded,
    one_by_one,
    plain_text,
    time_kind,
    without_secondary_indexes,
    written_out,
)
from ledgerline.databases.engines.arrow import ArrowConnection
from ledgerline.databases.engines.sqlite_files import (
    Landing,
    arrow_database,
    detach_all,
    driver_of,
    fill,
    passing_file,
    uri,
)
from ledgerline.databases.folders import why_unopened
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

_CACHE_KIB = 16_000
# What sorts an index is as large as its cache, and in a processor's own it is faster; threads sort one part
# while the next is read.
_FILLING = {"cache_size": -4_000, "threads": 2}
_PAGE_BYTES = 16_384  # fewer pages to find, to check and to copy; only a new file takes it
_CHECKPOINT_PAGES = 4_000  # each waits for the disk, and a partition is some thousand pages
_FEW_ROWS = 1_000  # to fetch them costs less than a file
_BATCH_ROWS, _ALL_ROWS = "adbc.sqlite.query.batch_rows", "1000000000"

_UNOPENED = ("unable to open database file", "failed to open")  # the latter: ADBC
_WRITABLE = (
    "Let the account that runs Ledgerline write to {} and its folder: SQLite needs that even to read a"
    " database in WAL mode."
)


def file_of(url: DatabaseUrl) -> Path:
    return Path(url.database or "")


class _ArrowReader:
    """Reads the invoice database; nothing else in this process may have that file open meanwhile."""

    def __init__(self, path: Path) -> None:
        # The driver takes a column's type from the first batch, and fails when a later one has another.
        self._connection = ArrowConnection(arrow_database(path, "ro"), {_BATCH_ROWS: _ALL_ROWS})
        self._connection.execute("PRAGMA query_only = ON")

    def read(self, sql: str) -> pl.DataFrame:
        return decoded(self._connection.read(sql))

    def close(self) -> None:
        self._connection.close()


class _MainReader:
    """Reads the main database: few rows through `sqlite3`, many by a file of their own that ADBC reads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def lent(self, load: Load) -> Iterator[None]:
        with passing_file() as path:
            landing = Landing(path)
            landing.put([load])
            with landing.shown(driver_of(self._connection)):
                yield

    def read(self, sql: str) -> pl.DataFrame:
        with self._connection.exec_driver_sql(sql) as result:
            names, rows = list(result.keys()), result.fetchmany(_FEW_ROWS)
        if len(rows) == _FEW_ROWS:
            frame = self._read_many(sql)
            return frame.rename(dict(zip(frame.columns, names, strict=True)))
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pl.DataFrame(
            [pl.Series(name, values, strict=False) for name, values in zip(names, columns, strict=True)]
        )

    def _read_many(self, sql: str) -> pl.DataFrame:
        with passing_file() as path:
            fill(driver_of(self._connection), path, sql)
            with closing(_ArrowReader(path)) as reader:
                frame = reader.read("SELECT * FROM rows")
        # What is null throughout has no type, as in the other way.
        return frame.with_columns(
            pl.lit(None).alias(values.name) for values in frame if values.null_count() == frame.height
        )

    def close(self) -> None:
        self._connection.close()


class _Landings:
    """Frames wait in a file of their own until they are brought, all at once."""

    def __init__(self, connection: sa.Connection, files: ExitStack) -> None:
        self._connection = connection
        self._files = files
        self._landing: Landing | None = None

    def put(self, loads: Sequence[Load]) -> None:
        if self._landing is None:
            self._landing = Landing(self._files.enter_context(passing_file()))
        self._landing.put(loads)

    def bring(self) -> None:
        landing, self._landing = self._landing, None
        if landing is not None:
            landing.bring(self._connection)


class SQLite:
    engine = Engine.SQLITE
    drivers: tuple[str, ...] = ("adbc_driver", "sqlite3")
    dialect = sqlite.dialect(paramstyle="named")
    opens_readers_slowly = False
    lends_tables = True
    shares_tables = False
    named_at_once = NAMED_AT_ONCE
    is_among = staticmethod(written_out)
    read_few = staticmethod(one_by_one)
    text = staticmethod(plain_text)

    def __init__(self) -> None:
        self._activity: dict[str, sa.Engine] = {}

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        path = file_of(url)

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                uri(path, "ro" if read_only else "rwc"),
                uri=True,
                timeout=limits.acquire_ms / 1000,
                isolation_level=None,  # transactions begin where SQLAlchemy says, see _begin
                check_same_thread=False,
            )
            if read_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                connection.execute("PRAGMA synchronous = NORMAL")
                # What is deleted is overwritten, but for tables that are dropped: a run's staging tables are
                # as large as all else it writes.
                connection.execute("PRAGMA secure_delete = FAST")
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
                driver_of(connection).execute("BEGIN IMMEDIATE")

        return engine

    def open_reader(
        self,
        url: DatabaseUrl,
        engine: sa.Engine,
        limits: Limits,  # noqa: ARG002
        *,
        read_only: bool,
    ) -> _ArrowReader | _MainReader:
        if not read_only:
            return _MainReader(engine)
        engine.dispose()  # `sqlite3` lets go of the file
        return _ArrowReader(file_of(url))

    @contextmanager
    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> Iterator[sa.Connection]:
        with passing_file() as path:
            landing = Landing(path)
            landing.put(loads)
            with engine.connect() as connection:
                try:
                    with connection.begin():
                        landing.bring(connection)
                        yield connection
                finally:
                    detach_all(driver_of(connection))

    @contextmanager
    def begin_loading(self, engine: sa.Engine) -> Iterator[tuple[sa.Connection, _Landings]]:
        with ExitStack() as files, self.begin_loaded(engine, ()) as connection:
            yield connection, _Landings(connection, files)

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
        assert isinstance(bound, datetime)
        value = sa.type_coerce(column, sa.Unicode())

        def text(characters: str) -> sa.ColumnElement[str]:
            return sa.literal(characters, sa.Unicode())

        # Numbers sort before all text, days such as 01/12/2026, 11.9.2026 or 20/12/2026 before the years of a
        # century: who knows when that is. A text of digits alone would be compared as a number.
        is_no_moment = (value < text("1900-")) | ((value >= text("2!")) & (value < text("2000-")))
        # With a zone behind UTC it sorts before what it means, by half a day at most.
        zones = ("*:*-[0-9][0-9]:[0-9][0-9]", "*:*-[0-9][0-9][0-9][0-9]")
        is_behind = sa.or_(*(value.op("GLOB")(text(zone)) for zone in zones))
        behind = (value >= self.instant(column, bound - timedelta(hours=12))) & is_behind
        return (value >= self.instant(column, bound)) | behind | is_no_moment

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        if isinstance(error, LedgerlineError):
            return error
        text = str(getattr(error, "orig", None) or error)
        if file_of(url).is_dir():  # opened without complaint, and read as a broken disk
            return DatabaseMissing(f"{url.database!r} is a folder.", hint="Name the database's file in it.")
        if any(words in text for words in _UNOPENED):
            return why_unopened(file_of(url))
        temporary = tempfile.gettempdir()
        where = f"on the disk of {url.database!r}, and of temporary files, {temporary} (another: TMPDIR)."
        known: tuple[tuple[str, type[DatabaseError], str], ...] = (
            ("file is not a database", DatabaseError, f"{url.database!r} is not an SQLite database."),
            ("no such table", TableMissing, "Check the table's name."),
            ("no such column", ColumnMissing, "Check the column's name."),
            ("readonly database", PermissionDenied, _WRITABLE.format(url.database)),
            ("malformed JSON", UnreadableValue, "See which row has a text that is no JSON."),
            ("integer overflow", UnreadableValue, "See which row has a number that is too large."),
            ("database is locked", TransientFault, "Another process writes to it; try again."),
            ("disk I/O error", DatabaseUnreachable, "Check the disk that holds the file."),
            ("database or disk is full", DatabaseError, f"Free some space {where}"),
            # Of a bulk load: SQLite has ended the transaction by itself, and no more is told than that.
            ("cannot rollback", DatabaseError, f"A disk may be full: look {where}"),
        )
        for words, kind, hint in known:
            if words in text:
                said = _named_in(text, words) if kind in (TableMissing, ColumnMissing) else words
                return kind(f"SQLite says: {said}.", hint=hint)
        return DatabaseError(text.splitlines()[0] if text else "SQLite gave no reason.")

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:  # noqa: ARG002
        return None

    @contextmanager
    def unindexed(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Iterator[None]:
        driver = driver_of(connection)
        before = {name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in _FILLING}
        _set(driver, _FILLING)
        try:
            with without_secondary_indexes(connection, tables):
                yield
        finally:
            _set(driver, before)

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Nothing to do: a full ANALYZE costs a scan, and no statement of ours hangs on its figures."""

    def take_turn(self, connection: sa.Connection) -> None:
        """A transaction begins by waiting for all others that write, see `_begin`."""


def _named_in(text: str, words: str) -> str:
    """What SQLite says with the name that follows, without what a driver adds."""
    return text[text.index(words) :].splitlines()[0].rstrip(" .")


def _set(driver: sqlite3.Connection, pragmas: Mapping[str, int]) -> None:
    for name, value in pragmas.items():
        driver.execute(f"PRAGMA {name} = {value}")


SERVER = SQLite()
