"""Threads for queries alone, so that slow ones take none from other endpoints.

A small query is quick enough for the way into a thread and back to count: this one takes half as long as
anyio's and asyncio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MOST: Final = 40

_Job = tuple[Context, Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class QueryThreads:
    """As many as are needed at once, 40 at most; kept for the next query. Event loops may share it."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0  # jobs that are not done
        self._threads = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives or raises. It goes on when whoever waits for it is cancelled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._open += 1
            is_short = self._threads < min(self._open, _MOST)
            self._threads += is_short
        if is_short:
            # A daemon, so that a server which hangs does not keep this process from ending.
            threading.Thread(target=self._serve, name="query", daemon=True).start()
        self._jobs.put((copy_context(), work, loop, answer))
        return await answer

    def _serve(self) -> None:
        while True:
            self._do(*self._jobs.get())

    def _do(
        self,
        context: Context,
        work: Callable[[], T],
        loop: asyncio.AbstractEventLoop,
        answer: asyncio.Future[T],
    ) -> None:
        try:
            settle = partial(_succeed, answer, context.run(work))
        except BaseException as error:  # noqa: BLE001  raised by whoever waits
            settle = partial(_fail, answer, error)
        with self._lock:
            self._open -= 1
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle)


def _succeed(answer: asyncio.Future[T], value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
