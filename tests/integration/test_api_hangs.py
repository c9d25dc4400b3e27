"""What the service does when its database server hangs, when callers hang up, and when it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from tests.integration.test_api import invoice_database, problem
from tests.postgres import PostgresServer
from tests.serving import KEY, Service

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.databases.runs import utc_now
from ledgerline.databases.schema import ingestion_runs, leases
from ledgerline.url import parse_url

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
MANY = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One of its own: it is made to hang."""
    with PostgresServer(fsync="off") as server:
        yield server


@pytest.fixture(scope="module")
def service(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    main, invoice = server.create_database("hang_main"), server.create_database("hang_invoice")
    database = Database(parse_url(main))
    migrate(database)
    database.close()
    settings = {"PROBE_INTERVAL": "300", "PROBE_TIMEOUT": "500", "PROBE_SLOW": "450"}
    folder = tmp_path_factory.mktemp("hangs")
    with Service(folder, DATABASE_URL=main, INVOICE_DATABASE_URL=invoice, **settings) as service:
        yield service


@contextmanager
def hanging(server: PostgresServer) -> Iterator[None]:
    """All of its processes stand still; connections are still taken by the system, and nobody answers."""
    postmaster = psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                os.kill(process.pid, signal.SIGCONT)


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("It never came to be.")


def status(service: Service) -> tuple[int, str, str]:
    answer = service.get("/health/database")
    document = answer.json()
    return answer.status_code, document["mainDatabase"]["status"], document["invoiceDatabase"]["status"]


def connections(server: PostgresServer) -> int:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'hang_main' AND state = 'idle'"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def active(server: PostgresServer) -> int:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%recursive%' AND state = 'active'"
        row = connection.execute(
            query.replace("recursive", "RECURSIVE") + " AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_guides_document_over_a_server(service: Service, server: PostgresServer) -> None:
    config = service.get("/health/database", key=None).json()["mainDatabase"]["config"]
    assert config == {
        "server": "127.0.0.1",
        "port": str(server.port),
        "database": "hang_main",
        "useWindowsAuth": False,
    }


def test_pools_are_closed_and_opened_again(service: Service, server: PostgresServer) -> None:
    for database in ("main", "invoice"):
        assert service.ask("SELECT 1 AS x", database).json()["rows"] == [[1]]
    before = connections(server)
    closed = service.post("/database/close-connections").json()
    assert closed["success"] is True
    assert closed["main"]["closed"] >= 1
    eventually(lambda: connections(server) < before)
    assert service.ask("SELECT 1 AS x", "main").json()["rows"] == [[1]]


def test_a_query_whose_caller_hangs_up_is_stopped(service: Service, server: PostgresServer) -> None:
    for query in (ENDLESS, MANY):
        body = f'{{"query": "{query}", "maxRows": 10000000}}'
        head = (
            f"POST /database/query/invoice HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", service.port)) as caller:
            caller.sendall((head + body).encode())
            eventually(lambda: active(server) > 0 or bool(_running(service)))
        eventually(lambda: active(server) == 0 and not _running(service))
    outcomes = [entry["outcome"] for entry in service.get("/database/queries?limit=2").json()]
    assert outcomes == ["cancelled", "cancelled"]


def _running(service: Service) -> list[str]:
    queries = service.get("/database/queries?limit=5").json()
    return [entry["queryId"] for entry in queries if entry["outcome"] == "running"]


def test_a_running_query_is_stopped_by_its_id(service: Service) -> None:
    answers = []
    asking = threading.Thread(target=lambda: answers.append(service.ask(ENDLESS)))
    asking.start()
    eventually(lambda: bool(_running(service)))
    (query_id,) = _running(service)
    assert service.request("DELETE", f"/database/queries/{query_id}").status_code == 204
    asking.join()
    if answers[0].status_code != 200:
        problem(answers[0], 409, "query_cancelled")
    else:
        assert answers[0].json()["error"]["code"] == "query_cancelled"


def test_health_answers_while_the_server_hangs(service: Service, server: PostgresServer) -> None:
    eventually(lambda: status(service) == (200, "up", "up"))
    with hanging(server):
        waiting = [threading.Thread(target=_asked, args=(service,), daemon=True) for _ in range(80)]
        for thread in waiting:
            thread.start()
        eventually(lambda: status(service) == (503, "down", "down"))
        assert service.get("/health").json()["status"] == "error"
        assert service.get("/health/database").headers["retry-after"]
        code = service.get("/health/database").json()["mainDatabase"]["code"]
        assert code in ("probe_timeout", "cannot_connect", "timeout")
        fresh = service.get("/database/health").json()
        assert (fresh["main"]["status"], fresh["main"]["latencyMs"]) == ("down", None)
        assert 'ledgerline_database_status{database="main",status="down"} 1.0' in service.get("/metrics").text
        tested = service.post("/database/test-connections").json()
        assert [tested[name]["connected"] for name in ("main", "invoice")] == [False, False]
        assert all(thread.is_alive() for thread in waiting)
    eventually(lambda: status(service) == (200, "up", "up"))
    for thread in waiting:
        thread.join()
    assert service.ask("SELECT 1 AS x").json()["rows"] == [[1]]


def _why_down(service: Service) -> tuple[str, ...]:
    document = service.get("/health/database").json()
    return tuple(document[name].get("code") for name in ("mainDatabase", "invoiceDatabase"))


def _asked(service: Service) -> None:
    """More of these than there are threads for endpoints."""
    with suppress(httpx.TransportError):
        service.get("/database/saved-queries")


def test_a_server_that_restarts_is_found_again(service: Service, server: PostgresServer) -> None:
    server.stop("immediate")
    eventually(lambda: status(service) == (503, "down", "down"))
    eventually(lambda: _why_down(service) == ("port_refused", "port_refused"))  # as the doctor says
    problem(service.ask("SELECT 1 AS x"), 503, "cannot_connect")
    server.start()
    eventually(lambda: status(service) == (200, "up", "up"))
    assert service.ask("SELECT 1 AS x").json()["rows"] == [[1]]


# -- stopping ----------------------------------------------------------------------------------------------


def test_it_stops_within_its_time_while_the_server_hangs(server: PostgresServer, tmp_path: Path) -> None:
    urls = {"DATABASE_URL": server.url("hang_main"), "INVOICE_DATABASE_URL": server.url("hang_invoice")}
    with Service(tmp_path, SHUTDOWN_TIMEOUT="1000", **urls) as service, hanging(server):
        threading.Thread(target=_broken, args=(service,), daemon=True).start()
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(30)


def _broken(service: Service) -> None:
    try:
        service.ask(ENDLESS)
    except Exception:  # noqa: BLE001  the service is stopped meanwhile
        return


def test_it_stops_cleanly_with_a_query_that_never_ends(tmp_path: Path) -> None:
    invoice_database(tmp_path)
    with Service(tmp_path, SHUTDOWN_TIMEOUT="1000") as service:
        threading.Thread(target=_broken, args=(service,), daemon=True).start()
        eventually(lambda: bool(_running(service)))
        assert service.stop() in (0, 1)
        assert not [child for child in psutil.process_iter() if child.ppid() == service.process.pid]


def test_who_follows_a_run_does_not_hold_up_its_end(tmp_path: Path) -> None:
    invoice_database(tmp_path)
    with Service(tmp_path, SHUTDOWN_TIMEOUT="600000") as service:  # longer than the test waits for its end
        main = Database(parse_url(f"sqlite:///{tmp_path}/data/main.db"))
        with main.begin() as connection:
            now = utc_now()
            run = {
                "id": 1,
                "kind": "ingest",
                "source_system": "INVOICE",
                "status": "running",
                "first_load": True,
            }
            run |= {"rules": "1", "first_contact_id": 1, "started_at": now}
            connection.execute(ingestion_runs.insert().values(**run))
            holder = f"{socket.gethostname()}:{os.getpid()}"  # it lives
            lease = {"name": "INVOICE", "holder": holder, "run_id": 1, "token": 1, "beat_at": now}
            connection.execute(leases.insert().values(**lease))
        main.close()
        assert service.key is not None
        headers = {"X-API-Key": service.key}
        with service.client.stream("GET", "/ingestion/runs/1/events", headers=headers) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: progress"
            assert service.stop() == 0
            assert not [line for line in lines if line.startswith("event")]


def test_a_main_database_that_was_not_migrated_is_said(server: PostgresServer, tmp_path: Path) -> None:
    url = server.create_database("hang_empty")
    with pytest.raises(AssertionError, match="ledgerline migrate"), Service(tmp_path, DATABASE_URL=url):
        pass


def test_requests_have_their_time(server: PostgresServer, tmp_path: Path) -> None:
    urls = {"DATABASE_URL": server.url("hang_main"), "INVOICE_DATABASE_URL": server.url("hang_invoice")}
    with Service(tmp_path, REQUEST_TIMEOUT="1000", SHUTDOWN_TIMEOUT="1000", **urls) as service:
        problem(service.ask(ENDLESS), 503, "request_timeout")
        eventually(lambda: active(server) == 0)
