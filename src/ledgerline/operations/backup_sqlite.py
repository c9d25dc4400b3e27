"""Backups of the embedded main database: the main file and its `-activity`, by SQLite's online backup API.

One connection holds a read transaction, copies the pages and computes the hashes, so that both are of one
instant however long they take; in WAL mode the writers go on. Activity is fixed first: whatever it tells of
a run, the main file that is fixed after it knows that run.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.errors import BackupError, DatabaseError, RestoreRefused
from ledgerline.operations.backup_content import contents
from ledgerline.operations.backup_engines import Copy, Taken, opened
from ledgerline.operations.backup_manifest import Check
from ledgerline.url import DatabaseUrl

_PARTS = ("main", "activity")
_BESIDE = ("-wal", "-shm", "-journal")


def _files(url: DatabaseUrl) -> dict[str, Path]:
    """Where the main file is a link, the file that it leads to; its activity is beside the link."""
    main = Path(url.database)
    return {
        "main": main.resolve() if main.is_symlink() else main,
        "activity": Path(f"{url.database}-activity"),
    }


class _SQLite:
    def take(self, main: Database, folder: Path, name: str) -> Taken:  # noqa: ARG002
        sources = {part: path for part, path in _files(main.url).items() if path.exists()}
        if "main" not in sources:
            raise BackupError(f"There is no database at {main.url.database}.", hint="Run: ledgerline migrate")
        copies = {part: folder / f"{part}.db" for part in sources}
        with ExitStack() as stack:
            snapshots = {
                part: stack.enter_context(_snapshot(replace(main.url, database=str(sources[part]))))
                for part in reversed(_PARTS)
                if part in sources
            }
            for part, snapshot in snapshots.items():
                _copy(snapshot, copies[part])
            tables = {k: v for snapshot in snapshots.values() for k, v in contents(snapshot).items()}
        return Taken(Copy(copies), tables, f"SQLite {sqlite3.sqlite_version}")

    def parts(self, url: DatabaseUrl) -> list[DatabaseUrl]:
        return [replace(url, database=str(path)) for path in _files(url).values() if path.exists()]

    def scratch(self, url: DatabaseUrl, folder: Path, name: str) -> DatabaseUrl:
        return replace(url, database=str(folder / f"{name}.db"))

    def beside(self, url: DatabaseUrl, name: str) -> DatabaseUrl:
        return replace(url, database=f"{_files(url)['main']}.{name}")  # on the disk where it is to go

    def exists(self, url: DatabaseUrl) -> bool:
        return Path(url.database).exists()

    def build(self, url: DatabaseUrl, copy: Copy, like: DatabaseUrl) -> None:  # noqa: ARG002
        files = _files(url)
        files["main"].parent.mkdir(parents=True, exist_ok=True)
        for part, source in copy.files.items():
            files[part].touch(mode=0o600)
            shutil.copyfile(source, files[part])
            with files[part].open("rb+") as built:
                os.fsync(built.fileno())  # it may take the place of one that a power cut cannot harm any more

    def drop(self, url: DatabaseUrl) -> None:
        for path in _files(url).values():
            for file in (path, *(Path(f"{path}{suffix}") for suffix in _BESIDE)):
                file.unlink(missing_ok=True)

    def integrity(self, database: Database) -> list[Check]:
        try:
            return [check for url in self.parts(database.url) for check in _integrity(url)]
        except DatabaseError as error:
            return [Check("integrity", False, error.detail)]

    def swap(self, built: DatabaseUrl, target: DatabaseUrl, name: str) -> DatabaseUrl | None:
        """At no moment is there no main file. It goes last: activity does no harm beside an older one."""
        old = self.beside(target, name) if self.exists(target) else None
        if old is not None:
            for part, path in _files(target).items():
                if path.exists():
                    _close_for_all(path)
                    _keep(path, _files(old)[part])
        new, places = _files(built), _files(target)
        for part in reversed(_PARTS):
            _close_for_all(new[part])
            if new[part].exists():
                if places[part].exists():  # who could not read it before cannot now
                    shutil.copymode(places[part], new[part])
                _move(new[part], places[part])
            else:
                places[part].unlink(missing_ok=True)
        return old


@contextmanager
def _snapshot(url: DatabaseUrl) -> Iterator[sa.Connection]:
    """A connection that sees one instant, whatever is written meanwhile."""
    with opened(url) as database, database.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT COUNT(*) FROM sqlite_schema").all()  # this fixes the instant
        yield connection
        connection.exec_driver_sql("ROLLBACK")


def _copy(snapshot: sa.Connection, target: Path) -> None:
    source = snapshot.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    try:
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    except sqlite3.OperationalError as error:
        raise BackupError(
            f"The database cannot be copied to {target.parent}: {error}.",
            hint="Check the space that is left there (TMPDIR names another folder), and the database itself.",
            public=f"The database cannot be copied to {target.parent}.",
        ) from error


def _integrity(url: DatabaseUrl) -> Iterator[Check]:
    name = "activity" if url.database.endswith("-activity") else "main"
    with opened(url) as database, database.connect() as connection:
        said = connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars().all()
        yield Check(f"integrity of {name}", said == ["ok"], "; ".join(said) if said != ["ok"] else "")
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        detail = f"{len(orphans)} rows refer to none" if orphans else ""
        yield Check(f"foreign keys of {name}", not orphans, detail)


def _close_for_all(path: Path) -> None:
    """Write the log into the file and leave WAL mode; SQLite only does so where nobody else has it open."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise RestoreRefused(
                f"{path.name} is in use by another process.", hint="Stop Ledgerline first, then restore."
            ) from error
        except sqlite3.DatabaseError:  # what is to be replaced may be damaged: that is why
            with suppress(OSError):
                for suffix in _BESIDE:
                    Path(f"{path}{suffix}").unlink(missing_ok=True)


def _move(path: Path, place: Path) -> None:
    """In place of what is there, at once; on another disk, where activity beside a link may be, as a copy."""
    try:
        path.replace(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(path, place)


def _keep(path: Path, name: Path) -> None:
    """A second name for a file, or a copy where the file system has none. What has that name stays."""
    try:
        os.link(path, name)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(path, name)


ENGINE = _SQLite()
