"""Threads for queries alone, so that slow ones take none from other endpoints.

A small query is quick enough for the way into a thread and back to count: this one takes half as long as
anyio's and asyncio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

_MOST: Final = 40

_Job = tuple[Context, Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class QueryThreads:
    """As many as are needed at once, 40 at most; kept for the next query. Event loops may share it.

    Work goes to the thread that was busy last: what it had in its hands is still in the processor's cache.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[_Job]] = []  # where each of them waits for work
        self._left: deque[_Job] = deque()  # while all are busy
        self._threads = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives or raises. It goes on when whoever waits for it is cancelled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._give((copy_context(), work, loop, answer))
        return await answer

    def _give(self, job: _Job) -> None:
        with self._lock:
            if self._idle:
                self._idle.pop().put(job)
                return
            if self._threads == _MOST:
                self._left.append(job)
                return
            self._threads += 1
        # A daemon, so that a server which hangs does not keep this process from ending.
        threading.Thread(target=self._serve, args=(job,), name="query", daemon=True).start()

    def _serve(self, job: _Job) -> None:
        jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        while True:
            settle = _done(*job)
            loop = job[2]
            with self._lock:
                if self._left:
                    jobs.put(self._left.popleft())
                else:
                    self._idle.append(jobs)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle)
            del job, settle  # what an answer holds is not kept until the next
            job = jobs.get()


def _done(
    context: Context, work: Callable[[], T], _loop: asyncio.AbstractEventLoop, answer: asyncio.Future[T]
) -> Callable[[], None]:
    try:
        return partial(_succeed, answer, context.run(work))
    except BaseException as error:  # noqa: BLE001  raised by whoever waits
        return partial(_fail, answer, error)


def _succeed(answer: asyncio.Future[T], value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
