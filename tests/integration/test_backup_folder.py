"""The folder in which backups are: what lies in it, what is lost from it, what retention takes away."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from tests.forking import run_ledgerline
from tests.house import Installation
from tests.integration.test_backups import taking, truncate

from ledgerline.databases.schema import owners
from ledgerline.errors import BackupDamaged, BackupError, BackupMissing
from ledgerline.operations.backup import Backups, superfluous
from ledgerline.operations.backup_manifest import Manifest, read, write
from ledgerline.url import DatabaseUrl


@pytest.fixture
def embedded(tmp_path: Path) -> Installation:
    """For what is the same on every server; its backups are in `backups` beside it."""
    house = Installation("sqlite", tmp_path, BACKUP_URL=str(tmp_path / "backups"))
    with house.app() as app:
        app.migrate()
    return house


class _FullStorage(LocalFileSystem):
    """A folder that is full when the manifest is to be written."""

    protocol = ("full", "full")

    def _open(self, path: str, *options: Any, **further: Any) -> Any:
        if path.endswith(".json.part"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super()._open(path, *options, **further)  # type: ignore[no-untyped-call]


def test_a_backup_that_fails_leaves_no_files(embedded: Installation, tmp_path: Path) -> None:
    backups_folder = tmp_path / "backups"
    fsspec.register_implementation("full", _FullStorage, clobber=True)  # type: ignore[no-untyped-call]
    embedded.environ["BACKUP_URL"] = f"full://{backups_folder}"
    with pytest.raises(BackupError, match="No space left"):
        taking(embedded).create()
    assert list(backups_folder.iterdir()) == []


class _LostStorage(LocalFileSystem):
    """A folder that cannot be asked, of a storage that says no of what it cannot ask."""

    protocol = ("lost", "lost")

    def exists(self, path: str, **options: Any) -> bool:
        return False

    def ls(self, path: str, detail: bool = False, **options: Any) -> Any:
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def test_a_folder_that_cannot_be_asked_is_not_an_empty_one(embedded: Installation, tmp_path: Path) -> None:
    assert taking(embedded).known() == []  # there is none so far
    fsspec.register_implementation("lost", _LostStorage, clobber=True)  # type: ignore[no-untyped-call]
    embedded.environ["BACKUP_URL"] = f"lost://{tmp_path}"
    with pytest.raises(BackupError, match="Connection refused"):
        taking(embedded).known()


@pytest.mark.skipif(os.name == "nt", reason="Windows gives a new file the rights of its folder")
def test_only_the_owner_can_read_a_backup(embedded: Installation, tmp_path: Path) -> None:
    taking(embedded).create()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "backups").iterdir()}
    assert len(modes) > 1
    assert set(modes.values()) == {0o600}


def test_what_is_not_ours_is_left_alone(embedded: Installation, tmp_path: Path) -> None:
    backups_folder = tmp_path / "backups"
    embedded.environ["BACKUP_KEEP"] = "1"
    backups_folder.mkdir()
    foreign = [backups_folder / name for name in ("README.txt", "notes.json", "x.main.db")]
    for file in foreign:
        file.write_text("{}")
    (backups_folder / "old").mkdir()
    taken = [taking(embedded).create() for _ in range(2)]
    assert [one.id for one in taking(embedded).known()] == [taken[1].id]
    assert (taking(embedded).damaged(), taking(embedded).unfinished()) == ([], [])
    assert all(file.exists() for file in foreign)


def test_a_backup_that_is_deleted_while_it_is_proven_does_not_come_back(
    embedded: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = taking(embedded).create(prove=False)
    checks = Backups._checks

    def meanwhile(self: Backups, manifest: Manifest, url: DatabaseUrl) -> Any:
        self.folder.delete_backup(manifest)
        return checks(self, manifest, url)

    monkeypatch.setattr(Backups, "_checks", meanwhile)
    with pytest.raises(BackupMissing, match="deleted while"):
        taking(embedded).prove(taken.id)
    assert taking(embedded).known() == []


def test_a_backup_that_lost_a_file_is_not_the_last_proven_one(embedded: Installation, tmp_path: Path) -> None:
    """Its manifest says that it was good, and it would be the only one that pruning spares."""
    backups_folder = tmp_path / "backups"
    older, newer = taking(embedded).create(), taking(embedded).create()
    file = backups_folder / newer.files[0].name
    for harm in (truncate, Path.unlink):
        harm(file)
        assert taking(embedded).lacking(taking(embedded).known()) == {newer.id: [file.name]}
        last = taking(embedded).last_proven()
        assert last is not None
        assert last.id == older.id
        embedded.environ["BACKUP_KEEP"] = "1"
        assert taking(embedded).prune(now=older.taken_at + timedelta(days=999)) == []


def test_pruning_keeps_the_last_proven_one(embedded: Installation, tmp_path: Path) -> None:
    backups_folder = tmp_path / "backups"
    embedded.environ["BACKUP_KEEP"] = "2"
    proven = taking(embedded).create()
    for _ in range(4):
        taking(embedded).create(prove=False)
    kept = {one.id for one in taking(embedded).known()}
    assert proven.id in kept
    assert len(kept) == 3  # two, and the last proven one
    assert {path.name.partition(".")[0] for path in backups_folder.iterdir()} == kept


def test_another_environment_is_left_alone(embedded: Installation) -> None:
    taken = taking(embedded).create()
    embedded.environ.update(ENVIRONMENT="staging", BACKUP_KEEP="1", BACKUP_KEEP_FOR="1s")
    backups = taking(embedded)
    assert backups.last_proven() is None
    assert backups.prune(now=taken.taken_at + timedelta(days=999)) == []
    assert [one.id for one in backups.known()] == [taken.id]


def test_superfluous_by_count_and_age(embedded: Installation) -> None:
    one = taking(embedded).create()
    day = timedelta(days=1)
    bad = replace(one, proofs=())
    line = [replace(bad if n < 3 else one, id=str(n), taken_at=one.taken_at - n * day) for n in range(6)]

    def gone(keep: int, days: int) -> list[str]:
        return [m.id for m in superfluous(line, keep, days * day, one.taken_at)]

    assert gone(10, 100) == []
    assert gone(4, 100) == ["4", "5"]
    assert gone(2, 100) == ["2", "4", "5"]  # 3 is the last that was proven
    assert gone(10, 1) == ["2", "4", "5"]
    assert gone(1, 0) == ["1", "2", "4", "5"]
    after = superfluous(line, 4, day, one.taken_at + 99 * day)
    assert [m.id for m in after] == ["1", "2", "4", "5"]  # the newest stays, and the last that was proven
    after = superfluous(line, 1, day, one.taken_at, lacking={"3"})
    assert [m.id for m in after] == ["1", "2", "3", "5"]


@pytest.mark.parametrize("backup", ["../secret", "x/../../secret", "/etc/passwd", ""])
def test_only_an_id_names_a_backup(embedded: Installation, tmp_path: Path, backup: str) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "secret.json").write_text("{}")
    with pytest.raises(BackupMissing):
        taking(embedded).prove(backup)


@pytest.mark.parametrize("wrong", [{"name": "../secret"}, {"part": "../../x"}])
def test_a_manifest_that_names_other_files_is_none(embedded: Installation, wrong: dict[str, Any]) -> None:
    taken = taking(embedded).create(prove=False)
    forged = replace(taken, files=(replace(taken.files[0], **wrong),))
    taking(embedded).folder.write_manifest(forged)
    with pytest.raises(BackupDamaged):
        taking(embedded).prove(taken.id)


def test_a_manifest_names_no_file_of_another_machine(embedded: Installation) -> None:
    taken = taking(embedded).create(prove=False)
    ours, foreign = f"{taken.id}.bak", r"\\evil\share\x.bak"
    assert read(write(replace(taken, server_file=ours)), taken.id).server_file == ours
    with pytest.raises(BackupDamaged):
        read(write(replace(taken, server_file=foreign)), taken.id)


class _UnreachableStorage(LocalFileSystem):
    protocol = ("unreachable", "unreachable")

    def __init__(self, *options: Any, **further: Any) -> None:
        raise RuntimeError("a storage's own error, with its password")


def test_a_storage_that_fails_when_it_is_reached_is_told(embedded: Installation) -> None:
    fsspec.register_implementation("unreachable", _UnreachableStorage, clobber=True)  # type: ignore[no-untyped-call]
    embedded.environ["BACKUP_URL"] = "unreachable://there"
    with pytest.raises(BackupError, match="cannot be reached: RuntimeError") as failed:
        taking(embedded).known()
    assert "password" not in failed.value.detail + failed.value.hint


@pytest.mark.skipif(os.name == "nt", reason="Windows gives a new file the rights of its folder")
def test_a_restored_database_is_read_by_nobody_who_could_not_read_the_old_one(embedded: Installation) -> None:
    main = Path(embedded.settings.main.url.database)
    taking(embedded).create(prove=False)
    main.chmod(0o640)
    taking(embedded).restore(replace_existing=True)
    assert stat.S_IMODE(main.stat().st_mode) == 0o640


def test_a_new_machine_is_told_how_to_name_a_backup_of_the_old_one(
    embedded: Installation, tmp_path: Path
) -> None:
    taken = taking(embedded).create(prove=False)
    new = Installation("sqlite", tmp_path, BACKUP_URL=embedded.environ["BACKUP_URL"])
    with pytest.raises(BackupMissing) as missing:
        taking(new).restore()
    assert "ledgerline backup list" in missing.value.hint
    assert taking(new).restore(taken.id).manifest.id == taken.id


@pytest.mark.skipif(os.name == "nt", reason="not everybody may make links on Windows")
def test_a_database_behind_a_link_stays_on_its_disk(
    embedded: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(embedded).create(prove=False)
    link = Path(embedded.settings.main.url.database)
    disk = tmp_path / "disk"
    disk.mkdir()
    file = link.replace(disk / "main.db")
    link.symlink_to(file)
    with embedded.main() as main, main.begin() as connection:
        connection.execute(owners.insert().values(id=1, name="Kim"))

    def replaced(path: Path, target: Path) -> Path:
        if path.parent != target.parent:  # they are on two disks
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace_at_once(path, target)

    replace_at_once = Path.replace
    monkeypatch.setattr(Path, "replace", replaced)
    restored = taking(embedded).restore(replace_existing=True)
    assert (link.is_symlink(), file.is_symlink()) == (True, False)
    assert embedded.table("owners") == []
    kept = {path.name.partition(".before-")[0] for path in disk.iterdir()} - {"main.db-wal", "main.db-shm"}
    assert (kept, len(list(disk.glob("main.db.before-*")))) == ({"main.db"}, 2)
    assert restored.old is not None and str(disk) in restored.old


def test_a_command_says_what_its_backup_took_the_place_of(embedded: Installation, tmp_path: Path) -> None:
    embedded.environ["BACKUP_KEEP"] = "1"
    older = taking(embedded).create()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **embedded.environ}
    done = run_ledgerline(tmp_path, ("backup", "create", "--json"), environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pruned"] == [older.id]
