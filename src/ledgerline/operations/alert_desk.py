"""Keeps the alerts and sends what is to be told: through the main database, or a file while that is down.

Whoever holds the duty decides, writes alert and deliveries in one transaction, and sends. Before an attempt
the delivery says when the next one would be: a crash in between means another attempt, never two at once.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from ledgerline.databases.alerts import GIVEN_UP, SENT, Alert, Delivery, Outbox
from ledgerline.databases.database import Database
from ledgerline.databases.duties import Begin, Contender, Duty
from ledgerline.databases.folders import make_folder_of
from ledgerline.databases.schema import activity, alert_deliveries, alerts, duties
from ledgerline.errors import ChannelFailed, LedgerlineError
from ledgerline.operations.alert_messages import load, message_of
from ledgerline.operations.alerting import Event, Seen, conditions, decide, observed, pause_after
from ledgerline.operations.channels import Channel
from ledgerline.settings import Settings
from ledgerline.url import parse_url

_log = logging.getLogger(__name__)

GIVE_UP_AFTER: Final = timedelta(hours=24)
_LONGEST_SECONDS: Final = 10.0  # after which no message is begun: a duty that is silent for a minute is lost
_FORGET_EVERY: Final = timedelta(hours=1)


class OutboxFile:
    """The tables of the outbox in a file of this machine; made when it is first needed."""

    def __init__(self, path: str) -> None:
        self._path = Path(path).absolute()
        self._database: Database | None = None

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Raises DatabaseError, also where no file can be made."""
        if self._database is None:
            make_folder_of(self._path, "ALERT_OUTBOX")
            database = Database(parse_url(f"sqlite:///{self._path.as_posix()}"))
            with database.begin() as connection:
                activity.create_all(connection, tables=[alerts, alert_deliveries, duties])
            self._database = database
        with self._database.begin() as connection:
            yield connection

    @property
    def is_open(self) -> bool:
        return self._database is not None

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


class Desk:
    """Not shared by threads."""

    def __init__(
        self,
        settings: Settings,
        begin: Begin,
        channels: Sequence[Channel],
        holder: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._main = Outbox(begin)
        self._file = OutboxFile(settings.alerts.outbox)
        self._beside = Outbox(self._file.begin)
        self._keeper = Contender("alerts", self._file.begin, holder, monotonic)
        self._monotonic = monotonic
        self._forgotten_at: datetime | None = None
        self._is_file_bad = False

    def close(self) -> None:
        """Leave the file to whoever comes next. Raises DatabaseError."""
        if self._file.is_open:
            self._keeper.release()
        self._file.close()

    # -- where the main database answers -------------------------------------------------------------------

    def update(self, duty: Duty, seen: Seen, now: datetime) -> None:
        """Tell what has changed. Raises LeaseLost, DatabaseError."""
        if self._decide(self._main, duty, seen, now):
            self.bring_home(now)  # the copy is to know it, should the database go the next moment
        self._send(self._main, duty, now)
        if self._forgotten_at is None or now - self._forgotten_at >= _FORGET_EVERY:
            self._main.forget(duty, now)
            self._forgotten_at = now

    def bring_home(self, now: datetime) -> None:
        """Move to the main database what was noted without it, and keep a copy here of what is wrong.

        Any process may, and it may be done twice: what a database knows it does not take again. That it fails
        hinders nothing else; a later one does it.
        """
        try:
            self._bring_home(now)
            self._is_file_bad = False
        except LedgerlineError as error:
            if not self._is_file_bad:
                _log.warning(
                    "Alerts have no file to wait in: %s", error.public_detail, extra={"code": error.code}
                )
            self._is_file_bad = True

    def _bring_home(self, now: datetime) -> None:
        duty = self._keeper.hold(now)
        if duty is None:  # another process of this machine sees to it
            return
        found, made = self._beside.everything()
        if made or _by_id(found) != _by_id(self._main.open()):
            self._main.take_over(found, made)
            self._beside.keep_only(duty, self._main.open(), (found, made))

    # -- where it does not -----------------------------------------------------------------------------------

    def update_without_main(self, seen: Seen, now: datetime) -> None:
        """The same as `update`, in the file. Raises DatabaseError."""
        duty = self._keeper.hold(now)
        if duty is not None:
            self._decide(self._beside, duty, seen, now)
            self._send(self._beside, duty, now)

    # ----------------------------------------------------------------------------------------------------

    def _decide(self, outbox: Outbox, duty: Duty, seen: Seen, now: datetime) -> bool:
        """Whether anything has changed."""
        bounds = self._settings.alerts
        wrong = conditions(seen, bounds, now)
        decision = decide(outbox.open(), wrong, observed(seen, now), bounds.repeat, now)
        changed = [*(event.alert for event in decision.events), *decision.silent]
        if changed:
            outbox.write(duty, changed, [one for event in decision.events for one in self._made(event, now)])
        return bool(changed)

    def _made(self, event: Event, now: datetime) -> Iterator[Delivery]:
        alert, settings = event.alert, self._settings
        message = message_of(
            event.change,
            alert,
            now,
            environment=settings.environment.value,
            host=socket.gethostname(),
            public_url=settings.public_url,
        ).dump()
        for channel in self._channels:
            key = str(uuid.uuid5(uuid.UUID(alert.id), f"{alert.version} {channel.name}"))
            yield Delivery(key, alert.id, alert.version, channel.name, message, created_at=now, next_at=now)

    def _send(self, outbox: Outbox, duty: Duty, now: datetime) -> None:
        until = self._monotonic() + _LONGEST_SECONDS
        for channel in self._channels:
            while self._monotonic() < until:
                delivery = outbox.next_of(channel.name)
                if (
                    delivery is None
                    or delivery.next_at > now
                    or not _attempt(outbox, duty, channel, delivery, now)
                ):
                    break


def _attempt(outbox: Outbox, duty: Duty, channel: Channel, delivery: Delivery, now: datetime) -> bool:
    """Whether the channel is done with this message, so that the next one may follow."""
    attempts = delivery.attempts + 1
    tried = replace(delivery, attempts=attempts, next_at=now + pause_after(attempts))
    outbox.note(duty, tried)
    try:
        channel.send(delivery.id, load(delivery.message), now)
    except ChannelFailed as error:
        _log.warning("An alert was not sent: %s", error.detail, extra={"id": delivery.id})
        is_over = now - delivery.created_at >= GIVE_UP_AFTER
        failed = replace(tried, error=error.detail)
        outbox.note(duty, replace(failed, status=GIVEN_UP, ended_at=now) if is_over else failed)
        return is_over
    outbox.note(duty, replace(tried, status=SENT, ended_at=now, error=None))
    return True


def _by_id(found: Sequence[Alert]) -> dict[str, Alert]:
    return {alert.id: alert for alert in found}
