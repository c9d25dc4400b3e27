"""One run or backup: `python -m ledgerline.worker ingest|plan|undo|backup OPTIONS`, the latter a JSON object.

Its settings are those of its environment; nothing secret is among its arguments. What it tells goes to
standard output, a JSON object a line, whether or not anybody is there to hear it:

    {"opened": run id}      the run has begun
    {"ended": document}     it succeeded, see `ledgerline.documents`; of a backup its id
    {"error": {...}}        it did not; an error of a run that has begun also stands in the run's row

SIGTERM stops it after the partition at hand.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import Any

import psutil

from ledgerline.app import SYSTEM, App
from ledgerline.databases import going, runs
from ledgerline.documents import run_document, undo_document
from ledgerline.errors import LedgerlineError
from ledgerline.ingest.run import SAMPLES_KEPT, Cancel
from ledgerline.settings import load_settings

Tell = Callable[[dict[str, Any]], None]
_NICENESS = 10


def main() -> int:
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    tell = _teller()
    _give_way()
    try:
        with closing(App(load_settings())) as app, _stopped_by_sigterm() as cancel:
            tell({"ended": _WORK[kind](app, _Opening(app, tell), cancel, options)})
    except LedgerlineError as error:
        tell({"error": {"code": error.code, **vars(error)}})
        return error.exit_code
    return 0


def _ingest(app: App, watcher: _Opening, cancel: Cancel, options: dict[str, Any]) -> dict[str, Any]:
    run = app.ingest(watcher, cancel, **options)
    return run_document(run, runs.progress(app.main, run.id))


def _plan(app: App, watcher: _Opening, cancel: Cancel, options: dict[str, Any]) -> dict[str, Any]:
    run, _ = app.plan(watcher, cancel, samples=SAMPLES_KEPT, **options)
    return run_document(run, runs.progress(app.main, run.id))


def _undo(app: App, _watcher: _Opening, _cancel: Cancel, options: dict[str, Any]) -> dict[str, Any]:
    return undo_document(app.undo(**options))


def _backup(app: App, _watcher: _Opening, _cancel: Cancel, _options: dict[str, Any]) -> dict[str, Any]:
    return {"backup": app.back_up().id}


_WORK = {"ingest": _ingest, "plan": _plan, "undo": _undo, "backup": _backup}


class _Opening:
    """Tells the run's id as soon as there is something to see of it."""

    def __init__(self, app: App, tell: Tell) -> None:
        self._app = app
        self._tell = tell
        self._is_told = False

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:  # noqa: ARG002
        if self._is_told:
            return
        holds = going.held(self._app.main, SYSTEM)
        assert holds is not None
        self._tell({"opened": holds.run_id})
        self._is_told = True


def _teller() -> Tell:
    """Writes lines to what is standard output now; whatever else prints goes to standard error."""
    heard = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        with suppress(OSError):  # who started this process is gone; the run goes on
            while line:
                line = line[os.write(heard, line) :]

    return tell


def _give_way() -> None:
    """Let everything else on this machine go first."""
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(max(process.nice(), _NICENESS))


@contextmanager
def _stopped_by_sigterm() -> Iterator[Cancel]:
    """The first asks the run to stop, a second one ends the process."""
    cancel = Cancel()

    def stop(number: int, _frame: FrameType | None) -> None:
        cancel.stop()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, stop)
    yield cancel


if __name__ == "__main__":
    sys.exit(main())
