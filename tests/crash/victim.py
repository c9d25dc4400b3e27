"""An ingestion in a process of its own, that ends or halts itself at a given step.

A step is a statement or a commit of this process on the main database, counted from the first of the run.

    python -m tests.crash.victim ROWS_A_PARTITION [kill|halt STEP]

prints the number of steps that it took. DATABASE_URL and INVOICE_DATABASE_URL say where.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledgerline.app import App
from ledgerline.ingest.run import Cancel
from ledgerline.settings import load_settings

_SIGNALS = {"kill": signal.SIGKILL, "halt": signal.SIGSTOP}


class Steps:
    """Counts the steps, and sends this process a signal before one of them."""

    def __init__(self, number: signal.Signals | None, at: int) -> None:
        self.count = 0
        self._signal = number
        self._at = at

    def listen(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "before_cursor_execute", self._step)
        sa.event.listen(engine, "commit", self._step)

    def _step(self, *_: Any) -> None:
        self.count += 1
        if self._signal is not None and self.count == self._at:
            os.kill(os.getpid(), self._signal)


class _Silence:
    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        pass


def main() -> None:
    rows, *wanted = sys.argv[1:]
    steps = Steps(_SIGNALS[wanted[0]], int(wanted[1])) if wanted else Steps(None, 0)
    app = App(load_settings(folder=Path(__file__).parent))
    app.migrate()
    steps.listen(app.main.engine)
    app.ingest(_Silence(), Cancel(), partition_rows=int(rows), reconcile=True)
    app.close()
    print(steps.count)


if __name__ == "__main__":
    main()
