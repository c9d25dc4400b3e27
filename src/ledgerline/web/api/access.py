"""Who asks, and whether they may: the key of a request."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

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
