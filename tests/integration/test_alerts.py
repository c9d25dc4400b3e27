"""The outbox and the duties: what is found out is sent, once, whatever happens and however many serve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.house import Installation
from tests.servers import MAIN_ENGINES

from ledgerline.app import SYSTEM, App
from ledgerline.databases import schedules
from ledgerline.databases.alerts import Alert, Delivery, Outbox
from ledgerline.databases.duties import SILENCE, Contender, held, new_holder
from ledgerline.databases.runs import utc_now
from ledgerline.databases.schedules import Fire, Outcome
from ledgerline.databases.schema import alert_deliveries, alerts, duties, ingestion_runs, schedule_fires
from ledgerline.errors import ChannelFailed, DatabaseUnreachable, LeaseLost, RunInProgress
from ledgerline.operations.alert_desk import GIVE_UP_AFTER, Desk
from ledgerline.operations.alert_messages import Message
from ledgerline.operations.alerting import BackupsSeen, DatabaseSeen, Seen, conditions
from ledgerline.operations.doctor_findings import Diagnosis
from ledgerline.operations.observing import Observer
from ledgerline.operations.probe import Look, State, Status
from ledgerline.worker.duties import Duties

NOW = datetime(2026, 5, 1, 12)  # noqa: DTZ001
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=1)
UP = Seen({"main": DatabaseSeen(Status.UP, LONG_AGO)})
DOWN = Seen({"main": DatabaseSeen(Status.DOWN, NOW, "port_refused", "Refused.", ("Start it.",))})
INVOICE_DOWN = Seen({"main": DatabaseSeen(Status.UP, LONG_AGO), "invoice": DatabaseSeen(Status.DOWN, NOW)})


class Sink:
    """A channel that fails as long as it is told to."""

    name = "sink"

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.tried: list[str] = []
        self.fails = False

    @property
    def events(self) -> list[str]:
        return [event for _, event in self.got]

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        self.tried.append(delivery_id)
        if self.fails:
            raise ChannelFailed("It does not want to.")
        self.got.append((delivery_id, f"{message.event} {message.subject}"))


class Process:
    """One that serves: its desk, and its wish to do the duty."""

    def __init__(self, app: App, sink: Sink, name: str = "") -> None:
        holder = f"elsewhere:{name}" if name else new_holder()
        self.seconds = 0.0
        self.desk = Desk(app.settings, app.main.begin_activity, [sink], holder, lambda: self.seconds)
        self.contender = Contender("background", app.main.begin_activity, holder, lambda: self.seconds)

    def update(self, seen: Seen, now: datetime = NOW) -> bool:
        """Whether it was its duty."""
        self.desk.bring_home(now)
        duty = self.contender.hold(now)
        if duty is not None:
            self.desk.update(duty, seen, now)
        return duty is not None


@pytest.fixture(scope="module", params=MAIN_ENGINES)
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    house = Installation(request.param, tmp_path_factory.mktemp("alerts"), postgres)
    with house.app() as app:
        app.migrate()
    return house


@pytest.fixture
def app(migrated: Installation, tmp_path: Path) -> Iterator[App]:
    """With empty tables; what it noted elsewhere is gone."""
    migrated.environ["ALERT_OUTBOX"] = str(tmp_path / "outbox" / "alerts.db")
    with migrated.app() as app:
        with app.main.begin_activity() as connection:
            for table in (alerts, alert_deliveries, duties, schedule_fires):
                connection.execute(table.delete())
        yield app


@pytest.fixture
def sink() -> Sink:
    return Sink()


def outbox(app: App) -> Outbox:
    return Outbox(app.main.begin_activity)


def deliveries(app: App) -> list[Delivery]:
    return outbox(app).deliveries([alert.id for alert in outbox(app).recent(100)])


# -- the outbox --------------------------------------------------------------------------------------------


def test_what_fails_is_tried_again_later_with_the_same_id(app: App, sink: Sink) -> None:
    process = Process(app, sink)
    sink.fails = True
    process.update(DOWN)
    process.update(DOWN, NOW + 9 * SECOND)
    assert len(sink.tried) == 1
    process.update(DOWN, NOW + 10 * SECOND)
    assert len(sink.tried) == 2
    sink.fails = False
    process.update(DOWN, NOW + 29 * SECOND)
    assert sink.got == []
    process.update(DOWN, NOW + 30 * SECOND)
    assert len(set(sink.tried)) == 1
    assert sink.events == ["opened database.main"]
    (delivery,) = deliveries(app)
    assert (delivery.status, delivery.attempts, delivery.error) == ("sent", 3, None)


def test_a_channel_gets_its_messages_in_order(app: App, sink: Sink) -> None:
    process = Process(app, sink)
    sink.fails = True
    process.update(DOWN)
    process.update(UP, NOW + SECOND)
    sink.fails = False
    process.update(UP, NOW + 2 * SECOND)  # "recovered" could go, and does not overtake
    assert sink.got == []
    process.update(UP, NOW + MINUTE)
    assert sink.events == ["opened database.main", "recovered database.main"]


def test_what_cannot_be_sent_for_a_day_is_given_up(app: App, sink: Sink) -> None:
    process = Process(app, sink)
    sink.fails = True
    process.update(DOWN)
    process.update(UP, NOW + GIVE_UP_AFTER)
    assert [delivery.status for delivery in deliveries(app)] == ["given_up", "pending"]


def test_a_restart_loses_nothing_and_tells_nothing_twice(app: App, sink: Sink) -> None:
    killed = Process(app, sink, name="1")
    sink.fails = True
    killed.update(DOWN)
    sink.fails = False
    after = Process(app, sink, name="2")
    assert not after.update(DOWN, NOW + MINUTE)
    after.seconds = SILENCE
    assert after.update(DOWN, NOW + 2 * MINUTE)
    assert after.update(DOWN, NOW + 3 * MINUTE)
    assert sink.events == ["opened database.main"]


def test_of_two_processes_one_sends(app: App, sink: Sink) -> None:
    here, there = Process(app, sink, name="1"), Process(app, sink, name="2")
    for second in range(3):
        for process in (here, there):
            process.seconds += SILENCE  # as if much time had passed: the other one still beats
            process.update(DOWN, NOW + second * SECOND)
    assert sink.events == ["opened database.main"]


def test_one_that_slept_while_another_took_over_writes_nothing(app: App, sink: Sink) -> None:
    sleeper, other = Process(app, sink, name="1"), Process(app, sink, name="2")
    duty = sleeper.contender.hold(NOW)
    assert duty is not None
    assert other.contender.hold(NOW) is None
    other.seconds = SILENCE
    assert other.contender.hold(NOW) is not None
    with pytest.raises(LeaseLost):
        sleeper.desk.update(duty, DOWN, NOW)
    assert outbox(app).open() == []
    assert sink.tried == []


# -- without the main database -----------------------------------------------------------------------------


def test_alerts_go_on_in_a_file_and_move_home(app: App, sink: Sink) -> None:
    process = Process(app, sink)
    process.update(INVOICE_DOWN)
    process.desk.bring_home(NOW)  # leaves a copy in the file
    both_down = Seen({**INVOICE_DOWN.databases, **DOWN.databases})
    process.desk.update_without_main(both_down, NOW + MINUTE)
    assert sink.events == ["opened database.invoice", "opened database.main"]
    process.update(UP, NOW + 2 * MINUTE)
    assert sink.events[2:] == ["recovered database.main"]
    assert {(one.subject, one.recovered_at) for one in outbox(app).recent(10)} == {
        ("database.main", NOW + 2 * MINUTE),
        ("database.invoice", None),  # it was not looked at
    }
    assert len(deliveries(app)) == len({key for key, _ in sink.got}) == 3


def test_what_was_not_sent_from_the_file_is_sent_from_home(app: App, sink: Sink) -> None:
    process = Process(app, sink)
    sink.fails = True
    process.desk.update_without_main(DOWN, NOW)
    sink.fails = False
    process.update(UP, NOW + MINUTE)
    assert sink.events == ["opened database.main", "recovered database.main"]
    process.desk.update_without_main(DOWN, NOW + 2 * MINUTE)
    assert sink.events[2:] == ["opened database.main"]


def test_without_a_file_the_rest_goes_on(
    migrated: Installation, app: App, sink: Sink, tmp_path: Path
) -> None:
    (tmp_path / "outbox").write_text("a file where the folder was to be")
    assert Process(app, sink).update(DOWN)
    assert sink.events == ["opened database.main"]


def test_a_main_database_that_hangs_is_told_of(app: App, sink: Sink) -> None:
    """What asked it waits for it, and the alert does not."""
    look = Look(NOW, error=DatabaseUnreachable("It is gone.", hint="Start it."))
    states: dict[str, State | None] = {"main": State(Status.UP, LONG_AGO, Look(NOW, latency_ms=1))}
    duties_of = Duties(
        app, lambda: states, sent_by=[sink], diagnosed=lambda *_: {"main": Diagnosis((), None)},
        clock=lambda: NOW,
    )  # fmt: skip
    duties_of.tick()
    assert sink.got == []
    with app.main.begin_activity() as connection:
        connection.execute(duties.update().values(beat_at=NOW))  # nobody else gets at these rows
        waiting = threading.Thread(target=duties_of.tick)
        waiting.start()
        states["main"] = State(Status.DOWN, NOW, look)
        waiting.join(30)
        assert not waiting.is_alive()
        duties_of.tick()
        assert sink.events == ["opened database.main"]
    states["main"] = State(Status.UP, LONG_AGO, Look(NOW, latency_ms=1))
    until = time.monotonic() + 60
    while len(sink.got) < 2 and time.monotonic() < until:
        duties_of.tick()  # once what waited has got through
        time.sleep(0.02)
    duties_of.stop()
    assert sink.events == ["opened database.main", "recovered database.main"]


def test_a_database_that_goes_while_it_is_asked_is_told_of_once(
    app: App, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way has told it by then, and the one that asked the database still comes to tell it."""
    states = {"main": State(Status.UP, LONG_AGO, Look(NOW, latency_ms=1))}
    duties_of = Duties(
        app, states.copy, sent_by=[sink], diagnosed=lambda *_: {"main": Diagnosis((), None)},
        clock=lambda: NOW,
    )  # fmt: skip
    look = Observer.everything

    def overtaken(self: Observer, _states: object, *of: Any) -> Seen:
        gone = Look(NOW, error=DatabaseUnreachable("It is gone."))
        states["main"] = State(Status.DOWN, NOW, gone)
        duties_of._do_without_main(NOW)
        return look(self, states, *of)

    monkeypatch.setattr(Observer, "everything", overtaken)
    duties_of._do(NOW)
    assert sink.events == ["opened database.main"]
    duties_of.stop()


def test_moving_home_may_be_done_twice(app: App) -> None:
    alert = Alert("an-id", "database.main", "database_down", "x", "T", "", "", "", "", NOW, NOW, version=2)
    delivery = Delivery("a-delivery", alert.id, 2, "sink", "{}", NOW, NOW, status="sent", ended_at=NOW)
    for _ in range(2):
        outbox(app).take_over([alert], [delivery])
    assert (outbox(app).open(), deliveries(app)) == ([alert], [delivery])
    newer = Alert("an-id", "database.main", "database_down", "x", "T", "", "", "", "", NOW, NOW, version=1)
    outbox(app).take_over([newer], [])
    assert outbox(app).open() == [alert]


def test_two_processes_of_a_machine_share_the_file(app: App, sink: Sink) -> None:
    for name in ("1", "2"):
        Process(app, sink, name).desk.update_without_main(DOWN, NOW)
    assert sink.events == ["opened database.main"]


# -- duties and schedules ----------------------------------------------------------------------------------


def test_a_duty_that_is_given_back_is_free(app: App) -> None:
    first, second = (Contender("x", app.main.begin_activity, name, float) for name in ("a:1", "b:2"))
    duty = first.hold(NOW)
    assert duty is not None
    assert duty == first.hold(NOW)  # kept
    first.release()
    taken = second.hold(NOW)
    assert taken is not None
    assert taken.token > duty.token


def test_the_dead_of_this_machine_are_known_at_once(app: App) -> None:
    holder = new_holder()
    host, _, _ = holder.partition("/")[0].rpartition(":")
    assert Contender("x", app.main.begin_activity, f"{host}:999999999/a", float).hold(utc_now())
    assert Contender("x", app.main.begin_activity, holder, float).hold(utc_now()) is not None


def test_two_backups_by_schedule_are_never_at_once(app: App) -> None:
    with held(app.main, "backup"), pytest.raises(RunInProgress, match="Another backup is going"):
        app.back_up()
    with held(app.main, "backup"):
        pass


def test_what_another_process_left_is_noted(app: App) -> None:
    begin = app.main.begin_activity
    duty = Contender("x", begin, "a:1", float).hold(NOW)
    assert duty is not None
    fire = Fire("backup", NOW, "30 2 * * * UTC", Outcome.RUNNING.value, NOW, "a:1")
    schedules.fire(begin, duty, fire)
    schedules.leave(begin, duty, "a:1", NOW)
    assert last(begin).outcome == "running"
    schedules.leave(begin, duty, "b:2", NOW + MINUTE)
    assert (last(begin).outcome, last(begin).finished_at) == ("left", NOW + MINUTE)
    schedules.finish(begin, fire, Outcome.SUCCEEDED, finished_at=NOW + 2 * MINUTE)  # it was only slow
    assert last(begin).outcome == "succeeded"


def last(begin: Callable[[], object]) -> Fire:
    found = schedules.last(begin, "backup")  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_run_that_nobody_works_on_is_told_after_a_while(app: App) -> None:
    left = {
        "kind": "ingest", "source_system": SYSTEM, "status": "running", "first_load": True, "rules": "x",
        "first_contact_id": 1, "started_at": NOW,
    }  # fmt: skip
    with app.main.begin() as connection:
        connection.execute(ingestion_runs.insert().values(**left))
    observer = Observer(app.settings, SYSTEM, lambda *_: {})
    bounds = replace(app.settings.alerts, no_success=None, no_backup=None)
    told = []
    for minutes in (0, 29, 30):
        now = NOW + minutes * MINUTE
        seen = observer.everything({}, app.main, BackupsSeen(), now)
        told.append([(one.kind, one.detail) for one in conditions(seen, bounds, now)])
    with app.main.begin() as connection:
        connection.execute(ingestion_runs.delete())
    assert told[:2] == [[], []]
    assert told[2] == [("run_stuck", "Nobody works on it; it began at 2026-05-01 12:00 UTC.")]


def test_the_outbox_goes_on_while_a_run_writes(tmp_path: Path) -> None:
    """SQLite has one writer a file."""
    house = Installation("sqlite", tmp_path, ALERT_OUTBOX=str(tmp_path / "alerts.db"))
    sink = Sink()
    with house.app() as app:
        app.migrate()
        with app.main.begin():
            assert Process(app, sink).update(DOWN)
    assert sink.events == ["opened database.main"]
