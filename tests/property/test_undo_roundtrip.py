"""Whatever happens to a source, undoing a run gives what was before it, and undoing that what came after.

With later runs in between nothing is lost but what the run did: the tables hold together after every undo
(see tests.house), and undoing the undo of everything, the newest first, is undoing run by run.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.house import Installation, check_tables, contact
from tests.postgres import PostgresServer

from ledgerline.databases.runs import Run
from ledgerline.errors import UndoRefused

NAMES = ("Asha Rao", "A. Rao", "Asha Rao", "Bram de Vries", "Cara Lind", "test", "")
PHONES = ("98200 12345", "+919820054321", "98200 12345 / 022 2345 6789", "98200 11111", "0000000000", None)
EMAILS = ("asha@rao.example", "rao@home.example", "asha@rao.example; info@shop.example", "none", None)
TABLES = ("contacts", "contact_points", "contact_owners", "source_records", "source_states")


def state(house: Installation) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    tables = {name: house.table(name) for name in TABLES}
    rejects = [{**row, "reopened_from": None} for row in house.open_rejects()]
    suggestions = [row for row in house.table("match_suggestions") if row["status"] == "OPEN"]
    return {**tables, "rejects": rejects, "suggestions": suggestions}


def any_row(dice: random.Random, key: int) -> dict[str, Any]:
    return contact(
        key,
        dice.choice(NAMES),
        dice.choice(PHONES),
        dice.choice(EMAILS),
        designation=dice.choice((None, "Director", "Vendor")),
        added_by=dice.choice((None, "Kim", "Lea")),
        del_sts=dice.choice("NNNY"),
    )


def change_source(dice: random.Random, house: Installation) -> None:
    """Some rows go, some come, some change; a row that comes back is another."""
    for key in range(1, 9):
        if dice.random() < 0.5:
            house.delete(key)
            if dice.random() < 0.8:
                house.add(any_row(dice, key))


@contextmanager
def sqlite_house() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as folder:
        house = Installation("sqlite", Path(folder))
        house.write_invoice([])
        with house.app() as app:
            app.migrate()
        yield house


def run_and_undo(dice: random.Random, house: Installation) -> None:
    """A few runs; each is undone and redone at once."""
    for _ in range(3):
        change_source(dice, house)
        before = state(house)
        run = house.ingest(resume=True)
        after = state(house)
        undone = house.undo(run, strict=True)
        assert state(house) == before
        house.undo(undone.run, strict=True)
        assert state(house) == after


@pytest.mark.parametrize("seed", range(4))
def test_there_and_back(seed: int) -> None:
    with sqlite_house() as house:
        run_and_undo(random.Random(seed), house)


def test_there_and_back_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([])
    with house.app() as app:
        app.migrate()
    run_and_undo(random.Random(1), house)


def ingested(dice: random.Random, house: Installation, count: int) -> tuple[list[Run], list[Any]]:
    runs, states = [], [state(house)]
    for _ in range(count):
        change_source(dice, house)
        runs.append(house.ingest())
        states.append(state(house))
    return runs, states


@pytest.mark.parametrize("seed", range(2))
def test_run_by_run_the_newest_first(seed: int) -> None:
    """And all the undos undone, the newest first."""
    with sqlite_house() as house:
        runs, states = ingested(random.Random(seed), house, 3)
        undone = []
        for run, before in reversed(list(zip(runs, states, strict=False))):
            undone.append(house.undo(run, strict=True))
            assert state(house) == before
        for undo, after in zip(reversed(undone), states[1:], strict=True):
            house.undo(undo.run, strict=True)
            assert state(house) == after


@pytest.mark.parametrize("seed", range(4))
def test_an_earlier_run(seed: int) -> None:
    """The tables hold together, and what the sources say is there again after the next run."""
    dice = random.Random(seed)
    with sqlite_house() as house:
        runs, _ = ingested(dice, house, 3)
        undone = house.undo(dice.choice(runs))
        check_tables(house)
        if dice.random() < 0.5:
            house.undo(undone.run)
            check_tables(house)
        house.ingest(resume=True)
        assert house.ingest().counts["updated"] == 0


@pytest.mark.parametrize("seed", [26, 2, 8])
def test_runs_splits_and_undos_in_any_order(seed: int) -> None:
    dice = random.Random(seed)
    with sqlite_house() as house:
        for _ in range(7):
            step = dice.choice([ingest_changes, ingest_changes, undo_any, undo_any, split_any])
            step(dice, house)
            check_tables(house)
        house.ingest(resume=True)
        again = house.ingest()
        assert (again.counts["inserted"], again.counts["updated"], again.counts["merged"]) == (0, 0, 0)


def ingest_changes(dice: random.Random, house: Installation) -> None:
    change_source(dice, house)
    house.ingest(resume=True)


def undo_any(dice: random.Random, house: Installation) -> None:
    """Of those that are undone already it is refused."""
    if runs := house.runs():
        with suppress(UndoRefused):
            house.undo(dice.choice(runs))


def split_any(dice: random.Random, house: Installation) -> None:
    if merged := [row["id"] for row in house.contacts() if len(row["sourceRecordIds"]) > 1]:
        with house.app() as app:
            app.unmerge(dice.choice(merged))
