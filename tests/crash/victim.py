"""An ingestion in a process of its own, that ends or halts itself at a given step.

A step is a statement or a commit of this process on the main database, counted from the first of the run.
Those of the heartbeat are none: they come as time goes, and its row would stay locked meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledgerline.app import App
from ledgerline.ingest.run import Cancel
from ledgerline.settings import load_settings


class Steps:
    """Counts the steps, and sends this process a signal before one of them."""

    def __init__(self, number: int | None, at: int) -> None:
        self.count = 0
        self._signal = number
        self._at = at

    def listen(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "before_cursor_execute", self._step)
        sa.event.listen(engine, "commit", self._step)

    def _step(self, *_: Any) -> None:
        if threading.current_thread().name == "heartbeat":
            return
        self.count += 1
        if self._signal is not None and self.count == self._at:
            os.kill(os.getpid(), self._signal)


class _Silence:
    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        pass


def ingest(
    environ: Mapping[str, str],
    partition_rows: int,
    stop: tuple[int, int] | None = None,
    told: Connection | None = None,
) -> None:
    """An ingestion between the databases that `environ` names.

    stop  (signal, step before which this process sends it to itself)
    told  where the number of steps goes
    """
    steps = Steps(*stop) if stop else Steps(None, 0)
    app = App(load_settings(environ, folder=Path(__file__).parent))
    app.migrate()
    steps.listen(app.main.engine)
    app.ingest(_Silence(), Cancel(), partition_rows=partition_rows, reconcile=True)
    app.close()
    if told is not None:
        told.send(steps.count)
