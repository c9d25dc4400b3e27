"""Guarded queries on SQLite: a warm process a session, see `sqlite_worker`."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.querying import FIRST_ROWS, Access, Column
from ledgerline.errors import DatabaseUnreachable, PermissionDenied
from ledgerline.url import DatabaseUrl

_PATIENCE = 0.05  # seconds for rows that are on their way when a query ends
_PIECE = 1 << 16  # as much as a pipe holds
_NEEDED = ("SYSTEMROOT", "LD_LIBRARY_PATH", "TZ")
_WORKER = Path(__file__).with_name("sqlite_worker.py")


class SQLiteSession:
    def __init__(self, path: str) -> None:
        self._asked = False  # for rows that are not received yet: they are read while the last are written
        self._access: Access | None = None  # what the process knows of
        self._received = bytearray()  # the beginning of what it says next
        self.is_over = False
        # Isolated, without site-packages: it starts in 20 ms, and nothing of this program is in it.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(_WORKER), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # no secret is among these
            env={name: os.environ[name] for name in _NEEDED if name in os.environ},
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )
        assert self._process.stdout is not None
        self._answers = self._process.stdout

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        del explain  # a part of the text
        rules = (access.functions, access.catalog_tables, access.hidden_tables)
        is_known = access is self._access
        self.is_over = False
        self._send("start", sql, tuple(values), rows, FIRST_ROWS, None if is_known else rules)
        names = self._receive()
        self._access = access
        self._asked = True
        return [Column(name, "") for name in names]

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        if not self._asked:
            self._send("fetch", rows)
        self._asked = False
        batch: list[tuple[Any, ...]] = self._receive()
        if batch and not self.is_over:
            self._send("fetch", rows)
            self._asked = True
        return batch

    def finish(self) -> bool:
        try:
            if self._asked:
                self._asked = False
                if not self._has_answer():
                    return False  # it works on rows that nobody wants any more
                self._receive()
            if not self.is_over:
                self._send("finish")
                self._receive()
        except (sqlite3.Error, DatabaseUnreachable, PermissionDenied):
            return self._process.poll() is None
        return True

    def cancel(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _send(self, *message: Any) -> None:
        data = marshal.dumps(message, 2)
        try:
            _write(self._process.stdin, len(data).to_bytes(4, "big") + data)
        except (OSError, ValueError):
            raise _ended() from None

    def _receive(self) -> Any:
        try:
            kind, content = marshal.loads(self._frame())  # noqa: S302  our own process
        except (OSError, EOFError, ValueError):
            raise _ended() from None
        if kind == "error":
            if "prohibited" in content or "not authorized" in content:
                raise PermissionDenied(
                    "The query reads a table, or calls a function, that may not be used here.",
                    hint="docs/query.md tells what is allowed.",
                )
            raise sqlite3.OperationalError(content)
        self.is_over = kind == "last"
        return content

    def _frame(self) -> bytes:
        """The next message: 4 bytes of length, then as many. Raises EOFError when the process ended."""
        self._read_until(4)
        end = 4 + int.from_bytes(self._received[:4], "big")
        self._read_until(end)
        frame = bytes(self._received[4:end])
        del self._received[:end]
        return frame

    def _read_until(self, length: int) -> None:
        hears_ctrl_c = threading.current_thread() is threading.main_thread()
        while len(self._received) < length:
            # Not in one long wait, in which it may go unheard.
            while hears_ctrl_c and not self._is_readable(unknown=True):
                pass
            piece = self._answers.read(_PIECE)
            if not piece:
                raise EOFError
            self._received += piece

    def _has_answer(self) -> bool:
        """Whether there is something to read within a moment."""
        return bool(self._received) or self._is_readable(unknown=False)

    def _is_readable(self, *, unknown: bool) -> bool:
        """Waits for a moment; `unknown`: what is said where nobody can tell."""
        try:
            return bool(select.select([self._answers], [], [], _PATIENCE)[0])
        except (OSError, ValueError):  # Windows cannot tell of a pipe
            return unknown


def _write(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _ended() -> DatabaseUnreachable:
    return DatabaseUnreachable(
        "The process that asks SQLite ended, by itself or because it took too much memory.",
        hint="Ask for less at once.",
    )


def open_session(url: DatabaseUrl, limits: Limits) -> SQLiteSession:
    del limits
    if not Path(url.database).is_file():
        raise sqlite3.OperationalError("unable to open database file")
    return SQLiteSession(url.database)
