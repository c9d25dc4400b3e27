"""Backups on real databases: what is taken is proven, what was harmed is found, a restore is all or none."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from tests import sqlserver
from tests.forking import PROCESSES
from tests.house import Installation, Watcher, contact
from tests.postgres import PostgresServer
from tests.servers import new_database

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.databases.quoting import quoted
from ledgerline.databases.schema import contacts, metadata, source_pauses, source_records, templates
from ledgerline.databases.staging import create as create_staging
from ledgerline.databases.staging_tables import Staging
from ledgerline.errors import (
    BackupDamaged,
    BackupError,
    Cancelled,
    PassphraseWrong,
    RestoreRefused,
)
from ledgerline.ingest.run import Cancel
from ledgerline.operations import backup_postgresql
from ledgerline.operations.backup import Backups
from ledgerline.operations.backup_content import contents
from ledgerline.operations.backup_engines import contents_of
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.settings import load_settings

PASSPHRASE = "correct horse battery"
AN_INSTANT = datetime(2026, 1, 2, 3, 4, 5, 1200)  # noqa: DTZ001  as the database keeps it


@pytest.fixture
def backups_folder(house: Installation, tmp_path: Path) -> Path:
    with house.main() as main:
        if not sqlserver.takes_backups(main):
            pytest.skip("Babelfish takes no backups")
    folder = tmp_path / "backups"
    house.environ["BACKUP_URL"] = str(folder)
    return folder


@pytest.fixture
def filled(house: Installation, backups_folder: Path) -> Installation:
    rows = [contact(n, f"Asha Rao{n}", f"98200 1{n:04}", f"asha{n}@example.org") for n in range(1, 40)]
    house.write_invoice([*rows, contact(50, "Asha Rao1", "98200 10001"), contact(51, "")])
    house.ingest()
    return house


def taking(house: Installation) -> Backups:
    return Backups(house.settings)


def everything(house: Installation) -> dict[str, list[dict[str, Any]]]:
    return {name: house.table(name) for name in metadata.tables}


def failed(manifest: Manifest) -> list[str]:
    return [check.name for check in manifest.proofs[-1].checks if not check.ok]


def test_a_backup_brings_everything_back(filled: Installation) -> None:
    before = everything(filled)
    manifest = taking(filled).create()
    assert manifest.proven_at is not None
    assert manifest.tables["contacts"].rows == len(before["contacts"]) > 0
    filled.update(1, contact_person_name="Bela Iyer")
    filled.ingest()
    changed = everything(filled)
    assert changed != before

    restored = taking(filled).restore(replace_existing=True)
    assert everything(filled) == before
    assert restored.old is not None
    with old_database(filled, restored.old) as old, old.connect() as connection:
        names = connection.execute(sa.select(contacts.c.name)).scalars().all()
    assert sorted(names) == sorted(row["name"] for row in changed["contacts"])
    filled.ingest()  # it goes on as if nothing had been


@contextmanager
def old_database(house: Installation, shown: str) -> Iterator[Database]:
    database = Database(replace(house.settings.main.url, database=shown.rpartition("/")[2]))
    if house.engine == "sqlite":
        database = Database(replace(database.url, database=shown.removeprefix("sqlite:///")))
    yield database
    database.close()


def test_an_old_database_is_dropped_on_request(filled: Installation) -> None:
    taking(filled).create()
    restored = taking(filled).restore(replace_existing=True, drop_old=True)
    assert restored.old is None
    assert len(filled.contacts()) > 0


def test_a_target_that_holds_data_is_refused(filled: Installation) -> None:
    taking(filled).create()
    before = everything(filled)
    with pytest.raises(RestoreRefused, match="holds data"):
        taking(filled).restore()
    assert everything(filled) == before


def test_a_new_machine_needs_no_permission(
    filled: Installation, postgres: PostgresServer, tmp_path: Path
) -> None:
    manifest = taking(filled).create()
    before = everything(filled)
    with new_database(filled.engine, tmp_path, postgres) as url:
        filled.environ["DATABASE_URL"] = url.render(mask=False)
        restored = taking(filled).restore(manifest.id)
        assert restored.proof.ok
        assert everything(filled) == before


def test_writers_go_on_while_a_backup_is_taken(filled: Installation) -> None:
    """Each transaction writes two rows: a backup that sees one without the other is of no one instant."""
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        with filled.main() as main:
            while not stop.is_set():
                number = len(written)
                with main.begin() as connection:
                    for name in ("left", "right"):
                        values = {"name": f"{name} {number}", "channel": "EMAIL", "body": "x" * 500}
                        connection.execute(templates.insert().values(**values))
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        before = len(written)
        manifests = [taking(filled).create() for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert len(written) > before
    for manifest in manifests:
        assert manifest.proven_at is not None
        assert manifest.tables["templates"].rows % 2 == 0


def test_a_run_that_drops_its_tables_is_not_in_the_way(filled: Installation) -> None:
    """Neither does it wait for the backup, nor the backup for it; and what is gone then is not missed."""
    staging = Staging(99, "INVOICE")
    with filled.main() as main:
        with main.begin() as connection:
            create_staging(connection, staging)
        with main.connect() as connection:
            connection.exec_driver_sql("BEGIN TRANSACTION")
            connection.exec_driver_sql(f"DROP TABLE {staging.records.name}")
            thread = threading.Thread(target=taking(filled).create)
            thread.start()
            thread.join(60)
            is_waiting = thread.is_alive()
            connection.exec_driver_sql("COMMIT")
            thread.join()
    assert not is_waiting
    assert taking(filled).last_proven() is not None


def test_a_run_that_was_at_work_is_not_resumed_after_a_restore(filled: Installation) -> None:
    """What it had read is in staging tables, which may not be in the backup: nothing of it may be lost."""
    filled.add(contact(70, "Chandra Bose", "98200 77777"))
    cancel = Cancel()
    with filled.app() as app, pytest.raises(Cancelled):
        app.ingest(_Stopping(cancel), cancel, full=True, partition_rows=10)
    taking(filled).create()
    taking(filled).restore(replace_existing=True)
    assert [run.status for run in filled.runs()] == ["succeeded", "cancelled"]
    assert not any(name.startswith("staging") for name in filled.table_names())
    run = filled.ingest()
    assert (run.id, run.counts["inserted"]) == (3, 1)


class _Stopping(Watcher):
    """Stops the run after its first partition."""

    def __init__(self, cancel: Cancel) -> None:
        super().__init__()
        self._cancel = cancel

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        super().progress(stage, done, total, rows)
        if rows:
            self._cancel.request()


# -- what was harmed is found ----------------------------------------------------------------------------


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _flip(place: float) -> Callable[[Path], None]:
    def flip(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[min(int(len(data) * place), len(data) - 1)] ^= 0x10
        file.write_bytes(bytes(data))

    return flip


def _lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


HARMS = {
    "truncated": truncate,
    "half written": _halve,
    "first bit": _flip(0),
    "middle bit": _flip(0.5),
    "last bit": _flip(1),
    "longer": _lengthen,
    "missing": Path.unlink,
}


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
def taken(request: pytest.FixtureRequest, filled: Installation) -> Manifest:
    if request.param:
        filled.environ["BACKUP_PASSPHRASE"] = PASSPHRASE
    return taking(filled).create()


def test_every_harm_to_a_file_is_found(filled: Installation, taken: Manifest, backups_folder: Path) -> None:
    before = everything(filled)
    for stored in taken.files:
        file = backups_folder / stored.name
        whole = file.read_bytes()
        for name, harm in HARMS.items():
            harm(file)
            assert failed(taking(filled).prove(taken.id)) == ["it can be restored"], (stored.part, name)
            assert taking(filled).last_proven() is None
            file.write_bytes(whole)
        assert failed(taking(filled).prove(taken.id)) == []
    truncate(backups_folder / taken.files[0].name)
    with pytest.raises(BackupDamaged):
        taking(filled).restore(taken.id, replace_existing=True)
    assert everything(filled) == before


def test_swapped_files_are_found(filled: Installation, taken: Manifest, backups_folder: Path) -> None:
    filled.add(contact(99, "Chandra Bose", "98200 77777"))
    filled.ingest()
    other = taking(filled).create()
    ours, theirs = backups_folder / taken.files[0].name, backups_folder / other.files[0].name
    kept = ours.read_bytes()
    shutil.copy(theirs, ours)
    theirs.write_bytes(kept)
    for manifest in (taken, other):
        assert failed(taking(filled).prove(manifest.id)) == ["it can be restored"]


def test_a_swapped_or_flipped_manifest_is_found(filled: Installation, backups_folder: Path) -> None:
    first, second = (taking(filled).create(prove=False) for _ in range(2))
    file = backups_folder / f"{first.id}.json"
    whole = file.read_bytes()
    figure = str(first.tables["contacts"].rows).encode()
    for data in (
        (backups_folder / f"{second.id}.json").read_bytes(),
        whole[:-20],
        b"",
        b"[]",
        whole.replace(b'"rows": ' + figure, b'"rows": 7'),
    ):
        assert data != whole
        file.write_bytes(data)
        with pytest.raises(BackupDamaged, match="manifest"):
            taking(filled).prove(first.id)
        assert taking(filled).damaged() == [first.id]
        assert [one.id for one in taking(filled).known()] == [second.id]


def test_a_backup_that_was_interrupted_is_none(filled: Installation, backups_folder: Path) -> None:
    """The manifest is written last."""
    taken = taking(filled).create()
    (backups_folder / f"{taken.id}.json").unlink()
    assert taking(filled).known() == []
    assert set(taking(filled).unfinished()) == {file.name for file in taken.files}


def test_a_whole_backup_of_other_data_is_found(filled: Installation, backups_folder: Path) -> None:
    """Files and their hashes fit each other, and are not what the database held."""
    taken = taking(filled).create()
    store = taking(filled).folder
    other = replace(taken.tables["contacts"], rows=1)
    store.write_manifest(replace(taken, tables={**taken.tables, "contacts": other}))
    assert failed(taking(filled).prove(taken.id)) == ["rows and hashes are those of the database"]


def test_what_the_application_cannot_live_with_is_found(filled: Installation) -> None:
    good = taking(filled).create()
    harms = {
        "no live source record stands behind a redirect": contacts.update().values(merged_into=contacts.c.id),
        "every live source record has a contact": source_records.update().values(contact_id=987654),
    }
    for promise, harm in harms.items():
        with filled.main() as main, main.begin() as connection:
            connection.execute(harm)
        with pytest.raises(BackupDamaged, match=promise):
            taking(filled).create()
    newest = taking(filled).known()[0]
    assert "every redirect ends at a contact" in failed(newest)
    last = taking(filled).last_proven()
    assert last is not None
    assert last.id == good.id


# -- passphrases, folders, tools -------------------------------------------------------------------------


def test_an_encrypted_backup_shows_nothing(filled: Installation, backups_folder: Path) -> None:
    filled.environ["BACKUP_PASSPHRASE"] = PASSPHRASE
    taken = taking(filled).create()
    assert taken.key is not None
    for file in backups_folder.iterdir():
        assert b"asha1@example.org" not in file.read_bytes()
    filled.environ["BACKUP_PASSPHRASE"] = "another passphrase"
    with pytest.raises(PassphraseWrong):
        taking(filled).prove(taken.id)
    del filled.environ["BACKUP_PASSPHRASE"]
    with pytest.raises(PassphraseWrong, match="no passphrase is set"):
        taking(filled).restore(taken.id, replace_existing=True)


def test_a_disk_that_is_full_is_told_and_left_as_it_was(filled: Installation, backups_folder: Path) -> None:
    """A limit of what a file may have is to a program as a full disk is, also to pg_dump and pg_restore."""
    taking(filled).create()
    good = taking(filled).known()[0]
    before, files = everything(filled), sorted(backups_folder.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    space = 200_000 if filled.engine == "sqlite" else 20_000  # bytes: less than any copy needs
    for work in (
        lambda: taking(filled).create(),
        lambda: taking(filled).prove(good.id),
        lambda: taking(filled).restore(good.id, replace_existing=True),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, limits[1]))
        try:
            with pytest.raises(BackupError) as refused:
                work()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not isinstance(refused.value, BackupDamaged)  # nothing is wrong with the backup
        assert "TMPDIR" in refused.value.hint or "pg_dump failed" in refused.value.detail
    assert (everything(filled), sorted(backups_folder.iterdir())) == (before, files)
    assert taking(filled).last_proven() == good


def test_two_backups_at_once(filled: Installation) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: taking(filled).create(), range(2)))
    assert {one.id for one in taking(filled).known()} == {one.id for one in made}
    assert all(one.proven_at for one in taking(filled).known())


def test_a_folder_may_be_a_url(filled: Installation) -> None:
    filled.environ["BACKUP_URL"] = f"memory://backups-{filled.engine}/ledgerline"
    taken = taking(filled).create()
    assert [one.id for one in taking(filled).known()] == [taken.id]
    before = everything(filled)
    taking(filled).restore(replace_existing=True)
    assert everything(filled) == before


def test_a_database_without_tables_is_not_backed_up(house: Installation, backups_folder: Path) -> None:
    """Proven, it would make retention delete what is good."""
    with house.main() as main, main.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
    with pytest.raises(BackupError, match="no tables of Ledgerline"):
        taking(house).create()
    assert not backups_folder.exists()


def test_a_folder_that_cannot_be_written_is_explained(filled: Installation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    filled.environ["BACKUP_URL"] = str(tmp_path / "file" / "backups")
    with pytest.raises(BackupError, match="cannot be"):
        taking(filled).create()


def test_nothing_is_left_behind(filled: Installation, postgres: PostgresServer, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    taking(filled).create()
    if filled.engine == "postgresql":
        with filled.main() as main, main.connect() as connection:
            names = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
        assert not [name for name in names if "scratch" in name]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*before, "backups"})


def test_no_password_is_on_a_command_line(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real tools, called through a script that notes its arguments, and the password apart from them."""
    real, seen, given = backup_postgresql._tools(18), tmp_path / "seen", tmp_path / "given"
    password = "Hunter2 '\"\\$(id)`%;:@/?#&=ü"
    for tool in ("pg_dump", "pg_restore"):
        script = tmp_path / tool
        note = f'echo "$0 $@" >> {seen}\nprintf %s "$PGPASSWORD" > {given}\n'
        script.write_text(f'#!/bin/sh\n{note}exec {real.dump.parent / tool} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    house = Installation("postgresql", tmp_path, postgres, BACKUP_URL=str(tmp_path / "backups"))
    house.environ["DATABASE_URL"] = house.environ["DATABASE_URL"].replace(
        "postgres@", f"postgres:{quote(password, safe='')}@"
    )
    with house.app() as app:
        app.migrate()
    assert taking(house).create().proven_at is not None
    text = seen.read_text()
    assert "pg_dump --format=custom" in text
    assert "pg_restore" in text
    assert "Hunter2" not in text
    assert given.read_text(encoding="utf-8") == password


def test_a_backup_may_take_longer_than_other_transactions(postgres: PostgresServer, tmp_path: Path) -> None:
    house = Installation("postgresql", tmp_path, postgres, BACKUP_URL=str(tmp_path / "backups"))
    with house.app() as app:
        app.migrate()
        name = house.settings.main.url.database
        with app.main.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET transaction_timeout = '20ms'")
    assert taking(house).create().proven_at is not None


def test_a_swap_that_fails_leaves_the_old_database(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(filled).create()
    filled.add(contact(77, "Dev Anand", "98200 66666"))
    filled.ingest()
    before = everything(filled)
    if filled.engine == "sqlite":
        monkeypatch.setattr("ledgerline.operations.backup_sqlite.Path.replace", _out_of_luck)
    else:
        monkeypatch.setattr(backup_postgresql, "_rename", _out_of_luck)
    with pytest.raises(BackupError, match="out of luck"):
        taking(filled).restore(replace_existing=True)
    monkeypatch.undo()
    assert everything(filled) == before


def test_a_restore_that_is_killed_in_the_swap_leaves_the_old_database(
    filled: Installation, tmp_path: Path
) -> None:
    taking(filled).create()
    filled.add(contact(77, "Dev Anand", "98200 66666"))
    filled.ingest()
    before = everything(filled)
    process = PROCESSES.Process(target=_restore_and_die, args=(filled.environ, tmp_path))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert everything(filled) == before
    assert taking(filled).restore(replace_existing=True).proof.ok  # what was left is not in the way
    assert everything(filled) != before


def _restore_and_die(environ: dict[str, str], folder: Path) -> None:
    """In a process of its own: killed between the two halves of the swap."""
    files, rename = Path.replace, backup_postgresql._rename
    calls = itertools.count(1)

    def replaced(file: Path, target: Path) -> Path:
        _die(next(calls) == 2)
        return files(file, target)

    def named(name: str) -> str:
        _die(next(calls) == 3)  # two names each
        return quoted(name)

    def renamed(*given: Any) -> None:
        with patch.object(backup_postgresql, "quoted", named):
            rename(*given)

    with patch.object(Path, "replace", replaced), patch.object(backup_postgresql, "_rename", renamed):
        Backups(load_settings(environ, folder=folder)).restore(replace_existing=True)


def _die(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


def _out_of_luck(*_: Any) -> None:
    raise OSError("out of luck")


# -- hashes ----------------------------------------------------------------------------------------------


def test_hashes_are_the_same_on_every_engine(postgres: PostgresServer, tmp_path: Path) -> None:
    found = []
    for engine in ("sqlite", "postgresql"):
        with new_database(engine, tmp_path, postgres) as url:
            main = Database(url)
            migrate(main)
            rows = [_contact_row(number) for number in range(2_500)]
            with main.begin() as connection:
                connection.execute(contacts.insert(), rows if engine == "sqlite" else rows[::-1])
                values = {"source_system": "INVOICE", "run_id": 1, "paused_at": AN_INSTANT}
                connection.execute(source_pauses.insert().values(**values))
            main.close()
            found.append(contents_of([url]))
    for name in metadata.tables:
        assert found[0][name] == found[1][name], name


def _contact_row(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"Zoë \U0001f600 {number}",
        "email": None if number % 3 else f"z{number}@example.org",
        "relationship_type": "CLIENT",
        "data_quality_score": number % 100,
        "source_system": "INVOICE",
        "source_record_id": str(number),
        "is_active": number % 2 == 0,
        "created_run": 1,
    }


def test_one_changed_value_changes_the_hash(tmp_path: Path) -> None:
    with new_database("sqlite", tmp_path, None) as url:
        main = Database(url)
        migrate(main)
        seen = set()
        for change in (
            contacts.insert().values(**_contact_row(1)),
            contacts.insert().values(**_contact_row(2)),
            contacts.update().where(contacts.c.id == 1).values(name="other"),
            contacts.update().where(contacts.c.id == 1).values(email="", honorific="x"),
            contacts.delete().where(contacts.c.id == 2),
        ):
            with main.begin() as connection:
                connection.execute(change)
                seen.add(contents(connection)["contacts"])
        main.close()
    assert len(seen) == 5


# -- retention -------------------------------------------------------------------------------------------


def test_a_backup_stays_ours_when_the_login_changes(filled: Installation) -> None:
    taken = taking(filled).create()
    url = filled.environ["DATABASE_URL"]
    if filled.engine == "postgresql":
        filled.environ["DATABASE_URL"] = url.replace("127.0.0.1", "localhost") + "?sslmode=prefer"
    else:
        filled.environ["DATABASE_URL"] = url.replace("/house", "/./house")
    last = taking(filled).last_proven()
    assert last is not None
    assert last.id == taken.id
