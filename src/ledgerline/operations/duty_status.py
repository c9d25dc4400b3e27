"""What the service does by itself, for somebody who only looks: when schedules are due, what was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ledgerline.databases import schedules
from ledgerline.databases.alerts import Alert, Delivery, Outbox
from ledgerline.databases.duties import Begin
from ledgerline.databases.schedules import Fire
from ledgerline.databases.schema import alerts
from ledgerline.errors import DatabaseError
from ledgerline.operations.doctor import quick_database
from ledgerline.operations.schedules import Schedule, configured, next_time
from ledgerline.settings import Settings
from ledgerline.url import DatabaseUrl, Engine, parse_url


@dataclass(frozen=True, slots=True)
class ScheduleState:
    schedule: Schedule
    next_at: datetime | None  # UTC without a zone
    last: Fire | None  # the newest time that something came of; None also where nobody knows


def schedule_states(settings: Settings, now: datetime, *, connected: bool) -> list[ScheduleState]:
    """Both schedules, as far as they are set. Fails for nothing.

    connected  whether the main database is known to answer, so that it can be asked
    """
    wanted = configured(settings)
    last = _last(settings, [one.name for one in wanted]) if wanted and connected else {}
    return [ScheduleState(one, next_time(one, now), last.get(one.name)) for one in wanted]


def _last(settings: Settings, names: Sequence[str]) -> dict[str, Fire | None]:
    try:
        with _reading(settings) as begin:
            return {} if begin is None else {name: schedules.last_started(begin, name) for name in names}
    except DatabaseError:  # the status tells why elsewhere
        return {}


def known_alerts(settings: Settings, limit: int) -> list[tuple[Alert, list[Delivery]]]:
    """What is wrong or was, the newest first, each with what was told of it.

    Raises DatabaseError when the main database cannot be read.
    """
    with _reading(settings) as begin:
        return _alerts(begin, limit)


def alerts_beside(settings: Settings, limit: int) -> list[tuple[Alert, list[Delivery]]]:
    """The same from the file of this machine, where they wait while the main database is down."""
    path = Path(settings.alerts.outbox).absolute()
    with _file(parse_url(f"sqlite:///{path.as_posix()}")) as begin:
        return _alerts(begin, limit)


def _alerts(begin: Begin | None, limit: int) -> list[tuple[Alert, list[Delivery]]]:
    if begin is None:
        return []
    outbox = Outbox(begin)
    found = outbox.recent(limit)
    made = outbox.deliveries([alert.id for alert in found])
    return [(alert, [one for one in made if one.alert_id == alert.id]) for alert in found]


@contextmanager
def _reading(settings: Settings) -> Iterator[Begin | None]:
    """The tables of the main database that are written beside runs, for reading; None: not there yet."""
    url = settings.main.url
    if url.engine is Engine.SQLITE:
        with _file(replace(url, database=f"{url.database}-activity")) as begin:
            yield begin
        return
    with _there(url, read_only=False) as begin:
        yield begin


@contextmanager
def _file(url: DatabaseUrl) -> Iterator[Begin | None]:
    """Opened for reading only: looking at it makes no file."""
    if not Path(url.database).exists():
        yield None
        return
    with _there(url, read_only=True) as begin:
        yield begin


@contextmanager
def _there(url: DatabaseUrl, *, read_only: bool) -> Iterator[Begin | None]:
    database = quick_database(url, read_only=read_only)
    try:
        yield database.connect if database.has_table(alerts.name) else None
    finally:
        database.close()
