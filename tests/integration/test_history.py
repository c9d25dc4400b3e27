"""What the command line tells of a contact, of a reject, and of what people put right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.house import Installation, contact
from typer.testing import CliRunner

from ledgerline.cli.main import app
from ledgerline.errors import LedgerlineError

ASHA = contact(1, "Asha Rao", "+91 98200 12345", "asha.rao@lotus.example", added_by="Kim")
OTHER_ASHA = contact(6, "Asha Rao", None, "asha@rao.example", designation="Director")
BRIDGE = contact(9, "Asha Rao", "98200 12345", "asha@rao.example")
DOV = contact(5, "Dov Katz", "NA", "none")


def ledgerline(house: Installation, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    for name, value in house.environ.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, LedgerlineError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def document(house: Installation, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    return json.loads(ledgerline(house, monkeypatch, *words, "--json"))


@pytest.fixture
def told(house: Installation) -> Installation:
    """Two contacts that became one, of which a person edited one field and a run changed another."""
    house.write_invoice([ASHA, OTHER_ASHA, DOV])
    house.ingest()
    house.add(BRIDGE)
    house.ingest()
    with house.app() as opened:
        opened.edit(1, {"designation": "Owner"}, by="Lea")
    house.update(1, contact_no="98200 54321")
    house.update(6, designation="Chair")
    house.ingest(check=False)
    return house


def test_the_history_of_a_contact(told: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    found = document(told, monkeypatch, "history", "1")
    fields = {field["field"]: field for field in found["fields"]}
    assert (fields["name"]["value"], fields["name"]["rule"]) == ("Asha Rao", "survivorship")
    assert fields["name"]["sourceRecordId"] in {"1", "6", "9"}
    owners = fields["owners"]
    assert (owners["value"], owners["sourceRecordId"], owners["changes"]) == ("Kim", "1", [])
    designation = fields["designation"]
    assert (designation["value"], designation["editedBy"], designation["suggestion"]) == (
        "Owner",
        "Lea",
        "Chair",
    )
    assert [(one["oldValue"], one["newValue"], one["rule"]) for one in designation["changes"]] == [
        ("Director", "Owner", "edit"),
        (None, "Director", "survivorship"),
    ]
    assert [source["sourceRecordId"] for source in found["sources"]] == ["1", "6", "9"]
    assert [row["contactId"] for row in found["joined"]] == [3]
    shown = ledgerline(told, monkeypatch, "history", "1")
    for words in (
        "Owner",
        "Lea",
        "the source says: Chair",
        "Director → Owner",
        "Contact 3 joined it in run 2",
    ):
        assert words in shown


def test_a_contact_that_joined_another_shows_where_it_went(
    told: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Contact 3 is one with contact 1" in ledgerline(told, monkeypatch, "history", "3")
    found = document(told, monkeypatch, "history", "3")
    assert (found["askedFor"], found["contactId"]) == (3, 1)


def test_of_a_contact_that_an_undo_took_away(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write_invoice([ASHA])
    undone = house.undo(house.ingest())
    with pytest.raises(LedgerlineError, match=f"run {undone.run.id}, an undo, took it away"):
        ledgerline(house, monkeypatch, "history", "1")
    with pytest.raises(LedgerlineError, match="no contact 7"):
        ledgerline(house, monkeypatch, "history", "7")


def test_edit_unmerge_and_undo_by_hand(told: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = ledgerline(
        told, monkeypatch, "edit", "1", "companyName=Lotus Ltd", "mobileE164=98200 77777", "--by", "Bo"
    )
    assert "Lotus Ltd" in shown
    assert "Bo" in shown
    found = document(told, monkeypatch, "edit", "1", "--withdraw", "designation", "--by", "Bo")
    assert {field["field"]: field["value"] for field in found["fields"]}["designation"] == "Chair"
    split = document(told, monkeypatch, "unmerge", "1")
    assert {row["sourceRecordId"]: row["contactId"] for row in split["records"]}["6"] == 3
    assert "undid run" in ledgerline(told, monkeypatch, "undo", str(split["runId"]))
    before = told.dump()
    shown = ledgerline(told, monkeypatch, "undo", "3", "--dry-run")
    assert "Dry run: this would undo run 3" in shown
    assert "Nothing was changed" in shown
    plan = document(told, monkeypatch, "undo", "3", "--dry-run")
    assert told.dump() == before
    undone = document(told, monkeypatch, "undo", "3")
    assert (undone["kept"], undone["records"]) == (plan["kept"], plan["records"])
    assert (plan["dryRun"], undone["dryRun"]) == (True, False)
    assert document(told, monkeypatch, "kept", str(undone["runId"])) == undone["kept"] != []
    assert "Kept" in ledgerline(told, monkeypatch, "kept", str(undone["runId"]))
    assert "kept nothing" in ledgerline(told, monkeypatch, "kept", str(split["runId"] + 1))
    assert (undone["kind"], undone["undoesRun"]) == ("undo", 3)
    assert [(one["field"], one["value"], one["changedBy"]) for one in undone["kept"]] == [
        ("furtherPhones", "+919820012345", "Bo"),
    ]
    assert "undo of 3" in ledgerline(told, monkeypatch, "runs")
    with pytest.raises(LedgerlineError, match="paused"):
        ledgerline(told, monkeypatch, "ingest", "--json")
    assert document(told, monkeypatch, "ingest", "--resume")["status"] == "succeeded"


@pytest.mark.parametrize("words", [("edit", "1"), ("edit", "1", "owner=Kim"), ("edit", "1", "name")])
def test_an_edit_that_makes_no_sense(
    told: Installation, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    with pytest.raises(LedgerlineError) as error:
        ledgerline(told, monkeypatch, *words)
    assert error.value.exit_code == 2
    assert error.value.hint


def test_a_reject_comes_back_only_when_its_row_or_the_rules_change(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write_invoice([DOV])
    first = house.ingest()
    assert len(house.rejects(first)) == 1
    assert house.rejects(house.ingest()) == [], "nothing changed: it is not tried again"
    house.update(5, contact_person_name="Dov B Katz")
    by_row = house.ingest()
    assert len(house.rejects(by_row)) == 1
    by_rules = house.ingest(DEFAULT_COUNTRY_CODE="US")
    assert len(house.rejects(by_rules)) == 1
    house.update(5, contact_no="(202) 555-0143")
    accepted = house.ingest()
    assert accepted.counts["inserted"] == 1
    lines = ledgerline(house, monkeypatch, "rejects", "--record", "5", "--json").splitlines()
    assert [(line["runId"], line["resolvedRun"]) for line in map(json.loads, lines)] == [
        (first.id, by_row.id),
        (by_row.id, by_rules.id),
        (by_rules.id, accepted.id),
    ]
    assert f"in run {accepted.id}" in ledgerline(house, monkeypatch, "rejects", "--record", "5")
    assert "never rejected" in ledgerline(house, monkeypatch, "rejects", "--record", "77")
    assert "No row was rejected" in ledgerline(house, monkeypatch, "rejects")


def test_open_rejects_by_reason(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write_invoice([DOV, contact(7, "Eva Berg", "000", "none")])
    house.ingest()
    shown = ledgerline(house, monkeypatch, "rejects", "--limit", "1")
    assert "2 no_email_or_phone" in shown
    assert shown.count("row ") == 1
    assert len(ledgerline(house, monkeypatch, "rejects", "--json").splitlines()) == 2
