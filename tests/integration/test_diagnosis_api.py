"""GET /database/status and POST /database/test-connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from tests.house import Installation, contact
from tests.integration.test_cli import ledgerline
from tests.postgres import free_port

from ledgerline.errors import LedgerlineError
from ledgerline.operations.keys import Scope
from ledgerline.web.api import diagnosis

KEY = "a-key-of-sixteen-characters"


@contextmanager
def client(house: Installation) -> Iterator[httpx.Client]:
    """A service that has these endpoints alone, asked over HTTP."""
    api = FastAPI()
    api.include_router(diagnosis.router)
    api.add_exception_handler(LedgerlineError, _code_of)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(api, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    with house.app() as app:
        api.state.ledgerline = app
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=60) as asking:
                yield asking
        finally:
            server.should_exit = True
            thread.join()


def _code_of(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LedgerlineError)
    return JSONResponse({"code": error.code}, status_code=400)


@pytest.fixture
def ready(house: Installation) -> Installation:
    house.environ["API_KEY"] = KEY
    house.write_invoice([contact(1, "Asha Rao", "9876543210")], {1: "Acme"})
    house.ingest()
    return house


def test_the_status_is_that_of_the_guide(ready: Installation) -> None:
    with client(ready) as asking:
        answer = asking.get("/database/status")
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == {"main", "invoice"}
    assert set(found["main"]) == {"connected", "tables", "recordCounts"}
    assert found["invoice"] == {
        "connected": True,
        "tables": ["customer_contacts", "customers"],
        "recordCounts": {"customer_contacts": 1},
    }


def test_the_command_prints_the_same(ready: Installation) -> None:
    with client(ready) as asking:
        answer = asking.get("/database/status").json()
    shown = ledgerline(ready._folder, "status", "--json", settings=ready.environ).stdout
    assert json.loads(shown) == answer


def test_a_table_that_cannot_be_counted_is_null(ready: Installation) -> None:
    ready.environ["INVOICE_TABLE"] = "[dbo_user_new].[nothing]"
    with client(ready) as asking:
        invoice = asking.get("/database/status").json()["invoice"]
    assert invoice["recordCounts"] == {"nothing": None}
    assert set(invoice["errors"]["nothing"]) == {"code", "detail", "hint"}


def test_both_connections_are_tested(ready: Installation) -> None:
    with client(ready) as asking:
        found = asking.post("/database/test-connections").json()
    for each in found.values():
        assert set(each) == {"connected", "latencyMs", "checks"}
        assert each["connected"] and each["latencyMs"] > 0
        for check in each["checks"]:
            assert set(check) == {"layer", "ok", "detail"}


def test_a_connection_that_fails_is_explained(ready: Installation) -> None:
    port = free_port()
    ready.environ["INVOICE_DATABASE_URL"] = f"sqlserver://sa:pa55word@127.0.0.1:{port};database=invoice"
    with client(ready) as asking:
        answer = asking.post("/database/test-connections")
    assert "pa55word" not in answer.text
    invoice = answer.json()["invoice"]
    assert (invoice["connected"], invoice["latencyMs"], invoice["code"]) == (False, None, "port_refused")
    (wrong,) = [check for check in invoice["checks"] if not check["ok"]]
    assert wrong["layer"] == "tcp"
    assert "TCP/IP must be enabled" in wrong["remedy"]
    assert answer.json()["main"]["connected"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/status"), ("POST", "/test-connections")])
def test_a_key_is_asked_for(ready: Installation, method: str, path: str) -> None:
    with ready.app() as app:
        _, token = app.keys.create("for metrics", {Scope.METRICS}, None)
    with client(ready) as asking:
        for sent, code in (("wrong", "unauthorised"), (token, "forbidden")):
            answer = asking.request(method, f"/database{path}", headers={"X-API-Key": sent})
            assert (answer.status_code, answer.json()) == (400, {"code": code})


def test_the_examples_fit_their_schema() -> None:
    diagnosis.Status.model_validate(diagnosis._STATUS_EXAMPLE)
    diagnosis.Test.model_validate(diagnosis._TEST_EXAMPLE)
