"""Closes the connections of databases that go on being used: the next use opens new ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

_LOOK_EVERY = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Drained:
    """`closed` connections, and those that were still `in_use` and close when they are given back."""

    closed: int
    in_use: int


class Pool(Protocol):
    def connections(self) -> tuple[int, int]:
        """How many are idle, and how many are used."""

    def close_pool(self) -> None:
        """Close what is idle; what is used closes when it is given back."""


def drain(databases: Sequence[Sequence[Pool]], seconds: float) -> list[Drained]:
    """Wait until no connection to these databases is used any more, but no longer than this; then close them.

    Each database comes with all of its pools.

    Bulk readers belong to the run that reads by them, which closes them itself.
    """
    until = time.monotonic() + seconds
    while any(_count(pools).in_use for pools in databases) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    counts = [_count(pools) for pools in databases]
    for pool in chain.from_iterable(databases):
        pool.close_pool()
    return counts


def _count(pools: Sequence[Pool]) -> Drained:
    idle, used = map(sum, zip(*(pool.connections() for pool in pools), strict=True))
    return Drained(idle, used)
