"""Watches a database: looks at it now and then, over a connection of its own, and remembers what it saw.

A look runs a real query in a thread of its own and is over within its time, whatever the server does; so
whoever asks how the database is gets the last answer at once. One slow or failed look proves nothing: the
status changes after several in a row that agree.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ledgerline.databases.engines import Limits, explained, server_for
from ledgerline.databases.engines.querying import Access, QuerySession, open_session
from ledgerline.databases.runs import utc_now
from ledgerline.errors import DatabaseError, DatabaseUnreachable, LedgerlineError
from ledgerline.operations.deadlines import Deadlines
from ledgerline.settings import ProbeSettings
from ledgerline.url import DatabaseUrl, Engine

_log = logging.getLogger(__name__)

_QUERIES: Final = {Engine.SQLITE: "SELECT count(*) FROM sqlite_schema"}  # which reads the file
_ACCESS: Final = Access(
    functions=frozenset({"count"}), catalog_tables=frozenset({"sqlite_schema", "sqlite_master"})
)
_MOST_STUCK: Final = 4  # looks that were given up and still wait for a server that does not answer
_LEAST_CONNECT_SECONDS: Final = 2

_deadlines = Deadlines()


class Status(StrEnum):
    """The better the higher in `_RANK`."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


_RANK: Final = {Status.UP: 2, Status.DEGRADED: 1, Status.DOWN: 0}


@dataclass(frozen=True, slots=True)
class Look:
    """What one look saw. `latency_ms` is None where no answer came."""

    at: datetime
    latency_ms: float | None = None
    error: LedgerlineError | None = None

    def status(self, slow_ms: int) -> Status:
        if self.error is not None or self.latency_ms is None:
            return Status.DOWN
        return Status.DEGRADED if self.latency_ms > slow_ms else Status.UP


@dataclass(frozen=True, slots=True)
class State:
    """How a database is, and since when. `streak`: looks in a row that said otherwise."""

    status: Status
    since: datetime
    last: Look
    streak: int = 0


def after(state: State | None, look: Look, settings: ProbeSettings) -> State:
    """The state when another look was taken."""
    seen = look.status(settings.slow_ms)
    if state is None:
        return State(seen, look.at, look)
    if seen is state.status:
        return replace(state, last=look, streak=0)
    is_better = _RANK[seen] > _RANK[state.status]
    streak = state.streak + 1
    if streak >= (settings.rise if is_better else settings.fall):
        return State(seen, look.at, look)
    return replace(state, last=look, streak=streak)


class TimedOut(DatabaseUnreachable):
    code = "probe_timeout"
    meaning = "The database did not answer in time."


class _Attempt:
    def __init__(self, session: QuerySession | None) -> None:
        self.session = session
        self.future: Future[Look] = Future()
        self.given_up = False


class Probe:
    """Watches one database between `start` and `stop`. Threads may share it."""

    def __init__(
        self,
        name: str,
        url: DatabaseUrl,
        settings: ProbeSettings,
        opened: Callable[[DatabaseUrl, Limits], QuerySession] = open_session,
        diagnosed: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`diagnosed`: the code of what the doctor finds wrong, asked each time that it goes down."""
        self.name = name
        self.settings = settings
        self._opened = opened
        self._diagnosed = diagnosed
        self._diagnosis: tuple[datetime, str] | None = None  # when it went down, and why
        seconds = max(_LEAST_CONNECT_SECONDS, math.ceil(settings.timeout_ms / 1000))
        self._url = replace(url, connect_timeout=min(url.connect_timeout or seconds, seconds))
        self._limits = Limits(connections=1, acquire_ms=settings.timeout_ms, statement_ms=settings.timeout_ms)
        self._lock = threading.Lock()
        self._session: QuerySession | None = None
        self._looking: _Attempt | None = None
        self._stuck = 0
        self._state: State | None = None
        self._first = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"probe-{name}", daemon=True)

    @property
    def state(self) -> State | None:
        """The last answer, at once; None before the first look."""
        return self._state

    @property
    def code(self) -> str | None:
        """Why it is down: what the doctor says, until then what the last look met. None while it is not."""
        state, diagnosis = self._state, self._diagnosis
        if state is None or state.status is not Status.DOWN:
            return None
        if diagnosis is not None and diagnosis[0] == state.since:
            return diagnosis[1]
        return state.last.error.code if state.last.error else None

    def start(self) -> None:
        self._thread.start()

    def wait_for_first(self) -> State | None:
        """When the first look is over, which is within its time."""
        self._first.wait(2 * self.settings.timeout_ms / 1000)
        return self._state

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            self._note(self.look().result())
            self._first.set()
            self._stopping.wait(max(0.0, began + self.settings.interval_ms / 1000 - time.monotonic()))

    def _note(self, look: Look) -> None:
        before, self._state = self._state, after(self._state, look, self.settings)
        if before is None or before.status is not self._state.status:
            level = logging.INFO if self._state.status is Status.UP else logging.WARNING
            code = f" ({look.error.code})" if look.error else ""
            _log.log(level, "The %s database is %s%s.", self.name, self._state.status.value, code)
            if self._state.status is Status.DOWN:
                threading.Thread(
                    target=self._ask_why, args=(self._state.since,), name=f"why-{self.name}", daemon=True
                ).start()

    def _ask_why(self, since: datetime) -> None:
        """In a thread of its own: the doctor takes seconds, and looks go on meanwhile."""
        try:
            if code := self._diagnosed():
                self._diagnosis = since, code
        except Exception:  # noqa: BLE001  nobody is there to catch it; what the look met is told instead
            _log.exception("Why the %s database is down could not be found out.", self.name)

    # -- one look ----------------------------------------------------------------------------------------

    def look(self) -> Future[Look]:
        """A look that begins now, or the one that is going on. Its future is done within its time."""
        with self._lock:
            if self._looking is not None:
                return self._looking.future
            if self._stuck >= _MOST_STUCK:
                stuck: Future[Look] = Future()
                stuck.set_result(_timed_out(self.settings))
                return stuck
            attempt = self._looking = _Attempt(self._session)
            self._session = None
        _deadlines.add(self.settings.timeout_ms / 1000, lambda: self._give_up(attempt))
        threading.Thread(target=self._attempt, args=(attempt,), name=f"look-{self.name}", daemon=True).start()
        return attempt.future

    def _give_up(self, attempt: _Attempt) -> None:
        with self._lock:
            if self._looking is not attempt:
                return
            self._looking = None
            self._stuck += 1
            attempt.given_up = True
        attempt.future.set_result(_timed_out(self.settings))
        if attempt.session is not None:
            with suppress(Exception):  # it may answer to that no more than to the query
                attempt.session.cancel()

    def _attempt(self, attempt: _Attempt) -> None:
        look = self._taken(attempt)
        with self._lock:
            in_time = not attempt.given_up
            if in_time:
                self._looking = None
            else:
                self._stuck -= 1
            # A file is opened anew each time: whoever has it open does not see that it was taken away.
            if in_time and look.error is None and not self._stopping.is_set() and self._keeps():
                self._session, attempt.session = attempt.session, None
        _close(attempt.session)
        if in_time:
            attempt.future.set_result(look)

    def _keeps(self) -> bool:
        return self._url.engine is not Engine.SQLITE

    def _taken(self, attempt: _Attempt) -> Look:
        began = time.monotonic()
        try:
            kept = attempt.session is not None
            try:
                self._ask(attempt)
            except LedgerlineError as error:
                if not kept or not error.retryable or attempt.given_up:
                    raise
                # A connection that broke while it was not used says nothing about the server now.
                _close(attempt.session)
                attempt.session = None
                self._ask(attempt)
        except LedgerlineError as error:
            return Look(utc_now(), error=error)
        return Look(utc_now(), latency_ms=1000 * (time.monotonic() - began))

    def _ask(self, attempt: _Attempt) -> None:
        try:
            session = attempt.session = attempt.session or self._opened(self._url, self._limits)
            query = _QUERIES.get(self._url.engine, "SELECT 1")
            session.start(query, (), rows=2, explain=False, access=_ACCESS)
            rows = session.fetch(2)
            session.finish()
        except Exception as error:
            raise explained(server_for(self._url.engine), error, self._url) from error
        if len(rows) != 1:
            raise DatabaseError("The database gave no row.")


def _close(session: QuerySession | None) -> None:
    if session is not None:
        with suppress(Exception):  # it may be broken
            session.close()


def _timed_out(settings: ProbeSettings) -> Look:
    return Look(
        utc_now(),
        error=TimedOut(
            f"No answer within {settings.timeout_ms:,} ms.",
            hint="See whether the server hangs or is overloaded.",
        ),
    )
