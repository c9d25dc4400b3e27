"""What is going on: which run holds a source, whether its process still lives, and who asked it to stop."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from ledgerline.databases import runs
from ledgerline.databases.database import Database
from ledgerline.databases.runs import RUNNING, Run
from ledgerline.databases.schema import cancel_requests, leases

_SILENCE = timedelta(seconds=60)  # wide enough for the clocks of two machines to differ


@dataclass(frozen=True, slots=True)
class Held:
    """A source that a process holds: `host:pid`, and the run that it noted last."""

    holder: str
    run_id: int | None


def held(main: Database, system: str) -> Held | None:
    query = sa.select(leases.c.holder, leases.c.run_id).where(leases.c.name == system)
    with main.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None or row.holder is None else Held(row.holder, row.run_id)


def run_at_work(main: Database, system: str) -> Run | None:
    """The run of this source that a living process works on."""
    holds = held(main, system)
    if holds is None or holds.run_id is None or not _seems_alive(main, holds):
        return None
    run = runs.get(main, holds.run_id)
    return run if run is not None and run.status in RUNNING else None


def is_interrupted(main: Database, run: Run) -> bool:
    """Whether a run, begun and not ended, is worked on by nobody."""
    if run.status not in RUNNING:
        return False
    holds = held(main, run.source_system)
    if holds is not None and holds.run_id == run.id and _seems_alive(main, holds):
        return False
    now = runs.get(main, run.id)  # it may have ended before the lease was looked at
    return now is not None and now.status in RUNNING


def _seems_alive(main: Database, holds: Held) -> bool:
    """As `runs.HolderWatch`, but at once: the heartbeat of another machine is compared with this clock."""
    host, _, pid = holds.holder.rpartition(":")
    beat = runs.last_beat(main, holds.holder, holds.run_id)
    if host == socket.gethostname():
        return runs.is_process_alive(int(pid), beat)
    return beat is None or runs.utc_now() - beat < _SILENCE


# -- requests to stop: seen by whoever works on the run at its next heartbeat --------------------------


def ask_to_stop(main: Database, run_id: int) -> None:
    with main.begin_activity() as connection:
        asked = connection.execute(sa.select(cancel_requests).where(cancel_requests.c.run_id == run_id))
        if asked.first() is None:
            connection.execute(cancel_requests.insert().values(run_id=run_id, asked_at=runs.utc_now()))


def is_asked_to_stop(main: Database, run_id: int) -> bool:
    query = sa.select(cancel_requests.c.run_id).where(cancel_requests.c.run_id == run_id)
    with main.begin_activity() as connection:
        return connection.execute(query).first() is not None


def forget_request(connection: sa.Connection, run_id: int) -> None:
    """Inside a transaction on the tables of activity."""
    connection.execute(cancel_requests.delete().where(cancel_requests.c.run_id == run_id))
