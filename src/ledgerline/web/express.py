"""The short way of requests that come as they usually do: past routing, dependencies and FastAPI's reading of
documents, which together cost more than a small query.

It knows no errors of a request. What is not as usual (no key that is known, a body that does not fit) goes
the long way, from its beginning, and is told there what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerline.errors import LedgerlineError
from ledgerline.web.api.problems import on_error

Short = Callable[[Request, bytes], Awaitable[Response | None]]
"""Answers a request with this body, or None: not by the short way."""

Ways = dict[tuple[str, str], tuple[BaseRoute, Short]]
"""By method and path: a route, and what answers in its place."""


def ways(router: APIRouter, method: str, by_path: Mapping[str, Short]) -> Ways:
    routes = {getattr(route, "path", ""): route for route in router.routes}
    return {(method, path): (routes[path], short) for path, short in by_path.items()}


class Express:
    def __init__(self, app: ASGIApp, short: Ways) -> None:
        self._app = app
        self._short = short

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._short.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        route, answer = found
        request = Request(scope, receive)
        try:
            body = await request.body()
        except Exception:  # noqa: BLE001  too large, or cut off: the long way stumbles there again
            await self._app(scope, receive, send)
            return
        try:
            response = await answer(request, body)
        except LedgerlineError as error:
            response = on_error(request, error)
        if response is None:
            await self._app(scope, _from_the_beginning(body, receive), send)
            return
        scope["route"] = route
        await response(scope, receive, send)


def _from_the_beginning(body: bytes, receive: Receive) -> Receive:
    is_read = False

    async def receiving() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
