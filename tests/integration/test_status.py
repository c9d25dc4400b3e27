"""The status of both databases: the guide's document, and what happens where a table cannot be counted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp
from tests.house import Installation, contact
from tests.integration.test_cli import ledgerline
from tests.postgres import PostgresServer, free_port

from ledgerline.cli.diagnosis import _print_activity
from ledgerline.databases.engines.sqlserver import unconnected_dialect
from ledgerline.databases.migrate import newest_revision
from ledgerline.documents import status_document
from ledgerline.operations import status as operations
from ledgerline.operations.status import Activity, activity, count_up_to, status
from ledgerline.settings import Settings, load_settings


def documents(settings: Settings) -> dict[str, Any]:
    return {name: status_document(each) for name, each in status(settings).items()}


def test_the_guide_s_document(house: Installation) -> None:
    house.write_invoice([contact(n, "Asha Rao", email=f"asha{n}@{n}.example.in") for n in range(5)], {1: "A"})
    house.ingest()
    found = documents(house.settings)
    assert found["invoice"] == {
        "connected": True,
        "tables": ["customer_contacts", "customers"],
        "recordCounts": {"customer_contacts": 5},
    }
    main = found["main"]
    assert set(main) == {"connected", "tables", "recordCounts"}
    assert main["tables"][:4] == ["contacts", "owners", "templates", "messages"]
    assert set(main["tables"]) == house.table_names()
    assert main["recordCounts"] == {
        name: len(house.table(name)) for name in ("contacts", "owners", "templates", "messages")
    }
    assert main["recordCounts"]["contacts"] == 5  # five mailboxes of five companies


def test_a_large_table_is_estimated(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "EXACT_ROWS", 30)
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([contact(n, "A") for n in range(50)])
    unknown = documents(house.settings)["invoice"]  # of a new table the server knows nothing yet
    assert (unknown["recordCounts"], unknown["estimated"]) == (
        {"customer_contacts": 31},
        ["customer_contacts"],
    )
    house.change("ANALYZE {contacts}")
    known = documents(house.settings)["invoice"]
    assert (known["recordCounts"], known["estimated"]) == ({"customer_contacts": 50}, ["customer_contacts"])


def test_an_embedded_table_is_counted_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Installation("sqlite", tmp_path)
    house.write_invoice([contact(n, "A") for n in range(50)])
    for bound, expected in ((50, (50, None)), (30, (31, ["customer_contacts"]))):
        monkeypatch.setattr(operations, "EMBEDDED_ROWS", bound)
        found = documents(house.settings)["invoice"]
        assert (found["recordCounts"]["customer_contacts"], found.get("estimated")) == expected


def test_tables_that_are_not_there(house: Installation) -> None:
    house.write_invoice([contact(1, "A")])
    with house.app() as app:
        app.migrate()
    with house.main() as database, database.begin() as connection:
        connection.execute(sa.text("DROP TABLE messages"))
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[nothing]"
    found = documents(house.settings)
    assert found["main"]["recordCounts"] == {"contacts": 0, "owners": 0, "templates": 0, "messages": None}
    assert found["main"]["errors"]["messages"]["code"] == "table_missing"
    assert found["invoice"]["recordCounts"] == {"nothing": None}
    assert found["invoice"]["tables"] == ["customer_contacts"]


def test_a_table_that_may_not_be_read(postgres: PostgresServer, tmp_path: Path) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([contact(1, "A")])
    house.change("DO $$ BEGIN CREATE ROLE onlooker LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    house.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"].replace(
        "//postgres@", "//onlooker@"
    )
    found = documents(house.settings)["invoice"]
    assert found["connected"]
    assert found["recordCounts"] == {"customer_contacts": None}
    assert found["errors"]["customer_contacts"]["code"] == "permission_denied"


def test_a_table_that_is_locked_is_not_waited_for(postgres: PostgresServer, tmp_path: Path) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([contact(1, "A")])
    with psycopg.connect(house.environ["INVOICE_DATABASE_URL"]) as connection:
        connection.execute("LOCK TABLE dbo_user_new.customer_contacts IN ACCESS EXCLUSIVE MODE")
        found = documents(house.settings)["invoice"]
    assert found["recordCounts"] == {"customer_contacts": None}
    assert found["errors"]["customer_contacts"]["code"] == "transient_fault"


def test_a_database_that_cannot_be_reached(tmp_path: Path) -> None:
    settings = {"INVOICE_DATABASE_URL": f"postgresql://app:pa55word@127.0.0.1:{free_port()}/invoice"}
    settings["DATABASE_URL"] = f"sqlite:///{tmp_path / 'nowhere' / 'main.db'}"
    found = documents(load_settings(settings, folder=tmp_path / "no-env-files-here"))
    for each in found.values():
        assert (each["connected"], each["tables"], each["recordCounts"]) == (False, [], {})
    assert found["invoice"]["error"]["code"] == "cannot_connect"
    assert "pa55word" not in str(found)
    assert not (tmp_path / "nowhere").exists()


def test_what_ran_last(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "9876543210")])
    first = house.ingest()
    with house.app() as app:
        found = activity(app.settings)
    assert found.revision == found.newest
    (source,) = found.sources
    assert (source.system, source.last.id) == ("INVOICE", first.id)
    assert source.last_success is not None and source.last_success.id == first.id


def test_a_main_database_without_tables_has_no_runs(postgres: PostgresServer, tmp_path: Path) -> None:
    found = activity(Installation("postgresql", tmp_path, postgres).settings)
    assert (found.revision, found.sources) == (None, ())


def test_tables_of_an_earlier_version_tell_of_no_runs(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "9876543210")])
    house.ingest()
    with house.main() as main, main.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
        connection.exec_driver_sql("ALTER TABLE ingestion_runs DROP COLUMN undoes_run")  # came with 0003
    found = activity(house.settings)
    assert (found.revision, found.sources, found.is_current) == ("0002", (), False)


@pytest.mark.parametrize(
    ("revision", "step"),
    [("0001", "Run: ledgerline migrate"), ("9999", "A later version made them: run it.")],
)
def test_what_to_do_about_another_revision(
    capsys: pytest.CaptureFixture[str], revision: str, step: str
) -> None:
    _print_activity(Activity(revision, newest_revision(), ()))
    assert step in capsys.readouterr().out


@pytest.mark.parametrize("schema", [None, "dbo_user_new"])
def test_the_count_is_bounded_in_t_sql_too(schema: str | None) -> None:
    text = str(
        count_up_to(101, "contacts", schema).compile(
            dialect=unconnected_dialect(), compile_kwargs={"literal_binds": True}
        )
    )
    parsed = sqlglot.parse_one(text, dialect="tsql")
    assert parsed.find(exp.Count)
    assert "TOP 101" in text


def test_the_command(tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": "sqlite:///data/main.db",
        "INVOICE_DATABASE_URL": "sqlite:///data/invoice.db",
    }
    ledgerline(tmp_path, "sample", settings["INVOICE_DATABASE_URL"], "--rows", "60", settings=settings)
    assert "doctor" in ledgerline(tmp_path, "status", code=3, settings=settings).stdout
    ledgerline(tmp_path, "ingest", settings=settings)
    shown = ledgerline(tmp_path, "status", settings=settings).stdout
    assert re.search(r"60\s+customer_contacts", shown)
    assert re.search(r"INVOICE\s+run 1 succeeded", shown)
    assert "the newest" in shown
