"""ADBC connections: query results and bulk inserts as Arrow, without pyarrow.

The drivers' DBAPI layer would import pyarrow, 45 MB that nothing here needs: Polars takes and gives Arrow
streams itself (the Arrow PyCapsule interface).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import adbc_driver_manager as adbc
import polars as pl

_TARGET, _MODE = "adbc.ingest.target_table", "adbc.ingest.mode"


class SharedDatabase:
    """A driver's database, opened with its first connection and closed with its last. Threads may share it.

    To open one can take twenty times as long as to open a connection: PostgreSQL is asked for all its types.
    """

    def __init__(self, open_one: Callable[[], adbc.AdbcDatabase]) -> None:
        self._open_one = open_one
        self._lock = threading.Lock()
        self._database: adbc.AdbcDatabase | None = None
        self._connections = 0

    def connect(self) -> adbc.AdbcConnection:
        with self._lock:
            self._database = self._database or self._open_one()
            connection = adbc.AdbcConnection(self._database)
            self._connections += 1
            return connection

    def close(self, connection: adbc.AdbcConnection) -> None:
        with self._lock:
            connection.close()
            self._connections -= 1
            if not self._connections and self._database is not None:
                self._database.close()
                self._database = None


class ArrowConnection:
    """One connection whose statements commit one by one. Raises `adbc_driver_manager.Error`."""

    def __init__(self, database: SharedDatabase, options: Mapping[str, str] | None = None) -> None:
        self._database = database
        self._connection = database.connect()
        self._options = dict(options or {})  # of every statement

    def execute(self, sql: str) -> None:
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_sql_query(sql)
            statement.execute_update()

    def read(self, sql: str) -> pl.DataFrame:
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**self._options)
            statement.set_sql_query(sql)
            stream, _ = statement.execute_query()
            return pl.DataFrame(stream)

    def ingest(self, table: str, frame: pl.DataFrame) -> None:
        """Append to a table, which is made where it is not there."""
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**{_TARGET: table, _MODE: "adbc.ingest.mode.create_append"})
            statement.bind_stream(frame)
            statement.execute_update()

    def close(self) -> None:
        self._database.close(self._connection)
