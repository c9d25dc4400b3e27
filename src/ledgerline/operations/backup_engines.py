"""How the database of one kind of server is copied, brought back and put in place: one file each."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.operations.backup_content import Content, contents
from ledgerline.operations.backup_manifest import Check
from ledgerline.url import DatabaseUrl, Engine


@dataclass(frozen=True, slots=True)
class Copy:
    """The files of a backup as they lie on this machine, by part."""

    files: Mapping[str, Path]
    server_file: str | None = None  # SQL Server: on its own machine


@dataclass(frozen=True, slots=True)
class Taken:
    copy: Copy
    tables: Mapping[str, Content]
    server: str  # its version
    moved: tuple[str, ...] = field(default=())  # tables of which no figure is certain


class BackupEngine(Protocol):
    def take(self, main: Database, folder: Path, name: str) -> Taken:
        """Copy the database as it is at one instant, while others write, and tell what it holds."""

    def parts(self, url: DatabaseUrl) -> list[DatabaseUrl]:
        """The databases of which the main database consists; those that may be missing come last."""

    def scratch(self, url: DatabaseUrl, folder: Path, name: str) -> DatabaseUrl:
        """Where a backup can be restored without anybody noticing."""

    def beside(self, url: DatabaseUrl, name: str) -> DatabaseUrl:
        """Where a backup is restored that shall take the place of `url`."""

    def exists(self, url: DatabaseUrl) -> bool: ...

    def build(self, url: DatabaseUrl, copy: Copy, like: DatabaseUrl) -> None:
        """Restore into a new database; as far as the server can, with the properties of another."""

    def drop(self, url: DatabaseUrl) -> None:
        """Remove a database that `build` made, also one that it did not finish."""

    def integrity(self, database: Database) -> list[Check]:
        """What the server itself says of a restored database."""

    def swap(self, built: DatabaseUrl, target: DatabaseUrl, name: str) -> DatabaseUrl | None:
        """Put the restored database in place; where the old one is now, None where there was none.

        Whatever fails, the target is either the old database or the restored one.
        """


_MODULES = {Engine.SQLITE: "sqlite", Engine.POSTGRESQL: "postgresql", Engine.SQLSERVER: "sqlserver"}


def engine_for(engine: Engine) -> BackupEngine:
    module = importlib.import_module(f"ledgerline.operations.backup_{_MODULES[engine]}")
    implementation: BackupEngine = module.ENGINE
    return implementation


def contents_of(parts: Sequence[DatabaseUrl]) -> dict[str, Content]:
    """What a main database holds that nobody writes to."""
    found: dict[str, Content] = {}
    for url in parts:
        with opened(url) as database, database.begin() as connection:
            found |= contents(connection)
    return found


def tables_with_rows(parts: Sequence[DatabaseUrl]) -> set[str]:
    found: set[str] = set()
    for url in parts:
        with opened(url) as database, database.connect() as connection:
            for name in sa.inspect(connection).get_table_names():
                if connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
                    found.add(name)
    return found


def plain_name(name: str) -> str:
    """What stands for a name where a server, or a file, takes only letters, digits and `_`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


@contextmanager
def opened(url: DatabaseUrl) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
