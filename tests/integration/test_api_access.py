"""Who may ask what, and that no secret leaves the service, whatever is sent to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_api import invoice_database, problem
from tests.serving import KEY, Service

OPEN = {("GET", "/health"), ("GET", "/health/database")}
SCOPES = ("read", "query", "ingest", "admin", "metrics")
QUERY = {"query": "SELECT 1 AS x"}
NEEDED: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/database/health"): ("read", None),
    ("GET", "/database/config"): ("read", None),
    ("POST", "/database/close-connections"): ("admin", None),
    ("POST", "/database/query/main"): ("query", QUERY),
    ("POST", "/database/query/invoice"): ("query", QUERY),
    ("GET", "/database/queries"): ("query", None),
    ("DELETE", "/database/queries/{queryId}"): ("query", None),
    ("GET", "/database/saved-queries"): ("query", None),
    ("GET", "/database/saved-queries/{name}"): ("query", None),
    ("PUT", "/database/saved-queries/{name}"): ("query", {"database": "main", **QUERY}),
    ("DELETE", "/database/saved-queries/{name}"): ("query", None),
    ("POST", "/database/saved-queries/{name}/run"): ("query", None),
    ("GET", "/metrics"): ("metrics", None),
    ("GET", "/database/status"): ("read", None),
    ("POST", "/database/test-connections"): ("read", None),
    ("POST", "/ingestion/invoice/run"): ("ingest", None),
    ("POST", "/ingestion/invoice/plan"): ("ingest", None),
    ("GET", "/ingestion/runs"): ("read", None),
    ("GET", "/ingestion/runs/latest"): ("read", None),
    ("GET", "/ingestion/runs/{id}"): ("read", None),
    ("GET", "/ingestion/runs/{id}/events"): ("read", None),
    ("GET", "/ingestion/runs/{id}/rejects"): ("read", None),
    ("GET", "/ingestion/runs/{id}/changes"): ("read", None),
    ("POST", "/ingestion/runs/{id}/cancel"): ("ingest", None),
    ("POST", "/ingestion/runs/{id}/undo"): ("admin", None),
    ("GET", "/ingestion/runs/{id}/undo"): ("read", None),
}


def made(folder: Path, name: str, scope: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ledgerline", "keys", "create", "--name", name, "--scope", scope],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    invoice_database(folder)
    return folder


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, str]:
    return {scope: made(folder, f"for {scope}", scope) for scope in SCOPES}


@pytest.fixture(scope="module")
def service(folder: Path, keys: dict[str, str]) -> Iterator[Service]:
    with Service(folder, key=None) as service:
        assert service.key is None, "It made a key although there are some."
        yield service


def test_every_endpoint_is_in_the_matrix(service: Service) -> None:
    paths = service.get("/openapi.json").json()["paths"]
    known = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert known == OPEN | set(NEEDED)


@pytest.mark.parametrize(("method", "path"), sorted(NEEDED))
def test_an_endpoint_wants_its_scope(service: Service, keys: dict[str, str], method: str, path: str) -> None:
    scope, body = NEEDED[method, path]
    path = path.replace("{id}", "123456")  # there is no such run
    problem(service.request(method, path, key=None, json=body), 401, "unauthorised")
    for name, key in keys.items():
        answer = service.request(method, path, key=key, json=body)
        if name == scope:
            assert answer.status_code in (200, 204, 404), answer.text
        else:
            problem(answer, 403, "forbidden")
    bearer = service.request(
        method, path, key=None, json=body, headers={"Authorization": f"Bearer {keys[scope]}"}
    )
    assert bearer.status_code in (200, 204, 404)


def test_a_key_sees_its_own_queries(service: Service, folder: Path, keys: dict[str, str]) -> None:
    other, chief = made(folder, "other", "query"), made(folder, "chief", "query,admin")
    service.post("/database/query/main", key=keys["query"], json={"query": "SELECT 1 AS mine"})
    service.post("/database/query/main", key=other, json={"query": "SELECT 1 AS theirs"})
    seen = {key: service.get("/database/queries", key=key).text for key in (other, keys["query"], chief)}
    assert ("theirs" in seen[other], "mine" in seen[other]) == (True, False)
    assert "theirs" not in seen[keys["query"]]
    assert "theirs" in seen[chief] and "mine" in seen[chief]
    body = {"database": "main", "query": "SELECT 1 AS one"}
    assert service.request("PUT", "/database/saved-queries/own", key=other, json=body).status_code == 200
    for method in ("PUT", "DELETE"):
        answer = service.request(
            method, "/database/saved-queries/own", key=keys["query"], json=body if method == "PUT" else None
        )
        problem(answer, 403, "forbidden")
    assert service.request("DELETE", "/database/saved-queries/own", key=chief).status_code == 204


def test_strange_keys_are_401(service: Service) -> None:
    strange: list[str | bytes] = ["x", "llk_", "ключ".encode(), b"\xff\xfe", "llk_" + "0" * 84]
    for sent in strange:
        value = sent if isinstance(sent, bytes) else sent.encode()
        problem(service.client.get("/metrics", headers=[(b"X-API-Key", value)]), 401, "unauthorised")


# -- the key that is made, and its absence ---------------------------------------------------------------


def test_without_any_key_one_is_made_and_its_curl_line_works(tmp_path: Path) -> None:
    invoice_database(tmp_path)
    with Service(tmp_path, key=None) as service:
        printed = service.out.read_text()
        (line,) = [line for line in printed.splitlines() if "curl" in line]
        if shutil.which("curl"):
            done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
            assert json.loads(done.stdout)["main"]["status"] == "up"
        assert printed.count(service.key or "?") == 1
        assert (service.key or "?") not in service.err.read_text()


@pytest.mark.parametrize(
    "settings", [{"ENVIRONMENT": "production"}, {"ENVIRONMENT": "staging"}, {"HOST": "0.0.0.0"}]
)
def test_anywhere_else_nothing_is_open(tmp_path: Path, settings: dict[str, str]) -> None:
    invoice_database(tmp_path)
    with Service(tmp_path, key=None, **settings) as service:
        assert service.key is None
        for key in (None, "wrong"):
            answer = service.get("/database/config", key=key)
            problem(answer, 503, "auth_not_configured")
            assert answer.headers["retry-after"]
        shown = "config" in service.get("/health/database").json()["mainDatabase"]
        assert shown is (settings == {"ENVIRONMENT": "staging"})


def test_in_production_the_configuration_is_for_callers_with_a_key(tmp_path: Path) -> None:
    invoice_database(tmp_path)
    key = "5f0c9a1e7b3d42868e1f6c0a9d7b35e2f4"
    with Service(tmp_path, key=key, ENVIRONMENT="production", TRUSTED_PROXIES="127.0.0.1") as service:
        assert "config" not in service.get("/health/database", key=None).json()["mainDatabase"]
        assert (
            service.get("/health/database", key=key).json()["mainDatabase"]["config"]["server"] == "embedded"
        )
        _wrong_keys_are_counted_by_the_address_behind_the_proxy(service)


def _wrong_keys_are_counted_by_the_address_behind_the_proxy(service: Service) -> None:
    def asked_by(address: str, key: str | None) -> int:
        headers = {"X-Forwarded-For": address}
        return service.get("/database/config", key=key, headers=headers).status_code

    assert [asked_by("203.0.113.7", "wrong") for _ in range(11)] == [*[401] * 10, 429]
    assert asked_by("203.0.113.8", service.key) == 200


# -- secrets ----------------------------------------------------------------------------------------------


def test_no_secret_leaves_the_service(tmp_path: Path) -> None:
    secrets = ["s3cret-of-main", "s3cret-of-invoice", KEY, "s3cret-literal", "s3cret-header", "s3cret-path"]
    said: list[str] = []
    settings = {
        "DATABASE_URL": f"postgresql://app:{secrets[0]}@127.0.0.1:9/main",
        "INVOICE_DATABASE_URL": f"postgresql://app:{secrets[1]}@127.0.0.1:9/invoice",
        "DB_RETRY_ATTEMPTS": "0",
    }
    with Service(tmp_path, **settings) as service:
        for method, path in [*OPEN, *NEEDED]:
            body = NEEDED.get((method, path), ("", None))[1]
            for key in (None, service.key, "s3cret-header-wrong"):
                answer = service.request(method, path, key=key, json=body)
                said.append(answer.text + repr(answer.headers))
        queries = ("SELECT '{}' AS x", "DELETE FROM t WHERE a = '{}'", "x '{}")
        said += [service.ask(query.format("s3cret-literal")).text for query in queries]
        said.append(service.ask("SELECT 1 AS x", sql="s3cret-literal").text)
        said.append(service.ask("SELECT 1 AS x", maxRows="s3cret-literal").text)
        said.append(service.get("/database/config?key=s3cret-literal").text)
        logged = service.output()
        assert service.stop() == 0
    logged = service.output()
    for secret in secrets:
        assert not [text for text in said if secret in text], secret
        assert secret not in logged
    assert "SELECT" not in logged
    assert "Traceback" not in logged
    for line in service.err.read_text().splitlines():
        if line.startswith("{"):
            json.loads(line)


def test_a_request_is_one_line_of_the_log(service: Service, keys: dict[str, str]) -> None:
    service.get("/database/config", key=keys["read"], headers={"X-Request-ID": "look-for-me"})
    (line,) = service.logged("look-for-me")
    logged = json.loads(line)
    assert logged["request_id"] == "look-for-me"
    assert (logged["method"], logged["route"], logged["status"]) == ("GET", "/database/config", 200)
    assert logged["key"] == "for read"
    assert logged["duration_ms"] > 0
