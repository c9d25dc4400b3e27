"""When schedules are due: decisions alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ledgerline.databases.schedules import Fire
from ledgerline.operations.schedules import Arm, Due, Schedule, decide, next_time

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("cron", "after", "times"),
    [
        # Clocks go forward on 2026-03-29, 2:00 becomes 3:00: half past two is not there.
        ("30 2 * * *", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        ("*/30 * * * *", "2026-03-29 00:30", ["2026-03-29 01:00", "2026-03-29 01:30"]),
        # Back on 2026-10-25, 3:00 becomes 2:00: half past two is there twice.
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("30 2 * * *", "2026-10-25 00:30", ["2026-10-26 01:30"]),
        ("30 2 * * *", "2026-10-25 01:10", ["2026-10-26 01:30"]),  # in the second of the two hours
        ("*/30 * * * *", "2026-10-25 00:00", ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30"]),
        ("0 9 * * MON", "2026-05-01 00:00", ["2026-05-04 07:00", "2026-05-11 07:00"]),
        ("0 0 L * *", "2026-02-01 00:00", ["2026-02-27 23:00"]),
    ],
)
def test_times_in_a_zone_that_turns_its_clocks(cron: str, after: str, times: list[str]) -> None:
    schedule, moment = Schedule("backup", cron, "Europe/Berlin"), at(after)
    for expected in times:
        found = next_time(schedule, moment)
        assert found == at(expected)
        moment = found


NIGHTLY = Schedule("backup", "30 2 * * *", "UTC")


def seen_to(due: str, schedule: Schedule = NIGHTLY) -> Fire:
    return Fire(schedule.name, at(due), schedule.text, "succeeded", at(due), "")


def test_a_schedule_counts_from_when_it_is_first_seen() -> None:
    assert decide(NIGHTLY, None, at("2026-05-01 12:00"), DAY) == Arm()


def test_a_changed_schedule_counts_anew() -> None:
    last, now = seen_to("2026-05-01 02:30"), at("2026-05-04 12:00")
    assert decide(Schedule("backup", "30 3 * * *", "UTC"), last, now, DAY) == Arm()
    assert decide(Schedule("backup", "30 2 * * *", "Asia/Kolkata"), last, now, DAY) == Arm()


def test_a_time_is_seen_to_once() -> None:
    last = seen_to("2026-05-01 02:30")
    assert decide(NIGHTLY, last, at("2026-05-02 02:29"), DAY) is None
    assert decide(NIGHTLY, last, at("2026-05-02 02:30"), DAY) == Due(at("2026-05-02 02:30"), 0, False)
    assert decide(NIGHTLY, seen_to("2026-05-02 02:30"), at("2026-05-02 02:31"), DAY) is None


def test_of_times_that_were_missed_the_newest_is_made_up() -> None:
    due = decide(NIGHTLY, seen_to("2026-05-01 02:30"), at("2026-05-04 09:00"), DAY)
    assert due == Due(at("2026-05-04 02:30"), 2, too_late=False)


def test_what_is_too_old_is_not_made_up() -> None:
    due = decide(NIGHTLY, seen_to("2026-05-01 02:30"), at("2026-05-02 09:00"), timedelta(hours=6))
    assert due == Due(at("2026-05-02 02:30"), 0, too_late=True)


def test_a_clock_that_was_years_ahead_does_not_end_a_schedule() -> None:
    assert decide(NIGHTLY, seen_to("2031-05-02 02:30"), at("2026-05-01 12:00"), DAY) == Arm()


def test_a_clock_that_was_put_back_starts_nothing_twice() -> None:
    assert decide(NIGHTLY, seen_to("2026-05-02 02:30"), at("2026-05-01 02:30"), DAY) is None
