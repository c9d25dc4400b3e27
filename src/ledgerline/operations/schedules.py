"""When a schedule is due, and what follows from that: values in, values out.

A time zone that turns its clocks: a fixed time of day that is left out comes right after the gap, and one
that is there twice counts once, as Debian's cron has it; schedules with `*` in hours or minutes go on evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from ledgerline.databases.schedules import TOO_FAR_AHEAD, Fire
from ledgerline.settings import Settings


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str  # ingest or backup
    expression: str  # cron
    zone: str  # of the IANA database

    @property
    def text(self) -> str:
        return f"{self.expression} {self.zone}"


def configured(settings: Settings) -> list[Schedule]:
    given = (("ingest", settings.ingest_schedule), ("backup", settings.backup_schedule))
    return [Schedule(name, cron, settings.time_zone) for name, cron in given if cron is not None]


@dataclass(frozen=True, slots=True)
class Arm:
    """The schedule is new, another than before, or of a clock that was wrong: its times count from now."""


@dataclass(frozen=True, slots=True)
class Due:
    """A time has come. `missed`: how many before it were not seen to; `too_late`: this one is not made up."""

    due_at: datetime
    missed: int
    too_late: bool


def next_time(schedule: Schedule, after: datetime) -> datetime | None:
    """The first time after this moment; both in UTC without a zone. None: there is none in 50 years."""
    times = CronSim(schedule.expression, after.replace(tzinfo=UTC).astimezone(ZoneInfo(schedule.zone)))
    for time in times:
        moment = time.astimezone(UTC).replace(tzinfo=None)
        if moment > after:  # an hour that is there twice is counted by its first
            return moment
    return None


def decide(schedule: Schedule, last: Fire | None, now: datetime, catch_up: timedelta) -> Arm | Due | None:
    """What is to be done now.

    last      the newest time that was seen to
    catch_up  how late a missed time is made up; of several only the newest is
    """
    if last is None or last.expression != schedule.text or last.due_at - now > TOO_FAR_AHEAD:
        return Arm()
    due, passed = last.due_at, 0
    while (moment := next_time(schedule, due)) is not None and moment <= now:
        due, passed = moment, passed + 1
    return Due(due, passed - 1, too_late=now - due > catch_up) if passed else None
