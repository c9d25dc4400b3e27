"""The service under load: slow queries by the hundred, limits of its pools, a server that restarts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
from tests.integration.test_api_hangs import eventually
from tests.postgres import PostgresServer
from tests.serving import Service

from ledgerline.app import App
from ledgerline.operations.keys import Scope
from ledgerline.settings import load_settings

QUERIES = 100
OF_A_KEY = 4  # at once
FOR_QUERIES, FOR_PROBES = 5, 1  # connections of each database
LIMIT = 6


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of its own: it is restarted."""
    with PostgresServer(fsync="off") as server:
        yield server


@pytest.fixture(scope="module")
def settings(server: PostgresServer) -> dict[str, str]:
    return {
        "DATABASE_URL": server.create_database("load_main"),
        "INVOICE_DATABASE_URL": server.create_database("load_invoice"),
        "DB_CONNECTION_LIMIT": str(LIMIT),
        "DB_RETRY_DELAY": "50",
        "PROBE_SLOW": "2000",
    }


@pytest.fixture(scope="module")
def keys(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    app = App(load_settings(settings, tmp_path_factory.mktemp("keys")))
    try:
        app.migrate()
        return [app.keys.create(f"key-{n}", {Scope.QUERY})[1] for n in range(QUERIES // OF_A_KEY)]
    finally:
        app.close()


@pytest.fixture(scope="module")
def service(
    settings: dict[str, str], keys: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("load"), **settings) as service:
        yield service


@contextmanager
def locked(server: PostgresServer, database: str, table: str) -> Iterator[None]:
    """Whoever reads the table waits."""
    with psycopg.connect(server.url(database)) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def sessions(server: PostgresServer, database: str) -> tuple[int, int]:
    """How many of the service wait for a lock, and how many there are; the test's own is not counted."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock'), count(*) FROM pg_stat_activity"
            " WHERE datname = %s AND query NOT LIKE 'LOCK TABLE%%'",
            [database],
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def sent(stack: ExitStack, service: Service, method: str, path: str, key: str, body: object = None) -> None:
    """A request whose answer nobody reads, until `stack` ends and its caller hangs up."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    caller = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
    caller.sendall(head.encode() + content)


def test_health_answers_while_a_hundred_queries_are_slow(
    service: Service, server: PostgresServer, keys: list[str]
) -> None:
    with psycopg.connect(server.url("load_invoice"), autocommit=True) as connection:
        connection.execute("CREATE TABLE slow (a int)")
    with locked(server, "load_invoice", "slow"), ExitStack() as stack:
        for place in range(QUERIES):
            query = {"query": "SELECT a FROM slow"}
            sent(stack, service, "POST", "/database/query/invoice", keys[place % len(keys)], query)
        eventually(lambda: sessions(server, "load_invoice")[0] == FOR_QUERIES)
        for _ in range(20):
            assert service.get("/health").json()["status"] == "ok"
            assert service.get("/health/database").status_code == 200
            assert service.get("/database/config").status_code == 200
        assert sessions(server, "load_invoice")[1] <= LIMIT + FOR_QUERIES + FOR_PROBES
    eventually(lambda: 'ledgerline_queries_running{database="invoice"} 0.0' in _metrics(service))
    assert service.ask("SELECT a FROM slow").json()["rows"] == []


def _metrics(service: Service) -> str:
    return service.get("/metrics").text


def test_the_pool_of_the_main_database_keeps_its_limit(service: Service, server: PostgresServer) -> None:
    assert service.key is not None
    with locked(server, "load_main", "query_log"), ExitStack() as stack:
        for _ in range(4 * LIMIT):
            sent(stack, service, "GET", "/database/queries", service.key)
        eventually(lambda: sessions(server, "load_main")[0] == _used(service) == LIMIT)
        assert sessions(server, "load_main")[1] <= LIMIT + FOR_QUERIES + FOR_PROBES
        assert service.get("/health").json()["status"] == "ok"
    eventually(lambda: _used(service) == 0)
    assert service.get("/database/queries").status_code == 200


def _used(service: Service) -> int:
    named = (
        'db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="used"}'
    )
    line = next(line for line in _metrics(service).splitlines() if line.startswith(named))
    return int(float(line.split()[-1]))


def test_after_a_restart_at_most_one_request_of_a_pool_fails(
    service: Service, server: PostgresServer
) -> None:
    answers: list[tuple[str, bool, int]] = []
    is_back, is_over = threading.Event(), threading.Event()

    def ask(database: str) -> None:
        while not is_over.is_set():
            begun_after = is_back.is_set()
            answers.append((database, begun_after, service.ask("SELECT 1 AS x", database).status_code))

    asking = [threading.Thread(target=ask, args=(name,)) for name in ("main", "invoice") for _ in range(2)]
    for thread in asking:
        thread.start()
    with ExitStack() as stack:
        for thread in asking:
            stack.callback(thread.join)
        stack.callback(is_over.set)
        eventually(lambda: len(answers) >= 8)
        server.stop("fast")
        server.start()
        is_back.set()
        for name in ("main", "invoice"):
            eventually(lambda name=name: sum(after for who, after, _ in answers if who == name) >= 10)  # type: ignore[misc]
    for name in ("main", "invoice"):
        failed = [status for who, after, status in answers if who == name and after and status != 200]
        assert len(failed) <= 1, failed
