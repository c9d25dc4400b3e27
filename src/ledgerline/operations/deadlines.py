"""Calls something when its time has come: one thread for all queries, as a thread for each would cost more
than a small query does."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Deadline:
    at: float
    number: int
    act: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        self.act = None


class Deadlines:
    """Threads may share it. What is called has to be quick, and must not raise."""

    def __init__(self) -> None:
        self._waiting: list[Deadline] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, seconds: float, act: Callable[[], None]) -> Deadline:
        deadline = Deadline(time.monotonic() + seconds, next(self._numbers), act)
        with self._changed:
            heapq.heappush(self._waiting, deadline)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="query-deadlines", daemon=True)
                self._thread.start()
            elif self._waiting[0] is deadline:
                self._changed.notify()
        return deadline

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._waiting and self._waiting[0].act is None:
                    heapq.heappop(self._waiting)
                if not self._waiting:
                    self._changed.wait()
                    continue
                left = self._waiting[0].at - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                act = heapq.heappop(self._waiting).act
            if act is not None:
                # Of its own: to stop a query may take a round trip, and others have their time too.
                threading.Thread(target=act, daemon=True).start()
