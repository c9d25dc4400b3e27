"""The log of queries as it is written: a row before each query, completed after it.

What several threads want written goes into one transaction: whoever has the turn writes for all that wait.
No query begins before its row is committed. That it ended is written a moment later, with all that ended
meanwhile; a process that dies before leaves the row as it was, `running`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledgerline.databases import queries as rows
from ledgerline.databases.database import Database
from ledgerline.databases.runs import utc_now
from ledgerline.errors import LedgerlineError
from ledgerline.operations.deadlines import Deadlines

_log = logging.getLogger(__name__)

_SOON: Final = 0.1  # seconds until an end is written that nobody else took along
_AGAIN: Final = 5.0  # seconds until it is tried again
_MOST_ENDS: Final = 10_000  # that are kept while the log cannot be written

_deadlines = Deadlines()


@dataclass(slots=True, eq=False)
class _Beginning:
    values: Mapping[str, Any]
    row: int | None = None
    failure: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        return self.row is not None or self.failure is not None


class QueryLog:
    """Threads may share it."""

    def __init__(self, main: Database) -> None:
        self._main = main
        self._lock = threading.Lock()  # of the two lists
        self._turn = threading.Lock()  # of who writes beginnings
        self._turn_of_ends = threading.Lock()
        self._beginnings: list[_Beginning] = []
        self._ends: list[Mapping[str, Any]] = []
        self._is_due = False  # somebody will look after the ends soon

    def begin(self, **values: Any) -> int:
        """Write down that a query begins, or was refused; the id of its row, which is committed.

        Raises what the main database says.
        """
        mine = _Beginning({"started_at": utc_now(), **values})
        with self._lock:
            self._beginnings.append(mine)
        with self._turn:
            if not mine.is_settled:
                self._write_beginnings()
        if mine.failure is not None:
            raise mine.failure
        assert mine.row is not None
        return mine.row

    def _write_beginnings(self) -> None:
        with self._lock:
            waiting, self._beginnings = self._beginnings, []
        try:
            written = rows.begin(self._main, [one.values for one in waiting])
        except BaseException as error:  # noqa: BLE001  raised by those who wait
            for one in waiting:
                one.failure = error
        else:
            for one, row in zip(waiting, written, strict=True):
                one.row = row

    def end(self, row: int, **values: Any) -> None:
        """Complete a row, soon."""
        with self._lock:
            self._ends.append({"row": row, **values})
        self._flush_in(_SOON)

    def _flush_in(self, seconds: float) -> None:
        with self._lock:
            was_due, self._is_due = self._is_due, True
        if not was_due:
            _deadlines.add(seconds, self._look_after)

    def _look_after(self) -> None:
        self._is_due = False
        self.flush()

    def flush(self, patience: float = -1) -> None:
        """Have the ends written that were told; what cannot be is tried again later.

        patience  seconds to wait for somebody else who writes; negative: as long as it takes
        """
        if not self._turn_of_ends.acquire(timeout=patience):
            return
        try:
            if self._ends:
                self._write_ends()
        finally:
            self._turn_of_ends.release()

    def _write_ends(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, []
        try:
            rows.complete(self._main, ends)
        except BaseException as error:
            with self._lock:
                self._ends = [*ends, *self._ends][-_MOST_ENDS:]
            self._flush_in(_AGAIN)
            if not isinstance(error, LedgerlineError):
                raise
            _log.error("The log of %d queries is not completed yet: %s", len(ends), error.code)
