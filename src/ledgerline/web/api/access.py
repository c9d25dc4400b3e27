"""Who asks, and whether they may: the key of a request."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ledgerline.operations.keys import Key, Scope
from ledgerline.settings import Environment, Settings
from ledgerline.web.api.services import ledgerline_app

_header = APIKeyHeader(name="X-API-Key", scheme_name="key", auto_error=False)
_bearer = HTTPBearer(scheme_name="bearer", auto_error=False)


async def token(
    header: Annotated[str | None, Depends(_header)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str | None:
    """X-API-Key, or Authorization: Bearer."""
    return header or (bearer.credentials if bearer else None)


def token_of(request: Request) -> str | None:
    """The same without FastAPI's part, for answers that are asked for all the time."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return request.headers.get("x-api-key") or (credentials if scheme.lower() == "bearer" else None) or None


def address_of(request: Request) -> str:
    """Whose wrong keys are counted together."""
    return request.client.host if request.client else ""


def require(scope: Scope) -> Callable[..., Awaitable[Key]]:
    """A dependency: the key of the request, which has this scope.

    Raises Unauthorised, TooManyAttempts, AuthNotConfigured, Forbidden, and what the main database says.
    """

    async def required(request: Request, sent: Annotated[str | None, Depends(token)]) -> Key:
        address = address_of(request)
        keys = ledgerline_app(request).keys
        known = keys.verify_at_once(sent, address)
        key = known if known is not None else await run_in_threadpool(keys.verify, sent, address)
        request.state.key_name = key.name
        key.require(scope)
        return key

    return required


def known(request: Request, scope: Scope) -> Key | None:
    """The key of the request, where that need not ask the database. Raises TooManyAttempts and Forbidden."""
    key = ledgerline_app(request).keys.verify_at_once(token_of(request), address_of(request))
    if key is not None:
        request.state.key_name = key.name
        key.require(scope)
    return key


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_open_here(settings: Settings) -> bool:
    """Whether strangers may see where the databases are: only on a machine of one's own."""
    return settings.environment is not Environment.PRODUCTION and is_loopback(settings.host)
