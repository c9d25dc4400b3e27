"""Alerts and their outbox: what is wrong, what is to be told of it, and what was.

An alert and the deliveries that tell of it are written in one transaction, so what was found out is sent,
whatever happens in between. The tables are in the main database, and the same ones in a file for when that is
down; `take_over` brings what one of them knows to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from ledgerline.databases.duties import Begin, Duty
from ledgerline.databases.runs import named
from ledgerline.databases.schema import alert_deliveries, alerts

PENDING, SENT, GIVEN_UP = "pending", "sent", "given_up"
_KEPT: Final = timedelta(days=90)
_STALE: Final = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Alert:
    """A row of `alerts`. Times are UTC without a zone."""

    id: str
    subject: str
    kind: str
    code: str
    title: str
    detail: str
    remedy: str
    command: str
    path: str
    opened_at: datetime
    told_at: datetime
    notices: int = 1
    recovered_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `alert_deliveries`: one message for one channel."""

    id: str
    alert_id: str
    ordinal: int
    channel: str
    message: str
    created_at: datetime
    next_at: datetime
    status: str = PENDING
    attempts: int = 0
    ended_at: datetime | None = None
    error: str | None = None


class Outbox:
    """Alerts and deliveries in one database. Every method raises DatabaseError."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    # -- alerts ------------------------------------------------------------------------------------------

    def open(self) -> list[Alert]:
        """What is wrong, the oldest first."""
        query = sa.select(alerts).where(alerts.c.recovered_at.is_(None))
        with self._begin() as connection:
            rows = connection.execute(query.order_by(alerts.c.opened_at, alerts.c.id))
            return [Alert(**named(row)) for row in rows]

    def recent(self, limit: int) -> list[Alert]:
        """What is wrong or was, the newest first."""
        query = sa.select(alerts).order_by(alerts.c.opened_at.desc(), alerts.c.id).limit(limit)
        with self._begin() as connection:
            return [Alert(**named(row)) for row in connection.execute(query)]

    def write(self, duty: Duty, changed: Iterable[Alert], deliveries: Iterable[Delivery]) -> None:
        """Both or neither. Raises LeaseLost."""
        with self._begin() as connection:
            duty.check(connection)
            for alert in changed:
                _put(connection, alerts, asdict(alert))
            for delivery in deliveries:
                connection.execute(alert_deliveries.insert().values(**asdict(delivery)))

    def forget(self, duty: Duty, now: datetime) -> None:
        """What is over for a long time."""
        ended, made = alerts.c.recovered_at, alert_deliveries.c
        with self._begin() as connection:
            duty.check(connection)
            connection.execute(alerts.delete().where(ended.is_not(None), ended < now - _KEPT))
            connection.execute(alert_deliveries.delete().where(made.created_at < now - _KEPT))
            # Of channels that are not set up any more.
            stale = (made.created_at < now - _STALE) & (made.status == PENDING)
            given_up = {"status": GIVEN_UP, "ended_at": now}
            connection.execute(alert_deliveries.update().where(stale).values(**given_up))

    # -- deliveries --------------------------------------------------------------------------------------

    def next_of(self, channel: str) -> Delivery | None:
        """The oldest that is not sent yet: a channel gets its messages in order."""
        made = alert_deliveries.c
        query = sa.select(alert_deliveries).where(made.channel == channel, made.status == PENDING)
        query = query.order_by(made.created_at, made.ordinal, made.id).limit(1)
        with self._begin() as connection:
            row = connection.execute(query).first()
        return None if row is None else Delivery(**named(row))

    def deliveries(self, alert_ids: Sequence[str]) -> list[Delivery]:
        query = sa.select(alert_deliveries).where(alert_deliveries.c.alert_id.in_(alert_ids))
        query = query.order_by(alert_deliveries.c.created_at, alert_deliveries.c.ordinal)
        with self._begin() as connection:
            return [Delivery(**named(row)) for row in connection.execute(query)]

    def note(self, duty: Duty, delivery: Delivery) -> None:
        """Write how it stands with a delivery. Raises LeaseLost."""
        values = {"status": delivery.status, "attempts": delivery.attempts, "next_at": delivery.next_at}
        values |= {"ended_at": delivery.ended_at, "error": delivery.error}
        with self._begin() as connection:
            duty.check(connection)
            row = alert_deliveries.update().where(alert_deliveries.c.id == delivery.id)
            connection.execute(row.values(**values))

    # -- from one database to the other ------------------------------------------------------------------

    def everything(self) -> tuple[list[Alert], list[Delivery]]:
        with self._begin() as connection:
            return _everything(connection)

    def take_over(self, found: Sequence[Alert], made: Sequence[Delivery]) -> None:
        """Write what another outbox knows, unless this one knows it or something newer. May be done twice."""
        if not found and not made:
            return
        with self._begin() as connection:
            for alert in found:
                _put(connection, alerts, asdict(alert), newer_only=True)
            for delivery in made:
                if not _is_there(connection, alert_deliveries, delivery.id):
                    connection.execute(alert_deliveries.insert().values(**asdict(delivery)))

    def keep_only(self, duty: Duty, kept: Sequence[Alert], known: tuple[list[Alert], list[Delivery]]) -> None:
        """These alerts and no delivery, a copy of what is wrong; unless more is here than is `known`."""
        with self._begin() as connection:
            duty.check(connection)
            if _everything(connection) != known:
                return
            connection.execute(alert_deliveries.delete())
            connection.execute(alerts.delete())
            for alert in kept:
                _put(connection, alerts, asdict(alert))


def _everything(connection: sa.Connection) -> tuple[list[Alert], list[Delivery]]:
    found = connection.execute(sa.select(alerts).order_by(alerts.c.id))
    made = connection.execute(sa.select(alert_deliveries).order_by(alert_deliveries.c.id))
    return [Alert(**named(row)) for row in found], [Delivery(**named(row)) for row in made]


def _put(
    connection: sa.Connection, table: sa.Table, values: dict[str, Any], *, newer_only: bool = False
) -> None:
    row = table.c.id == values["id"]
    newer = table.c.version < values["version"] if newer_only else sa.true()
    if not _is_there(connection, table, values["id"]):
        connection.execute(table.insert().values(**values))
    else:
        connection.execute(table.update().where(row, newer).values(**values))


def _is_there(connection: sa.Connection, table: sa.Table, key: str) -> bool:
    return connection.execute(sa.select(table.c.id).where(table.c.id == key)).first() is not None
