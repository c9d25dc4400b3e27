"""What the service does by itself: runs and backups by schedule, and alerts.

Every process that serves would do it, and one does: whoever holds the duty in the main database. Runs and
backups are processes of their own (ADR 12). Without the main database no schedule is seen to, as nothing can
be written; alerts go on from a file, on every machine for itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa

from ledgerline.app import SYSTEM, App
from ledgerline.databases import schedules
from ledgerline.databases.duties import Contender, Duty, new_holder
from ledgerline.databases.runs import utc_now
from ledgerline.databases.schedules import Fire, Outcome
from ledgerline.errors import Cancelled, LedgerlineError, RunInProgress
from ledgerline.operations.alert_desk import Desk
from ledgerline.operations.alerting import BackupsSeen
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.channels import Channel, channels
from ledgerline.operations.doctor import diagnose
from ledgerline.operations.observing import Diagnose, Observer
from ledgerline.operations.probe import State, Status
from ledgerline.operations.schedules import Arm, Due, Schedule, configured, decide
from ledgerline.url import Engine
from ledgerline.worker.starting import Workers

_log = logging.getLogger(__name__)

PERIOD_SECONDS: Final = 5.0
_LOOK_AT_BACKUPS_EVERY: Final = timedelta(minutes=5)
_LOOK_SECONDS: Final = 5.0
_GLANCE_SECONDS: Final = 0.2
_DUTY: Final = "background"


class Working(Protocol):
    """A worker as it is seen here; see `starting.Worker`."""

    run_id: int | None
    error: LedgerlineError | None

    def wait(self, seconds: float | None = None) -> bool: ...


class Starts(Protocol):
    def start(self, kind: str, options: Mapping[str, Any]) -> Working: ...


@dataclass(frozen=True, slots=True)
class _AtWork:
    fire: Fire
    worker: Working


class Duties:
    """Between `start` and `stop` a thread does what is due; or somebody calls `tick`."""

    def __init__(
        self,
        app: App,
        states: Callable[[], Mapping[str, State | None]],
        *,
        workers: Starts | None = None,
        sent_by: Sequence[Channel] | None = None,
        diagnosed: Diagnose = diagnose,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """states: how the databases are, by name; clock: UTC without a zone."""
        self._app = app
        self._states = states
        self._workers: Starts = workers or Workers()
        self._clock = clock
        self._holder = new_holder()
        self._contender = Contender(_DUTY, self._begin, self._holder, monotonic)
        ways = channels(app.settings.alerts) if sent_by is None else sent_by
        self._desk, self._desk_beside = (
            Desk(app.settings, self._begin, ways, self._holder, monotonic) for _ in range(2)
        )
        self._observer, self._observer_beside = (Observer(app.settings, SYSTEM, diagnosed) for _ in range(2))
        self._main_part: threading.Thread | None = None
        self._at_work: dict[str, _AtWork] = {}
        self._token: int | None = None
        self._looked_at: datetime | None = None
        self._look: threading.Thread | None = None
        self._is_folder_known = False
        self._blind: tuple[datetime, LedgerlineError] | None = None  # since when, and why
        self._told: str | None = None  # the code of what failed last
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="duties", daemon=True)
        self.last_proven: Manifest | None = None

    def _begin(self) -> AbstractContextManager[sa.Connection]:
        return self._app.main.begin_activity()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was started goes on; another process takes the duty over."""
        self._stopping.set()
        for thread in (self._thread, self._main_part):
            if thread is not None and thread.is_alive():
                thread.join(PERIOD_SECONDS)
                if thread.is_alive():  # it ends with the process, and that is seen by whoever comes next
                    return
        try:
            if self._token is not None and self._is_main_there():
                self._contender.release()
            self._desk.close()
            self._desk_beside.close()
        except LedgerlineError as error:
            _log.warning("The duties were not handed over.", extra={"code": error.code})

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.tick()
            self._stopping.wait(PERIOD_SECONDS)

    def tick(self) -> None:
        """Do what is due now. Raises nothing: the next one tries again.

        What asks the main database has a thread of its own, and is left alone where that hangs: when the
        probe says so, alerts go on without it.
        """
        self._look_at_backups(self._clock())
        if self._is_main_down():
            self._try(self._do_without_main)
        elif self._main_part is None or not self._main_part.is_alive():
            self._main_part = threading.Thread(
                target=self._try, args=(self._do,), name="duties-main", daemon=True
            )
            self._main_part.start()
            while self._main_part.is_alive() and not (self._is_main_down() or self._stopping.is_set()):
                self._main_part.join(_GLANCE_SECONDS)

    def _is_main_down(self) -> bool:
        main = self._states().get("main")
        return main is not None and main.status is Status.DOWN

    def _try(self, work: Callable[[datetime], None]) -> None:
        try:
            work(self._clock())
            self._told = None
        except LedgerlineError as error:
            if self._told != error.code:
                _log.warning("The duties of the service: %s", error.public_detail, extra={"code": error.code})
            self._told = error.code
        except Exception:  # noqa: BLE001  nobody is there to catch it, and the next tick may do better
            _log.exception("The duties of the service failed.")

    def _do_without_main(self, now: datetime) -> None:
        self._desk_beside.update_without_main(self._observer_beside.without_main(self._states()), now)

    def _do(self, now: datetime) -> None:
        if self._states().get("main") is None or not self._is_main_there():
            return
        self._hear(now)
        duty = self._contender.hold(now)
        if duty is None:
            self._token = None
            self._desk.bring_home(now)
            return
        if self._token != duty.token:
            schedules.leave(self._begin, duty, self._holder, now)
            self._token = duty.token
        for schedule in configured(self._app.settings):
            self._see_to(schedule, duty, now)
        self._tell(duty, now)

    def _tell(self, duty: Duty, now: datetime) -> None:
        """Tell of what is wrong now, and is not told yet.

        Whoever comes here may have waited for the database for long, while the other way told what it saw:
        that is known first, and while the database is still taken to be down, it is left to that way.
        """
        self._desk.bring_home(now)
        seen = self._observer.everything(self._states(), self._app.main, self._backups_seen(), now)
        if not self._is_main_down():
            self._desk.update(duty, seen, now)

    def _is_main_there(self) -> bool:
        """An embedded one that was taken away would be made anew by whoever opens it."""
        url = self._app.settings.main.url
        return url.engine is not Engine.SQLITE or Path(url.database).exists()

    # -- backups -------------------------------------------------------------------------------------------

    def _look_at_backups(self, now: datetime) -> None:
        """Every process does: it is asked for the figures. A folder that is far away is not waited for."""
        is_looking = self._look is not None and self._look.is_alive()
        is_recent = self._looked_at is not None and now - self._looked_at < _LOOK_AT_BACKUPS_EVERY
        if is_looking or is_recent:
            return
        self._looked_at = now
        self._look = threading.Thread(target=self._find_last_proven, name="look-backups", daemon=True)
        self._look.start()
        self._look.join(_LOOK_SECONDS)

    def _find_last_proven(self) -> None:
        try:
            self.last_proven = self._app.backups.last_proven()
            self._is_folder_known, self._blind = True, None
        except LedgerlineError as error:
            self._blind = (self._blind[0] if self._blind else self._clock(), error)
            _log.warning("The backups cannot be looked at.", extra={"code": error.code})

    def _backups_seen(self) -> BackupsSeen:
        at = None if self.last_proven is None else self.last_proven.proven_at
        proven_at = None if at is None else at.astimezone(UTC).replace(tzinfo=None)
        since, why = self._blind or (None, None)
        return BackupsSeen(self._is_folder_known, proven_at, blind_since=since, blind_for=why)

    # -- schedules -----------------------------------------------------------------------------------------

    def _see_to(self, schedule: Schedule, duty: Duty, now: datetime) -> None:
        decision = decide(
            schedule, schedules.last(self._begin, schedule.name), now, self._app.settings.catch_up
        )
        if decision is None:
            return
        fire = self._fire(schedule, decision, now)
        schedules.fire(self._begin, duty, fire)
        if fire.outcome != Outcome.RUNNING:
            return
        _log.info("It is time for a scheduled %s.", schedule.name)
        try:
            worker = self._workers.start(schedule.name, {})
        except OSError as error:
            told = {"error_code": "worker_lost", "error_detail": error.strerror or type(error).__name__}
            schedules.finish(self._begin, fire, Outcome.FAILED, finished_at=now, **told)
        else:
            self._at_work[schedule.name] = _AtWork(fire, worker)

    def _fire(self, schedule: Schedule, decision: Arm | Due, now: datetime) -> Fire:
        if isinstance(decision, Arm):
            return Fire(schedule.name, now, schedule.text, Outcome.ARMED.value, now, self._holder)
        outcome = Outcome.RUNNING
        if decision.too_late:
            outcome = Outcome.MISSED
        elif schedule.name in self._at_work:
            outcome = Outcome.SKIPPED
        return Fire(
            schedule.name,
            decision.due_at,
            schedule.text,
            outcome.value,
            fired_at=now,
            holder=self._holder,
            missed=decision.missed,
        )

    def _hear(self, now: datetime) -> None:
        """Note what became of what was started."""
        for name, at_work in list(self._at_work.items()):
            if not at_work.worker.wait(0):
                continue
            error = at_work.worker.error
            values: dict[str, Any] = {"finished_at": now, "run_id": at_work.worker.run_id}
            if error is not None:
                values |= {"error_code": error.code, "error_detail": error.public_detail}
                values["error_hint"] = error.hint
            schedules.finish(self._begin, at_work.fire, _outcome(error), **values)
            del self._at_work[name]
            self._looked_at = None
            self._look_at_backups(now)


def _outcome(error: LedgerlineError | None) -> Outcome:
    if error is None:
        return Outcome.SUCCEEDED
    if isinstance(error, RunInProgress):
        return Outcome.SKIPPED
    return Outcome.CANCELLED if isinstance(error, Cancelled) else Outcome.FAILED
