"""Reading slower when the source is slow: it has others to serve, and they come first."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable

import polars as pl

from ledgerline.sources import Partition, Source

_REMEMBERED = 15  # ranges by which it is known what is usual
_SLOW = 2.0  # times the usual
_SHORT = 0.5  # seconds; what is over so soon disturbs nobody
_LONGEST_REST = 10.0  # seconds
_LEAST_ROWS = 1_000  # a range of fewer takes as long as one of so many


class Pace:
    """Fetches ranges, and rests after one that took much longer than usual. Threads share it."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep = sleep
        self._seconds_per_row: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def fetch(self, source: Source, partition: Partition) -> pl.DataFrame:
        began = time.monotonic()
        rows = source.fetch(partition)
        if seconds := self.noted(time.monotonic() - began, rows.height):
            self._sleep(seconds)
        return rows

    def noted(self, took: float, rows: int) -> float:
        """Remember how long a range took; for how long to rest now."""
        rows = max(rows, _LEAST_ROWS)
        with self._lock:
            usual = statistics.median(self._seconds_per_row) * rows if self._seconds_per_row else took
            self._seconds_per_row.append(took / rows)
        return rest(took, usual)


def rest(took: float, usual: float) -> float:
    """Seconds to rest: what the range took beyond the usual, so that we are there half the time at most."""
    if took < _SHORT or took <= _SLOW * usual:
        return 0.0
    return min(took - usual, _LONGEST_REST)
