"""Failed attempts per address: after too many, an address has to wait. Pure but for its memory."""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache


class Attempts:
    """`limit` failures within `window` seconds; of no more than `remembered` addresses.

    An address of IPv6 counts by its network of 64 bits: whoever has one has all of them.
    """

    def __init__(
        self, clock: Callable[[], float], *, limit: int = 10, window: float = 60.0, remembered: int = 10_000
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._remembered = remembered
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0: now."""
        with self._lock:
            failures = self._recent(_network(address))
            if failures is None or len(failures) < self._limit:
                return 0
            return max(1, math.ceil(failures[0] + self._window - self._clock()))

    def failed(self, address: str) -> None:
        network = _network(address)
        with self._lock:
            failures = self._recent(network)
            if failures is None:
                failures = self._failures[network] = deque(maxlen=self._limit)
            failures.append(self._clock())
            self._failures.move_to_end(network)
            while len(self._failures) > self._remembered:
                self._failures.popitem(last=False)

    def _recent(self, network: str) -> deque[float] | None:
        failures = self._failures.get(network)
        if failures is None:
            return None
        while failures and self._clock() - failures[0] >= self._window:
            failures.popleft()
        if not failures:
            del self._failures[network]
            return None
        return failures


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
