"""When schedules were due, and what became of it. Who sees to a time writes its row: there is no second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from ledgerline.databases.duties import Begin, Duty
from ledgerline.databases.runs import named
from ledgerline.databases.schema import schedule_fires

_KEPT: Final = timedelta(days=90)
# A time that was seen to so long before it came was seen to by a clock that was wrong.
TOO_FAR_AHEAD: Final = timedelta(days=2)


class Outcome(StrEnum):
    ARMED = "armed"  # from here on the times of this expression count; nothing was started
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # the one before, or one that somebody started, was still going
    MISSED = "missed"  # nothing served then, and it was too late when something did
    LEFT = "left"  # who started it ended before it did: how it ended stands elsewhere


@dataclass(frozen=True, slots=True)
class Fire:
    """A row of `schedule_fires`."""

    name: str
    due_at: datetime
    expression: str
    outcome: str
    fired_at: datetime
    holder: str
    missed: int = 0
    finished_at: datetime | None = None
    run_id: int | None = None
    error_code: str | None = None
    error_detail: str | None = None
    error_hint: str | None = None


_COLUMNS = [schedule_fires.c[name] for name in Fire.__dataclass_fields__]


def fire(begin: Begin, duty: Duty, fire: Fire) -> None:
    """Note that a time is seen to, before it is. Raises LeaseLost."""
    with begin() as connection:
        duty.check(connection)
        connection.execute(
            schedule_fires.insert().values(**{str(c.name): getattr(fire, str(c.name)) for c in _COLUMNS})
        )
        due = schedule_fires.c.due_at
        gone = (due < fire.due_at - _KEPT) | (due > fire.fired_at + TOO_FAR_AHEAD)
        connection.execute(schedule_fires.delete().where(schedule_fires.c.name == fire.name, gone))


def finish(begin: Begin, fired: Fire, outcome: Outcome, **values: Any) -> None:
    """Note how it ended. Whoever started it may do so at any time: the row is its own."""
    row = _row(fired) & (schedule_fires.c.holder == fired.holder)
    with begin() as connection:
        connection.execute(schedule_fires.update().where(row).values(outcome=outcome.value, **values))


def leave(begin: Begin, duty: Duty, holder: str, now: datetime) -> None:
    """What others than `holder` started and did not end is left: they hold the duty no more."""
    theirs = (schedule_fires.c.outcome == Outcome.RUNNING.value) & (schedule_fires.c.holder != holder)
    with begin() as connection:
        duty.check(connection)
        left = {"outcome": Outcome.LEFT.value, "finished_at": now}
        connection.execute(schedule_fires.update().where(theirs).values(**left))


def last(begin: Begin, name: str) -> Fire | None:
    """The newest time of a schedule that was seen to."""
    return next(iter(_fires(begin, schedule_fires.c.name == name, limit=1)), None)


def last_started(begin: Begin, name: str, outcomes: Sequence[Outcome] = ()) -> Fire | None:
    """The newest one that was not just noted; of those with one of these outcomes."""
    wanted = outcomes or [one for one in Outcome if one is not Outcome.ARMED]
    of_these = schedule_fires.c.outcome.in_([one.value for one in wanted])
    return next(iter(_fires(begin, (schedule_fires.c.name == name) & of_these, limit=1)), None)


def latest(begin: Begin, limit: int = 100) -> list[Fire]:
    """The newest first, of all schedules."""
    return _fires(begin, sa.true(), limit=limit)


def _fires(begin: Begin, condition: sa.ColumnElement[bool], *, limit: int) -> list[Fire]:
    query = sa.select(*_COLUMNS).where(condition).order_by(schedule_fires.c.due_at.desc()).limit(limit)
    with begin() as connection:
        return [Fire(**named(row)) for row in connection.execute(query)]


def _row(fired: Fire) -> sa.ColumnElement[bool]:
    return (schedule_fires.c.name == fired.name) & (schedule_fires.c.due_at == fired.due_at)
