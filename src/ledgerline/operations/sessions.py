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
                self.close_idle()
            with self._lock:
                if self._idle:
                    return self._idle.pop(), True
            return self._open(), False
        except BaseException:
            self._free.release()
            raise

    def give_back(self, session: QuerySession, *, usable: bool) -> None:
        try:
            if usable:
                with self._lock:
                    self._idle.append(session)
            else:
                session.close()
        finally:
            self._free.release()

    def close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
