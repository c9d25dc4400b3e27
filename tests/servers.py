"""The database servers that tests run on: SQLite and PostgreSQL always, others where a variable names one.

    LEDGERLINE_TEST_SQLSERVER_URL   a SQL Server login that may create databases
    LEDGERLINE_TEST_MYSQL_URL       the same for MySQL or MariaDB, which can only be an invoice database

Both are connection strings as in `INVOICE_DATABASE_URL`; the database that they name is only connected to.
"""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.errors import DatabaseError
from ledgerline.url import DatabaseUrl, Engine, parse_any
from tests.postgres import PostgresServer

SQLSERVER_URL = os.environ.get("LEDGERLINE_TEST_SQLSERVER_URL", "")
MYSQL_URL = os.environ.get("LEDGERLINE_TEST_MYSQL_URL", "")

MAIN_ENGINES = ("sqlite", "postgresql", *(["sqlserver"] if SQLSERVER_URL else []))
INVOICE_ENGINES = (*MAIN_ENGINES, *(["mysql"] if MYSQL_URL else []))

_serial = itertools.count()


@contextmanager
def new_database(engine: str, folder: Path, postgres: PostgresServer | None) -> Iterator[DatabaseUrl]:
    """An empty database, gone afterwards."""
    name = f"ledgerline_test_{os.getpid()}_{next(_serial)}"
    if engine == "sqlite":
        yield parse_any(f"sqlite:///{(folder / name).as_posix()}.db")
    elif engine == "postgresql":
        assert postgres is not None
        yield parse_any(postgres.create_database(name))
    else:
        yield from _on_server(parse_any({"sqlserver": SQLSERVER_URL, "mysql": MYSQL_URL}[engine]), name)


def _on_server(url: DatabaseUrl, name: str) -> Iterator[DatabaseUrl]:
    database = Database(url)
    quoted = database.server.dialect.identifier_preparer.quote_identifier(name)
    try:
        with database.connect() as connection:
            options = " CHARACTER SET utf8mb4" if url.engine is Engine.MYSQL else ""
            connection.exec_driver_sql(f"CREATE DATABASE {quoted}{options}")
        yield replace(url, database=name)
        _drop(database, quoted)
    finally:
        database.close()


def _drop(database: Database, quoted: str) -> None:
    """A connection that was closed is in its database for a moment longer."""
    deadline = time.monotonic() + 20
    with database.connect() as connection:
        while True:
            try:
                connection.exec_driver_sql(f"DROP DATABASE {quoted}")
            except sa.exc.DBAPIError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return


_made: list[str] = []


def create_on_sqlserver(name: str) -> DatabaseUrl:
    """A new database there. Whoever does not drop it leaves that to the end of the session."""
    with closing(Database(parse_any(SQLSERVER_URL))) as server, server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE [{name}]")
    _made.append(name)
    return replace(parse_any(SQLSERVER_URL), database=name)


def drop_from_sqlserver(*names: str) -> None:
    """Drop what `create_on_sqlserver` made: these, or what is left of it.

    What somebody is still connected to stays: that a test left a connection open is not what it is about.
    """
    if not _made:
        return
    gc.collect()  # closes the pools that nobody has any more
    with closing(Database(parse_any(SQLSERVER_URL))) as server:
        for name in names or tuple(_made):
            with suppress(DatabaseError), server.connect() as connection:
                _throw_out(connection, f"[{name}]")
                connection.exec_driver_sql(f"DROP DATABASE [{name}]")
                _made.remove(name)


def _throw_out(connection: sa.Connection, quoted: str) -> None:
    with suppress(sa.exc.DBAPIError):  # of the servers that speak T-SQL not every one can
        connection.exec_driver_sql(f"ALTER DATABASE {quoted} SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
