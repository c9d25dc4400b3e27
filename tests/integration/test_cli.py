"""Every command as a user runs it: in a folder of their own, with nothing in the environment."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.forking import run_ledgerline
from tests.house import Installation, contact

from ledgerline.cli import show
from ledgerline.cli.contacts import Format, What, export
from ledgerline.cli.main import main
from ledgerline.databases import reports
from ledgerline.databases.schema import COUNTS
from ledgerline.errors import DatabaseUnreachable

COMMAND = [sys.executable, "-m", "ledgerline"]
NOWHERE = "postgresql://app:pa55word@127.0.0.1:1/nowhere"


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **settings}


def ledgerline(
    folder: Path, *arguments: str, code: int = 0, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = run_ledgerline(folder, arguments, environment(folder, settings or {}))
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a sample of 3,000 rows was ingested, and a few rows beside them."""
    folder = tmp_path_factory.mktemp("sampled")
    ledgerline(folder, "sample", "sqlite:///data/invoice.db", "--rows", "3000", "--seed", "3")
    odd = [
        (10_001, "=1+1 Rao", "98200 11111", "Director", "=rao@lotus.example"),
        (10_002, "Asha @Rao", "98200 22222", "-Director", None),
        (10_003, "Asha Rao", "+91 98200 33333 / 98200 44444", "+Director", None),
        (10_004, "Bram Rao", "98200 55555", "@Director", "x@a.example; y@b.example"),
    ]
    with sqlite3.connect(folder / "data" / "invoice.db") as connection:
        for row in odd:
            connection.execute(
                "INSERT INTO customer_contacts (contactid, contact_person_name, contact_no, designation,"
                " contact_person_email, status, del_sts) VALUES (?, ?, ?, ?, ?, 'APP', 'N')",
                row,
            )
    connection.close()
    done = ledgerline(folder, "ingest", "--json")
    (folder / "run.json").write_text(done.stdout, encoding="utf-8")
    return folder


# -- demo ------------------------------------------------------------------------------------------------


def test_demo_in_an_empty_folder_twice(tmp_path: Path) -> None:
    first = ledgerline(tmp_path, "demo")
    assert re.search(r"10,000\s+rows read", first.stdout)
    assert "Why rows were rejected" in first.stdout
    assert "One person, several rows" in first.stdout
    second = ledgerline(tmp_path, "demo", settings={"DATABASE_URL": NOWHERE})
    assert "Nothing has changed since the last run" in second.stdout
    assert re.search(r"^\s+0\s+inserted", second.stdout, re.MULTILINE)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


# -- ingest, runs, rejects ---------------------------------------------------------------------------------


def test_ingest_prints_the_document_of_the_contract(sampled: Path) -> None:
    run = json.loads((sampled / "run.json").read_text(encoding="utf-8"))
    assert list(run) == [
        "runId",
        "kind",
        "sourceSystem",
        "status",
        "startedAt",
        "finishedAt",
        "progress",
        "counts",
    ]
    assert (run["runId"], run["kind"], run["sourceSystem"], run["status"]) == (
        1,
        "ingest",
        "INVOICE",
        "succeeded",
    )
    for moment in (run["startedAt"], run["finishedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
        assert datetime.fromisoformat(moment).tzinfo is not None
    assert tuple(run["counts"]) == COUNTS
    assert run["counts"]["fetched"] == 3004
    assert run["counts"]["fetched"] == sum(
        count for name, count in run["counts"].items() if name not in ("fetched", "vanished")
    )


def test_runs(sampled: Path) -> None:
    listed = json.loads(ledgerline(sampled, "runs", "--json").stdout)
    run = json.loads((sampled / "run.json").read_text(encoding="utf-8"))
    (document,) = [row for row in listed if row["runId"] == 1]
    progress = document["progress"]
    assert {**document, "progress": None} == {**run, "progress": None}
    assert list(progress) == ["stage", "done", "total", "rows", "rowsPerSecond", "secondsLeft"]
    assert "succeeded" in ledgerline(sampled, "runs").stdout


@pytest.mark.parametrize(
    "arguments", [("runs",), ("history", "1"), ("query", "SELECT 'a' AS name, 'b' AS x")]
)
def test_no_line_of_a_table_is_filled_up_with_blanks(sampled: Path, arguments: tuple[str, ...]) -> None:
    lines = ledgerline(sampled, *arguments).stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_lists_with_nothing_in_them_say_so(tmp_path: Path) -> None:
    for arguments, said in (
        (("keys", "list"), "There are no keys."),
        (("backup", "list"), "There is no backup yet."),
        (("queries",), "Nobody has asked anything yet."),
        (("queries", "--saved"), "No query is saved."),
    ):
        assert said in ledgerline(tmp_path, *arguments).stdout


def test_only_an_undo_keeps_anything(sampled: Path) -> None:
    assert "Run 1 is not an undo." in ledgerline(sampled, "kept", "1", code=2).stderr


def test_rejects(sampled: Path) -> None:
    run = json.loads((sampled / "run.json").read_text(encoding="utf-8"))
    lines = ledgerline(sampled, "rejects", "1", "--json").stdout.splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) == run["counts"]["rejected"] > 50
    for document in documents:
        assert list(document) == ["runId", "sourceSystem", "sourceRecordId", "reasons", "raw", "resolvedRun"]
        assert document["reasons"]
    shown = ledgerline(sampled, "rejects", "1", "--limit", "1").stdout
    assert "no_email_or_phone" in shown
    ledgerline(sampled, "rejects", "77", code=2)
    assert "never rejected" in ledgerline(sampled, "rejects", "--record", "9" * 30).stdout


# -- export ------------------------------------------------------------------------------------------------


def test_export_in_all_formats(sampled: Path) -> None:
    run = json.loads((sampled / "run.json").read_text(encoding="utf-8"))
    lines = ledgerline(sampled, "export", "contacts").stdout.splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) == run["counts"]["inserted"]
    assert (
        sum(len(document["sourceRecordIds"]) for document in documents)
        == len(documents) + run["counts"]["merged"]
    )

    ledgerline(sampled, "export", "contacts", "--format", "parquet", "--output", "contacts.parquet")
    frame = pl.read_parquet(sampled / "contacts.parquet")
    assert frame.to_dicts() == documents

    text = ledgerline(sampled, "export", "contacts", "--format", "csv").stdout
    cells = list(csv.DictReader(io.StringIO(text)))
    assert len(cells) == len(documents)
    assert [row["id"] for row in cells] == [str(document["id"]) for document in documents]
    assert [row["phones"] for row in cells] == [";".join(document["phones"]) for document in documents]
    ledgerline(sampled, "export", "contacts", "--format", "csv", "--output", "contacts.csv")
    assert (sampled / "contacts.csv").read_text(encoding="utf-8") == text
    ledgerline(sampled, "export", "contacts", "--format", "parquet", code=2)


def test_no_cell_of_a_csv_is_a_formula(sampled: Path) -> None:
    text = ledgerline(sampled, "export", "contacts", "--format", "csv").stdout
    rows = {row["sourceRecordIds"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["10001"]["name"] == "'=1+1 Rao"
    assert rows["10002"]["designation"] == "'-Director"
    assert rows["10003"]["designation"] == "'+Director"
    assert rows["10004"]["designation"] == "'@Director"
    assert rows["10003"]["phones"] == "+919820033333;+919820044444"
    assert rows["10004"]["emails"] == "x@a.example;y@b.example"
    for row in rows.values():
        for cell in row.values():
            assert not re.match(r"[=+\-@\t\r]", cell) or re.fullmatch(r"\+[0-9;+]+", cell)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_whoever_reads_an_export_may_stop(sampled: Path, form: str) -> None:
    command = [sys.executable, "-m", "ledgerline", "export", "contacts", "--format", form]
    with subprocess.Popen(
        command, cwd=sampled, env=environment(sampled, {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""


def test_export_of_nothing(tmp_path: Path) -> None:
    ledgerline(tmp_path, "migrate")
    assert ledgerline(tmp_path, "export", "contacts").stdout == ""
    header = ledgerline(tmp_path, "export", "contacts", "--format", "csv").stdout
    assert header.startswith("id,name,companyName,email,mobileE164,") and header.count("\n") == 1
    ledgerline(tmp_path, "export", "contacts", "--format", "parquet", "--output", "none.parquet")
    assert pl.read_parquet(tmp_path / "none.parquet").height == 0


def test_half_of_an_export_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, output = "as it was", tmp_path / "contacts.csv"
    output.write_text(before)

    def broken(main: object, *, inactive: bool) -> Iterator[pl.DataFrame]:
        yield reports.EXPORT.to_frame()
        raise DatabaseUnreachable("gone")

    monkeypatch.setattr(reports, "export_contacts", broken)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseUnreachable):
        export(What.CONTACTS, Format.CSV, output, inactive=False)
    assert output.read_text() == before
    assert not list(tmp_path.glob("*.unfinished"))


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        (("export", "contacts", "--output", "none/x.ndjson"), {}, 1),
        (("export", "contacts", "--format", "parquet", "--output", "none/x.parquet"), {}, 1),
        (("sample", "sqlite:///file/x.db"), {}, 3),
        (("runs",), {"DATABASE_URL": "sqlite:///file/main.db"}, 3),
        (("config", "export", "none/x"), {"BACKUP_PASSPHRASE": "twelve words or so"}, 1),
    ],
)
def test_a_file_that_cannot_be_made_is_told(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    (tmp_path / "file").touch()
    done = ledgerline(tmp_path, *arguments, settings=settings, code=code)
    assert re.search(r"error: .*(none/x|file/)", done.stderr), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file on which nothing has room")
def test_a_full_disk_is_named(sampled: Path) -> None:
    for form in ("csv", "ndjson"):
        arguments = ("export", "contacts", "--format", form, "--output", "/dev/full")
        assert (
            "error: /dev/full cannot be used: No space left" in ledgerline(sampled, *arguments, code=1).stderr
        )


def test_what_is_piped_is_utf8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["ledgerline", "ingest", "--help"])
    with pytest.raises(SystemExit):
        main()
    show.print_json({"name": "आशा → \udc80"})
    sys.stdout.flush()
    assert json.loads(written.getvalue().decode().splitlines()[-1]) == {"name": "आशा → \udc80"}


def test_good_and_bad_do_not_look_alike_where_a_terminal_lacks_their_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="cp1252")
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "argv", ["ledgerline", "ingest", "--help"])
    with pytest.raises(SystemExit):
        main()
    print("✓ ✗ → é आ")
    sys.stdout.flush()
    assert written.getvalue().decode("cp1252").splitlines()[-1] == "ok x -> é ?"


# -- setting up ----------------------------------------------------------------------------------------------


def test_migrate_twice(tmp_path: Path) -> None:
    assert "is now at revision" in ledgerline(tmp_path, "migrate").stdout
    assert "is up to date" in ledgerline(tmp_path, "migrate").stdout


SECRETS = {
    "DATABASE_URL": "postgresql://app:s3cret-one@127.0.0.1:1/main?connect_timeout=1",
    "INVOICE_DATABASE_URL": "sqlserver://127.0.0.1:1;database=erp;user=reader;password={s3cret;two}",
    "DB_PASSWORD": "s3cret-three",
    "INVOICE_DB_PASSWORD": "s3cret-four",
    "API_KEY": "s3cret-five-and-some-more",
}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("config",), 0), (("migrate",), 3), (("ingest",), 3), (("ingest", "--json"), 3), (("runs",), 3)],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_no_command_prints_a_secret(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = ledgerline(tmp_path, *arguments, code=code, settings=SECRETS)
    assert "s3cret" not in done.stdout + done.stderr
    if arguments == ("config",):
        assert "reader" in done.stdout
        assert "API_KEY" in done.stdout


PASTED = {
    "odbc": "Driver={ODBC Driver 18 for SQL Server};Server=tcp:127.0.0.1,1;Database=erp;Uid=reader;"
    "Pwd={s3cret;x};Encrypt=yes;TrustServerCertificate=yes;Connection Timeout=1",
    "jdbc": "jdbc:sqlserver://127.0.0.1:1;databaseName=erp;user=reader;password={s3cret;x};loginTimeout=1",
    "url": "postgresql://reader:s3cret%3Bx@127.0.0.1:1/erp?connect_timeout=1",
}


@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED)
def test_init_reads_what_is_pasted(tmp_path: Path, pasted: str) -> None:
    arguments = ("init", "--invoice", pasted, "--main", "sqlite:///data/main.db", "--country", "us")
    done = ledgerline(tmp_path, *arguments)
    assert "s3cret" not in done.stdout + done.stderr
    file = tmp_path / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "s3cret" in file.read_text(encoding="utf-8")
    shown = ledgerline(tmp_path, "config").stdout
    assert "s3cret" not in shown
    assert re.search(r"DEFAULT_COUNTRY_CODE\s+US", shown)
    assert "reader" in shown and "erp" in shown
    before = file.read_bytes()
    ledgerline(tmp_path, *arguments, code=2)
    assert file.read_bytes() == before


def test_init_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    for bad in ("oracle://a/b", "Server=a;Database=b;Pwd=s3cret;Colour=red", "hello"):
        done = ledgerline(
            tmp_path, "init", "--invoice", bad, "--main", "sqlite:///m.db", "--country", "IN", code=2
        )
        assert "s3cret" not in done.stdout + done.stderr
    ledgerline(
        tmp_path, "init", "--invoice", "sqlite:///i.db", "--main", "sqlite:///m.db", "--country", "XX", code=2
    )
    assert list(tmp_path.iterdir()) == []


def test_nobody_answers_the_questions(tmp_path: Path) -> None:
    done = ledgerline(tmp_path, "init", code=2)
    assert "--invoice URL --main URL" in done.stderr
    done = ledgerline(tmp_path, "config", "export", "all.age", code=2)
    assert "Set BACKUP_PASSPHRASE" in done.stderr
    assert list(tmp_path.glob("*.age")) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
def test_a_question_can_be_left_by_ctrl_c(tmp_path: Path) -> None:
    """Polars' own handler would let the read go on."""
    keyboard, terminal = os.openpty()
    # Whoever started the tests may have left SIGINT ignored, as shells do in the background.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{heard}; from ledgerline.cli.main import main; main()", "init"],
        cwd=tmp_path,
        env=environment(tmp_path, {}),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.read(len("Invoice database")) == "Invoice database"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(keyboard)
        os.close(terminal)
    assert process.returncode == 130


def test_init_leaves_no_env_that_others_can_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=4003\n")
    file.chmod(0o644)
    ledgerline(
        tmp_path, "init", "--force", "--invoice", "sqlite:///i.db", "--main", NOWHERE, "--country", "IN"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".env*")) == [file]


@pytest.mark.parametrize(
    "arguments",
    [("history", "9" * 20), ("undo", "9" * 20), ("runs", "--limit", "9" * 20), ("rejects", "9" * 20)],
)
def test_numbers_that_no_database_holds_are_wrong_use(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ledgerline(tmp_path, *arguments, code=2)


# -- exit codes ----------------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    without_table = {"INVOICE_DATABASE_URL": "sqlite:///empty.db"}
    done = ledgerline(tmp_path, "ingest", code=1, settings=without_table)
    assert "no table [customer_contacts]" in done.stderr
    assert "INVOICE_TABLE" in done.stderr
    ledgerline(tmp_path, "nonsense", code=2)
    ledgerline(tmp_path, "ingest", "--nonsense", code=2)
    ledgerline(tmp_path, "ingest", code=2, settings={"DEFAULT_COUNTRY_CODE": "Atlantis"})
    ledgerline(tmp_path, "sample", "sqlite:///data/x.db", "--rows", "0", code=2)
    done = ledgerline(tmp_path, "ingest", code=3)
    assert "There is no file data/invoice.db." in done.stderr
    assert not (tmp_path / "data" / "invoice.db").exists(), "a missing source is not made"
    done = ledgerline(tmp_path, "ingest", code=3, settings={"INVOICE_DATABASE_URL": NOWHERE})
    assert "127.0.0.1:1" in done.stderr
    assert ledgerline(tmp_path, "--version").stdout.startswith("ledgerline ")


def test_a_run_that_is_going_is_left_alone(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path)
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.ingest()
    path = Path(house.settings.main.url.database)
    with sqlite3.connect(path) as connection:  # as if this process were at it
        connection.execute(
            "UPDATE leases SET holder = ?, run_id = 1", (f"{socket.gethostname()}:{os.getpid()}",)
        )
    connection.close()
    done = ledgerline(tmp_path, "ingest", code=4, settings=house.environ)
    assert "Run 1 of INVOICE is going" in done.stderr
    with sqlite3.connect(path) as connection:  # as if its process had died
        connection.execute("UPDATE leases SET holder = ?", (f"{socket.gethostname()}:{_dead_process()}",))
    connection.close()
    ledgerline(tmp_path, "ingest", settings=house.environ)


def _dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


# -- Ctrl-C -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    ledgerline(folder, "sample", "sqlite:///data/invoice.db", "--rows", "80000")
    return folder


def test_an_interrupted_run_goes_on_and_ends_as_an_uninterrupted_one(large: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(large / "data" / "invoice.db", tmp_path / "data" / "invoice.db")
    ledgerline(large, "ingest")
    expected = ledgerline(large, "export", "contacts").stdout

    assert _interrupted(tmp_path, after=r"stage 1/\d+ partitions") == 130
    assert ledgerline(tmp_path, "export", "contacts").stdout == ""
    ledgerline(tmp_path, "ingest")
    (run,) = json.loads(ledgerline(tmp_path, "runs", "--json").stdout)
    assert run["status"] == "succeeded"
    assert run["counts"]["fetched"] == 80_000
    assert ledgerline(tmp_path, "export", "contacts").stdout == expected


def _interrupted(folder: Path, after: str) -> int:
    """The exit code of an ingest that gets a SIGINT once it has said this."""
    process = subprocess.Popen(
        [*COMMAND, "ingest"], cwd=folder, env=environment(folder, {}), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = []
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if re.search(after, line):
                process.send_signal(signal.SIGINT)
    assert any("Stopping after the partition at hand" in line for line in said), said
    assert any("nothing of it was written to the contacts" in line for line in said), said
    return process.returncode


# -- what is read ------------------------------------------------------------------------------------------


def _change(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "data" / "invoice.db") as connection:
        connection.execute(sql)
    connection.close()


def _ingested(folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
    done = ledgerline(folder, "ingest", "--json", *options, code=code)
    return dict(json.loads(done.stdout)) if code == 0 else {"error": done.stderr}


def test_runs_that_read_what_changed_and_what_is_gone(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "300")
    first = _ingested(tmp_path)
    assert "incremental" not in first
    _change(tmp_path, "UPDATE customer_contacts SET designation = 'Vendor' WHERE contactid < 5")
    second = _ingested(tmp_path)
    assert (second["incremental"], second["reconciled"]) == (True, False)
    assert second["counts"]["updated"] > 0
    assert second["counts"]["fetched"] < first["counts"]["fetched"]
    _change(tmp_path, "DELETE FROM customer_contacts WHERE contactid % 50 = 0")
    assert _ingested(tmp_path)["counts"]["vanished"] == 0
    third = _ingested(tmp_path, "--reconcile")
    assert (third["incremental"], third["reconciled"]) == (True, True)
    assert third["counts"]["vanished"] > 0
    assert "incremental" not in _ingested(tmp_path, "--full")


def test_the_withdrawal_breaker_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "300")
    _ingested(tmp_path)
    _change(tmp_path, "UPDATE customer_contacts SET del_sts = 'Y' WHERE contactid % 2 = 0")
    stopped = _ingested(tmp_path, code=6)
    assert "live records" in stopped["error"]
    assert "ledgerline ingest --accept-withdrawals" in stopped["error"]
    (failed, *_) = json.loads(ledgerline(tmp_path, "runs", "--json").stdout)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "withdrawal_breaker")
    assert _ingested(tmp_path, "--accept-withdrawals")["counts"]["withdrawn"] > 50


# -- serve -----------------------------------------------------------------------------------------------


def test_serve_at_a_port_that_is_taken_says_so_before_it_begins(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = ledgerline(tmp_path, "serve", "--port", port, code=1)
    assert done.stdout == ""
    assert f"Nothing can listen at 127.0.0.1, port {port}" in done.stderr
    assert "--port" in done.stderr


def test_serve_without_a_driver_says_how_it_is_installed(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "pymysql"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('hidden', name='pymysql')")
    settings = {
        **environment(tmp_path, {"INVOICE_DATABASE_URL": "mysql://u:p@127.0.0.1:1/x"}),
        "PYTHONPATH": str(hidden.parent),
    }
    done = subprocess.run(
        [*COMMAND, "serve", "--port", "1"],
        cwd=tmp_path,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "The driver for mysql is not installed" in done.stderr
    assert "Traceback" not in done.stderr


# -- an invoice database as it may be ---------------------------------------------------------------------


def test_a_table_is_found_whatever_the_case_of_its_name(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "50")
    with sqlite3.connect(tmp_path / "data" / "invoice.db") as invoice:
        invoice.execute("ALTER TABLE customer_contacts RENAME TO Other_Name")
        invoice.execute("ALTER TABLE Other_Name RENAME TO CUSTOMER_CONTACTS")
    done = ledgerline(tmp_path, "ingest", "--json")
    assert json.loads(done.stdout)["counts"]["fetched"] >= 50
    assert "The table [customer_contacts] is there." in ledgerline(tmp_path, "doctor").stdout
    counts = json.loads(ledgerline(tmp_path, "status", "--json").stdout)["invoice"]["recordCounts"]
    assert counts["CUSTOMER_CONTACTS"] >= 50


def test_the_setting_is_named_that_names_no_table_or_column(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "5")
    for settings, hint in (
        ({"INVOICE_TABLE": "nowhere"}, "Set INVOICE_TABLE"),
        ({"INVOICE_CUSTOMERS_TABLE": "nowhere"}, "Set INVOICE_CUSTOMERS_TABLE"),
        ({"INVOICE_ACTIVE": "nowhere=1"}, "INVOICE_ACTIVE, or leave it empty"),
    ):
        assert hint in " ".join(ledgerline(tmp_path, "ingest", code=1, settings=settings).stderr.split())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("contact_person_name = '-'", ["Why rows were rejected"]),
        ("del_sts = 'Y'", ["No row is active. See whether INVOICE_ACTIVE", "Nothing was written but"]),
    ],
)
def test_why_a_first_run_wrote_no_contact(tmp_path: Path, change: str, told: list[str]) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "5")
    with sqlite3.connect(tmp_path / "data" / "invoice.db") as database:
        database.execute(f"UPDATE customer_contacts SET {change}")
    database.close()
    done = ledgerline(tmp_path, "ingest")
    printed = " ".join((done.stdout + done.stderr).split())
    assert all(words in printed for words in told)
    assert "since the last run" not in printed


def test_nothing_is_written_into_the_invoice_database(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "5")
    before = tables(tmp_path / "data" / "invoice.db")
    same = {"DATABASE_URL": "sqlite:///data/../data/invoice.db"}
    for command in ("ingest", "migrate"):
        done = ledgerline(tmp_path, command, code=2, settings=same)
        assert "INVOICE_DATABASE_URL: It is the same database as DATABASE_URL" in done.stderr
    assert tables(tmp_path / "data" / "invoice.db") == before


def tables(file: Path) -> list[str]:
    with sqlite3.connect(file) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master ORDER BY name")]


def test_rejects_are_pointed_at_where_there_are_some(tmp_path: Path) -> None:
    ledgerline(tmp_path, "sample", "sqlite:///data/invoice.db", "--rows", "5")
    with sqlite3.connect(tmp_path / "data" / "invoice.db") as invoice:
        invoice.execute(
            "UPDATE customer_contacts SET contact_person_name = 'test', status = 'APP', del_sts = 'N'"
        )
    assert "ledgerline rejects" in ledgerline(tmp_path, "ingest").stdout
    again = ledgerline(tmp_path, "ingest", "--full").stdout
    assert "ledgerline rejects " in again
    assert "name_placeholder" in ledgerline(tmp_path, "rejects").stdout
    with sqlite3.connect(tmp_path / "data" / "invoice.db") as invoice:
        invoice.execute("DELETE FROM customer_contacts")
    assert "ledgerline rejects" not in ledgerline(tmp_path, "ingest", "--full", "--accept-withdrawals").stdout
