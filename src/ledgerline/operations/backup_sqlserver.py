"""Backups of a main database on SQL Server: `BACKUP DATABASE … WITH CHECKSUM` to a file on its own machine.

The file never passes through this process, so it is neither encrypted nor hashed here: the server's page
checksums, RESTORE VERIFYONLY and DBCC CHECKDB prove it, and the tables' hashes do. The server has no snapshot
that a backup could share; the hashes are computed before and after it, and a table that changed in between
is not compared.
"""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import mssql_python
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.engines.sqlserver_errors import explain
from ledgerline.databases.engines.sqlserver_statements import run_to_end
from ledgerline.databases.quoting import bracketed, national_literal
from ledgerline.errors import (
    BackupDamaged,
    DatabaseUnreachable,
    PermissionDenied,
    RestoreRefused,
    TransientFault,
)
from ledgerline.operations.backup_content import contents
from ledgerline.operations.backup_engines import Copy, Taken, plain_name
from ledgerline.operations.backup_manifest import Check
from ledgerline.url import DatabaseUrl

_NAME_LENGTH = 128
_REFUSED: Final = (mssql_python.Error, sa.exc.DBAPIError)


class _SQLServer:
    def take(self, main: Database, folder: Path, name: str) -> Taken:  # noqa: ARG002
        file = f"{name}.bak"  # a name alone is in the server's default backup folder
        with main.connect() as connection:
            version = connection.exec_driver_sql(SERVER_VERSION).scalar()
            before = contents(connection)
            run_to_end(connection, backup(main.url.database, file))
            tables = contents(connection)
        moved = tuple(name for name in tables if before.get(name) != tables[name])
        return Taken(Copy({}, file), tables, f"SQL Server {version}", moved)

    def parts(self, url: DatabaseUrl) -> list[DatabaseUrl]:
        return [url]

    def scratch(self, url: DatabaseUrl, folder: Path, name: str) -> DatabaseUrl:  # noqa: ARG002
        return replace(url, database=f"ledgerline_{plain_name(name)}")

    def beside(self, url: DatabaseUrl, name: str) -> DatabaseUrl:
        suffix = f"_{plain_name(name)}"
        return replace(url, database=f"{url.database[: _NAME_LENGTH - len(suffix)]}{suffix}")

    def exists(self, url: DatabaseUrl) -> bool:
        with _master(url) as connection:
            return (
                connection.execute(sa.text("SELECT DB_ID(:name)"), {"name": url.database}).scalar()
                is not None
            )

    def build(self, url: DatabaseUrl, copy: Copy, like: DatabaseUrl) -> None:  # noqa: ARG002
        assert copy.server_file is not None
        with _master(url) as connection:
            try:
                run_to_end(connection, verify(copy.server_file))
                files = connection.exec_driver_sql(file_list(copy.server_file)).mappings().all()
                folder = str(connection.exec_driver_sql(DATA_FOLDER).scalar() or "")
                run_to_end(connection, restore(url.database, copy.server_file, files, folder))
            except _REFUSED as error:
                told = explain(error, url)
                if not is_damaged(told.detail):
                    raise told from error
                raise BackupDamaged(
                    f"SQL Server cannot restore {copy.server_file}: {told.detail}",
                    hint="Its error log says more. Take another backup: ledgerline backup create",
                    public=f"SQL Server cannot restore {copy.server_file}.",
                ) from error

    def drop(self, url: DatabaseUrl) -> None:
        if not self.exists(url):
            return
        with _master(url) as connection:
            with suppress(*_REFUSED):  # of one that is not restored to its end: nobody is in it
                run_to_end(connection, alone(url.database))
            run_to_end(connection, f"DROP DATABASE {bracketed(url.database)}")

    def integrity(self, database: Database) -> list[Check]:
        with database.connect() as connection:
            try:
                run_to_end(connection, CHECK_DATABASE)
            except _REFUSED as error:
                told = explain(error, database.url)
                if isinstance(told, PermissionDenied | DatabaseUnreachable | TransientFault):
                    raise told from error
                return [Check("DBCC CHECKDB", False, f"{told.detail} The server's error log says more.")]
        return [Check("DBCC CHECKDB", True)]

    def swap(self, built: DatabaseUrl, target: DatabaseUrl, name: str) -> DatabaseUrl | None:
        old = self.beside(target, name) if self.exists(target) else None
        with _master(target) as connection:
            try:
                if old is not None:
                    run_to_end(connection, alone(target.database), rename(target.database, old.database))
                run_to_end(connection, rename(built.database, target.database))
            except _REFUSED as error:
                detail = "The restored database could not take the place of the old one"
                hint = "Stop what is connected to it; the login needs ALTER on both."
                if old is not None and not self._put_back(connection, old, target):
                    hint += f" Then, as far as it is needed: {rename(old.database, target.database)};"
                    hint += f" {shared(target.database)}"
                    raise RestoreRefused(f"{detail}, which could not be put back.", hint=hint) from error
                raise RestoreRefused(f"{detail}, which is as it was.", hint=hint) from error
            if old is not None:
                run_to_end(connection, shared(old.database))
        return old

    def _put_back(self, connection: sa.Connection, old: DatabaseUrl, target: DatabaseUrl) -> bool:
        """Whether all may use it again under its name: who was quicker holds the place of its one user."""
        try:
            if not self.exists(target):
                run_to_end(connection, rename(old.database, target.database))
            run_to_end(connection, shared(target.database))
        except _REFUSED:
            return False
        return True


# -- statements ------------------------------------------------------------------------------------------

SERVER_VERSION = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))"
DATA_FOLDER = "SELECT CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(4000))"
CHECK_DATABASE = "DBCC CHECKDB WITH NO_INFOMSGS"


def backup(database: str, file: str) -> str:
    """COPY_ONLY: another chain of backups of this server is not disturbed."""
    return (
        f"BACKUP DATABASE {bracketed(database)} TO DISK = {national_literal(file)}"
        " WITH CHECKSUM, COPY_ONLY, FORMAT, INIT"
    )


def verify(file: str) -> str:
    return f"RESTORE VERIFYONLY FROM DISK = {national_literal(file)} WITH CHECKSUM"


def file_list(file: str) -> str:
    return f"RESTORE FILELISTONLY FROM DISK = {national_literal(file)}"


def restore(database: str, file: str, files: Sequence[Any], folder: str) -> str:
    """`files`: rows of `file_list`. Each gets a name of its own in the server's data folder."""
    path = ntpath if "\\" in folder else posixpath
    moves = [
        f"MOVE {national_literal(row['LogicalName'])} TO "
        + national_literal(
            path.join(folder, f"{plain_name(database)}_{number}.{'ldf' if row['Type'] == 'L' else 'mdf'}")
        )
        for number, row in enumerate(files)
    ]
    return (
        f"RESTORE DATABASE {bracketed(database)} FROM DISK = {national_literal(file)}"
        f" WITH CHECKSUM, RECOVERY, {', '.join(moves)}"
    )


def alone(database: str) -> str:
    return f"ALTER DATABASE {bracketed(database)} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"


def shared(database: str) -> str:
    return f"ALTER DATABASE {bracketed(database)} SET MULTI_USER"


def rename(database: str, to: str) -> str:
    return f"ALTER DATABASE {bracketed(database)} MODIFY NAME = {bracketed(to)}"


# Errors 3183, 3189, 3203, 3241, 3242 and 3254, and 3201 of a file that is gone.
_DAMAGED = re.compile(
    r"detected an error on page|damage to the backup set|^read on .* failed|incorrectly formed"
    r"|not a valid .*backup set|volume on device .* is empty|cannot find the (file|path)|checksum"
    r"|operating system error [23]\b",
    re.IGNORECASE,
)


def is_damaged(said: str) -> bool:
    """Whether the server speaks of the backup: what else hinders a restore says nothing of that."""
    return _DAMAGED.search(said) is not None


@contextmanager
def _master(url: DatabaseUrl) -> Iterator[sa.Connection]:
    database = Database(replace(url, database="master", schema=""))
    try:
        with database.connect() as connection:
            yield connection
    finally:
        database.close()


ENGINE = _SQLServer()
