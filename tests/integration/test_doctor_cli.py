"""`ledgerline doctor` as a person reads it, and as a script does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.test_cli import ledgerline
from tests.postgres import free_port

SAMPLE = {"INVOICE_DATABASE_URL": "sqlite:///data/invoice.db"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledgerline(tmp_path, "sample", SAMPLE["INVOICE_DATABASE_URL"], "--rows", "20")
    return tmp_path


def test_all_is_well(folder: Path) -> None:
    shown = ledgerline(folder, "doctor").stdout
    assert "✗" not in shown
    assert "invoice  connected" in shown
    assert [line.split()[1] for line in shown.splitlines() if "✓" in line][-2:] == ["speed", "speed"]
    assert not (folder / "data" / "main.db").exists()  # looking makes nothing


def test_a_failure_stands_over_its_steps(folder: Path) -> None:
    port = free_port()
    settings = {"INVOICE_DATABASE_URL": f"sqlserver://sa:pa55word@localhost:{port};database=invoice"}
    shown = ledgerline(folder, "doctor", code=3, settings=settings).stdout
    lines = shown[shown.index("invoice") :].splitlines()
    assert "not connected" in lines[0] and "port_refused" in lines[0]
    (wrong,) = [number for number, line in enumerate(lines) if "✗" in line]
    assert lines[wrong + 1].strip().startswith("→")
    assert "pa55word" not in shown


def test_the_guide_s_own_settings_are_looked_at(tmp_path: Path) -> None:
    """Its `.env` names a SQL Server on this machine, which is not there."""
    url = "sqlserver://localhost:1;database={};integratedSecurity=true;trustServerCertificate=true"
    settings = {"DATABASE_URL": url.format("main_db"), "INVOICE_DATABASE_URL": url.format("invoice")}
    found = json.loads(ledgerline(tmp_path, "doctor", "--json", code=3, settings=settings).stdout)
    assert {name: each["code"] for name, each in found.items()} == dict.fromkeys(
        ("main", "invoice"), "port_refused"
    )


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": "sqlserver://sa:pa55word@db;databose=x"}
    done = ledgerline(tmp_path, "doctor", "--json", code=2, settings=settings)
    found = json.loads(done.stdout)
    assert found["main"]["code"] == "settings_invalid"
    assert "databose" in found["main"]["checks"][0]["detail"]
    assert "pa55word" not in done.stdout + done.stderr
    assert "settings" in ledgerline(tmp_path, "doctor", code=2, settings=settings).stdout


def test_a_table_that_is_not_there(folder: Path) -> None:
    settings = {"INVOICE_TABLE": "[dbo_user_new].[customer_contact]"}
    shown = ledgerline(folder, "doctor", "--database", "invoice", code=1, settings=settings).stdout
    assert "table_missing" in shown
    assert "main" not in shown.split("invoice", 1)[0]
