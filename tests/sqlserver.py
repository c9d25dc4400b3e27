"""What the SQL Server of the tests can, and logins on it. Babelfish speaks T-SQL too, but not all of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.url import DatabaseUrl, Engine, Secret

_PASSWORD = "Ab1!reads;only}"
_serial = itertools.count()


def is_babelfish(database: Database) -> bool:
    """It takes no attention while a statement runs, and its parser knows less."""
    with database.connect() as connection:
        asked = "SELECT CAST(SERVERPROPERTY('BabelfishVersion') AS nvarchar(40))"
        return bool(connection.exec_driver_sql(asked).scalar_one())


def takes_backups(database: Database) -> bool:
    return database.url.engine is not Engine.SQLSERVER or not is_babelfish(database)


def shows_plans(database: Database) -> bool:
    """Babelfish does where an escape hatch lets it."""
    with database.connect() as connection:
        try:
            connection.exec_driver_sql("SET SHOWPLAN_ALL ON")
        except sa.exc.DBAPIError:
            return False
        connection.exec_driver_sql("SET SHOWPLAN_ALL OFF")
    return True


def reads_beside_writers(database: Database) -> bool:
    """Whether readers get the last committed version of a row, and do not wait for who changes it."""
    with database.connect() as connection:
        asked = "SELECT is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()"
        return bool(connection.exec_driver_sql(asked).scalar_one())


@contextmanager
def new_login(database: Database, *rights: str) -> Iterator[DatabaseUrl]:
    """A login with a user in this database that has these rights, such as `SELECT ON t`."""
    name = f"ledgerline_reader_{os.getpid()}_{next(_serial)}"
    with database.connect() as connection:
        connection.exec_driver_sql(f"CREATE LOGIN {name} WITH PASSWORD = '{_PASSWORD}'")
        connection.exec_driver_sql(f"CREATE USER {name} FOR LOGIN {name}")
        for right in rights:
            connection.exec_driver_sql(f"GRANT {right} TO {name}")
        try:
            yield replace(database.url, user=name, password=Secret(_PASSWORD))
        finally:
            for right in rights:
                connection.exec_driver_sql(f"REVOKE {right} FROM {name}")
            connection.exec_driver_sql(f"DROP USER {name}")
            connection.exec_driver_sql(f"DROP LOGIN {name}")
