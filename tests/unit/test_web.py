"""The application without a server: what nobody thought of, and that its documentation is complete."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
from starlette.types import Message, Scope

from ledgerline import errors
from ledgerline.app import App
from ledgerline.databases.runs import Run
from ledgerline.databases.schema import ingestion_runs
from ledgerline.settings import load_settings
from ledgerline.web import logs
from ledgerline.web.api import ingestion
from ledgerline.web.api.access import is_loopback
from ledgerline.web.api.answers import wanted_format
from ledgerline.web.api.problems import TABLE
from ledgerline.web.server import create_app, hosts
from ledgerline.worker.starting import Worker, Workers

KEY = "a-key-of-a-unit-test"
RUN = {
    "id": 1, "kind": "ingest", "source_system": "INVOICE", "status": "succeeded", "first_load": True,
    "rules": "1", "first_contact_id": 1, "started_at": datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None),
}  # fmt: skip
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledgerline(tmp_path: Path) -> App:
    return App(load_settings({"API_KEY": KEY}, tmp_path))


def test_an_unexpected_error_is_told_without_its_text(
    ledgerline: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("SELECT 'a secret' failed")

    monkeypatch.setattr(ledgerline.keys, "verify", broken)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure()
    try:
        answer = anyio.run(_got, ledgerline, "/database/config")
    finally:
        root.handlers, root.level = handlers, level
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    (line,) = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert logged["error"] == ["RuntimeError"]
    assert any("broken" in place for place in logged["at"])
    assert logged["request_id"] == answer.json()["requestId"]
    assert "secret" not in line + answer.text


async def _got(ledgerline: App, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(ledgerline))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path, headers=headers)


def test_an_origin_that_is_none_is_refused(ledgerline: App) -> None:
    answer = anyio.run(partial(_got, ledgerline, "/health", headers={"Origin": "http://["}))
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


def test_a_body_in_pieces_that_is_too_large_by_its_last_one_is_refused_at_once(ledgerline: App) -> None:
    """Though the inside asks for more of it: the server would have it wait for the caller to hang up."""
    pieces = [b"x" * 2_000_000]
    sent: list[Message] = []

    async def receive() -> Message:
        if not pieces:
            await anyio.sleep_forever()
        return {"type": "http.request", "body": pieces.pop(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        with anyio.fail_after(30):
            await create_app(ledgerline)(_post("/database/query/main"), receive, send)

    anyio.run(ask)
    assert sent[0]["status"] == 413


def _post(path: str) -> Scope:
    headers = {"host": "localhost", "content-type": "application/json", "x-api-key": KEY}
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()]
        + [(b"transfer-encoding", b"chunked")],
    }


def test_the_page_of_the_api_needs_nothing_from_elsewhere(ledgerline: App) -> None:
    page = anyio.run(_got, ledgerline, "/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "://" not in policy + page.text
    files = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert {file.rpartition(".")[2] for file in files} == {"css", "js", "png"}
    for file in files:
        answer = anyio.run(_got, ledgerline, f"/{file}")
        assert (answer.status_code, len(answer.content) > 100) == (200, True), file
    assert anyio.run(_got, ledgerline, "/docs/other.js").json()["code"] == "not_found"
    assert anyio.run(_got, ledgerline, "/redoc").json()["code"] == "not_found"


def test_every_endpoint_is_documented(ledgerline: App) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for path in create_app(ledgerline).openapi()["paths"]:
        assert f"{path}`" in page, path


def test_every_error_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.code for kind in kinds if issubclass(kind, errors.LedgerlineError)}
    bases = {"error", "access_denied", "run_failed", "account_imbalance"}  # of these a 500 is right
    assert codes - bases <= set(TABLE)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("text/html, */*;q=0.1", "json"),
        ("text/csv;q=0.5, application/x-ndjson", "ndjson"),
        ("text/csv;q=0", None),
        ("text/html", None),
        ("text/csv;q=x", "csv"),
    ],
)
def test_the_format_that_is_liked_best(accept: str, form: str | None) -> None:
    assert wanted_format(accept) == form


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True),
     ("0.0.0.0", False), ("::", False), ("db", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "10.0.0.0/33"])
def test_a_proxy_is_an_address_or_a_network(tmp_path: Path, wrong: str) -> None:
    trusted = load_settings({"TRUSTED_PROXIES": "127.0.0.1, 10.1.0.0/16,::1"}, tmp_path).service.proxies
    assert trusted == ("127.0.0.1", "10.1.0.0/16", "::1")
    with pytest.raises(errors.SettingsError, match="TRUSTED_PROXIES"):
        load_settings({"TRUSTED_PROXIES": wrong}, tmp_path)


def test_the_names_it_answers_to(tmp_path: Path) -> None:
    assert "localhost" in hosts(load_settings({}, tmp_path))
    assert hosts(load_settings({"HOST": "0.0.0.0"}, tmp_path)) == ("*",)
    named = hosts(load_settings({"ALLOWED_HOSTS": "A.example, b.example", "HOST": "0.0.0.0"}, tmp_path))
    # Those of the machine too: health checks ask by them, whatever the service is called outside.
    assert set(named) == {"a.example", "b.example", "localhost", "127.0.0.1", "[::1]"}


def test_a_key_is_not_guessed_by_asking_how_the_databases_are(tmp_path: Path) -> None:
    settings = {"API_KEY": KEY, "HOST": "0.0.0.0", "ALLOWED_HOSTS": "localhost"}
    served = create_app(App(load_settings(settings, tmp_path)))

    async def config_is_shown(key: str) -> bool:
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/health/database", headers={"X-API-Key": key})
        return "config" in answer.json()["mainDatabase"]

    assert anyio.run(config_is_shown, KEY)
    assert not any(anyio.run(config_is_shown, f"guess-{number}") for number in range(10))
    assert not anyio.run(config_is_shown, KEY)


@pytest.mark.parametrize("kind", ["ingest", "plan", "undo", "unmerge", "edit"])
def test_runs_of_every_kind_are_listed(tmp_path: Path, kind: str) -> None:
    url = f"sqlite:///{(tmp_path / 'main.db').as_posix()}"
    ledgerline = App(load_settings({"API_KEY": KEY, "DATABASE_URL": url}, tmp_path))
    ledgerline.migrate()
    with ledgerline.main.begin() as connection:
        connection.execute(ingestion_runs.insert().values(**{**RUN, "kind": kind}))
    answer = anyio.run(partial(_got, ledgerline, "/ingestion/runs", headers={"X-API-Key": KEY}))
    far = anyio.run(partial(_got, ledgerline, f"/ingestion/runs?after={10**20}", headers={"X-API-Key": KEY}))
    ledgerline.close()
    assert far.status_code == 422
    assert [run["kind"] for run in answer.json()["runs"]] == [kind]


def test_an_undo_is_waited_for_no_longer_than_a_request_may_take(tmp_path: Path) -> None:
    waited: list[float] = []

    class Endless(Workers):
        def start(self, kind: str, options: Mapping[str, Any]) -> Worker:
            return cast(Worker, self)

        def wait(self, seconds: float) -> bool:
            waited.append(seconds)
            return False

    settings = {"API_KEY": KEY, "DATABASE_URL": f"sqlite:///{(tmp_path / 'main.db').as_posix()}"}
    ledgerline = App(load_settings({**settings, "REQUEST_TIMEOUT": "7000"}, tmp_path))
    ledgerline.migrate()
    with ledgerline.main.begin() as connection:
        connection.execute(ingestion_runs.insert().values(**RUN))
    served = create_app(ledgerline)
    served.state.workers = Endless()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/ingestion/runs/1/undo?wait=600", headers={"X-API-Key": KEY})

    answer = anyio.run(ask)
    ledgerline.close()
    assert (answer.status_code, answer.headers["Location"]) == (202, "/ingestion/runs/1/undo")
    assert waited == [2.0]


def test_who_follows_a_run_is_not_cut_off_when_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = errors.DatabaseUnreachable("The server went away.", hint="Wait.")
    seen: list[Any] = [({"done": 1}, "progress"), away, away, ({"done": 2}, "finished")]

    def event(*_: Any) -> Any:
        if isinstance(now := seen.pop(0), Exception):
            raise now
        return now

    monkeypatch.setattr(ingestion, "_event", event)
    monkeypatch.setattr(ingestion, "_LOOKS_EVERY", 0.0)

    async def follow() -> list[tuple[str | None, Any]]:
        run = cast(Run, SimpleNamespace(id=1))
        events = ingestion.follow_run(cast(App, None), run, lambda: False)
        return [(one.event, one.data) async for one in events]

    assert anyio.run(follow) == [("progress", {"done": 1}), ("finished", {"done": 2})]
