"""A pool of sessions for queries, apart from the connections that the flow uses."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ledgerline.databases.engines.querying import QuerySession
from ledgerline.errors import TransientFault


class Sessions:
    """At most so many at once; those that are free are kept for the next query. Threads may share it."""

    def __init__(self, open_session: Callable[[], QuerySession], limit: int, acquire_ms: int) -> None:
        self._open = open_session
        self._free = threading.BoundedSemaphore(limit)
        self._acquire_ms = acquire_ms
        self._idle: list[QuerySession] = []
        self._used: set[QuerySession] = set()
        self._unwanted: set[QuerySession] = set()  # of the used ones: to be closed, not kept
        self._lock = threading.Lock()

    def take(self, *, new: bool = False) -> tuple[QuerySession, bool]:
        """A session, and whether it was used before. `new`: not one that lay idle."""
        if not self._free.acquire(timeout=self._acquire_ms / 1000):
            raise TransientFault(
                "No connection for queries became free in time.",
                hint="Wait for other queries to end, or raise DB_ACQUIRE_TIMEOUT.",
            )
        try:
            if new:
                self._close_idle()
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            session = kept or self._open()
        except BaseException:
            self._free.release()
            raise
        with self._lock:
            self._used.add(session)
        return session, kept is not None

    def give_back(self, session: QuerySession, *, usable: bool) -> None:
        try:
            with self._lock:
                is_kept = usable and session not in self._unwanted
                self._used.discard(session)
                self._unwanted.discard(session)
                if is_kept:
                    self._idle.append(session)
            if not is_kept:
                session.close()
        finally:
            self._free.release()

    def connections(self) -> tuple[int, int]:
        """How many are idle, and how many are used."""
        with self._lock:
            return len(self._idle), len(self._used)

    def close_pool(self) -> None:
        """Close what is idle; what is used closes when it is given back."""
        with self._lock:
            self._unwanted |= self._used
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
