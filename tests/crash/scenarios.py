"""What a crash test begins with and ends with: a run to be killed, and what it would have come to."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from ledgerline.databases import runs
from ledgerline.ingest.scope import Wanted
from tests.crash.victim import ingest
from tests.forking import PROCESSES
from tests.house import Installation
from tests.postgres import PostgresServer

KILLS = int(os.environ.get("LEDGERLINE_CRASH_KILLS", "10"))
"""Of each scenario on each engine, and a third more at random times."""

ROWS, PARTITION_ROWS, SEED = 600, 120, 5
_FEWER = 5  # statements that a run may do without another time: its heartbeat goes by the clock

Dump = dict[str, list[dict[str, Any]]]


class Scenario(NamedTuple):
    """An installation before a run, and what its main database is before the run and after."""

    house: Installation
    before: Dump
    after: Dump
    steps: int  # of the run


_RUNS = ("run_id", "created_run", "updated_run", "resolved_run", "replaced_by_run")


def dump(house: Installation) -> Dump:
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


def change_much(house: Installation) -> None:
    now = "updated_at = CURRENT_TIMESTAMP"
    house.change(f"UPDATE {{contacts}} SET contact_no = '98200 10101', {now} WHERE contactid % 9 = 3")
    house.change(f"UPDATE {{contacts}} SET contact_person_email = 'x', {now} WHERE contactid % 31 = 4")
    house.change(f"UPDATE {{contacts}} SET del_sts = 'Y', {now} WHERE contactid % 29 = 5")
    house.change("DELETE FROM {contacts} WHERE contactid % 37 = 6")


@contextmanager
def copied(house: Installation, folder: Path, postgres: PostgresServer) -> Iterator[Installation]:
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


def finish(house: Installation) -> runs.Run:
    return house.ingest(partition_rows=PARTITION_ROWS, wanted=Wanted(reconcile=True))


def start_victim(house: Installation, halt: int | None = None, kill: int | None = None) -> BaseProcess:
    """A process that runs the ingestion of the house, and halts or is killed before a step of that number."""
    signals = {signal.SIGSTOP: halt, signal.SIGKILL: kill}
    stop = next(((number, at) for number, at in signals.items() if at is not None), None)
    process = PROCESSES.Process(target=ingest, args=(house.environ, PARTITION_ROWS, stop))
    process.start()
    return process


def ended(victim: BaseProcess) -> int:
    """How it ended: an exit code, or the negative number of a signal."""
    victim.join(120)
    assert victim.exitcode is not None
    return victim.exitcode


def steps_of_a_run(house: Installation) -> int:
    """How many steps a whole run takes, by doing it."""
    told, told_to = PROCESSES.Pipe(duplex=False)
    victim = PROCESSES.Process(target=ingest, args=(house.environ, PARTITION_ROWS, None, told_to))
    victim.start()
    assert ended(victim) == 0
    return int(told.recv())


def steps_to_kill(name: str, engine: str, total: int) -> list[int]:
    """Evenly spread over the run, moved by chance: other steps in another scenario, the same every time."""
    chance = random.Random(f"{name} {engine} {KILLS}")
    count = min(KILLS, total)
    return [1 + (number * total + chance.randrange(total)) // count for number in range(count)]


def kill_after_begun(house: Installation, seconds: float) -> None:
    known = {run.id: run.status for run in house.runs()}
    victim = start_victim(house)
    try:
        while victim.is_alive() and {run.id: run.status for run in house.runs()} == known:
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        victim.kill()
        victim.join()


def is_before_or_after(house: Installation, scenario: Scenario) -> None:
    there = dump(house)
    ended = any(run.status == "succeeded" for run in house.runs()[len(scenario.house.runs()) :])
    assert there == (scenario.after if ended else scenario.before)


@contextmanager
def copied_after_migration(
    house: Installation, folder: Path, postgres: PostgresServer
) -> Iterator[Installation]:
    with house.app() as app:
        app.migrate()
    with copied(house, folder, postgres) as copy:
        yield copy


def wait_until_stopped(victim: BaseProcess) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{victim.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "Tt":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def go_on(victim: BaseProcess) -> None:
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGCONT)


def kill_at_a_step(scenario: Scenario, name: str, part: int, postgres: PostgresServer, folder: Path) -> None:
    steps = steps_to_kill(name, scenario.house.engine, scenario.steps - _FEWER)
    with copied(scenario.house, folder, postgres) as house:
        assert ended(start_victim(house, kill=steps[part % len(steps)])) == -signal.SIGKILL
        is_before_or_after(house, scenario)
        finish(house)
        assert dump(house) == scenario.after


def kill_at_a_random_time(
    scenario: Scenario, name: str, part: int, postgres: PostgresServer, folder: Path
) -> None:
    """Also in the middle of a statement, a bulk load or a commit; the next one too, at times."""
    chance = random.Random(f"{name} {part}")
    with copied(scenario.house, folder, postgres) as house:
        for _ in range(chance.randint(1, 2)):
            kill_after_begun(house, chance.uniform(0, 0.6))
            is_before_or_after(house, scenario)
        finish(house)
        assert dump(house) == scenario.after
