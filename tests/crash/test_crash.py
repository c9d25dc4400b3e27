"""A run that is killed, wherever it is, leaves the main database as before or as after; the next goes on.

Each test kills a real process. LEDGERLINE_CRASH_KILLS says how often each scenario is (`make crash`: 150).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import sqlalchemy as sa

from ledgerline.databases import runs
from ledgerline.errors import DatabaseError, LeaseLost, LedgerlineError, RunInProgress
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.sources.sample_database import write_sample
from tests.house import Installation, Watcher
from tests.postgres import PostgresServer

KILLS = int(
    os.environ.get("LEDGERLINE_CRASH_KILLS", "10")
)  # of each scenario on each engine, and a third more
_ROWS, _PARTITION_ROWS, _SEED = 600, 120, 5

Dump = dict[str, list[dict[str, Any]]]


class Scenario(NamedTuple):
    """An installation before a run, and what its main database is before the run and after."""

    house: Installation
    before: Dump
    after: Dump
    steps: int  # of the run


_RUNS = ("run_id", "created_run", "updated_run", "resolved_run", "replaced_by_run")


def _dump(house: Installation) -> Dump:
    """All tables, with runs numbered as they succeeded: one that died may have used up a number."""
    succeeded = [run.id for run in house.runs() if run.status == "succeeded"]
    number = {run_id: place for place, run_id in enumerate(succeeded)}
    return {
        table: [
            {name: number.get(value, value) if name in _RUNS else value for name, value in row.items()}
            for row in rows
        ]
        for table, rows in house.dump().items()
    }


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scenarios(
    engine: str, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Scenario]:
    """first: nothing is there yet. later: contacts change, join, lose their records, come anew."""
    folder = tmp_path_factory.mktemp("scenarios")

    @cache
    def scenario(name: str) -> Scenario:
        house = Installation(engine, folder, postgres)
        with house._invoice() as invoice:
            write_sample(invoice, house.settings.invoice_table, _ROWS, _SEED)
        with house.app() as app:
            app.migrate()
        if name == "later":
            _finish(house)
            _change_much(house)
        before = _dump(house)
        with _copy(house, folder, postgres) as copy:
            done = _victim(copy)
            assert done.returncode == 0, done.stderr
            return Scenario(house, before, _dump(copy), int(done.stdout))

    return scenario


def _change_much(house: Installation) -> None:
    now = "updated_at = CURRENT_TIMESTAMP"
    house.change(f"UPDATE {{contacts}} SET contact_no = '98200 10101', {now} WHERE contactid % 9 = 3")
    house.change(f"UPDATE {{contacts}} SET contact_person_email = 'x', {now} WHERE contactid % 31 = 4")
    house.change(f"UPDATE {{contacts}} SET del_sts = 'Y', {now} WHERE contactid % 29 = 5")
    house.change("DELETE FROM {contacts} WHERE contactid % 37 = 6")


@contextmanager
def _copy(house: Installation, folder: Path, postgres: PostgresServer) -> Iterator[Installation]:
    """The same invoice database, and a copy of the main one."""
    copy = Installation(house.engine, folder, postgres)
    copy.environ = {**house.environ, "DATABASE_URL": copy.environ["DATABASE_URL"]}
    here, there = house.settings.main.url, copy.settings.main.url
    if house.engine == "sqlite":
        for file in Path(here.database).parent.glob(f"{Path(here.database).stem}*"):
            shutil.copy(file, Path(there.database).parent / file.name)
        yield copy
        shutil.rmtree(Path(there.database).parent)
        return
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{there.database}"')
        connection.execute(f'CREATE DATABASE "{there.database}" TEMPLATE "{here.database}"')
        yield copy
        connection.execute(f'DROP DATABASE "{there.database}" WITH (FORCE)')


def _finish(house: Installation) -> runs.Run:
    return house.ingest(partition_rows=_PARTITION_ROWS, wanted=Wanted(reconcile=True))


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.crash.victim", str(_PARTITION_ROWS), *map(str, arguments)]


def _environ(house: Installation) -> dict[str, str]:
    return {**os.environ, **house.environ}


def _victim(house: Installation, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), env=_environ(house), capture_output=True, text=True, check=False, timeout=120
    )


def _steps_to_kill(name: str, engine: str, total: int) -> list[int]:
    """Evenly spread over the run, moved by chance: other steps in another scenario, the same every time."""
    chance = random.Random(f"{name} {engine} {KILLS}")
    count = min(KILLS, total)
    return [1 + (number * total + chance.randrange(total)) // count for number in range(count)]


@pytest.mark.parametrize("part", range(KILLS))
@pytest.mark.parametrize("name", ["first", "later"])
def test_killed_at_a_step(
    name: str, part: int, scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    scenario = scenarios(name)
    steps = _steps_to_kill(name, scenario.house.engine, scenario.steps)
    step = min(steps[part % len(steps)], scenario.steps)
    with _copy(scenario.house, tmp_path, postgres) as house:
        assert _victim(house, "kill", step).returncode == -signal.SIGKILL
        _is_before_or_after(house, scenario)
        _finish(house)
        assert _dump(house) == scenario.after


@pytest.mark.parametrize("part", range(max(KILLS // 3, 1)))
@pytest.mark.parametrize("name", ["first", "later"])
def test_killed_at_a_random_time(
    name: str, part: int, scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    """Also in the middle of a statement, a bulk load or a commit; the next one too, at times."""
    scenario = scenarios(name)
    chance = random.Random(f"{name} {part}")
    with _copy(scenario.house, tmp_path, postgres) as house:
        for _ in range(chance.randint(1, 2)):
            _kill_after_begun(house, chance.uniform(0, 0.6))
            _is_before_or_after(house, scenario)
        _finish(house)
        assert _dump(house) == scenario.after


def _kill_after_begun(house: Installation, seconds: float) -> None:
    known = {run.id: run.status for run in house.runs()}
    victim = subprocess.Popen(_command(), env=_environ(house), stdout=subprocess.DEVNULL)
    try:
        while victim.poll() is None and {run.id: run.status for run in house.runs()} == known:
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        victim.kill()
        victim.wait()


def _is_before_or_after(house: Installation, scenario: Scenario) -> None:
    there = _dump(house)
    ended = any(run.status == "succeeded" for run in house.runs()[len(scenario.house.runs()) :])
    assert there == (scenario.after if ended else scenario.before)


# -- what else can go wrong ---------------------------------------------------------------------------


def test_the_server_is_killed(tmp_path: Path) -> None:
    with PostgresServer() as server:
        house = Installation("postgresql", tmp_path, server)
        with house._invoice() as invoice:
            write_sample(invoice, house.settings.invoice_table, _ROWS, _SEED)
        with house.app() as app:
            app.migrate()
        before = _dump(house)
        for stage in ("stage", "match", "write"):
            with pytest.raises(DatabaseError):
                house.ingest(
                    partition_rows=_PARTITION_ROWS, watcher=_At(stage, server.kill), DB_RETRY_ATTEMPTS="0"
                )
            server.start()
            assert _dump(house) == before, stage
        resumed = _finish(house)
        assert (resumed.id, len(house.runs())) == (1, 1)
        after = _dump(house)
        fresh = Installation("postgresql", tmp_path, server)
        fresh.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"]
        fresh.ingest(partition_rows=_PARTITION_ROWS)
        assert _dump(fresh) == after


class _At(Watcher):
    """Does something when a stage begins."""

    def __init__(self, stage: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._stage = stage
        self._action = action

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        if stage == self._stage and stage not in self.stages:
            self._action()
        super().progress(stage, done, total, rows)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.85, 0.97])
def test_connections_are_cut(
    share: float, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, _ROWS, _SEED)
    with _copy_after_migration(house, tmp_path, postgres) as whole:
        steps = int(_victim(whole).stdout)
        after = _dump(whole)
    before = _dump(house)
    halted = subprocess.Popen(
        _command("halt", int(steps * share)),
        env=_environ(house),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _wait_until_stopped(halted.pid)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [house.settings.main.url.database],
        )
    halted.send_signal(signal.SIGCONT)
    halted.communicate(timeout=60)
    if not any(run.status == "succeeded" for run in house.runs()):
        assert _dump(house) == before
    _finish(house)
    assert _dump(house) == after


@contextmanager
def _copy_after_migration(
    house: Installation, folder: Path, postgres: PostgresServer
) -> Iterator[Installation]:
    with house.app() as app:
        app.migrate()
    with _copy(house, folder, postgres) as copy:
        yield copy


def _wait_until_stopped(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "Tt":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("pages", [0, 15, 60, 90])
def test_the_disk_is_full(pages: int, tmp_path: Path) -> None:
    """So many pages are left in the file of an embedded main database."""
    house = Installation("sqlite", tmp_path)
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, _ROWS, _SEED)
    with house.app() as app:
        app.migrate()
    before = _dump(house)
    with house.app() as app:
        with app.main.connect() as connection:
            held = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

        @sa.event.listens_for(app.main.engine, "checkout")
        def _limit(connection: Any, *_: Any) -> None:
            connection.execute(f"PRAGMA max_page_count = {held + pages}")

        app.main.engine.dispose()
        with pytest.raises(LedgerlineError, match="full"):
            app.ingest(Watcher(), Cancel(), partition_rows=_PARTITION_ROWS)
    assert _dump(house) == before
    _finish(house)
    fresh = Installation("sqlite", tmp_path)
    fresh.environ["INVOICE_DATABASE_URL"] = house.environ["INVOICE_DATABASE_URL"]
    fresh.ingest(partition_rows=_PARTITION_ROWS)
    assert _dump(house) == _dump(fresh)


# -- two at once ----------------------------------------------------------------------------------------


def test_a_second_run_is_told_of_the_first_and_small_writes_go_on(
    scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    scenario = scenarios("first")
    with _copy(scenario.house, tmp_path, postgres) as house:
        first = subprocess.Popen(
            _command("halt", scenario.steps - 8), env=_environ(house), stdout=subprocess.DEVNULL
        )  # in the middle of its writing transaction
        try:
            _wait_until_stopped(first.pid)
            second = subprocess.run(
                [sys.executable, "-m", "ledgerline", "ingest"],
                cwd=tmp_path,
                env=_environ(house),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert second.returncode == 4, second.stderr
            assert "Run 1 of INVOICE is going" in second.stderr
            with house.app() as app:
                runs.beat(app.main, 1, {"stage": "write", "done": 7, "total": 9, "rows": 3})
                progress = runs.progress(app.main, 1)
                assert progress is not None
                assert progress["done"] == 7
        finally:
            first.send_signal(signal.SIGCONT)
            first.wait(timeout=60)
        assert first.returncode == 0
        assert _dump(house) == scenario.after


def test_who_lost_the_lease_cannot_write(
    scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    scenario = scenarios("first")

    def take_over() -> None:
        with house.app() as app:
            runs.acquire(app.main, "INVOICE", "elsewhere:1", is_dead=lambda holder, run: True)

    for stage in ("stage", "match", "merge"):
        with _copy(scenario.house, tmp_path, postgres) as house:
            with house.app() as app, pytest.raises(LeaseLost):
                app.ingest(_At(stage, take_over), Cancel(), partition_rows=_PARTITION_ROWS)
            assert _dump(house) == scenario.before
            assert [run.status for run in house.runs()] == ["running"]
            with house.app() as app, pytest.raises(RunInProgress):
                runs.acquire(app.main, "INVOICE", "third:1", is_dead=lambda holder, run: False)
