"""What is started by schedule, and what becomes of it; the processes that would do it are stand-ins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.house import Installation

from ledgerline.app import App
from ledgerline.databases import schedules
from ledgerline.databases.alerts import Outbox
from ledgerline.errors import Cancelled, DatabaseUnreachable, LedgerlineError, RunInProgress
from ledgerline.operations.probe import Look, State, Status
from ledgerline.worker.duties import Duties

NOON = datetime(2026, 5, 1, 12)  # noqa: DTZ001


@dataclass
class Worker:
    run_id: int | None = None
    error: LedgerlineError | None = None
    is_over: bool = False

    def wait(self, seconds: float | None = None) -> bool:
        return self.is_over


@dataclass
class Workers:
    started: list[Worker] = field(default_factory=list)

    def start(self, kind: str, options: Mapping[str, Any]) -> Worker:
        assert (kind, dict(options)) == ("ingest", {})
        self.started.append(Worker())
        return self.started[-1]


class Process:
    """One that serves, with a schedule for every hour."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.workers = Workers()
        self._now = NOON
        up = State(Status.UP, NOON, Look(NOON, latency_ms=1))
        states: dict[str, State | None] = {"main": up, "invoice": up}
        self.duties = Duties(app, states.copy, workers=self.workers, sent_by=[], clock=lambda: self._now)

    def at(self, minutes: int) -> list[str]:
        """Let it be so many minutes after noon; what became of the times so far, the oldest first."""
        self._now = NOON + timedelta(minutes=minutes)
        self.duties.tick()
        return outcomes(self._app)


def outcomes(app: App) -> list[str]:
    return [fire.outcome for fire in schedules.latest(app.main.begin_activity)][::-1]


def quoting(error: LedgerlineError) -> LedgerlineError:
    error.quotes_server = True
    return error


@pytest.fixture
def house(tmp_path: Path) -> Installation:
    settings = {
        "INGEST_SCHEDULE": "0 * * * *",
        "SCHEDULE_CATCH_UP": "90m",
        "ALERT_OUTBOX": str(tmp_path / "alerts.db"),
        "BACKUP_URL": str(tmp_path / "backups"),
    }
    house = Installation("sqlite", tmp_path)
    house.environ |= settings
    with house.app() as app:
        app.migrate()
    return house


@pytest.fixture
def app(house: Installation) -> Iterator[App]:
    with house.app() as app:
        yield app


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "succeeded"),
        (quoting(DatabaseUnreachable("the server's own words")), "failed"),
        (RunInProgress("Somebody else runs it."), "skipped"),
        (Cancelled("Somebody stopped it."), "cancelled"),
    ],
)
def test_how_it_ended(app: App, error: LedgerlineError | None, outcome: str) -> None:
    process = Process(app)
    assert process.at(0) == ["armed"]
    assert process.at(60) == ["armed", "running"]
    (worker,) = process.workers.started
    worker.run_id, worker.error, worker.is_over = 7, error, True
    assert process.at(61) == ["armed", outcome]
    fire = schedules.last(app.main.begin_activity, "ingest")
    assert fire is not None
    assert (fire.run_id, fire.error_code) == (7, error.code if error else None)
    assert "own words" not in repr(fire)


def test_never_two_at_once(app: App) -> None:
    process = Process(app)
    process.at(0)
    process.at(60)
    assert process.at(120) == ["armed", "running", "skipped"]
    process.workers.started[0].is_over = True
    assert process.at(180) == ["armed", "succeeded", "skipped", "running"]
    assert len(process.workers.started) == 2


def test_of_what_was_missed_the_newest_is_made_up(app: App) -> None:
    process = Process(app)
    process.at(0)
    assert process.at(200) == ["armed", "running"]
    fire = schedules.last(app.main.begin_activity, "ingest")
    assert fire is not None
    assert (fire.due_at, fire.missed) == (NOON + timedelta(minutes=180), 2)


def test_what_is_too_old_is_noted_and_not_made_up(house: Installation) -> None:
    house.environ["INGEST_SCHEDULE"] = "0 */6 * * *"
    with house.app() as app:
        process = Process(app)
        process.at(0)
        assert process.at(6 * 60 + 91) == ["armed", "missed"]
        assert process.at(12 * 60) == ["armed", "missed", "running"]


def test_a_clock_that_was_years_ahead_does_not_end_a_schedule(app: App) -> None:
    process, month = Process(app), 30 * 24 * 60
    process.at(0)
    assert process.at(month) == ["armed", "running"]
    process.workers.started[0].is_over = True
    assert process.at(90) == ["armed", "armed"]  # what it had noted of the future is gone
    assert process.at(120) == ["armed", "armed", "running"]


def test_a_folder_of_backups_that_cannot_be_looked_at_is_told(house: Installation) -> None:
    house.environ["BACKUP_URL"] = "nosuch://backups"
    with house.app() as app:
        process, told = Process(app), []
        for minutes in (0, 59, 60):
            process.at(minutes)
            told.append([alert.title for alert in Outbox(app.main.begin_activity).open()])
    assert told == [[], [], ["The backups cannot be looked at"]]


def test_of_two_processes_one_starts_what_is_due(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    holders = (f"elsewhere:{number}/a" for number in itertools.count())  # of them nobody knows who is dead
    monkeypatch.setattr("ledgerline.worker.duties.new_holder", lambda: next(holders))
    processes = Process(app), Process(app)
    for minutes in (0, 60, 61):
        for process in processes:
            process.at(minutes)
    assert outcomes(app) == ["armed", "running"]
    assert [len(process.workers.started) for process in processes] == [1, 0]


def test_the_next_process_goes_on(app: App) -> None:
    first = Process(app)
    first.at(0)
    first.at(60)
    first.duties.stop()
    second = Process(app)
    assert second.at(61) == ["armed", "left"]  # how it ended stands in the runs
    assert second.at(120) == ["armed", "left", "running"]
    assert (len(first.workers.started), len(second.workers.started)) == (1, 1)
