"""Calls with a time limit, to a server that may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from ledgerline.errors import LedgerlineError

T = TypeVar("T")

_MOST_STUCK: Final = 8  # threads that wait for a server which does not answer


class Bounded:
    """Threads may share it."""

    def __init__(self, seconds: float, late: Callable[[], LedgerlineError]) -> None:
        """`late`: what is raised where it takes longer."""
        self._seconds = seconds
        self._late = late
        self._free = threading.BoundedSemaphore(_MOST_STUCK)

    def call(self, ask: Callable[[], T]) -> T:
        """What `ask` gives or raises; or it is late, goes on in its thread, and nobody hears of it."""
        if not self._free.acquire(timeout=self._seconds):
            raise self._late()
        answer: Future[T] = Future()

        def asking() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:  # noqa: BLE001  raised by whoever waits
                answer.set_exception(error)
            finally:
                self._free.release()

        # A daemon, so that a server which hangs does not keep this process from ending.
        threading.Thread(target=asking, name="bounded", daemon=True).start()
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            raise self._late() from None
