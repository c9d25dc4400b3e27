"""ADBC connections: query results and bulk inserts as Arrow, without pyarrow.

The drivers' DBAPI layer would import pyarrow, 45 MB that nothing here needs: Polars takes and gives Arrow
streams itself (the Arrow PyCapsule interface).
"""

from __future__ import annotations

from collections.abc import Mapping

import adbc_driver_manager as adbc
import polars as pl

_TARGET, _MODE = "adbc.ingest.target_table", "adbc.ingest.mode"


class ArrowConnection:
    """One connection whose statements commit one by one. Raises `adbc_driver_manager.Error`."""

    def __init__(self, database: adbc.AdbcDatabase, options: Mapping[str, str] | None = None) -> None:
        self._database = database
        self._connection = adbc.AdbcConnection(database)
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
        """Create a table and fill it."""
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**{_TARGET: table, _MODE: "adbc.ingest.mode.create"})
            statement.bind_stream(frame)
            statement.execute_update()

    def close(self) -> None:
        self._connection.close()
        self._database.close()
