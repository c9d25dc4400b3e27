"""Endpoints that answer while all others wait for a database: what one looks at when it hangs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

P = ParamSpec("P")
T = TypeVar("T")

_AT_ONCE = 4  # calls of one endpoint


def apart(endpoint: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The endpoint on threads of its own: those of the others may all be waiting for a connection."""
    limiter = CapacityLimiter(_AT_ONCE)

    @wraps(endpoint)
    async def on_its_own_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        return await to_thread.run_sync(partial(endpoint, *args, **kwargs), limiter=limiter)

    return on_its_own_thread
