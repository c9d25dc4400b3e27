"""A query that runs: its rows as they come, its limits, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from ledgerline.databases.engines.querying import FIRST_ROWS, Access, Column, QuerySession
from ledgerline.errors import LedgerlineError, QueryCancelled, QueryTimeout
from ledgerline.operations.deadlines import Deadlines
from ledgerline.operations.guard import Checked

_BATCH_BYTES = 256 * 1024
_BATCH_ROWS = 5_000

_deadlines = Deadlines()

MOST_ROWS: Final = 10_000_000  # of an answer


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """`rows` of an answer when nobody asks for more, and `most_rows` when somebody does; its `bytes`;
    milliseconds that it may take; queries of one key at once."""

    rows: int = 10_000
    most_rows: int = MOST_ROWS
    bytes: int = 1024 * 1024 * 1024
    timeout_ms: int = 60_000
    per_key: int = 4
    connections: int = 5
    slow_ms: int = 1_000


class Result:
    """Iterate `batches()` to its end, or close it before: both end the query in the database.

    `columns` are known at once. `rows`, `truncated_by` (`rows` or `bytes`; None: all rows came) and
    `elapsed_ms` are complete when the batches are.
    """

    def __init__(
        self,
        query_id: str,
        key_name: str,
        database: str,
        checked: Checked,
        limits: QueryLimits,
        explain: Callable[[Exception], LedgerlineError],
        on_close: Callable[[Result], None],
    ) -> None:
        self.query_id = query_id
        self.key_name = key_name
        self.database = database
        self.checked = checked
        self.limits = limits
        self.columns: list[Column] = []
        self.rows = 0
        self.bytes = 0
        self.truncated_by: str | None = None
        self.error: LedgerlineError | None = None
        self.session: QuerySession | None = None
        self._explain = explain
        self._on_close = on_close
        self._began = time.monotonic()
        self._ended: float | None = None
        self._stopped: LedgerlineError | None = None
        self._lock = threading.Lock()
        self._deadline = _deadlines.add(limits.timeout_ms / 1000, self._time_out)

    @property
    def truncated(self) -> bool:
        return self.truncated_by is not None

    @property
    def elapsed_ms(self) -> int:
        return round(1000 * ((self._ended or time.monotonic()) - self._began))

    @property
    def outcome(self) -> str:
        if isinstance(self.error, QueryTimeout):
            return "timeout"
        if isinstance(self.error, QueryCancelled):
            return "cancelled"
        if self.error is not None:
            return "failed"
        return "truncated" if self.truncated else "succeeded"

    def attach(self, session: QuerySession) -> None:
        """The session that it runs on, and is stopped on."""
        with self._lock:
            self.session = session

    def detach(self) -> None:
        """Forget a session that did not start it, and why."""
        with self._lock:
            self.session = self.error = None

    def start(self, values: Sequence[Any], access: Access) -> None:
        """Run it. Raises what the database says, QueryTimeout and QueryCancelled."""
        with self._explained():
            assert self.session is not None
            self.columns = self.session.start(
                self.checked.sql,
                values,
                rows=self.limits.rows + 1,  # one more than is wanted tells whether there are more
                explain=self.checked.explain,
                access=access,
            )

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows. Raises what the database says, QueryTimeout and QueryCancelled."""
        try:
            while batch := self._fetch():
                left = self.limits.rows - self.rows
                self.rows += len(batch[:left])
                if left:
                    yield batch if len(batch) <= left else batch[:left]
                if len(batch) > left:
                    self.truncated_by = "rows"
                elif self.bytes > self.limits.bytes:
                    self.truncated_by = "bytes"
                if self.truncated or self._is_over():
                    break
        except LedgerlineError as error:
            self.error = error
            raise
        finally:
            self.close()

    def _is_over(self) -> bool:
        return self.session is not None and self.session.is_over

    @property
    def is_whole(self) -> bool:
        """Whether no more rows have to be waited for."""
        return self._ended is not None or self._is_over()

    def count_bytes(self, number: int) -> None:
        """Tell how much the rows of a batch were when they were written down."""
        self.bytes += number

    def _fetch(self) -> list[tuple[Any, ...]]:
        by_bytes = _BATCH_BYTES * self.rows // self.bytes if self.bytes else FIRST_ROWS
        size = max(1, min(_BATCH_ROWS, by_bytes, self.limits.rows - self.rows + 1))
        with self._explained():
            assert self.session is not None
            return self.session.fetch(size)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            self._raise_if_stopped()
            yield
        except Exception as error:
            known = error if isinstance(error, LedgerlineError) else self._explain(error)
            self.error = self._stopped or known
            if self.error is error:
                raise
            raise self.error from error
        except BaseException:
            # Interrupted in the middle of a call: there is nothing to wait for any more.
            self.cancel()
            raise

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    # -- stopping it -------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop it in the database; whoever reads its rows gets QueryCancelled. From any thread."""
        hint = "Nothing of it goes on in the database; send it again when you want its answer."
        self._stop(QueryCancelled("The query was stopped on request.", hint=hint))

    def _time_out(self) -> None:
        self._stop(
            QueryTimeout(
                f"The query took longer than {self.limits.timeout_ms:,} ms and was stopped in the database.",
                hint="Ask for less, filter by an indexed column, or raise DB_TIMEOUT.",
            )
        )

    def _stop(self, reason: LedgerlineError) -> None:
        with self._lock:
            if self._ended is not None or self._stopped is not None:
                return
            self._stopped = reason
            # Within the lock: the session must not be given to another query meanwhile.
            if self.session is not None:
                self.session.cancel()

    def close(self) -> None:
        """End the query, and tell whoever started it. As often as one likes."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended = time.monotonic()
            if self.error is None and self._stopped is not None:
                self.error = self._stopped
        self._deadline.cancel()
        self._on_close(self)

    def __enter__(self) -> Result:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
