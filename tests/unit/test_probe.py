"""When a database counts as up, degraded or down; and that a look is over in its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.querying import Access, Column, QuerySession
from ledgerline.errors import DatabaseUnreachable
from ledgerline.operations.probe import Look, Probe, State, Status, after
from ledgerline.settings import ProbeSettings
from ledgerline.url import DatabaseUrl, parse_url

SETTINGS = ProbeSettings(interval_ms=100, timeout_ms=200, slow_ms=100, rise=2, fall=3)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def looked(pattern: str) -> list[State]:
    """The states after looks that were up (u), degraded (s) or down (d)."""
    states: list[State] = []
    for number, sign in enumerate(pattern):
        at = BEGIN + timedelta(seconds=number)
        latency = {"u": 1.0, "s": 150.0, "d": None}[sign]
        error = DatabaseUnreachable("gone") if sign == "d" else None
        states.append(after(states[-1] if states else None, Look(at, latency, error), SETTINGS))
    return states


@pytest.mark.parametrize(
    ("looks", "statuses"),
    [
        ("u", "u"),
        ("d", "d"),
        ("uddd", "uuud"),
        ("uddudd", "uuuuuu"),
        ("udddu", "uuudd"),
        ("uddduu", "uuuddu"),
        ("usss", "uuus"),
        ("dss", "dds"),
        ("ssuu", "sssu"),
        ("udsd", "uuud"),
    ],
)
def test_the_status_changes_when_several_looks_agree(looks: str, statuses: str) -> None:
    signs = {Status.UP: "u", Status.DEGRADED: "s", Status.DOWN: "d"}
    assert "".join(signs[state.status] for state in looked(looks)) == statuses


def test_since_is_when_the_status_changed() -> None:
    states = looked("uuuddd")
    assert states[4].since == BEGIN
    assert states[5].since == BEGIN + timedelta(seconds=5)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Standing:
    """A session that answers when it is let."""

    is_over = True

    def __init__(self, go: threading.Event) -> None:
        self.go = go

    def start(
        self, sql: str, values: Sequence[Any], *, rows: int, explain: bool, access: Access
    ) -> list[Column]:
        self.go.wait()
        return []

    def fetch(self, rows: int) -> list[tuple[Any, ...]]:
        return [(1,)]

    def finish(self) -> bool:
        return True

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_server_that_stands_still_costs_a_few_threads_and_no_more(tmp_path: Path) -> None:
    go, opened = threading.Event(), []

    def standing(url: DatabaseUrl, limits: Limits) -> QuerySession:
        opened.append(url)
        return Standing(go)

    probe = Probe("main", parse_url("postgresql://db/main"), SETTINGS, standing)
    codes = set()
    for _ in range(8):
        error = probe.look().result().error
        codes.add(error.code if error else None)
    assert codes == {"probe_timeout"}
    assert len(opened) == 4
    go.set()
    while probe.look().result().error is not None:
        pass
    assert probe.look().result().latency_ms is not None


def test_looks_at_one_time_are_one_look() -> None:
    go, opened = threading.Event(), []

    def standing(url: DatabaseUrl, limits: Limits) -> QuerySession:
        opened.append(url)
        return Standing(go)

    probe = Probe("main", parse_url("postgresql://db/main"), SETTINGS, standing)
    futures = [probe.look() for _ in range(20)]
    go.set()
    assert len({id(future) for future in futures}) == 1
    assert futures[0].result().error is None
    assert len(opened) == 1


def test_a_file_is_read_and_its_absence_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    probe = Probe("main", parse_url(f"sqlite:///{file.as_posix()}"), ProbeSettings(100, 5_000, 100, 1, 1))
    error = probe.look().result().error
    assert error is not None and error.code == "database_missing"
    file.write_bytes(b"")
    assert probe.look().result().error is None
    file.write_bytes(b"no database " * 500)
    assert probe.look().result().error is not None


def test_why_a_database_is_down_is_what_the_doctor_says(tmp_path: Path) -> None:
    asked = threading.Event()

    def doctor() -> str:
        asked.wait()
        return "port_refused"

    url = parse_url(f"sqlite:///{(tmp_path / 'none.db').as_posix()}")
    probe = Probe("main", url, ProbeSettings(20, 5_000, 1_000, 1, 1), diagnosed=doctor)
    probe.start()
    try:
        probe.wait_for_first()
        assert probe.code == "database_missing"  # nobody waits for the doctor
        asked.set()
        eventually(lambda: probe.code == "port_refused")
        (tmp_path / "none.db").write_bytes(b"")
        eventually(lambda: probe.code is None)
    finally:
        probe.stop()


def test_of_a_doctor_that_fails_nothing_is_told_but_what_the_look_met(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def doctor() -> str:
        raise RuntimeError("pa55word")

    url = parse_url(f"sqlite:///{(tmp_path / 'none.db').as_posix()}")
    probe = Probe("main", url, ProbeSettings(20, 5_000, 1_000, 1, 1), diagnosed=doctor)
    probe.start()
    try:
        eventually(lambda: "could not be found out" in caplog.text)
        assert probe.code == "database_missing"
    finally:
        probe.stop()
