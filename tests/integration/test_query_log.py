"""The log of queries as it is written: committed before a query begins, completed soon after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.asking import Asked, asked
from tests.servers import MAIN_ENGINES

from ledgerline.databases import queries as rows
from ledgerline.databases.database import Database
from ledgerline.databases.queries import LoggedQuery
from ledgerline.databases.runs import utc_now
from ledgerline.errors import DatabaseError
from ledgerline.operations import query_log
from ledgerline.operations.query_log import QueryLog

THREADS = 8


@pytest.fixture(params=MAIN_ENGINES, scope="module")
def it(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with asked(request.param, tmp_path_factory.mktemp("log"), postgres) as installation:
        yield installation


@pytest.fixture(scope="module")
def other(it: Asked) -> Iterator[Database]:
    """What another process sees, and what is left when this one is killed."""
    database = Database(it.main.url)
    yield database
    database.close()


def _entry(query_id: str = "q") -> dict[str, Any]:
    return {
        "query_id": query_id, "key_name": "k", "database": "main", "fingerprint": "f", "statement": "s",
        "outcome": "running",
    }  # fmt: skip


def _seen(other: Database, query_id: str) -> LoggedQuery:
    return next(entry for entry in rows.logged(other, limit=100) if entry.query_id == query_id)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_query_is_logged_before_it_begins_and_completed_by_itself(it: Asked, other: Database) -> None:
    with it.queries.run("invoice", "SELECT a FROM t", key_name="k", query_id="open") as result:
        assert _seen(other, "open").outcome == "running"
        list(result.batches())
    eventually(lambda: _seen(other, "open").outcome == "succeeded")
    entry = _seen(other, "open")
    assert (entry.row_count, entry.error_code, entry.key_name) == (500, None, "k")
    assert entry.elapsed_ms is not None


def test_ends_are_written_with_others(it: Asked, other: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_log, "_SOON", 3_600.0)
    log = QueryLog(it.main)
    first, second = log.begin(**_entry("first")), log.begin(**_entry("second"))
    log.end(first, outcome="failed", error_code="query_failed", row_count=0, elapsed_ms=7)
    log.end(second, outcome="succeeded", error_code=None, row_count=1, elapsed_ms=8)
    assert (_seen(other, "first").outcome, _seen(other, "second").outcome) == ("running", "running")
    log.flush()
    assert (_seen(other, "first").outcome, _seen(other, "second").outcome) == ("failed", "succeeded")
    assert _seen(other, "first").error_code == "query_failed"
    assert _seen(other, "first").started_at <= _seen(other, "second").started_at <= utc_now()


def test_who_waits_for_its_turn_is_written_with_the_others(
    it: Asked, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, begin = QueryLog(it.main), rows.begin
    sizes: list[int] = []

    def slowly(main: Database, entries: list[Any]) -> list[int]:
        if not sizes:
            eventually(lambda: len(log._beginnings) == THREADS - 1)
        sizes.append(len(entries))
        return begin(main, entries)

    monkeypatch.setattr(rows, "begin", slowly)
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda number: log.begin(**_entry(f"many-{number}")), range(THREADS)))
    assert sizes == [1, THREADS - 1]
    assert [_seen(other, f"many-{number}").id for number in range(THREADS)] == found


def test_a_log_that_cannot_be_written_lets_nothing_begin_and_forgets_no_end(
    it: Asked, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = QueryLog(it.main)
    row = log.begin(**_entry("kept"))

    def out_of_order(*_: Any) -> list[int]:
        raise DatabaseError("The log cannot be written.")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "begin", out_of_order)
        patched.setattr(rows, "complete", out_of_order)
        with ThreadPoolExecutor(THREADS) as threads:
            asked = [threads.submit(log.begin, **_entry("refused")) for _ in range(THREADS)]
            assert all(isinstance(one.exception(), DatabaseError) for one in asked)
        log.end(row, outcome="succeeded", error_code=None, row_count=1, elapsed_ms=2)
        log.flush()
    assert _seen(other, "kept").outcome == "running"
    log.flush()
    assert _seen(other, "kept").outcome == "succeeded"


def test_nobody_waits_long_for_a_log_that_somebody_else_is_writing(it: Asked) -> None:
    log = QueryLog(it.main)
    with log._turn_of_ends:
        thread = threading.Thread(target=log.flush, args=(0.01,))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
