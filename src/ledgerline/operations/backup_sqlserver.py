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
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.errors import BackupDamaged, RestoreRefused
from ledgerline.operations.backup_content import contents
from ledgerline.operations.backup_engines import Copy, Taken
from ledgerline.operations.backup_manifest import Check
from ledgerline.url import DatabaseUrl

_NAME_LENGTH = 128


class _SQLServer:
    def take(self, main: Database, folder: Path, name: str) -> Taken:  # noqa: ARG002
        file = f"{name}.bak"  # a name alone is in the server's default backup folder
        with main.connect() as connection:
            version = connection.exec_driver_sql(SERVER_VERSION).scalar()
            before = contents(connection)
            connection.exec_driver_sql(backup(main.url.database, file)).close()
            tables = contents(connection)
        moved = tuple(name for name in tables if before.get(name) != tables[name])
        return Taken(Copy({}, file), tables, f"SQL Server {version}", moved)

    def parts(self, url: DatabaseUrl) -> list[DatabaseUrl]:
        return [url]

    def scratch(self, url: DatabaseUrl, folder: Path, name: str) -> DatabaseUrl:  # noqa: ARG002
        return replace(url, database=f"ledgerline_{_plain(name)}")

    def beside(self, url: DatabaseUrl, name: str) -> DatabaseUrl:
        suffix = f"_{_plain(name)}"
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
                connection.exec_driver_sql(verify(copy.server_file)).close()
                files = connection.exec_driver_sql(file_list(copy.server_file)).mappings().all()
                folder = str(connection.exec_driver_sql(DATA_FOLDER).scalar() or "")
                connection.exec_driver_sql(restore(url.database, copy.server_file, files, folder)).close()
            except sa.exc.DBAPIError as error:
                raise BackupDamaged(
                    f"SQL Server cannot restore {copy.server_file}.",
                    hint="Its error log says why; the login needs the role dbcreator.",
                ) from error

    def drop(self, url: DatabaseUrl) -> None:
        if not self.exists(url):
            return
        with _master(url) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {_quoted(url.database)}").close()

    def integrity(self, database: Database) -> list[Check]:
        with database.connect() as connection:
            try:
                connection.exec_driver_sql(CHECK_DATABASE).close()
            except sa.exc.DBAPIError:
                return [Check("DBCC CHECKDB", False, "it found errors, see the server's error log")]
        return [Check("DBCC CHECKDB", True)]

    def swap(self, built: DatabaseUrl, target: DatabaseUrl, name: str) -> DatabaseUrl | None:
        old = self.beside(target, name) if self.exists(target) else None
        with _master(target) as connection:
            try:
                if old is not None:
                    _run(connection, [alone(target.database), rename(target.database, old.database)])
                _run(connection, [rename(built.database, target.database)])
            except sa.exc.DBAPIError as error:
                if old is not None and not self.exists(target):
                    _run(connection, [rename(old.database, target.database)])
                if old is not None:
                    _run(connection, [shared(target.database)])
                raise RestoreRefused(
                    "The restored database could not take the place of the old one, which is as it was.",
                    hint="Stop what is connected to it; the login needs ALTER on both.",
                ) from error
            if old is not None:
                _run(connection, [shared(old.database)])
        return old


# -- statements ------------------------------------------------------------------------------------------

SERVER_VERSION = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))"
DATA_FOLDER = "SELECT CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(4000))"
CHECK_DATABASE = "DBCC CHECKDB WITH NO_INFOMSGS"


def backup(database: str, file: str) -> str:
    """COPY_ONLY: another chain of backups of this server is not disturbed."""
    return (
        f"BACKUP DATABASE {_quoted(database)} TO DISK = {_literal(file)}"
        " WITH CHECKSUM, COPY_ONLY, FORMAT, INIT"
    )


def verify(file: str) -> str:
    return f"RESTORE VERIFYONLY FROM DISK = {_literal(file)} WITH CHECKSUM"


def file_list(file: str) -> str:
    return f"RESTORE FILELISTONLY FROM DISK = {_literal(file)}"


def restore(database: str, file: str, files: Sequence[Any], folder: str) -> str:
    """`files`: rows of `file_list`. Each gets a name of its own in the server's data folder."""
    path = ntpath if "\\" in folder else posixpath
    moves = [
        f"MOVE {_literal(row['LogicalName'])} TO "
        + _literal(path.join(folder, f"{_plain(database)}_{number}.{'ldf' if row['Type'] == 'L' else 'mdf'}"))
        for number, row in enumerate(files)
    ]
    return (
        f"RESTORE DATABASE {_quoted(database)} FROM DISK = {_literal(file)}"
        f" WITH CHECKSUM, RECOVERY, {', '.join(moves)}"
    )


def alone(database: str) -> str:
    return f"ALTER DATABASE {_quoted(database)} SET SINGLE_USER WITH ROLLBACK IMMEDIATE"


def shared(database: str) -> str:
    return f"ALTER DATABASE {_quoted(database)} SET MULTI_USER"


def rename(database: str, to: str) -> str:
    return f"ALTER DATABASE {_quoted(database)} MODIFY NAME = {_quoted(to)}"


def _run(connection: sa.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement).close()


@contextmanager
def _master(url: DatabaseUrl) -> Iterator[sa.Connection]:
    database = Database(replace(url, database="master"))
    try:
        with database.connect() as connection:
            yield connection
    finally:
        database.close()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _quoted(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _literal(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"


ENGINE = _SQLServer()
