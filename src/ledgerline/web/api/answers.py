"""Answers of queries: streamed as they come, and stopped in the database when the caller hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ledgerline.errors import QueryMissing
from ledgerline.operations import formats
from ledgerline.operations.formats import MEDIA_TYPES, Format
from ledgerline.operations.query import Queries
from ledgerline.operations.results import Result
from ledgerline.web.api.query_threads import QueryThreads
from ledgerline.web.logs import new_id

_A_MOMENT: Final = 0.05  # seconds

_BY_MEDIA_TYPE: Final = {
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "text/csv": Format.CSV,
    "application/vnd.apache.arrow.stream": Format.ARROW,
}


@lru_cache(maxsize=256)
def wanted_format(accept: str) -> Format | None:
    """The format that an Accept header likes best; JSON when it does not care; None: none of ours."""
    best: tuple[float, Format] | None = None
    for item in accept.split(",") if accept.strip() else ["*/*"]:
        kind, *options = (part.strip().lower() for part in item.split(";"))
        quality = 1.0
        for option in options:
            if option.startswith("q="):
                with contextlib.suppress(ValueError):
                    quality = float(option[2:])
        form = Format.JSON if kind in ("*/*", "application/*") else _BY_MEDIA_TYPE.get(kind)
        form = Format.CSV if kind == "text/*" else form
        if form is not None and quality > 0 and (best is None or quality > best[0]):
            best = (quality, form)
    return best[1] if best else None


class StoppedOnHangup:
    """While this goes on, `stop` is called, in a thread and again and again, once the caller is gone.

    Only who waits for a moment is watched: most answers are there before.
    """

    def __init__(self, receive: Receive, stop: Callable[[], None]) -> None:
        self._receive = receive
        self._stop = stop
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_A_MOMENT, self._begin)

    def _begin(self) -> None:
        self._watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        while True:
            await to_thread.run_sync(self._stop, limiter=CapacityLimiter(1))
            await anyio.sleep(_A_MOMENT)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()


class Begun:
    """A query whose first rows are there, or that ended without any; what it says before them is raised."""

    def __init__(self, result: Result, form: Format) -> None:
        self.result = result
        self.form = form
        self.first: list[bytes] = []
        self._chunks = formats.written(result, form)
        self._lock = threading.Lock()  # who was left waiting for rows may not be back when it is ended

    def begin(self) -> None:
        """Take what comes without waiting: the first rows, and all of a small answer."""
        while (not self.result.rows or self.result.is_whole) and (chunk := self.next()) is not None:
            self.first.append(chunk)
        if self.result.error is not None and not self.result.rows:
            raise self.result.error

    @property
    def is_whole(self) -> bool:
        return self.result.is_whole

    def next(self) -> bytes | None:
        with self._lock:
            return next(self._chunks, None)

    def end(self) -> None:
        """Stop it, unless it is over."""
        self.result.cancel()
        with self._lock:
            self._chunks.close()
        self.result.close()


class Start:
    """The beginning of a query in a thread, which the one who waits for it may give up."""

    def __init__(self, run: Callable[[], Result], form: Format, stop: Callable[[], None]) -> None:
        self._run = run
        self._form = form
        self._stop = stop
        self._lock = threading.Lock()
        self._begun: Begun | None = None
        self._is_over = False
        self._is_given_up = False

    def __call__(self) -> Begun:
        try:
            begun = Begun(self._run(), self._form)
            try:
                begun.begin()
            except BaseException:
                begun.end()
                raise
            if begun.is_whole:
                begun.end()
        finally:
            self._is_over = True
        with self._lock:
            self._begun = begun
            is_wanted = not self._is_given_up
        if not is_wanted:
            begun.end()
        return begun

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
        threading.Thread(target=self._end, name="query-given-up", daemon=True).start()

    def _end(self) -> None:
        while not self._is_over:
            self._stop()
            time.sleep(_A_MOMENT)
        if self._begun is not None:
            self._begun.end()


async def started(
    request: Request, threads: QueryThreads, queries: Queries, run: Callable[[str], Result], form: Format
) -> Begun:
    """The query, begun. What the database says before the first row is raised."""
    query_id = new_id()

    def stop() -> None:
        with contextlib.suppress(QueryMissing):  # not begun yet, or over
            queries.cancel(query_id)

    start = Start(lambda: run(query_id), form, stop)
    try:
        with StoppedOnHangup(request.receive, stop):
            return await threads.run(start)
    except asyncio.CancelledError:
        start.give_up()
        raise


def answer(begun: Begun, threads: QueryThreads, ended: Callable[[Result], None]) -> Response:
    """The rows of a query in one of the formats; `ended` is told when it is over, however that came."""
    if not begun.is_whole:
        return _Stream(begun, threads, ended)
    ended(begun.result)
    return Response(b"".join(begun.first), 200, _headers(begun), MEDIA_TYPES[begun.form])


def _headers(begun: Begun) -> dict[str, str]:
    query_id = begun.result.query_id
    named = {"Content-Disposition": f'attachment; filename="{query_id}.csv"'}
    return {"X-Query-Id": query_id, **(named if begun.form is Format.CSV else {})}


class _Stream(Response):
    """Rows that are sent as they come."""

    def __init__(self, begun: Begun, threads: QueryThreads, ended: Callable[[Result], None]) -> None:
        super().__init__(status_code=200, headers=_headers(begun), media_type=MEDIA_TYPES[begun.form])
        del self.headers["content-length"]
        self._begun = begun
        self._threads = threads
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            with StoppedOnHangup(receive, self._begun.result.cancel):
                await self._stream(send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._threads.run(self._end)

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        for first in self._begun.first:
            await send({"type": "http.response.body", "body": first, "more_body": True})
        while (chunk := await self._threads.run(self._begun.next)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _end(self) -> None:
        self._begun.end()
        self._ended(self._begun.result)
