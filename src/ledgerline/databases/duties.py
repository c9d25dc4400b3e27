"""What has to be done once, however many processes could do it: whoever holds the duty does it.

A holder beats; its beats are counted, not timed, as the clocks of two machines differ (ADR 6). Each new
holder gets a higher token, and every transaction that matters checks that its token is still the highest.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import is_process_alive, this_process, utc_now
from ledgerline.databases.schema import duties
from ledgerline.errors import DatabaseError, LeaseLost, LedgerlineError, RunInProgress

Begin: TypeAlias = Callable[[], AbstractContextManager[sa.Connection]]
"""Begins a transaction on the tables of duties: `Database.begin_activity`, or that of a file beside."""

SILENCE: Final = 60.0  # seconds without a beat, after which a holder is taken for dead
_BEAT: Final = 5.0


@dataclass(frozen=True, slots=True)
class Duty:
    """The right to do something, until somebody else takes it over."""

    name: str
    token: int

    def check(self, connection: sa.Connection) -> None:
        """Hold it until this transaction ends. Raises LeaseLost when it is another's by now."""
        mine = duties.update().where(duties.c.name == self.name, duties.c.token == self.token)
        if connection.execute(mine.values(token=self.token)).rowcount != 1:
            raise LeaseLost(
                f"Another process does the duty of {self.name} by now.",
                hint="Nothing is to be done: it goes on there.",
            )


def new_holder() -> str:
    """A name for one who would hold a duty; a process may have several."""
    return f"{this_process()}/{secrets.token_hex(3)}"


class Contender:
    """One who would hold a duty. Not shared by threads."""

    def __init__(
        self, name: str, begin: Begin, holder: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.holder = holder
        self._begin = begin
        self._monotonic = monotonic
        self._is_known = False  # whether the duty has a row
        self._seen: tuple[int, int] | None = None  # (token, beats) of another holder
        self._since = 0.0

    def hold(self, now: datetime) -> Duty | None:
        """The duty, taken or kept; None: somebody else has it."""
        self._make_known(now)
        with self._begin() as connection:
            row = connection.execute(sa.select(duties).where(duties.c.name == self.name)).first()
            self._is_known = row is not None  # a backup may have been restored
            if row is None or not self._may_have(row):
                return None
            token = row.token if row.holder == self.holder else row.token + 1
            # Whoever looked at the same row was quicker, or the holder has beaten after all.
            same = sa.and_(
                duties.c.name == self.name, duties.c.token == row.token, duties.c.beats == row.beats
            )
            values = {"holder": self.holder, "token": token, "beats": row.beats + 1, "beat_at": now}
            taken = connection.execute(duties.update().where(same).values(**values))
            return Duty(self.name, token) if taken.rowcount == 1 else None

    def _make_known(self, now: datetime) -> None:
        """Make the duty's row, the first time."""
        if self._is_known:
            return
        nobody = {"name": self.name, "token": 0, "beats": 0, "beat_at": now}
        with suppress(DatabaseError), self._begin() as connection:  # another may make it just now
            if connection.execute(sa.select(duties).where(duties.c.name == self.name)).first() is None:
                connection.execute(duties.insert().values(**nobody))
            self._is_known = True

    def release(self) -> None:
        mine = duties.update().where(duties.c.name == self.name, duties.c.holder == self.holder)
        with self._begin() as connection:
            connection.execute(mine.values(holder=sa.null()))

    def _may_have(self, row: Any) -> bool:
        if row.holder in (None, self.holder):
            return True
        if _is_known_to_be_dead(row.holder, row.beat_at):
            return True
        if self._seen != (row.token, row.beats):
            self._seen, self._since = (row.token, row.beats), self._monotonic()
        return self._monotonic() - self._since >= SILENCE


def _is_known_to_be_dead(holder: str, beat_at: datetime) -> bool:
    """Of this machine's processes it is known at once."""
    host, _, pid = holder.partition("/")[0].rpartition(":")
    return host == socket.gethostname() and not is_process_alive(int(pid), beat_at)


@contextmanager
def held(main: Database, name: str) -> Iterator[None]:
    """Do a duty that takes long. Raises RunInProgress when somebody else does it now."""
    contender = Contender(name, main.begin_activity, new_holder())
    if contender.hold(utc_now()) is None:
        raise RunInProgress(f"Another {name} is going.", hint="Wait for it to end.")
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(contender, done), name=f"duty-{name}", daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        contender.release()


def _beat(contender: Contender, done: threading.Event) -> None:
    while not done.wait(_BEAT):
        try:
            contender.hold(utc_now())
        except LedgerlineError:  # the database may be away for a while; the next beat tells
            continue
