"""What every request goes through, from the outside inwards:

Recorder   gives it an id, logs and measures it, adds headers, turns what nobody caught into a 500
Gate       the Host and Origin it names, the kind and size of its body
Clock      answers 503 where the inside takes too long
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Collection
from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledgerline.web.api.problems import problem, unexpected
from ledgerline.web.logs import described, log_request, new_id
from ledgerline.web.metrics import Metrics

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class Recorder:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(Headers(scope=scope))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            failure: dict[str, Any] = {}
            try:
                await self._app(scope, receive, sending)
            except Exception as error:  # noqa: BLE001  the last place where it can be told
                failure = described(error)
                if not status:
                    await unexpected(scope)(scope, receive, sending)
            finally:
                self._record(scope, status, time.perf_counter() - began, failure)

    def _record(self, scope: Scope, status: int, seconds: float, failure: dict[str, Any]) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unknown")
        state = scope["state"]
        self._metrics.request(method, route, status, seconds)
        log_request(
            logging.ERROR if failure else logging.INFO,
            method=method,
            route=route,
            status=status,
            duration_ms=round(1000 * seconds, 1),
            request_id=state["request_id"],
            key=state.get("key_name"),
            client=(scope.get("client") or ("",))[0],
            **({"code": state["error_code"]} if "error_code" in state else {}),
            **failure,
        )


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_id()


def _complete(message: Message, request_id: str) -> None:
    given = message["headers"]
    names = {name.lower() for name, _ in given}
    told = [header for header in _HEADERS if header[0] not in names]
    message["headers"] = [*given, (b"x-request-id", request_id.encode()), *told]


class Gate:
    """`hosts`: names that it answers to; `*` among them: any. `origins`: other pages that may ask."""

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], origins: Collection[str], body_bytes: int
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)
        self._body_bytes = body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._limited(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "").lower()
        if "*" not in self._hosts and _name(host) not in self._hosts:
            return _refused(
                scope,
                "host_not_allowed",
                "The service is not known by that name.",
                "Add it to ALLOWED_HOSTS.",
            )
        origin = headers.get("origin", "").lower()
        if origin and origin not in self._origins and origin.partition("://")[2] != host:
            return _refused(
                scope, "origin_not_allowed", "Pages of that origin may not ask.", "Add it to ALLOWED_ORIGINS."
            )
        return self._body_refusal(scope, headers)

    def _body_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        length = headers.get("content-length", "0")
        if int(length) > self._body_bytes if length.isdecimal() else True:
            return self._too_large(scope)
        has_body = length.strip("0") != "" or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if has_body and scope["method"] in _WITH_BODY and kind != "application/json":
            return _refused(
                scope,
                "unsupported_media_type",
                "The body is not JSON.",
                "Send Content-Type: application/json.",
            )
        return None

    def _too_large(self, scope: Scope) -> Response:
        detail = f"The body has more than {self._body_bytes:,} bytes."
        return _refused(scope, "body_too_large", detail, "Send less, or raise MAX_BODY_BYTES.")

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body without a length is counted as it comes; what the inside says of one that broke off is not
        sent."""
        seen = 0
        is_refused = False

        async def receiving() -> Message:
            nonlocal seen
            if seen > self._body_bytes:  # who asks again would wait for what never comes
                raise _TooLarge
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._body_bytes:
                raise _TooLarge
            return message

        async def sending(message: Message) -> None:
            nonlocal is_refused
            if seen <= self._body_bytes:
                await send(message)
            elif not is_refused:
                is_refused = True
                await self._too_large(scope)(scope, receive, send)

        await self._app(scope, receiving, sending)


class _TooLarge(Exception):
    pass


def _name(host: str) -> str:
    """A Host header without its port."""
    return host if host.endswith("]") else re.sub(r":[0-9]*$", "", host)


def _refused(scope: Scope, code: str, detail: str, hint: str) -> Response:
    scope["state"]["error_code"] = code
    return problem(code, detail, hint, scope=scope)


class Clock:
    """The inside goes on where it cannot be stopped, and nobody hears of it any more."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._left_behind: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[None] = loop.create_future()  # it answers, it is done, or its time is over
        has_begun = is_over = False

        def decide(*_: object) -> None:
            if not decided.done():
                decided.set_result(None)

        async def sending(message: Message) -> None:
            nonlocal has_begun
            if is_over:
                return
            has_begun = True
            decide()
            await send(message)

        inside = asyncio.ensure_future(self._app(scope, receive, sending))
        inside.add_done_callback(decide)
        timer = loop.call_later(self._seconds, decide)
        try:
            await decided
            if not has_begun and not inside.done():
                is_over = True
                self._leave(inside)
                detail = f"There was no answer within {self._seconds:g} seconds."
                refusal = _refused(
                    scope, "request_timeout", detail, "Try again later; /health tells how it is."
                )
                await refusal(scope, receive, send)
                return
            await inside
        except asyncio.CancelledError:
            inside.cancel()
            raise
        finally:
            timer.cancel()

    def _leave(self, inside: asyncio.Task[None]) -> None:
        inside.cancel()
        self._left_behind.add(inside)
        inside.add_done_callback(self._forget)

    def _forget(self, inside: asyncio.Task[None]) -> None:
        self._left_behind.discard(inside)
        if not inside.cancelled():
            inside.exception()  # nobody is left to hear of it
