"""Who asks, and whether they may: the key of a request."""
"""Who may ask: every endpoint but the health checks asks for a key with a scope."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from typing import Annotated

from fastapi import Header, Request

from ledgerline.operations.keys import Key, Scope
from ledgerline.web.api.services import ledgerline_app


def require(scope: Scope) -> Callable[..., Key]:
    """A dependency: the key of the request, which has this scope.

    Raises Unauthorised, TooManyAttempts, AuthNotConfigured, Forbidden, and what the main database says.
    """

    def required(request: Request) -> Key:
        address = request.client.host if request.client else ""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = ledgerline_app(request).keys.verify(request.headers.get("X-API-Key") or bearer, address)
        key.require(scope)
        return key

    return required
    """A dependency that gives the caller's key. Raises what `Keys.verify` and `Key.require` raise."""

    def key(
        request: Request,
        x_api_key: Annotated[str | None, Header()] = None,
        authorization: Annotated[str | None, Header()] = None,
    ) -> Key:
        kind, _, bearer = (authorization or "").partition(" ")
        token = x_api_key or (bearer.strip() if kind.casefold() == "bearer" else None)
        found = ledgerline_app(request).keys.verify(token, request.client.host if request.client else "")
        found.require(scope)
        return found

    return key
