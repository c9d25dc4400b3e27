"""The API as its callers meet it: a real process over SQLite."""

from __future__ import annotations

import io
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.serving import KEY, Service

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ROWS = 300


def invoice_database(folder: Path) -> None:
    (folder / "data").mkdir()
    with sqlite3.connect(folder / "data/invoice.db") as connection:
        connection.execute("CREATE TABLE customer_contacts (contactid INTEGER PRIMARY KEY, name TEXT)")
        rows = [(n, f"name {n}") for n in range(ROWS)]
        connection.executemany("INSERT INTO customer_contacts VALUES (?, ?)", rows)
    connection.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("api")
    invoice_database(folder)
    with Service(folder, PROBE_INTERVAL="300", PROBE_SLOW="2000") as service:
        yield service


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    assert {"type", "title", "status", "code", "detail", "hint", "instance", "requestId"} <= set(document)
    assert document["status"] == status
    assert document["requestId"] == answer.headers["x-request-id"]
    return document


# -- health ------------------------------------------------------------------------------------------------


def test_the_health_of_the_databases_is_the_guides_document(service: Service) -> None:
    answer = service.get("/health/database", key=None)
    assert answer.status_code == 200
    document = answer.json()
    assert MOMENT.fullmatch(document.pop("timestamp"))
    assert document == {
        "mainDatabase": {
            "status": "up",
            "details": "Main database is responding",
            "config": {"server": "embedded", "port": "", "database": "data/main.db", "useWindowsAuth": False},
        },
        "invoiceDatabase": {
            "status": "up",
            "details": "Invoice database is responding",
            "config": {
                "server": "embedded",
                "port": "",
                "database": "data/invoice.db",
                "useWindowsAuth": False,
            },
        },
    }


def test_health(service: Service) -> None:
    document = service.get("/health", key=None).json()
    assert MOMENT.fullmatch(document.pop("timestamp"))
    assert document.pop("uptime") > 0
    assert re.fullmatch(r"\d+\.\d+\.\d+", document.pop("version"))
    assert document == {"status": "ok", "mainDatabase": "up", "invoiceDatabase": "up"}


def test_a_monitor_may_ask_for_the_head_alone(service: Service) -> None:
    for path in ("/health", "/health/database"):
        answer = service.request("HEAD", path, key=None)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_fresh_look(service: Service) -> None:
    document = service.get("/database/health").json()
    for name in ("main", "invoice"):
        assert document[name]["status"] == "up"
        assert document[name]["latencyMs"] > 0
        assert document[name]["config"]["server"] == "embedded"


def test_a_database_that_goes_is_told_and_one_that_comes_back(service: Service) -> None:
    file = service.folder / "data/invoice.db"
    hidden = file.rename(file.with_suffix(".away"))
    try:
        document = _until(service, 503)
        assert document["invoiceDatabase"]["status"] == "down"
        assert document["invoiceDatabase"]["code"] == "database_missing"
        assert MOMENT.fullmatch(document["invoiceDatabase"]["since"])
        assert document["mainDatabase"]["status"] == "up"
        assert service.get("/health", key=None).json()["status"] == "degraded"
        assert service.get("/database/health").json()["invoice"]["status"] == "down"
        gone = service.ask("SELECT 1 AS x")
        assert gone.headers["retry-after"]
        problem(gone, 503, "database_missing")
    finally:
        hidden.rename(file)
    assert _until(service, 200)["invoiceDatabase"]["details"] == "Invoice database is responding"


def _until(service: Service, status: int) -> dict[str, Any]:
    for _ in range(600):
        answer = service.get("/health/database", key=None)
        if answer.status_code == status:
            return dict(answer.json())
        time.sleep(0.05)
    raise AssertionError(f"It never became {status}.")


# -- configuration and connections ---------------------------------------------------------------------------


def test_the_configuration(service: Service) -> None:
    document = service.get("/database/config").json()
    assert document["main"]["database"] == "data/main.db"
    assert document["invoice"]["useWindowsAuth"] is False
    assert document["invoiceTable"] == "[dbo_user_new].[customer_contacts]"
    assert KEY not in json.dumps(document)


def test_connections_are_closed_and_opened_again(service: Service) -> None:
    assert service.ask("SELECT 1 AS x").status_code == 200
    document = service.post("/database/close-connections").json()
    assert document["success"] is True
    assert document["main"]["closed"] >= 1
    assert service.post("/database/close-connections").json()["main"] == {"closed": 0, "inUse": 0}
    assert service.ask("SELECT 1 AS x").json()["rows"] == [[1]]


# -- queries -------------------------------------------------------------------------------------------------


def test_a_query_is_answered(service: Service) -> None:
    answer = service.ask(
        "SELECT contactid, name FROM customer_contacts WHERE contactid < :n ORDER BY 1", params={"n": 2}
    )
    document = answer.json()
    assert document.pop("elapsedMs") >= 0
    assert document.pop("queryId") == answer.headers["x-query-id"]
    assert document == {
        "success": True,
        "columns": [{"name": "contactid", "type": ""}, {"name": "name", "type": ""}],
        "rows": [[0, "name 0"], [1, "name 1"]],
        "rowCount": 2,
        "truncated": False,
    }


def test_an_answer_is_cut_where_it_is_told_to(service: Service) -> None:
    document = service.ask("SELECT contactid FROM customer_contacts", maxRows=3).json()
    assert (document["rowCount"], document["truncated"], document["truncatedBy"]) == (3, True, "rows")


def test_the_format_is_the_callers_choice(service: Service) -> None:
    query = "SELECT contactid AS a FROM customer_contacts ORDER BY 1"
    lines = service.ask(query, accept="application/x-ndjson").text.splitlines()
    assert [json.loads(line)["a"] for line in lines[:-1]] == list(range(ROWS))
    assert json.loads(lines[-1])["_ledgerline"]["rowCount"] == ROWS
    table = service.ask(query, accept="text/csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[:2] == ["a", "0"]
    arrow = service.ask(query, accept="application/vnd.apache.arrow.stream")
    assert pl.read_ipc_stream(io.BytesIO(arrow.content))["a"].to_list() == list(range(ROWS))
    best = service.ask(query, accept="text/csv;q=0.1, application/x-ndjson;q=0.9")
    assert best.headers["content-type"].startswith("application/x-ndjson")
    problem(service.ask(query, accept="image/png"), 406, "not_acceptable")


def test_the_main_database_is_asked_and_a_plan_is_shown(service: Service) -> None:
    assert service.ask("SELECT count(*) AS n FROM contacts", "main").json()["rows"] == [[0]]
    shown = service.ask("SELECT * FROM contacts", "main", explain=True).json()
    assert shown["rowCount"] >= 1
    assert "contacts" in json.dumps(shown["rows"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "DELETE FROM contacts"}, "query_refused"),
        ({"query": "SELECT * FROM api_keys"}, "query_refused"),
        ({"query": "SELECT ? AS x"}, "query_parameters"),
        ({"query": "SELECT * FROM nothing"}, "table_missing"),
        ({"query": ""}, "validation"),
        ({"query": "SELECT 1 AS x", "maxRows": -1}, "validation"),
        ({"query": "SELECT 1 AS x", "sql": "y"}, "validation"),
        ({"query": "SELECT ? AS x", "params": [[1]]}, "validation"),
        ({}, "validation"),
        ([], "validation"),
    ],
)
def test_what_is_not_answered(service: Service, body: Any, code: str) -> None:
    problem(service.post("/database/query/main", json=body), 422, code)


@pytest.mark.parametrize("params", [[[1]], {"n": [1]}, {"n": {}}, "x", 5])
def test_parameters_of_no_such_kind_are_one_mistake(service: Service, params: Any) -> None:
    document = service.post("/database/query/main", json={"query": "SELECT :n AS x", "params": params}).json()
    assert [mistake["where"] for mistake in document["errors"]] == ["body.params"]
    assert "a list for ? nor an object for :name" in document["detail"]


def test_queries_are_told_and_a_running_one_is_stopped(service: Service) -> None:
    service.ask("SELECT 'a literal' AS x")
    newest = service.get("/database/queries?limit=1").json()[0]
    assert newest["outcome"] == "succeeded"
    assert newest["key"] == "API_KEY"
    assert "a literal" not in newest["statement"]
    problem(service.request("DELETE", "/database/queries/none"), 404, "query_missing")


def test_queries_are_kept_under_a_name(service: Service) -> None:
    path = "/database/saved-queries/some names"
    kept = service.request(
        "PUT",
        path,
        json={"database": "invoice", "query": "SELECT name FROM customer_contacts WHERE contactid = :n"},
    ).json()
    assert (kept["name"], kept["createdBy"], kept["description"]) == ("some names", "API_KEY", None)
    assert service.get(path).json() == kept
    assert kept in service.get("/database/saved-queries").json()
    assert service.post(f"{path}/run", json={"params": {"n": 7}}).json()["rows"] == [["name 7"]]
    refused = service.request("PUT", path, json={"database": "main", "query": "DROP TABLE contacts"})
    problem(refused, 422, "query_refused")
    strange = {"database": "main", "query": "SELECT 1 AS one", "description": "a\0b"}  # PostgreSQL has none
    problem(service.request("PUT", path, json=strange), 422, "usage")
    assert service.request("DELETE", path).status_code == 204
    problem(service.get(path), 404, "query_missing")
    problem(service.post(f"{path}/run"), 404, "query_missing")


# -- metrics -------------------------------------------------------------------------------------------------


def test_metrics(service: Service) -> None:
    service.ask("SELECT 1 AS x")
    text = service.get("/metrics").text
    assert 'ledgerline_database_status{database="main",status="up"} 1.0' in text
    assert re.search(
        r'db_client_operation_duration_seconds_count\{.*ledgerline_database="invoice".*\} [1-9]', text
    )
    assert 'db_client_connection_max{db_client_connection_pool_name="main"} 10.0' in text
    assert 'http_route="/database/query/invoice"' in text
    assert 'ledgerline_rows_total{outcome="inserted"} 0.0' in text


# -- the edges -----------------------------------------------------------------------------------------------


def test_edges(service: Service) -> None:
    path = "/database/query/main"
    problem(service.get("/nothing"), 404, "not_found")
    wrong = service.request("PUT", "/health")
    assert wrong.headers["allow"] == "GET"
    problem(wrong, 405, "method_not_allowed")
    problem(service.post(path, content="x"), 415, "unsupported_media_type")
    as_json = {"Content-Type": "application/json"}
    for no_json in (b"{", b'{"query": "SELECT \xff"}', b"[" * 100_000):
        problem(service.post(path, content=no_json, headers=as_json), 400, "not_json")
    problem(service.post(path, content=b" " * 2_000_000, headers=as_json), 413, "body_too_large")
    in_pieces = (b" " * 500_000 for _ in range(4))
    problem(service.post(path, content=in_pieces, headers=as_json), 413, "body_too_large")
    problem(service.get("/health", headers={"Host": "evil.example"}), 400, "host_not_allowed")
    problem(service.get("/health", headers={"Origin": "https://evil.example"}), 403, "origin_not_allowed")
    assert service.get("/health", headers={"Origin": service.url}).status_code == 200
    assert service.get("/health", headers={"Host": f"localhost:{service.port}"}).status_code == 200


def test_headers(service: Service) -> None:
    for path in ("/health", "/nothing", "/docs"):
        headers = service.get(path, headers={"X-Request-ID": "mine-1"}).headers
        assert headers["x-request-id"] == "mine-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
    assert service.get("/health", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"
