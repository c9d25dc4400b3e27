"""Threads for queries: what comes back from them, and how many there are."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from ledgerline.web.api.query_threads import QueryThreads

MOST = 40
asker: ContextVar[str] = ContextVar("asker")


def test_what_work_gives_or_raises_comes_back() -> None:
    async def ask() -> None:
        threads = QueryThreads()
        asker.set("me")
        assert await threads.run(lambda: (asker.get(), 7)) == ("me", 7)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)

    asyncio.run(ask())


def test_a_thread_that_is_free_is_used_again() -> None:
    async def ask() -> set[int]:
        threads = QueryThreads()
        return {await threads.run(threading.get_ident) for _ in range(10)}

    assert len(asyncio.run(ask())) == 1


def test_there_are_no_more_than_so_many_and_the_rest_waits() -> None:
    is_over = threading.Event()
    begun: list[int] = []

    def work() -> int:
        begun.append(threading.get_ident())
        is_over.wait(30)
        return threading.get_ident()

    async def ask() -> list[int]:
        threads = QueryThreads()
        asked = [asyncio.ensure_future(threads.run(work)) for _ in range(MOST + 5)]
        while len(begun) < MOST:
            await asyncio.sleep(0.005)
        is_over.set()
        return await asyncio.gather(*asked)

    found = asyncio.run(ask())
    assert (len(found), len(set(found))) == (MOST + 5, MOST)


def test_work_goes_on_when_nobody_waits_for_it() -> None:
    may_end, is_done = threading.Event(), threading.Event()

    def work() -> None:
        may_end.wait(30)
        is_done.set()

    async def ask() -> None:
        asked = asyncio.ensure_future(QueryThreads().run(work))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(ask())
    may_end.set()  # the loop is closed by now
    assert is_done.wait(30)
