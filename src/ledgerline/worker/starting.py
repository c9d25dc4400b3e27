"""Starts a worker and hears from it; the worker lives on when who started it does not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ledgerline.app import SYSTEM, App
from ledgerline.databases import going, runs
from ledgerline.databases.runs import RUNNING
from ledgerline.errors import Cancelled, LedgerlineError, WorkerLost

_log = logging.getLogger(__name__)
_COMMAND = (sys.executable, "-m", "ledgerline.worker")


class Worker:
    """A run in a process of its own. Threads may share it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._begun = threading.Event()
        self._over = threading.Event()
        self.run_id: int | None = None
        self.document: dict[str, Any] | None = None
        self.error: LedgerlineError | None = None
        threading.Thread(target=self._hear, name=f"worker {process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended within this time; then it is known how: `document` or `error`."""
        return self._over.wait(seconds)

    def wait_for_begin(self, seconds: float) -> bool:
        """Whether, within this time, its run has an id, or it has ended without one."""
        return self._begun.wait(seconds)

    def _hear(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with suppress(ValueError):  # it was killed in the middle of one
                    self._note(json.loads(line))
        code = self._process.wait()
        if self.document is None and self.error is None:
            self.error = WorkerLost(
                f"The process of the run ended unexpectedly ({code}).",
                hint="Its log tells why. Run it again.",
            )
        if self.error is not None:
            _log.warning("A run did not succeed: %s (%s)", self.error.detail, self.error.code)
        self._over.set()
        self._begun.set()

    def _note(self, message: dict[str, Any]) -> None:
        if "opened" in message:
            self.run_id = message["opened"]
            self._begun.set()
        elif "ended" in message:
            self.document = message["ended"]
            self.run_id = message["ended"].get("runId")
        else:
            self.error = _as_raised(message["error"])


def _as_raised(told: dict[str, Any]) -> LedgerlineError:
    """The error that a worker raised."""
    kinds = {kind.code: kind for kind in _kinds(LedgerlineError)}
    error = Exception.__new__(kinds.get(told.pop("code"), LedgerlineError))
    assert isinstance(error, LedgerlineError)
    LedgerlineError.__init__(error, told["detail"])
    vars(error).update(told)
    return error


def _kinds(kind: type[LedgerlineError]) -> Iterator[type[LedgerlineError]]:
    """All kinds of error that have a code of their own."""
    if "code" in vars(kind):
        yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)


class Workers:
    """Starts workers with the settings of this process.

    environ  other environment variables than those of this process
    """

    def __init__(self, environ: Mapping[str, str] | None = None, command: Sequence[str] = _COMMAND) -> None:
        self._environ = None if environ is None else dict(environ)
        self._command = command

    def start(self, kind: str, options: Mapping[str, Any]) -> Worker:
        """kind: ingest, plan, undo or backup; options: as the method of `App` for it takes them."""
        return Worker(
            subprocess.Popen(  # noqa: S603  our own module
                [*self._command, kind, json.dumps(dict(options))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=self._environ,
                **_apart(),
            )
        )


def _apart() -> dict[str, Any]:
    """In a session of its own: no signal to this process's group, nor a closed terminal, reaches it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def resume_left(app: App, workers: Workers | None = None) -> Worker | None:
    """Go on with the ingestion that a stop, a crash or a passing fault left; None: there is none.

    What somebody cancelled waits until somebody starts it again. Returns at once; raises what the main
    database says when it cannot be read.
    """
    app.prepare()
    left = next(iter(runs.unfinished(app.main, SYSTEM, "ingest")), None)
    if left is None or left.error_code == Cancelled.code:
        return None
    if left.status in RUNNING and not going.is_interrupted(app.main, left):
        return None
    return (workers or Workers()).start("ingest", {})
