"""`ledgerline query`, `queries` and `keys` as they are typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.forking import run_ledgerline
from tests.postgres import free_port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    assert ledgerline(folder, "sample", "sqlite:///data/invoice.db", "--rows", "50").returncode == 0
    return folder


def ledgerline(
    folder: Path, *arguments: str, given: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    own = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "COLUMNS": "200"}
    return run_ledgerline(folder, arguments, {**own, **environ}, given=given)


COUNT = "SELECT count(*) AS n FROM customer_contacts"


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_an_answer_is_printed(folder: Path, form: str) -> None:
    done = ledgerline(folder, "query", "--database", "invoice", "--format", form, COUNT)
    assert done.returncode == 0, done.stderr
    assert "50" in done.stdout
    if form == "json":
        assert json.loads(done.stdout)["rows"] == [[50]]


def test_parameters_and_standard_input(folder: Path) -> None:
    by_name = "SELECT :a AS a, :b AS b"
    done = ledgerline(folder, "query", "--format", "ndjson", "--param", "a=x=y", "--param", "b=5", by_name)
    assert json.loads(done.stdout.splitlines()[0]) == {"a": "x=y", "b": 5}
    done = ledgerline(folder, "query", "--format", "ndjson", "--param", '"5"', "-", given="SELECT ? AS a")
    assert json.loads(done.stdout.splitlines()[0]) == {"a": "5"}


@pytest.mark.parametrize(
    "sql", ["DELETE FROM contacts", "SELECT * FROM api_keys", "SELECT 1; SELECT 2", "", "x"]
)
def test_a_refused_query_ends_with_5(folder: Path, sql: str) -> None:
    for arguments in (["query", sql], ["query", "--check", sql]):
        done = ledgerline(folder, *arguments)
        assert (done.returncode, done.stdout) == (5, "")
        assert "error:" in done.stderr


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT 1 FROM nowhere", "no such table: nowhere."),
        ("SELECT nothing FROM contacts", "no such column: nothing."),
    ],
)
def test_what_is_missing_is_named(folder: Path, sql: str, named: str) -> None:
    assert named in ledgerline(folder, "query", sql).stderr


def test_parameters_that_do_not_fit_are_told_as_they_are_typed(folder: Path) -> None:
    done = ledgerline(folder, "query", "--param", "5", "SELECT :a AS a")
    assert done.returncode == 2
    assert "--param NAME=VALUE for :NAME" in done.stderr


def test_a_check_needs_no_database(tmp_path: Path) -> None:
    nowhere = f"postgresql://u@127.0.0.1:{free_port()}/x"
    done = ledgerline(tmp_path, "query", "--check", "SELECT A FROM B", DATABASE_URL=nowhere)
    assert (done.returncode, done.stdout) == (0, 'SELECT "a" FROM "b"\n')
    done = ledgerline(tmp_path, "query", "--check", "--dialect", "tsql", "SELECT TOP 1 A FROM B WHERE c = @p")
    assert (done.returncode, done.stdout) == (0, "SELECT TOP 1 [A] FROM [B] WHERE [c] = ?\n")
    assert ":p" in done.stderr
    assert ledgerline(tmp_path, "query", "--check", "--dialect", "tsql", "SELECT 1 SHUTDOWN").returncode == 5
    assert not (tmp_path / "data").exists()


def test_a_query_is_saved_and_run(folder: Path) -> None:
    assert ledgerline(folder, "query", "--database", "invoice", "--save", "count", COUNT).returncode == 0
    assert ledgerline(folder, "query", "--save", "bad", "DROP TABLE x").returncode == 5
    done = ledgerline(folder, "query", "--saved", "count", "--format", "csv")
    assert done.stdout.split() == ["n", "50"]
    assert [
        query["name"] for query in json.loads(ledgerline(folder, "queries", "--saved", "--json").stdout)
    ] == ["count"]
    checked = ledgerline(folder, "query", "--saved", "count", "--check")
    assert checked.stdout.split() == ["SELECT", "COUNT(*)", "AS", "`n`", "FROM", "`customer_contacts`"]
    assert ledgerline(folder, "query", "--saved", "nothing").returncode == 2
    assert ledgerline(folder, "query", "--dialect", "tsql", "SELECT 1").returncode == 2  # without --check


def test_a_table_shows_what_a_terminal_would_act_on(folder: Path) -> None:
    clears = "SELECT char(27) || '[2J' || char(155) || '[red]' || char(10) AS x"
    done = ledgerline(folder, "query", clears)
    assert done.stdout.split()[1:] == [r"\x1b[2J\x9b[red]"]


ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


def workers() -> set[int]:
    """The processes that ask SQLite."""
    found = psutil.process_iter(["cmdline"])
    return {
        process.pid
        for process in found
        if any("sqlite_worker" in part for part in process.info["cmdline"] or ())
    }


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_query_ends_with_its_command(folder: Path, sent: signal.Signals) -> None:
    before = workers()
    command = [sys.executable, "-m", "ledgerline", "query", ENDLESS]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until(lambda: workers() - before)
    time.sleep(0.5)
    process.send_signal(sent)
    assert process.wait(20) in {signal.SIGINT: (130, -2), signal.SIGKILL: (-9,)}[sent]  # a shell calls -2 130
    until(lambda: not workers() - before)


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_queries_are_listed(folder: Path) -> None:
    ledgerline(folder, "query", "SELECT 'secret' AS a")
    done = ledgerline(folder, "queries", "--json", "--limit", "1")
    (entry,) = json.loads(done.stdout)
    assert (entry["statement"], entry["outcome"], entry["rowCount"]) == ('SELECT ? AS "a"', "succeeded", 1)
    assert "SELECT ? AS" in ledgerline(folder, "queries", "--slowest").stdout


def test_keys_are_made_listed_and_revoked(folder: Path) -> None:
    made = ledgerline(folder, "keys", "create", "--name", "me", "--scope", "read,query", "--expires", "90d")
    token = made.stdout.strip()
    assert token.startswith("llk_")
    assert token not in made.stderr
    listed = ledgerline(folder, "keys", "list", "--json")
    (key,) = json.loads(listed.stdout)
    assert (key["name"], key["scopes"], key["revokedAt"]) == ("me", ["query", "read"], None)
    assert token[17:40] not in listed.stdout
    assert ledgerline(folder, "keys", "revoke", key["id"]).returncode == 0
    assert ledgerline(folder, "keys", "revoke", key["id"]).returncode == 2
    assert "revoked" in ledgerline(folder, "keys", "list").stdout


@pytest.mark.parametrize(
    "options",
    [
        ["--scope", "all"],
        ["--scope", "read", "--expires", "soon"],
        ["--scope", "read", "--expires", "999999w"],
        ["--scope", ""],
    ],
)
def test_keys_that_make_no_sense(folder: Path, options: list[str]) -> None:
    assert ledgerline(folder, "keys", "create", "--name", "x", *options).returncode == 2
