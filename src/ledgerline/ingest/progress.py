"""How far a run is: told to whoever watches at once, and to the run's row as its heartbeat."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from ledgerline.databases import going, runs
from ledgerline.databases.database import Database
from ledgerline.errors import Cancelled, DatabaseError, Stopped

_BEAT_SECONDS = 2.0


class Watcher(Protocol):
    """Who wants to see a run's progress."""

    def progress(self, stage: str, done: int, total: int, rows: int) -> None: ...


class Cancel:
    """Asked for from another thread or a signal handler; a run stops at the next partition or stage."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._is_wanted = False

    def request(self) -> None:
        """Somebody wants the run to stop."""
        self._is_wanted = True
        self._event.set()

    def stop(self) -> None:
        """The process has to end; nobody said that the run shall not go on later."""
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Sleep; when the run is to stop, no longer than until then. Raises Cancelled."""
        self._event.wait(seconds)
        self.check()

    def check(self) -> None:
        if not self._event.is_set():
            return
        hint = "Run it again to go on where it stopped: ledgerline ingest"
        if self._is_wanted:
            raise Cancelled("The run was cancelled; nothing of it was written to the contacts.", hint=hint)
        raise Stopped(
            "The process of the run was told to end; nothing of it was written to the contacts.", hint=hint
        )


class Progress:
    """Tells the watcher at once, and the run's row every few seconds; the latter is the run's heartbeat.

    With each beat it looks whether somebody, in whatever process, asked the run to stop.
    """

    def __init__(self, main: Database, run_id: int, watcher: Watcher, cancel: Cancel) -> None:
        self._main = main
        self._run_id = run_id
        self._watcher = watcher
        self._cancel = cancel
        self._began = time.monotonic()
        self._now = ("plan", 0, 0, 0)

    def report(self, stage: str, done: int, total: int, rows: int) -> None:
        self._now = (stage, done, total, rows)
        self._watcher.progress(stage, done, total, rows)

    @contextmanager
    def beating(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(stop,), name="heartbeat", daemon=True)
        self._beat()
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # If this fails, the run's row says how it ended.
            with suppress(DatabaseError), self._main.begin_activity() as connection:
                runs.beat(connection, self._run_id, self._told())
                going.forget_request(connection, self._run_id)

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(_BEAT_SECONDS):
            with suppress(DatabaseError):  # the run itself will find out, and say so
                self._beat()
                if going.is_asked_to_stop(self._main, self._run_id):
                    self._cancel.request()

    def _beat(self) -> None:
        with self._main.begin_activity() as connection:
            runs.beat(connection, self._run_id, self._told())

    def _told(self) -> dict[str, Any]:
        stage, done, total, rows = self._now
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = rows / seconds
        left = seconds / done * (total - done) if stage == "stage" and done else None
        return {
            "stage": stage,
            "done": done,
            "total": total,
            "rows": rows,
            "rows_per_second": rate,
            "seconds_left": left,
        }
