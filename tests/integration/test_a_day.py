"""A day of operation under a clock of its own: schedules, an outage, alerts, backups, and the history of it.

Databases, backups and the receiver of alerts are real; time and the processes of runs are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from tests.house import Installation, Watcher, contact
from tests.postgres import PostgresServer
from tests.receiving import Received, webhook_receiver

from ledgerline.app import App
from ledgerline.databases import schedules
from ledgerline.databases.alerts import Outbox
from ledgerline.databases.runs import utc_now
from ledgerline.errors import LedgerlineError
from ledgerline.ingest.run import Cancel
from ledgerline.operations.probe import Probe, State, after
from ledgerline.settings import Settings
from ledgerline.url import Engine
from ledgerline.worker.duties import Duties

MIDNIGHT = datetime(2027, 3, 1)  # noqa: DTZ001  as the house keeps time: UTC without a zone


@dataclass
class Done:
    run_id: int | None = None
    error: LedgerlineError | None = None

    def wait(self, seconds: float | None = None) -> bool:
        return True


class Here:
    """Does in this process what the service has done by processes of their own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def start(self, kind: str, options: Mapping[str, Any]) -> Done:
        app = App(self._settings)
        try:
            if kind == "ingest":
                return Done(app.ingest(Watcher(), Cancel(), **options).id)
            app.back_up()
        except LedgerlineError as error:
            return Done(error=error)
        finally:
            app.close()
        return Done()


class Service:
    """What `serve` has in the background; it does something when the clock is moved."""

    def __init__(self, settings: Settings, clock: time_machine.Traveller) -> None:
        self._settings, self._clock = settings, clock
        self._probes = [
            Probe(name, getattr(settings, name).url, settings.service.probe) for name in ("main", "invoice")
        ]
        self._states: dict[str, State | None] = {"main": None, "invoice": None}
        self.app = App(settings)
        self.duties = Duties(
            self.app,
            self.states,
            workers=Here(settings),
            clock=utc_now,
            monotonic=self.seconds,
        )

    def seconds(self) -> float:
        return (utc_now() - MIDNIGHT).total_seconds()

    def states(self) -> dict[str, State | None]:
        return self._states

    def at(self, time: str) -> None:
        """Let it be this time of the day."""
        hour, minute = map(int, time.split(":"))
        self._clock.move_to(MIDNIGHT + timedelta(hours=hour, minutes=minute))
        for probe in self._probes:
            look = probe.look().result()
            self._states[probe.name] = after(self._states[probe.name], look, self._settings.service.probe)
        self.duties.tick()

    def stop(self) -> None:
        self.duties.stop()
        for probe in self._probes:
            probe.stop()
        self.app.close()


@pytest.fixture
def receiver() -> Iterator[Received]:
    with webhook_receiver() as received:
        yield received


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MIDNIGHT, tick=True) as traveller:
        yield traveller


@pytest.fixture(params=["sqlite", "postgresql"])
def furnished(request: pytest.FixtureRequest, receiver: Received, tmp_path: Path) -> Installation:
    """The invoice database is a file, so that it is there when the main one's server is not."""
    house = Installation("sqlite", tmp_path)
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        house.environ["DATABASE_URL"] = server.create_database("a_day")
    house.write_invoice([contact(n, f"Asha Rao{n}", f"98200 1{n:04}") for n in range(1, 4)])
    house.environ |= {
        "INGEST_SCHEDULE": "0 */8 * * *",
        "BACKUP_SCHEDULE": "30 2,18 * * *",
        "SCHEDULE_TIME_ZONE": "Asia/Kolkata",
        "BACKUP_URL": str(tmp_path / "backups"),
        "ALERT_WEBHOOK_URL": receiver.url,
        "ALERT_OUTBOX": str(tmp_path / "alerts.db"),
        "PUBLIC_URL": "https://ledgerline.example",
        "PROBE_FALL": "1",
        "PROBE_RISE": "1",
        "PROBE_SLOW": "100000",
        "DB_RETRY_ATTEMPTS": "0",
    }
    return house


@contextmanager
def outage(house: Installation, request: pytest.FixtureRequest) -> Iterator[None]:
    """The main database is gone meanwhile."""
    url = house.settings.main.url
    if url.engine is Engine.POSTGRESQL:
        server: PostgresServer = request.getfixturevalue("postgres")
        go: Callable[[], object] = server.stop
        come: Callable[[], object] = server.start
    else:
        file = Path(url.database)
        go = partial(file.rename, file.with_suffix(".away"))
        come = partial(file.with_suffix(".away").rename, file)
    go()
    try:
        yield
    finally:
        come()


def told(receiver: Received) -> list[tuple[str, str]]:
    return [(document["event"], document["alert"]["kind"]) for document in receiver.documents]


def test_a_day(
    furnished: Installation, receiver: Received, clock: time_machine.Traveller, request: pytest.FixtureRequest
) -> None:
    house, folder = furnished, Path(furnished.environ["BACKUP_URL"])
    service = Service(house.settings, clock)
    service.app.migrate()
    for time in ("00:00", "02:29", "02:30", "02:31", "10:30", "10:31"):  # 2:30 is 8:00 in India
        service.at(time)
    assert [run.status for run in house.runs()] == ["succeeded", "succeeded"]
    assert told(receiver) == []

    folder.write_text("somebody put a file where the backups were to go")
    service.at("13:00")  # 18:30 in India
    service.at("13:01")
    assert told(receiver) == [("opened", "backup_failed")]
    assert any("BACKUP_URL" in step for step in receiver.documents[0]["alert"]["remedy"])

    with outage(house, request):
        service.at("14:00")
        assert told(receiver)[1:] == [("opened", "database_down")]
        down = receiver.documents[1]["alert"]
        assert down["remedy"]
        assert down["code"] in ("port_refused", "database_missing")
        assert down["link"] == "https://ledgerline.example/health/database"
        service.stop()
        service = Service(house.settings, clock)  # a restart loses nothing, and tells nothing twice
        service.at("14:30")
        assert len(told(receiver)) == 2
        service.at("15:01")
        assert told(receiver)[2:] == [("repeated", "database_down")]
    service.at("19:00")
    service.at("19:02")  # a minute later it is sure that nobody else holds the duty
    service.at("19:03")
    assert told(receiver)[3:] == [("repeated", "backup_failed"), ("recovered", "database_down")]

    folder.unlink()
    service.at("21:00")
    service.at("21:01")
    assert told(receiver)[5:] == [("recovered", "backup_failed")]
    service.at("23:59")

    assert [(run.status, f"{run.started_at:%H:%M}") for run in house.runs()] == [
        ("succeeded", "02:30"),
        ("succeeded", "10:30"),
        ("succeeded", "19:02"),
    ]
    assert fires(service.app, "ingest") == [
        ("00:00", "armed", "00:00"),
        ("02:30", "succeeded", "02:30"),
        ("10:30", "succeeded", "10:30"),
        ("18:30", "succeeded", "19:02"),  # nothing could be started in the outage
    ]
    assert fires(service.app, "backup") == [
        ("00:00", "armed", "00:00"),
        ("13:00", "failed", "13:00"),
        ("21:00", "succeeded", "21:00"),
    ]
    (backup,) = service.app.backups.known()
    assert service.duties.last_proven is not None
    assert (service.duties.last_proven.id, f"{backup.taken_at:%H:%M}") == (backup.id, "21:00")
    assert backup.proven_at is not None
    assert alerts(service.app) == [
        ("backup_failed", "13:01", "21:01"),
        ("database_down", "14:00", "19:02"),
    ]
    ids = [document["id"] for document in receiver.documents]
    assert len(ids) == len(set(ids)) == 6
    service.stop()


def fires(app: App, name: str) -> list[tuple[str, str, str]]:
    """(when it was due, what became of it, when that was seen to), the oldest first."""
    found = [fire for fire in schedules.latest(app.main.begin_activity) if fire.name == name]
    return [(f"{fire.due_at:%H:%M}", fire.outcome, f"{fire.fired_at:%H:%M}") for fire in found[::-1]]


def alerts(app: App) -> list[tuple[str, str, str]]:
    found = Outbox(app.main.begin_activity).recent(100)
    return [(one.kind, f"{one.opened_at:%H:%M}", f"{one.recovered_at:%H:%M}") for one in found[::-1]]
