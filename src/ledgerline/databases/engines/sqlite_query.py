"""Guarded queries on SQLite: a warm process a session, see `sqlite_worker`."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.querying import FIRST_ROWS, Access, Column
from ledgerline.errors import DatabaseUnreachable, PermissionDenied
from ledgerline.url import DatabaseUrl

_PATIENCE = 0.05  # seconds for rows that are on their way when a query ends
_PIECE = 1 << 20
_NEEDED = ("SYSTEMROOT", "LD_LIBRARY_PATH", "TZ")
_WORKER = Path(__file__).with_name("sqlite_worker.py")


class SQLiteSession:
    def __init__(self, path: str) -> None:
        self._path = path
        self._asked = False  # for rows that are not received yet: they are read while the last are written
        self.is_over = False
        # Isolated, without site-packages: it starts in 20 ms, and nothing of this program is in it.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # what was received is never hidden in a buffer, see _has_answer
            env={
                name: os.environ[name] for name in _NEEDED if name in os.environ
            },  # no secret is among these
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        del explain  # a part of the text
        message = (
            "start",
            self._path,
            sql,
            tuple(values),
            rows,
            access.functions,
            access.catalog_tables,
            access.hidden_tables,
        )
        self.is_over = False
        self._send(message, ("fetch", FIRST_ROWS))
        self._asked = True
        return [Column(name, "") for name in self._receive()]

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        if not self._asked:
            self._send(("fetch", rows))
        self._asked = False
        batch: list[tuple[Any, ...]] = self._receive()
        if batch and not self.is_over:
            self._send(("fetch", rows))
            self._asked = True
        return batch

    def finish(self) -> bool:
        try:
            if self._asked:
                self._asked = False
                if not self._has_answer(unknown=False):
                    return False  # it works on rows that nobody wants any more
                self._receive()
            if not self.is_over:
                self._send(("finish",))
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

    def _send(self, *messages: tuple[Any, ...]) -> None:
        frames = [marshal.dumps(message, 2) for message in messages]
        try:
            _write(self._process.stdin, b"".join(len(one).to_bytes(4, "big") + one for one in frames))
        except (OSError, ValueError):
            raise _ended() from None

    def _receive(self) -> Any:
        try:
            while not self._has_answer():  # not one long wait, in which Ctrl-C may go unheard
                pass
            length = int.from_bytes(_read(self._process.stdout, 4), "big")
            kind, content = marshal.loads(_read(self._process.stdout, length))  # noqa: S302  # our own process
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

    def _has_answer(self, *, unknown: bool = True) -> bool:
        """Whether there is something to read within a moment; `unknown`: said where nobody can tell."""
        assert self._process.stdout is not None
        try:
            return bool(select.select([self._process.stdout], [], [], _PATIENCE)[0])
        except (OSError, ValueError):  # Windows cannot tell of a pipe
            return unknown


def _write(pipe: IO[bytes] | None, data: bytes) -> None:
    assert pipe is not None
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _read(pipe: IO[bytes] | None, length: int) -> bytes:
    assert pipe is not None
    pieces = []
    while length:
        piece = pipe.read(min(length, _PIECE))
        if not piece:
            raise EOFError
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


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
