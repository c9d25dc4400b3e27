"""What is wrong and what is told of it: decisions alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.databases.alerts import Alert
from ledgerline.databases.runs import Run
from ledgerline.databases.schedules import Fire
from ledgerline.databases.schema import COUNTS
from ledgerline.errors import BackupError
from ledgerline.operations.alert_messages import load, message_of
from ledgerline.operations.alerting import (
    BackupsSeen,
    Change,
    Condition,
    DatabaseSeen,
    Decision,
    Kind,
    RunsSeen,
    Seen,
    conditions,
    decide,
    observed,
    pause_after,
)
from ledgerline.operations.probe import Status
from ledgerline.settings import AlertSettings

NOW = datetime(2026, 5, 1, 12)  # noqa: DTZ001
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOUNDS = AlertSettings(
    webhook=None,
    mail=None,
    reject_share=0.1,
    stuck_after=30 * MINUTE,
    no_success=DAY,
    no_backup=7 * DAY,
    repeat=(HOUR, 4 * HOUR),
    outbox="",
)
DOWN = Condition("database.main", Kind.DATABASE_DOWN, "port_refused", "Down", "", (), "")
SLOW = replace(DOWN, kind=Kind.DATABASE_DEGRADED)


def run(status: str = "succeeded", ended: timedelta = HOUR, **values: Any) -> Run:
    at = NOW - ended
    counts = {**dict.fromkeys(COUNTS, 0), **values.pop("counts", {})}
    return Run(
        7, "ingest", "INVOICE", status, False, "", 1, at, finished_at=at, **{"counts": counts, **values}
    )


def fire(outcome: str = "failed", ago: timedelta = HOUR, **values: Any) -> Fire:
    return Fire("backup", NOW - ago, "", outcome, NOW - ago, "", finished_at=NOW - ago, **values)


def wrong(**seen: Any) -> list[str]:
    return [condition.kind.value for condition in conditions(Seen(**seen), BOUNDS, NOW)]


def runs(**seen: Any) -> list[str]:
    return wrong(runs=RunsSeen("INVOICE", **seen), since=NOW)


@pytest.mark.parametrize(
    ("status", "ago", "expected"),
    [
        (Status.UP, HOUR, []),
        (Status.DOWN, timedelta(), ["database_down"]),
        (Status.DEGRADED, 59 * timedelta(seconds=1), []),
        (Status.DEGRADED, MINUTE, ["database_degraded"]),
    ],
)
def test_databases(status: Status, ago: timedelta, expected: list[str]) -> None:
    assert wrong(databases={"invoice": DatabaseSeen(status, NOW - ago)}) == expected


def test_runs_that_ended() -> None:
    assert runs(last=run(), last_success=run()) == []
    assert runs(last=run("failed", error_code="cannot_connect")) == ["run_failed"]
    assert runs(last=run("failed", error_code="withdrawal_breaker")) == ["withdrawal_breaker"]


def test_a_run_by_schedule_that_could_not_begin() -> None:
    assert runs(by_schedule=fire(error_code="login_failed")) == ["run_failed"]
    assert runs(last=run(ended=2 * HOUR), by_schedule=fire()) == ["run_failed"]
    assert runs(last=run(ended=MINUTE), by_schedule=fire()) == []  # one has ended well since
    assert runs(last=run(), by_schedule=fire("succeeded")) == []


def test_a_run_that_stands_still() -> None:
    going = run("running")
    assert runs(at_work=going, unmoved_since=NOW - 29 * MINUTE) == []
    assert runs(at_work=going, unmoved_since=NOW - 30 * MINUTE) == ["run_stuck"]
    assert runs(at_work=going, unmoved_since=NOW - HOUR, is_interrupted=True) == ["run_stuck"]


@pytest.mark.parametrize(("fetched", "rejected", "is_told"), [(100, 10, 0), (100, 11, 1), (19, 19, 0)])
def test_rejects(fetched: int, rejected: int, is_told: int) -> None:
    success = run(counts={"fetched": fetched, "rejected": rejected})
    assert runs(last_success=success) == ["many_rejects"] * is_told


def test_no_success_for_long() -> None:
    assert runs(last_success=run(ended=DAY)) == []
    assert runs(last_success=run(ended=DAY + MINUTE)) == ["no_successful_run"]
    new, old = NOW - HOUR, NOW - 2 * DAY
    assert wrong(runs=RunsSeen("INVOICE"), since=new) == []  # there was no time for a run yet
    assert wrong(runs=RunsSeen("INVOICE"), since=old) == ["no_successful_run"]
    off = replace(BOUNDS, no_success=None)
    assert conditions(Seen(runs=RunsSeen("INVOICE"), since=old), off, NOW) == []


def test_backups() -> None:
    def told(**seen: Any) -> list[str]:
        return wrong(backups=BackupsSeen(**seen), since=NOW)

    assert told() == []
    assert told(last=fire()) == ["backup_failed"]
    assert told(last=fire(), last_proven_at=NOW - 2 * HOUR) == ["backup_failed"]
    assert told(last=fire(), last_proven_at=NOW - MINUTE) == []  # one by hand
    assert told(last_proven_at=NOW - 8 * DAY) == ["no_proven_backup"]
    assert told(last_proven_at=NOW - 8 * DAY, is_known=False) == []
    assert "backup.proven" not in observed(Seen(backups=BackupsSeen(is_known=False)), NOW)


def test_backups_that_cannot_be_looked_at() -> None:
    """Nobody knows whether there is one: that is told too, once it lasts."""
    why = BackupError(
        "s3://x cannot be read: pg_dump said so.", hint="Check BACKUP_URL.", public="No answer."
    )
    for ago, expected in ((59 * MINUTE, []), (HOUR, ["no_proven_backup"])):
        for is_known in (True, False):
            seen = Seen(backups=BackupsSeen(is_known, NOW, blind_since=NOW - ago, blind_for=why), since=NOW)
            found = conditions(seen, BOUNDS, NOW)
            assert [one.kind.value for one in found] == expected
            assert ("backup.proven" in observed(seen, NOW)) is (is_known or bool(expected))
    assert (found[0].detail, found[0].remedy) == ("No answer.", ("Check BACKUP_URL.",))


# -- changes -----------------------------------------------------------------------------------------------


def told(open_alerts: Sequence[Alert], found: Sequence[Condition], now: datetime = NOW) -> Decision:
    return decide(open_alerts, found, {"database.main"}, BOUNDS.repeat, now)


def test_an_alert_is_opened_once() -> None:
    (event,) = told([], [DOWN]).events
    assert (event.change, event.alert.subject, event.alert.notices) == (Change.OPENED, "database.main", 1)
    assert told([event.alert], [DOWN]).events == []


def test_it_is_repeated_at_growing_intervals() -> None:
    alert, repeated, at = told([], [DOWN]).events[0].alert, [], NOW
    while at < NOW + 10 * HOUR:
        at += 10 * MINUTE
        for event in told([alert], [DOWN], at).events:
            assert event.change is Change.REPEATED
            alert = event.alert
            repeated.append((at - NOW) / HOUR)
    assert repeated == [1, 5, 9]


def test_what_is_wrong_in_another_way_is_told_at_once() -> None:
    slow = told([], [SLOW]).events[0].alert
    (event,) = told([slow], [DOWN], NOW + MINUTE).events
    assert (event.change, event.alert.id, event.alert.kind) == (Change.CHANGED, slow.id, "database_down")
    assert (event.alert.opened_at, event.alert.version) == (NOW, 2)


def test_it_recovers_once() -> None:
    down = told([], [DOWN]).events[0].alert
    (event,) = told([down], [], NOW + HOUR).events
    assert (event.change, event.alert.recovered_at) == (Change.RECOVERED, NOW + HOUR)


def test_what_cannot_be_seen_stays() -> None:
    failed = replace(told([], [DOWN]).events[0].alert, subject="run.INVOICE")
    assert told([failed], []) == Decision([], [])
    assert observed(Seen({"main": DatabaseSeen(Status.DOWN, NOW)}), NOW) == {"database.main"}


def test_a_database_that_comes_and_goes_is_one_alert() -> None:
    alerts: list[Alert] = []
    changes: list[tuple[Change, int]] = []
    for second in range(0, 600, 10):
        now = NOW + timedelta(seconds=second)
        is_down = second < 300 and second % 40 < 20  # down and up for twenty seconds each
        since = now - timedelta(seconds=second % 20) if second < 300 else NOW + timedelta(seconds=300)
        seen = Seen({"main": DatabaseSeen(Status.DOWN if is_down else Status.UP, since)})
        found = decide(alerts, conditions(seen, BOUNDS, now), observed(seen, now), BOUNDS.repeat, now)
        for event in found.events:
            changes.append((event.change, second))
            alerts = [] if event.alert.recovered_at else [event.alert]
    assert changes == [(Change.OPENED, 0), (Change.RECOVERED, 360)]


def test_of_one_subject_one_alert_goes_on() -> None:
    """Two machines told of it while they could not agree."""
    here = told([], [DOWN]).events[0].alert
    there = told([], [DOWN], NOW + MINUTE).events[0].alert
    decision = told([here, there], [])
    assert [event.alert.id for event in decision.events] == [here.id]
    assert [(alert.id, alert.recovered_at) for alert in decision.silent] == [(there.id, NOW)]


@given(st.lists(st.sampled_from([None, SLOW, DOWN]), min_size=1, max_size=30))
def test_openings_and_recoveries_take_turns(found: list[Condition | None]) -> None:
    alerts: list[Alert] = []
    changes: list[Change] = []
    for minute, condition in enumerate(found):
        for event in told(alerts, [condition] if condition else [], NOW + minute * MINUTE).events:
            changes.append(event.change)
            alerts = [] if event.alert.recovered_at else [event.alert]
    turns = [change for change in changes if change in (Change.OPENED, Change.RECOVERED)]
    assert turns == [Change.OPENED, Change.RECOVERED] * (len(turns) // 2) + [Change.OPENED] * (len(turns) % 2)
    assert bool(alerts) == (found[-1] is not None)


def test_the_pauses_between_attempts_grow() -> None:
    pauses = [pause_after(attempts) / timedelta(seconds=1) for attempts in (1, 2, 3, 7, 8, 100)]
    assert pauses == [10, 20, 40, 640, 900, 900]


# -- messages ----------------------------------------------------------------------------------------------


def test_a_message_says_what_to_do() -> None:
    found = replace(DOWN, remedy=("Start it.", "Check the port."), detail="Refused.\nQuite.", path="/x")
    alert = told([], [found]).events[0].alert
    message = message_of(
        Change.OPENED, alert, NOW, environment="staging", host="app1", public_url="https://l.example"
    )
    assert message.headline == "[staging] Down (port_refused)"
    for part in ("Refused.", "- Start it.", "- Check the port.", "https://l.example/x", "app1"):
        assert part in message.text
    assert load(message.dump()) == message


def test_a_headline_is_one_line() -> None:
    alert = told([], [replace(DOWN, title="a\r\nBcc: x")]).events[0].alert
    message = message_of(Change.REPEATED, alert, NOW, environment="e", host="h", public_url="")
    assert message.headline == "[e] Still: a Bcc: x (port_refused)"
