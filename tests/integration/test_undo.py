"""A run that is undone leaves the main database as it was; undone again, as it was after it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.house import Installation, check_tables, contact

from ledgerline.cli.corrections import kept as kept_command
from ledgerline.cli.corrections import undo as undo_command
from ledgerline.databases import runs
from ledgerline.databases.runs import Run
from ledgerline.databases.schema import ingestion_runs, leases, messages
from ledgerline.errors import Cancelled, LeaseLost, RunInProgress, SourcePaused, UndoRefused, UsageError
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.ingest.undo import Undone

ASHA = contact(1, "Asha Rao", "+91 98200 12345", "asha.rao@lotus.example", added_by="Kim")
ASHA_AGAIN = contact(2, "Asha Rao", "98200 12345, 98200 54321", "asha@rao.example", designation="Director")
BRAM = contact(3, "Bram de Vries", "+31 6 12345678", "bram@devries.example", added_by="Kim")
CARA = contact(4, "Cara Lind", None, "cara.lind@nordic.example")
UNREACHABLE = contact(5, "Dov Katz", "NA", "none")
OTHER_ASHA = contact(6, "Asha Rao", None, "asha@rao.example")
BRIDGE = contact(9, "Asha Rao", "98200 12345", "asha@rao.example")

TABLES = ("contacts", "contact_points", "contact_owners", "source_records", "source_states")


def state(house: Installation) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """All that a run is to leave as it was."""
    tables = {name: house.table(name) for name in TABLES}
    rejects = [{**row, "resolved_run": None, "reopened_from": None} for row in house.open_rejects()]
    suggestions = [row for row in house.table("match_suggestions") if row["status"] == "OPEN"]
    return {**tables, "rejects": rejects, "suggestions": suggestions}


def check_there_and_back(house: Installation, run: Run, before: Any) -> None:
    """Undo the run, undo that, and so on: nothing is kept, and each time all is as it was."""
    after = state(house)
    first = house.undo(run, strict=True)
    assert state(house) == before
    second = house.undo(first.run, strict=True)
    assert state(house) == after
    third = house.undo(second.run, strict=True)
    assert state(house) == before
    house.undo(third.run, strict=True)
    assert state(house) == after
    assert not house.table("undo_kept")


def test_a_first_load(house: Installation) -> None:
    house.write_invoice([ASHA, ASHA_AGAIN, BRAM, CARA, UNREACHABLE])
    with house.app() as app:
        app.migrate()
    before = state(house)
    run = house.ingest()
    check_there_and_back(house, run, before)


def test_changes_merges_withdrawals_and_rejects(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM, CARA, UNREACHABLE, OTHER_ASHA])
    house.ingest()
    before = state(house)
    house.add(BRIDGE)  # makes one of two contacts
    house.update(3, contact_no="+31 6 87654321, +31 6 11112222", added_by="Lea, Kim")
    house.delete(4)
    house.update(5, contact_no="98200 99999")
    house.add(contact(7, "test", "NA", None))
    run = house.ingest()
    assert len([row for row in house.table("contacts") if row["merged_into"]]) == 1
    check_there_and_back(house, run, before)


def test_the_source_is_paused_until_it_is_resumed(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    run = house.ingest()
    house.undo(run)
    with pytest.raises(SourcePaused) as paused:
        house.ingest()
    assert paused.value.code == "source_paused"
    assert "ledgerline ingest --resume" in paused.value.hint
    assert house.contacts() == []
    again = house.ingest(resume=True)
    assert again.counts["inserted"] == 2
    assert {row["id"] for row in house.contacts()} == {3, 4}, "no id is given twice"
    assert house.ingest().counts["unchanged"] == 2


def test_undoing_the_undo_ends_the_pause(house: Installation) -> None:
    house.write_invoice([ASHA])
    run = house.ingest()
    house.undo(house.undo(run).run)
    assert house.ingest().counts["unchanged"] == 1


def test_what_cannot_be_undone(house: Installation) -> None:
    house.write_invoice([ASHA])
    run = house.ingest()
    undone = house.undo(run)
    with pytest.raises(UndoRefused, match=f"undone already, by run {undone.run.id}"):
        house.undo(run)
    with pytest.raises(UsageError, match="no run"), house.app() as app:
        app.undo(99)
    assert (undone.run.kind, undone.run.undoes_run) == ("undo", run.id)
    house.undo(undone.run)
    house.undo(run)
    assert house.contacts() == []


# -- what came later is kept -------------------------------------------------------------------------------


def kept(undone: Undone) -> set[tuple[str, str | None, str | None, str | None]]:
    return {(one.reason, one.changed_by, one.field, one.value) for one in undone.kept}


def test_a_person_s_edit_is_kept_and_listed(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    house.update(1, designation="Director", contact_no="98200 54321")
    run = house.ingest()
    with house.app() as app:
        app.edit(1, {"designation": "Owner"}, by="Lea")
    before = house.dump()
    with pytest.raises(UndoRefused, match=r"contact 1 \(designation\)"):
        house.undo(run, strict=True)
    assert house.dump() == before
    assert [row.kind for row in house.runs()] == ["ingest", "ingest"], "nothing was changed"
    undone = house.undo(run)
    assert kept(undone) == {("edited", "Lea", "designation", "Owner")}
    assert undone.kept[0].value_before is None
    (asha, _) = house.table("contacts")
    assert (asha["designation"], asha["mobile_e164"]) == ("Owner", "+919820012345")
    assert len(house.table("undo_kept")) == 1


def test_what_a_later_run_changed_is_kept_and_listed(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    house.update(1, designation="Director")
    house.update(3, designation="Vendor")
    run = house.ingest()
    house.update(1, designation="Owner")
    later = house.ingest()
    with pytest.raises(UndoRefused):
        house.undo(run, strict=True)
    undone = house.undo(run)
    assert ("changed", str(later.id), "designation", "Owner") in kept(undone)
    designations = {row["id"]: row["designation"] for row in house.table("contacts")}
    assert designations == {1: "Owner", 2: None}
    check_tables(house)


def test_of_many_kept_values_the_first_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = Installation("sqlite", tmp_path)
    house.write_invoice([contact(n, f"Asha Rao{'a' * n}", f"98201 {n:05}") for n in range(1, 31)])
    run = house.ingest()
    with house.app() as app:
        for contact_id in range(1, 31):
            app.edit(contact_id, {"designation": "Owner"}, by="Lea")
    monkeypatch.chdir(tmp_path)
    for name, value in house.environ.items():
        monkeypatch.setenv(name, value)
    undo_command(run.id, dry_run=True)
    assert "… and 10 more, --json lists them" in capsys.readouterr().out
    undo_command(run.id)
    told = capsys.readouterr().out
    assert told.count("all of it") == 20
    assert f"… and 10 more, see: ledgerline kept {run.id + 1}\n" in told
    kept_command(run.id + 1)
    assert capsys.readouterr().out.count("all of it") == 30


def test_a_merge_is_undone_though_a_later_run_changed_a_record_of_it(house: Installation) -> None:
    house.write_invoice([ASHA, OTHER_ASHA])
    house.ingest()
    house.add(BRIDGE)
    run = house.ingest()
    house.update(6, designation="Chair")
    house.ingest()
    undone = house.undo(run)
    check_tables(house)
    contacts = {row["id"]: row for row in house.table("contacts")}
    assert set(contacts) == {1, 2}
    assert (contacts[2]["merged_into"], contacts[2]["designation"]) == (None, "Chair")
    assert contacts[1]["designation"] is None
    assert undone.records == {"delete": 1, "membership": 1}


def test_a_contact_that_somebody_edited_or_wrote_to_stays_inactive(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM, CARA])
    run = house.ingest()
    with house.app() as app:
        app.edit(1, {"designation": "Owner"}, by="Lea")
        with app.main.begin() as connection:
            message = {"contact_id": 2, "channel": "EMAIL", "created_at": datetime(2026, 11, 1)}  # noqa: DTZ001
            connection.execute(messages.insert().values(**message))
    after = house.contacts()
    undone = house.undo(run)
    assert kept(undone) == {("edited", "Lea", None, None), ("in_use", None, None, None)}
    assert [(row["id"], row["is_active"]) for row in house.table("contacts")] == [(1, False), (2, False)]
    assert house.table("source_records") == []
    house.undo(undone.run)
    assert house.contacts() == after


def test_a_contact_that_only_lends_itself_to_a_record_goes_with_it(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    first = house.ingest()
    house.add(contact(2, ASHA["contact_person_name"], email=ASHA["contact_person_email"]))
    second = house.ingest()  # which joins, and changes nothing
    house.undo(first)
    assert [row["contact_id"] for row in house.table("source_records")] == [1]
    house.undo(second)
    assert house.table("source_records") == []
    assert house.contacts() == []


def test_an_edited_contact_is_as_it_was_before_the_run_also_where_it_was_inactive(
    house: Installation,
) -> None:
    house.write_invoice([ASHA])
    house.ingest()
    with house.app() as app:
        app.edit(1, {"designation": "Head"}, by="Kim")
    house.update(1, del_sts="Y")
    house.ingest()
    before = state(house)
    house.update(
        1, del_sts="N", contact_person_name="Bram de Vries", contact_person_email="bram@devries.example"
    )
    undone = house.undo(house.ingest(check=False), strict=True)
    assert state(house) == before
    house.undo(undone.run, strict=True)
    (bram,) = house.table("contacts")
    assert (bram["name"], bram["designation"], bram["is_active"]) == ("Bram de Vries", "Head", True)


@pytest.mark.parametrize("order", ["BA", "AB", "BAb", "ABa"])
def test_what_an_undone_run_read_is_read_again(house: Installation, order: str) -> None:
    """A and B are undone in some order, and b and a are the undos that are undone."""
    moment = sa.Column("updated_at", sa.DateTime)
    rows = [{**row, "updated_at": ago(days=9)} for row in (ASHA, BRAM, CARA)]
    house.write_invoice(rows, further=[moment])
    house.ingest(INVOICE_OVERLAP="1s")
    house.update(3, designation="Head of A", updated_at=ago(minutes=40))
    runs_of = {"A": house.ingest()}
    house.update(4, designation="Head of B", updated_at=ago(minutes=20))
    runs_of["B"] = house.ingest()
    assert all(run.since is not None and run.counts["updated"] == 1 for run in runs_of.values())
    for step in order:
        runs_of[step.lower() if step.isupper() else ""] = house.undo(runs_of[step]).run
    house.ingest(resume=True)
    designations = {row["source_record_id"]: row["designation"] for row in house.table("source_records")}
    assert designations == {"1": None, "3": "Head of A", "4": "Head of B"}


def ago(**time: float) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(**time)


def test_an_undo_gives_up_a_run_that_was_to_be_resumed(house: Installation) -> None:
    house.write_invoice([ASHA])
    run = house.ingest()
    house.add(BRAM)
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Cancelled):
        house.ingest(cancel=cancel)
    house.undo(run)
    assert [(row.status, row.error_code) for row in house.runs()][1] == ("failed", "superseded")
    assert house.ingest(resume=True).counts["inserted"] == 2


def test_a_run_without_before_images(house: Installation) -> None:
    """As an earlier version made them."""
    house.write_invoice([ASHA])
    run = house.ingest()
    with house.main() as main, main.begin() as connection:
        connection.execute(ingestion_runs.update().values(state_before=None))
    with pytest.raises(UndoRefused, match="no before-images"):
        house.undo(run)


def test_an_undo_waits_for_no_run_that_is_going(house: Installation) -> None:
    house.write_invoice([ASHA])
    run = house.ingest()
    with house.main() as main, main.begin() as connection:
        elsewhere = f"{socket.gethostname()}:{os.getppid()}"
        connection.execute(leases.update().values(holder=elsewhere, run_id=run.id))
    before = house.dump()
    with pytest.raises(RunInProgress):
        house.undo(run)
    with pytest.raises(RunInProgress), house.app() as app:
        app.withdraw(1, ["name"], by="Kim")
    assert house.dump() == before


def test_a_process_that_lost_its_lease_cannot_undo(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write_invoice([ASHA])
    run = house.ingest()
    before = house.dump()
    acquire = runs.acquire
    monkeypatch.setattr(runs, "acquire", lambda *given, **named: replace(acquire(*given, **named), token=0))
    with pytest.raises(LeaseLost):
        house.undo(run)
    monkeypatch.undo()
    assert house.dump() == before


@pytest.mark.parametrize("turns", ["BABA", "ABAB", "ABBA", "BAAB", "BABBBA"])
def test_a_reject_is_open_while_its_run_is_in_effect_and_the_one_that_settled_it_is_not(
    house: Installation, turns: str
) -> None:
    house.write_invoice([ASHA, BRAM, contact(5, "Dov Katz", email="none")])
    last = {"A": house.ingest()}
    house.change("DELETE FROM {contacts} WHERE contactid = 5")
    last["B"] = house.ingest(wanted=Wanted(full=True))
    in_effect = {"A": True, "B": True}
    for turn in turns:
        last[turn] = house.undo(last[turn]).run
        in_effect[turn] = not in_effect[turn]
        assert len(house.open_rejects()) == int(in_effect["A"] and not in_effect["B"])


def test_a_reject_that_was_settled_twice_stays_settled(house: Installation) -> None:
    house.write_invoice([ASHA, contact(5, "Dov Katz", email="none")])
    house.ingest()
    house.update(5, contact_person_email="dov@katz.example")
    settled = house.ingest()
    undone = house.undo(settled)
    again = house.ingest(resume=True)
    house.undo(again, strict=True)
    house.undo(undone.run, strict=True)
    assert house.open_rejects() == []
