"""Runs over HTTP: a real server, real workers, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.api_server import ApiServer
from tests.house import Installation, check_tables, contact

from ledgerline.databases import going
from ledgerline.sources.sample_database import write_sample

_PARTITIONS = 8


def _sample(house: Installation, rows: int = 100 * _PARTITIONS) -> None:
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, rows, 5)
    with house.app() as app:
        app.migrate()


def _finished(server: ApiServer, run_id: int) -> dict[str, Any]:
    """The run when it has ended; polled, as a client does that got 202."""
    deadline = time.monotonic() + 60
    while True:
        run: dict[str, Any] = server.client.get(f"/ingestion/runs/{run_id}").raise_for_status().json()
        if run["finishedAt"] is not None:
            return run
        assert time.monotonic() < deadline, (run, server.log())
        time.sleep(0.2)


def _begun(server: ApiServer, run_id: int) -> None:
    """Returns when a partition of the run is done, as its heartbeat tells."""
    deadline = time.monotonic() + 60
    while True:
        progress = server.client.get(f"/ingestion/runs/{run_id}").json()["progress"]
        if progress and progress["done"]:
            return
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.2)


def _worker(house: Installation) -> int:
    with house.main() as main:
        holds = going.held(main, "INVOICE")
    assert holds is not None
    host, _, pid = holds.holder.rpartition(":")
    assert host == socket.gethostname()
    return int(pid)


def _check(house: Installation) -> None:
    """The tables, as soon as the worker has let go of the source."""
    deadline = time.monotonic() + 30
    with house.main() as main:
        while going.held(main, "INVOICE") is not None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    check_tables(house)


def _events(server: ApiServer, run_id: int) -> Iterator[tuple[str, dict[str, Any]]]:
    with server.client.stream(
        "GET", f"/ingestion/runs/{run_id}/events", headers={"Last-Event-ID": "41"}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        event = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield event, json.loads(line.removeprefix("data: "))


def test_run_plan_and_undo(house: Installation, tmp_path: Path) -> None:
    _sample(house)
    with ApiServer(house.environ, tmp_path) as server:
        client = server.client
        assert client.get("/ingestion/runs/latest").status_code == 404
        planned = client.post("/ingestion/invoice/plan?wait=60").raise_for_status().json()
        assert (planned["kind"], planned["status"]) == ("plan", "succeeded")
        assert len(planned["plan"]["inserted"]["samples"]) == 20
        assert planned["plan"]["inserted"]["total"] == planned["counts"]["inserted"]
        assert all(not rows for rows in house.dump().values())

        answer = client.post("/ingestion/invoice/run?wait=60", json={"full": True})
        run = answer.raise_for_status().json()
        assert (answer.status_code, run["status"], run["kind"]) == (200, "succeeded", "ingest")
        assert run["counts"] == planned["counts"]
        assert run["progress"]["stage"] == "done"
        assert client.get("/ingestion/runs/latest").json() == run
        assert client.get(f"/ingestion/runs/{planned['runId']}").json() == planned

        _tells_rejects(server, run, house)
        _tells_changes(server, house)
        _pages_history(server)

        changed = client.get("/ingestion/runs/latest").json()["runId"]
        tried = (
            client.post(f"/ingestion/runs/{changed}/undo", json={"dryRun": True}).raise_for_status().json()
        )
        assert client.get("/ingestion/runs/latest").json()["runId"] == changed
        assert client.get(f"/ingestion/runs/{changed}/undo").json()["code"] == "run_missing"
        undone = client.post(f"/ingestion/runs/{changed}/undo?wait=60").raise_for_status().json()
        seen = client.get(f"/ingestion/runs/{changed}/undo").raise_for_status().json()
        told = {name: undone[name] for name in ("contacts", "records", "dryRun")}
        assert (undone, undone["dryRun"], tried["dryRun"]) == ({**seen, **told}, False, True)
        assert undone["contacts"] == tried["contacts"]
        assert (undone["kind"], undone["undoesRun"], undone["kept"]) == ("undo", changed, [])
        again = client.post(f"/ingestion/runs/{changed}/undo")
        assert (again.status_code, again.json()["code"]) == (409, "undo_refused")
        paused = client.post("/ingestion/invoice/run")
        assert (paused.status_code, paused.json()["code"]) == (409, "source_paused")
        resumed = client.post(
            "/ingestion/invoice/run?wait=60", json={"resume": True, "acceptWithdrawals": True}
        )
        assert resumed.json()["status"] == "succeeded"
        _undoes_without_waiting(server, resumed.json()["runId"])
    _check(house)


def _undoes_without_waiting(server: ApiServer, run_id: int) -> None:
    answer = server.client.post(f"/ingestion/runs/{run_id}/undo?wait=0")
    assert answer.status_code == 202
    deadline = time.monotonic() + 60
    while (seen := server.client.get(answer.headers["Location"])).status_code == 404:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.2)
    assert seen.json()["undoesRun"] == run_id


def _tells_rejects(server: ApiServer, run: dict[str, Any], house: Installation) -> None:
    path, found, after = f"/ingestion/runs/{run['runId']}/rejects", [], ""
    while True:
        page = server.client.get(path + f"?limit=7{after}").raise_for_status().json()
        found += page["rejects"]
        if page["next"] is None:
            break
        assert len(page["rejects"]) == 7
        after = f"&after={page['next']}"
    assert len(found) == run["counts"]["rejected"]
    assert {row["sourceRecordId"] for row in found} == {
        row["source_record_id"] for row in house.open_rejects()
    }
    assert all(row["reasons"] and row["raw"] for row in found)
    assert server.client.get("/ingestion/runs/999/rejects").json()["code"] == "run_missing"


def _tells_changes(server: ApiServer, house: Installation) -> None:
    house.change("UPDATE {contacts} SET designation = 'Chief Tester', contact_person_name = 'Asha Rao'"
                 " WHERE contactid % 3 = 0")  # fmt: skip
    run = server.client.post("/ingestion/invoice/run?wait=60").raise_for_status().json()
    path = f"/ingestion/runs/{run['runId']}/changes"
    everything = server.client.get(path + "?limit=1000").raise_for_status().json()["changes"]
    assert len(everything) == len([row for row in house.table("changes") if row["run_id"] == run["runId"]])
    first = server.client.get(path + "?limit=3").json()
    second = server.client.get(path, params={"limit": 3, "after": first["next"]}).json()
    assert first["changes"] + second["changes"] == everything[:6]
    assert "Chief Tester" in {row["newValue"] for row in everything}


def _pages_history(server: ApiServer) -> None:
    everything = server.client.get("/ingestion/runs").json()
    assert everything["next"] is None
    ids = [run["runId"] for run in everything["runs"]]
    assert ids == sorted(ids, reverse=True)
    first = server.client.get("/ingestion/runs?limit=2").json()
    rest = server.client.get("/ingestion/runs", params={"after": first["next"]}).json()
    assert first["runs"] + rest["runs"] == everything["runs"]


def test_a_run_is_followed_and_a_second_one_refused(house: Installation, tmp_path: Path) -> None:
    _sample(house)
    with ApiServer(house.environ, tmp_path, seconds_a_partition=1) as server:
        answer = server.client.post("/ingestion/invoice/run?wait=0")
        run = answer.json()
        assert (answer.status_code, run["status"]) == (202, "running")
        assert answer.headers["Location"] == f"/ingestion/runs/{run['runId']}"
        for path in ("run", "plan"):
            second = server.client.post(f"/ingestion/invoice/{path}")
            assert (second.status_code, second.json()["code"]) == (409, "run_in_progress")
            assert second.json()["run"]["runId"] == run["runId"]
        undo = server.client.post(f"/ingestion/runs/{run['runId']}/undo")
        assert undo.status_code == 409
        worker = psutil.Process(_worker(house))
        assert worker.nice() >= 10
        assert os.getsid(worker.pid) == worker.pid
        assert not any("://" in argument for argument in worker.cmdline())
        seen = list(_events(server, run["runId"]))
        assert {event for event, _ in seen[:-1]} == {"progress"}
        assert len({document["progress"]["done"] for _, document in seen}) > 2
        last, document = seen[-1]
        assert (last, document["status"]) == ("finished", "succeeded")
        assert [event for event, _ in _events(server, run["runId"])] == ["finished"]
        assert server.client.get("/ingestion/runs/99/events").status_code == 404
    _check(house)


def test_a_run_is_cancelled_and_the_next_goes_on(house: Installation, tmp_path: Path) -> None:
    _sample(house)
    with ApiServer(house.environ, tmp_path, seconds_a_partition=1) as server:
        run_id = server.client.post("/ingestion/invoice/run?wait=0").json()["runId"]
        _begun(server, run_id)
        asked = server.client.post(f"/ingestion/runs/{run_id}/cancel")
        assert (asked.status_code, asked.json()["runId"]) == (202, run_id)
        run = _finished(server, run_id)
        assert (run["status"], run["error"]["code"]) == ("cancelled", "cancelled")
        assert not house.table("contacts")
        again = server.client.post(f"/ingestion/runs/{run_id}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "run_not_going")
        assert server.client.post("/ingestion/runs/99/cancel").status_code == 404
    with ApiServer(house.environ, tmp_path) as server:
        assert server.client.get("/ingestion/runs/latest").json()["status"] == "cancelled"  # not resumed
        gone_on = server.client.post("/ingestion/invoice/run?wait=60").json()
        assert (gone_on["runId"], gone_on["status"]) == (run_id, "succeeded")
    _check(house)


def test_a_worker_outlives_the_server(house: Installation, tmp_path: Path) -> None:
    _sample(house)
    with ApiServer(house.environ, tmp_path, seconds_a_partition=0.5) as server:
        run_id = server.client.post("/ingestion/invoice/run?wait=0").json()["runId"]
        assert _worker(house) != server.process.pid
        server.process.kill()
        server.process.wait()
    with ApiServer(house.environ, tmp_path) as server:
        run = _finished(server, run_id)
        assert run["status"] == "succeeded"
        assert [one["runId"] for one in server.client.get("/ingestion/runs").json()["runs"]] == [run_id]
    _check(house)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_stopped_worker_left_is_resumed_at_the_start(
    number: signal.Signals, house: Installation, tmp_path: Path
) -> None:
    _sample(house)
    with ApiServer(house.environ, tmp_path, seconds_a_partition=0.5) as server:
        run_id = server.client.post("/ingestion/invoice/run?wait=0").json()["runId"]
        _begun(server, run_id)
        os.kill(_worker(house), number)
        *_, (event, document) = _events(server, run_id)
        if number == signal.SIGTERM:
            assert (event, document["error"]["code"]) == ("finished", "stopped")
        else:
            assert (event, document["status"]) == ("interrupted", "running")
    with ApiServer(house.environ, tmp_path) as server:
        deadline = time.monotonic() + 60
        while (run := server.client.get(f"/ingestion/runs/{run_id}").json())["status"] != "succeeded":
            assert time.monotonic() < deadline, (run, server.log())
            time.sleep(0.2)
        assert [one["runId"] for one in server.client.get("/ingestion/runs").json()["runs"]] == [run_id]
    _check(house)


def test_what_fails_before_a_run_begins_is_told(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path)  # with no invoice table
    with ApiServer(house.environ, tmp_path) as server:
        answer = server.client.post("/ingestion/invoice/run")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.status_code in (500, 503)
        assert answer.json()["code"] in ("database_missing", "table_missing")
        assert server.client.get("/ingestion/runs").json()["runs"] == []


def test_keys_scopes_and_bodies_are_checked(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path)
    house.write_invoice([contact(1, "Asha Rao", "+91 98200 12345")])
    with ApiServer(house.environ, tmp_path) as server:
        with house.app() as app:
            from ledgerline.operations.keys import Scope

            _, reader = app.keys.create("reader", [Scope.READ])
        for path in ("invoice/run", "invoice/plan", "runs/1/cancel", "runs/1/undo"):
            assert server.client.post(f"/ingestion/{path}", headers={"X-API-Key": reader}).status_code == 403
            assert server.client.post(f"/ingestion/{path}", headers={"X-API-Key": ""}).status_code == 401
        bearer = {"X-API-Key": "", "Authorization": f"Bearer {reader}"}
        assert server.client.get("/ingestion/runs", headers=bearer).status_code == 200
        assert server.client.post("/ingestion/invoice/run", json={"ful": True}).status_code == 422
        assert server.client.get("/ingestion/runs/1/changes?after=x").status_code == 422
