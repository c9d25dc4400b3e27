"""Looks at what alerts are decided from: databases as the probes see them, runs, backups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ledgerline.databases import going, runs, schedules
from ledgerline.databases.database import Database
from ledgerline.databases.run_figures import installed_at, last_run
from ledgerline.databases.runs import RUNNING, Run
from ledgerline.databases.schedules import Outcome
from ledgerline.operations.alerting import BackupsSeen, DatabaseSeen, RunsSeen, Seen
from ledgerline.operations.doctor_findings import Diagnosis
from ledgerline.operations.probe import State, Status
from ledgerline.settings import Settings

Diagnose = Callable[[Settings, Sequence[str]], Mapping[str, Diagnosis]]
_ENDED = (Outcome.SUCCEEDED, Outcome.FAILED)


class Observer:
    """Remembers what the doctor said of a database that is down, and since when a run has not moved."""

    def __init__(self, settings: Settings, system: str, diagnose: Diagnose) -> None:
        self._settings = settings
        self._system = system
        self._diagnose = diagnose
        self._told: dict[str, tuple[datetime, DatabaseSeen]] = {}
        self._mark: tuple[Any, ...] | None = None
        self._moved_at: datetime | None = None

    def without_main(self, states: Mapping[str, State | None]) -> Seen:
        return Seen(self._databases(states))

    def everything(
        self, states: Mapping[str, State | None], main: Database, backups: BackupsSeen, now: datetime
    ) -> Seen:
        """Raises DatabaseError when the main database cannot be read.

        backups  what their folder tells
        """
        by_schedule = schedules.last_started(main.begin_activity, "backup", _ENDED)
        return Seen(
            databases=self._databases(states),
            runs=self._runs(main, now),
            backups=replace(backups, last=by_schedule),
            since=installed_at(main),
        )

    def _databases(self, states: Mapping[str, State | None]) -> dict[str, DatabaseSeen]:
        return {name: self._database(name, state) for name, state in states.items() if state is not None}

    def _database(self, name: str, state: State) -> DatabaseSeen:
        if state.status is Status.DOWN:
            return self._down(name, state)
        self._told.pop(name, None)
        slow = self._settings.service.probe.slow_ms
        return DatabaseSeen(
            state.status,
            state.since,
            detail=f"Its answers take longer than PROBE_SLOW, {slow:,} ms.",
            remedy=(
                "See what the server is busy with, and whether a query of somebody locks others out.",
                "See how long a round trip takes: ledgerline doctor",
            ),
        )

    def _down(self, name: str, state: State) -> DatabaseSeen:
        """The doctor is asked once each time that it goes down."""
        since, seen = self._told.get(name, (None, None))
        if seen is None or since != state.since:
            seen = self._examined(name, state)
            self._told[name] = (state.since, seen)
        return seen

    def _examined(self, name: str, state: State) -> DatabaseSeen:
        diagnosis = self._diagnose(self._settings, [name])[name]
        wrong = next((check for check in diagnosis.checks if check.hinders), None)
        if wrong is not None:
            code = wrong.code.value if wrong.code else ""
            return DatabaseSeen(state.status, state.since, code, wrong.detail, wrong.remedy)
        error = state.last.error  # it has come back meanwhile
        if error is None:
            return DatabaseSeen(state.status, state.since)
        hint = tuple(error.hint.splitlines())
        return DatabaseSeen(state.status, state.since, error.code, error.public_detail, hint)

    def _runs(self, main: Database, now: datetime) -> RunsSeen:
        left = runs.unfinished(main, self._system, "ingest")
        at_work = next((run for run in left if run.status in RUNNING), None)
        is_interrupted = at_work is not None and going.is_interrupted(main, at_work)
        return RunsSeen(
            self._system,
            last=last_run(main, self._system, ("succeeded", "failed")),
            last_success=last_run(main, self._system, ("succeeded",)),
            at_work=at_work,
            unmoved_since=self._unmoved(main, at_work, now, is_interrupted=is_interrupted),
            is_interrupted=is_interrupted,
            by_schedule=schedules.last_started(main.begin_activity, "ingest", _ENDED),
        )

    def _unmoved(
        self, main: Database, run: Run | None, now: datetime, *, is_interrupted: bool
    ) -> datetime | None:
        progress = None if run is None else runs.progress(main, run.id)
        told = () if progress is None else tuple(progress[name] for name in ("stage", "done", "rows"))
        mark = None if run is None else (run.id, is_interrupted, *told)
        if mark != self._mark or self._moved_at is None:
            self._mark, self._moved_at = mark, now
        return None if run is None else self._moved_at
