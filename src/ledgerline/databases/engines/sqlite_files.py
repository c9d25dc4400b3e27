"""Database files of their own, by which rows pass between ADBC and `sqlite3`, see `sqlite`.

Such a file is nobody else's and lives no longer than what it is for: it needs no journal, and no waiting for
the disk.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

import adbc_driver_sqlite
import polars as pl
import sqlalchemy as sa

from ledgerline.databases.engines import Load
from ledgerline.databases.engines.arrow import ArrowConnection, SharedDatabase

_PASSING = ("page_size = 65536", "journal_mode = OFF", "synchronous = OFF")
_OWN = ("main", "temp")
_ABANDONED_SECONDS = 24 * 60 * 60


def uri(path: Path, mode: str) -> str:
    return f"file:{quote(path.as_posix())}?mode={mode}"


def arrow_database(path: Path, mode: str) -> SharedDatabase:
    return SharedDatabase(partial(adbc_driver_sqlite.connect, uri(path, mode)))


def driver_of(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def passing_file() -> Iterator[Path]:
    """An empty file that is deleted in the end."""
    _sweep(Path(tempfile.gettempdir()))
    handle, name = tempfile.mkstemp(prefix="ledgerline-", suffix=".passing")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


@cache
def _sweep(folder: Path) -> None:
    """Once a process: delete the files that killed processes left behind, which hold rows."""
    for path in folder.glob("ledgerline-*.passing"):
        with suppress(OSError):  # somebody else's, or gone by now
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                path.unlink()


def fill(driver: sqlite3.Connection, path: Path, query: str) -> None:
    """The rows of a query in a table `rows` of an empty file."""
    schema = _attach(driver, path)
    try:
        for pragma in _PASSING:
            driver.execute(f"PRAGMA {schema}.{pragma}")
        driver.execute(f"CREATE TABLE {schema}.rows AS {query}")
    finally:
        driver.execute(f"DETACH DATABASE {schema}")


def _attach(driver: sqlite3.Connection, path: Path) -> str:
    """The name of the file's schema, quoted: its own, as one transaction may read several."""
    name = f'"{path.stem}"'
    driver.execute(f"ATTACH DATABASE ? AS {name}", (str(path),))
    return name


def detach_all(driver: sqlite3.Connection) -> None:
    """To be called outside of a transaction: one that has read a file keeps it until its end."""
    names = [name for _, name, _ in driver.execute("PRAGMA database_list") if name not in _OWN]
    for name in names:
        driver.execute(f'DETACH DATABASE "{name}"')


class Landing:
    """Frames in a file of their own, one table each, on their way into tables of the main database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: dict[str, list[str]] = {}

    def put(self, loads: Sequence[Load]) -> None:
        """Append frames; of a table's frames the first says which columns there are."""
        loads = [(table, frame) for table, frame in loads if frame.height or table.name not in self._columns]
        if not loads:
            return
        connection = ArrowConnection(arrow_database(self._path, "rwc"))
        try:
            for pragma in _PASSING:
                connection.execute(f"PRAGMA {pragma}")
            for table, frame in loads:
                columns = self._columns.setdefault(table.name, frame.columns)
                # ADBC knows no column that is null throughout.
                typed = frame.select(columns).with_columns(pl.selectors.by_dtype(pl.Null).cast(pl.String))
                connection.ingest(table.name, typed)
        finally:
            connection.close()

    @contextmanager
    def shown(self, driver: sqlite3.Connection) -> Iterator[None]:
        """Meanwhile this connection, and no other, finds the rows in their tables, instead of what is there.

        Nothing is written but what the connection has for itself, so another may write to the main database.
        """
        if not self._columns:
            yield
            return
        schema = _attach(driver, self._path)
        try:
            for name in self._columns:
                driver.execute(f'CREATE TEMP VIEW "{name}" AS SELECT * FROM {schema}."{name}"')  # noqa: S608
            yield
        finally:
            for name in self._columns:
                driver.execute(f'DROP VIEW IF EXISTS temp."{name}"')
            driver.execute(f"DETACH DATABASE {schema}")

    def bring(self, connection: sa.Connection) -> None:
        """Move all rows into their tables; the transaction has the file attached until it ends."""
        if not self._columns:
            return
        schema = _attach(driver_of(connection), self._path)
        for name, columns in self._columns.items():
            listed = ", ".join(f'"{column}"' for column in columns)
            connection.exec_driver_sql(
                f'INSERT INTO main."{name}" ({listed}) SELECT {listed} FROM {schema}."{name}"'  # noqa: S608
            )
