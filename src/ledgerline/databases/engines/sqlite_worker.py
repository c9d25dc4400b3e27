"""The process in which queries on SQLite run. Started by `sqlite_query`; standard library only.

Why a process: a single call of a function can keep SQLite busy, and then neither `interrupt` nor a progress
handler is heard; a process can be killed. Its memory is its own. And it is another process that has the
file open, so it does not matter which copies of SQLite this program's other parts use.

Frames on standard input and output: 4 bytes of length, then marshalled data.
"""

import marshal
import operator
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO
from urllib.parse import quote

HEAP_BYTES = 256 * 1024 * 1024
VALUE_BYTES = 1_000_000
BATCH_BYTES = 4_000_000
PROBED_ROWS = 10
STEPS_BETWEEN_LOOKS = 1_000_000
KEPT_STATEMENTS = 16  # few, as they take of HEAP_BYTES

_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 500_000),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
    (sqlite3.SQLITE_LIMIT_VDBE_OP, 500_000),
)

readable = operator.methodcaller("decode", "utf-8", "replace")


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(path)}?mode=ro",
        uri=True,
        timeout=5,
        isolation_level=None,
        cached_statements=KEPT_STATEMENTS,
    )
    for limit, value in _LIMITS:
        connection.setlimit(limit, value)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES}")
    parent = os.getppid()
    # Nobody is left to stop a query whose asker was killed.
    connection.set_progress_handler(lambda: os.getppid() != parent, STEPS_BETWEEN_LOOKS)
    for table in ("json_each", "json_tree"):  # made when first used, as something written
        with suppress(sqlite3.Error):  # a file that is no database is told of where it is asked
            connection.execute(f"SELECT 1 FROM {table}('[]')").fetchall()  # noqa: S608
    connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)  # until it is told what may be read
    return connection


def authorizer(
    functions: frozenset[str], catalog_tables: frozenset[str], hidden_tables: frozenset[str]
) -> Callable[..., int]:
    """Everything is denied but reading tables that are not hidden, and calling functions that are known."""

    def authorize(action: int, first: str, second: str, database: str | None, _source: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_OK if second.lower() in functions else sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ and database in (None, "main"):
            table = first.lower()
            is_own = table.startswith("sqlite_") and table not in catalog_tables
            if not is_own and table not in hidden_tables:
                return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return authorize


def receive(stream: BinaryIO) -> Any:
    head = stream.read(4)
    return marshal.loads(stream.read(int.from_bytes(head, "big"))) if len(head) == 4 else None  # noqa: S302


def send(stream: BinaryIO, message: Any) -> None:
    """Written when the stream is flushed."""
    data = marshal.dumps(message, 2)
    stream.write(len(data).to_bytes(4, "big") + data)


def fetch(cursor: sqlite3.Cursor, wanted: int) -> tuple[list[Any], bool]:
    """A few rows, and as many more as take no more memory than a batch may; whether they are the last."""
    if not wanted:
        return [], True
    asked = min(wanted, PROBED_ROWS)
    rows = cursor.fetchmany(asked)
    if len(rows) == PROBED_ROWS < wanted:
        bytes_a_row = len(marshal.dumps(rows, 2)) // len(rows) + 1
        asked = min(wanted, PROBED_ROWS + max(1, BATCH_BYTES // bytes_a_row))
        rows += cursor.fetchmany(asked - PROBED_ROWS)
    return rows, len(rows) < asked


def begin(
    connection: sqlite3.Connection, sql: str, values: tuple[Any, ...], wanted: int
) -> tuple[sqlite3.Cursor, list[Any], bool]:
    """A query and its first rows. Text that is no UTF-8 is rare: all is repaired only where there is some."""
    try:
        connection.text_factory = str
        cursor = connection.execute(sql, values)
        rows, is_last = fetch(cursor, wanted)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        connection.text_factory = readable
        cursor = connection.execute(sql, values)
        rows, is_last = fetch(cursor, wanted)
    connection.text_factory = readable  # of the next rows: what is sent cannot be taken back
    return cursor, rows, is_last


def serve(path: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """`start` is answered by the columns and the first rows, `fetch` by rows, `finish` by a word; or any of
    them by an error, after which the query is over."""
    connection: sqlite3.Connection | None = None
    cursor: Any = None
    left = 0
    while (request := receive(requests)) is not None:
        kind, *arguments = request
        try:
            if kind == "start":
                sql, values, left, wanted, access = arguments
                connection = connection or connect(path)
                if access is not None:  # other rules; statements that were kept are prepared anew
                    connection.set_authorizer(authorizer(*access))
                cursor, rows, is_last = begin(connection, sql, values, min(wanted, left))
                send(answers, ("columns", [column[0] for column in cursor.description or ()]))
            elif kind == "fetch":
                rows, is_last = fetch(cursor, min(arguments[0], left))
            if kind in ("start", "fetch"):
                left -= len(rows)
                if is_last:
                    cursor = None  # resets the statement, which ends its transaction
                send(answers, ("last" if is_last else "rows", rows))
            else:
                cursor = None
                send(answers, ("finished", None))
        except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, ValueError) as error:
            cursor, left = None, 0
            send(answers, ("error", str(error) or type(error).__name__))
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
