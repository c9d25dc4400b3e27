"""A run that is undone leaves the main database as it was; undone again, as it was after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.house import Installation, contact

from ledgerline.databases.runs import Run
from ledgerline.errors import SourcePaused, UndoRefused, UsageError

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
