"""Runs and what holds them together: the lease, the plan of partitions and their receipts, progress.

One run a source at a time, also across processes and machines: whoever holds the source's lease. Each new
holder gets a higher token, and every transaction of a run checks that its token is still the highest, so
that a process which was taken for dead cannot write when it wakes up.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.schema import (
    COUNTS,
    RECEIPT_COUNTS,
    ingestion_runs,
    leases,
    partition_receipts,
    run_progress,
    source_states,
)
from ledgerline.errors import LeaseLost, RunInProgress

RUNNING = ("queued", "running", "writing")


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `ingestion_runs`."""

    id: int
    kind: str
    source_system: str
    status: str
    first_load: bool
    rules: str
    first_contact_id: int
    started_at: datetime
    finished_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error_code: str | None = None
    error_detail: str | None = None
    error_hint: str | None = None
    layout: str | None = None
    since: str | None = None  # the watermark since when it reads what changed; None: it reads everything
    reconciles: bool = True  # whether it finds the rows that were deleted
    watermark: str | None = None  # how far the source has been read when it succeeds
    advice: str | None = None
    undoes_run: int | None = None
    foreseen: str | None = None  # JSON: what a plan told, with a few samples of each kind
    resumable: bool = False  # it was stopped, and the next run goes on with it
    accept_withdrawals: bool = False  # however many; asked for when it was begun or resumed
    state_before: str | None = None  # as `state_as_json` gives it; null: a run that cannot be undone


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source was left by its last successful run: a row of `source_states`."""

    rules: str
    last_run: int
    layout: str | None
    watermark: str | None
    reconciled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one source, until somebody else takes it over."""

    name: str
    token: int

    def check(self, connection: sa.Connection) -> None:
        """Hold the lease until this transaction ends. Raises LeaseLost when it is another's by now."""
        mine = sa.select(leases.c.token).where(leases.c.name == self.name, leases.c.token == self.token)
        if connection.execute(holding(mine)).first() is None:
            raise LeaseLost(
                f"Another process took over the run of {self.name}.",
                hint="Nothing of this process was written since. See: ledgerline runs",
            )

    def held(self) -> Lease:
        """For work beside a transaction that checked it."""
        return HeldLease(self.name, self.token)


@dataclass(frozen=True, slots=True)
class HeldLease(Lease):
    """The same beside a transaction that holds it already: to hold it too would be to wait for that."""

    def check(self, connection: sa.Connection) -> None:
        """Nothing to do: the lease is held."""


def holding(rows: sa.Select[Any]) -> sa.Select[Any]:
    """These leases, until the transaction ends: nobody else holds or changes them, anybody reads them.

    (By default nobody reads on SQL Server what somebody is changing. On SQLite one writes at a time.)
    """
    return rows.with_for_update().with_hint(leases, "WITH (UPDLOCK)", "mssql")


def named(row: Any) -> dict[str, Any]:
    """A row of a result as column name → value."""
    return dict(zip(row._fields, row, strict=True))


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# Seconds without a beat, after which a holder on another machine is taken for dead; it beats every 2.
_SILENCE = 10.0


class HolderWatch:
    """Tells whether the holder of a lease is dead.

    On this machine its process is looked up. Of another machine only its heartbeat is known, and clocks
    differ: it is dead when the beat does not move while we watch.
    """

    def __init__(self, main: Database) -> None:
        self._main = main

    def __call__(self, holder: str, run_id: int | None) -> bool:
        host, _, pid = holder.rpartition(":")
        if host == socket.gethostname():
            return not is_process_alive(int(pid), last_beat(self._main, holder, run_id))
        before = last_beat(self._main, holder, run_id)
        time.sleep(_SILENCE)
        return last_beat(self._main, holder, run_id) == before


def last_beat(main: Database, holder: str, run_id: int | None) -> datetime | None:
    """When the holder of a lease last gave a sign of life: of its run, or by taking the lease."""
    query = sa.select(sa.func.max(leases.c.beat_at)).where(leases.c.holder == holder)
    with main.connect() as connection:
        taken: datetime | None = connection.execute(query).scalar_one()
    seen = None if run_id is None else progress(main, run_id)
    beats = [taken, None if seen is None else seen["beat_at"]]
    return max((beat for beat in beats if beat is not None), default=None)


_CLOCK_STEP = timedelta(seconds=5)


def is_process_alive(pid: int, beat: datetime | None) -> bool:
    """Whether the process of this machine whose last sign of life was `beat` still works.

    One that ended and waits for its parent does not; one that began later has only got its number.
    """
    try:
        process = psutil.Process(pid)
        began = datetime.fromtimestamp(process.create_time(), UTC).replace(tzinfo=None)
        return process.status() != psutil.STATUS_ZOMBIE and (beat is None or began < beat + _CLOCK_STEP)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def acquire(main: Database, name: str, holder: str, *, is_dead: Callable[[str, int | None], bool]) -> Lease:
    """Take the lease of a source when it is free, or when `is_dead(holder, run id)` says so of its holder.

    Raises RunInProgress, with the run that is going.
    """
    query = sa.select(leases).where(leases.c.name == name)
    with main.connect() as connection:  # only to read: while a run writes, SQLite lets nobody begin to
        _check_free(connection.execute(query).first(), holder, is_dead)
    with main.begin() as connection:
        row = connection.execute(query).first()
        if row is None:
            connection.execute(leases.insert().values(name=name, token=0, beat_at=utc_now()))
            row = connection.execute(query).one()
        _check_free(row, holder, is_dead)
        lease = Lease(name, row.token + 1)
        taken = connection.execute(
            leases.update()
            .where(leases.c.name == name, leases.c.token == row.token)
            .values(holder=holder, token=lease.token, beat_at=utc_now(), run_id=None)
        )
        if taken.rowcount != 1:
            raise RunInProgress(f"Another process started a run of {name} just now.", hint="Try again.")
    return lease


def _check_free(row: Any, holder: str, is_dead: Callable[[str, int | None], bool]) -> None:
    if row is None or row.holder in (None, holder) or is_dead(row.holder, row.run_id):
        return
    which = (
        f"A run of {row.name} is beginning"
        if row.run_id is None
        else f"Run {row.run_id} of {row.name} is going"
    )
    raise RunInProgress(
        f"{which} (held by {row.holder}).",
        run_id=row.run_id,
        hint="Wait for it to end; see: ledgerline runs",
    )


def release(main: Database, lease: Lease) -> None:
    with main.begin() as connection:
        connection.execute(
            leases.update()
            .where(leases.c.name == lease.name, leases.c.token == lease.token)
            .values(holder=sa.null(), run_id=sa.null())
        )


def unfinished(main: Database, system: str, kind: str) -> list[Run]:
    """The runs of this source that began and did not end, or were stopped and can be gone on with."""
    with main.connect() as connection:
        return unfinished_in(connection, system, kind)


def unfinished_in(connection: sa.Connection, system: str, kind: str) -> list[Run]:
    query = sa.select(ingestion_runs).where(
        ingestion_runs.c.source_system == system,
        ingestion_runs.c.kind == kind,
        ingestion_runs.c.status.in_(RUNNING) | ingestion_runs.c.resumable,
    )
    return [_run(row) for row in connection.execute(query.order_by(ingestion_runs.c.id.desc()))]


def go_on(connection: sa.Connection, run_id: int, *, accept_withdrawals: bool) -> None:
    """Note that a run which was left is at work again."""
    values = dict.fromkeys(("finished_at", "error_code", "error_detail", "error_hint"), sa.null())
    at_work = ingestion_runs.update().where(ingestion_runs.c.id == run_id)
    connection.execute(
        at_work.values(status="running", resumable=False, accept_withdrawals=accept_withdrawals, **values)
    )


def create(connection: sa.Connection, lease: Lease, values: Mapping[str, Any]) -> int:
    """Write the row of a new run, and note it in the lease; its id."""
    lease.check(connection)
    key = connection.execute(ingestion_runs.insert().values(**values)).inserted_primary_key
    assert key is not None
    adopt(connection, lease, run_id := int(key[0]))
    return run_id


def adopt(connection: sa.Connection, lease: Lease, run_id: int) -> None:
    connection.execute(leases.update().where(leases.c.name == lease.name).values(run_id=run_id))


def finish(connection: sa.Connection, run_id: int, status: str, **values: Any) -> None:
    connection.execute(
        ingestion_runs.update()
        .where(ingestion_runs.c.id == run_id)
        .values(status=status, finished_at=utc_now(), **values)
    )


def stop(connection: sa.Connection, run_id: int, status: str, **values: Any) -> bool:
    """Note that a run ended before it was through; False where it is through: what failed came after."""
    stopped = ingestion_runs.update().where(
        ingestion_runs.c.id == run_id, ingestion_runs.c.status.in_(RUNNING)
    )
    ended = connection.execute(stopped.values(status=status, finished_at=utc_now(), **values))
    return ended.rowcount == 1


def latest(main: Database, limit: int = 20, before: int | None = None) -> list[Run]:
    """The newest first; `before`: of those that are older than this one."""
    query = sa.select(ingestion_runs).order_by(ingestion_runs.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ingestion_runs.c.id < before)
    with main.connect() as connection:
        return [_run(row) for row in connection.execute(query)]


def get(main: Database, run_id: int) -> Run | None:
    with main.connect() as connection:
        return get_in(connection, run_id)


def get_in(connection: sa.Connection, run_id: int) -> Run | None:
    row = connection.execute(sa.select(ingestion_runs).where(ingestion_runs.c.id == run_id)).first()
    return None if row is None else _run(row)


def undone_by(main: Database, run_id: int) -> int | None:
    """The undo because of which this run is not in effect, or None: it is."""
    with main.connect() as connection:
        return _undo_in_effect(run_id, _undos(connection))


def oldest_unread(connection: sa.Connection, system: str) -> Run | None:
    """The first ingestion that is undone, and whose rows none has read since; None: there is none."""
    by = undos_of_ingestions(connection, system)
    last_read = max((run_id for run_id, undo in by.items() if undo is None), default=0)
    first = next((run_id for run_id, undo in by.items() if undo is not None and undo > last_read), None)
    return None if first is None else get_in(connection, first)


def undos_of_ingestions(connection: sa.Connection, system: str) -> dict[int, int | None]:
    """For each ingestion, in order, the undo because of which it is not in effect, or None: it is."""
    ingests = sa.select(ingestion_runs.c.id).where(
        ingestion_runs.c.source_system == system,
        ingestion_runs.c.status == "succeeded",
        ingestion_runs.c.kind == "ingest",
    )
    undos = _undos(connection)
    return {
        run_id: _undo_in_effect(run_id, undos)
        for run_id in connection.execute(ingests.order_by(ingestion_runs.c.id)).scalars()
    }


def _undos(connection: sa.Connection) -> Mapping[int, list[int]]:
    """The undos of each run, in order."""
    query = sa.select(ingestion_runs.c.undoes_run, ingestion_runs.c.id).where(
        ingestion_runs.c.undoes_run.is_not(None), ingestion_runs.c.status == "succeeded"
    )
    undos: dict[int, list[int]] = defaultdict(list)
    for run_id, undo in connection.execute(query.order_by(ingestion_runs.c.id)):
        undos[run_id].append(undo)
    return undos


def _undo_in_effect(run_id: int, undos: Mapping[int, list[int]]) -> int | None:
    """The last undo of a run that is not undone itself."""
    last_first = reversed(undos.get(run_id, []))
    return next((undo for undo in last_first if _undo_in_effect(undo, undos) is None), None)


def root_of(connection: sa.Connection, run: Run) -> tuple[Run, bool]:
    """The run at the beginning of a chain of undos, and whether undoing this one brings it into effect."""
    brings, root = False, run
    while root.undoes_run is not None:
        undone = get_in(connection, root.undoes_run)
        assert undone is not None
        brings, root = not brings, undone
    return root, brings


def _run(row: sa.Row[Any]) -> Run:
    named = row._mapping
    return Run(
        counts={name: named[name] for name in COUNTS},
        **{name: named[name] for name in Run.__dataclass_fields__ if name != "counts"},
    )


# -- partitions --------------------------------------------------------------------------------------


def plan_partitions(connection: sa.Connection, run_id: int, rows: Iterable[Mapping[str, Any]]) -> None:
    planned = [{"run_id": run_id, **row} for row in rows]
    if planned:
        connection.execute(partition_receipts.insert(), planned)


def partitions(main: Database, run_id: int) -> list[sa.Row[Any]]:
    """All planned partitions, in order; `fetched` is null for those that have no receipt yet."""
    query = sa.select(partition_receipts).where(partition_receipts.c.run_id == run_id)
    with main.connect() as connection:
        return list(connection.execute(query.order_by(partition_receipts.c.partition)))


def move_partition(connection: sa.Connection, run_id: int, partition: int, rows: int) -> int:
    """Give a partition room for so many rows behind all others of its run; its new offset.

    The caller holds the lease, so that no two move at once. A partition that has a receipt stays where it is.
    """
    plan = partition_receipts.c
    end = sa.select(sa.func.max(plan.row_offset + plan.planned_rows)).where(plan.run_id == run_id)
    offset = int(connection.execute(end).scalar_one())
    moved = partition_receipts.update().where(
        plan.run_id == run_id, plan.partition == partition, plan.fetched.is_(None)
    )
    connection.execute(moved.values(row_offset=offset, planned_rows=rows))
    return offset


def sign_receipt(connection: sa.Connection, run_id: int, partition: int, counts: Mapping[str, int]) -> bool:
    """Write a partition's receipt; False when it has one already, and this work counts for nothing."""
    receipt = (
        partition_receipts.update()
        .where(
            partition_receipts.c.run_id == run_id,
            partition_receipts.c.partition == partition,
            partition_receipts.c.fetched.is_(None),
        )
        .values(**{name: counts[name] for name in RECEIPT_COUNTS})
    )
    return connection.execute(receipt).rowcount == 1


def receipt_totals(connection: sa.Connection, run_id: int) -> dict[str, int]:
    columns = [sa.func.coalesce(sa.func.sum(partition_receipts.c[name]), 0) for name in RECEIPT_COUNTS]
    row = connection.execute(sa.select(*columns).where(partition_receipts.c.run_id == run_id)).one()
    return {name: int(value) for name, value in zip(RECEIPT_COUNTS, row, strict=True)}


# -- what a source looked like when it was last read ---------------------------------------------------


def source_state(main: Database, system: str) -> SourceState | None:
    """None: no run of this source has succeeded yet."""
    with main.connect() as connection:
        return _source_state(connection, system)


def where_left(main: Database, system: str) -> tuple[SourceState | None, Run | None]:
    """How a source was left by its last successful run, and its last ingestion, whatever became of it."""
    query = sa.select(ingestion_runs).where(
        ingestion_runs.c.source_system == system, ingestion_runs.c.kind == "ingest"
    )
    with main.connect() as connection:
        row = connection.execute(query.order_by(ingestion_runs.c.id.desc()).limit(1)).first()
        return _source_state(connection, system), None if row is None else _run(row)


def _source_state(connection: sa.Connection, system: str) -> SourceState | None:
    columns = [source_states.c[name] for name in SourceState.__dataclass_fields__]
    row = connection.execute(sa.select(*columns).where(source_states.c.source_system == system)).first()
    return None if row is None else SourceState(**named(row))


def state_as_json(connection: sa.Connection, system: str) -> str:
    """All that is noted of a source, whatever columns there are, for `put_back_state`."""
    row = connection.execute(sa.select(source_states).where(source_states.c.source_system == system)).first()
    return json.dumps(None if row is None else {name: _to_json(value) for name, value in named(row).items()})


def put_back_state(connection: sa.Connection, system: str, state: str) -> None:
    """Note of a source what `state_as_json` gave once."""
    connection.execute(source_states.delete().where(source_states.c.source_system == system))
    if (values := json.loads(state)) is not None:
        there = {name: _from_json(value) for name, value in values.items() if name in source_states.c}
        connection.execute(source_states.insert().values(**there))


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"moment": value.isoformat()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    return datetime.fromisoformat(text) if kind == "moment" else bytes.fromhex(text)


def remember_source(connection: sa.Connection, system: str, run_id: int) -> None:
    """Note in the writing transaction of a run how far its source has been read."""
    row = connection.execute(sa.select(ingestion_runs).where(ingestion_runs.c.id == run_id)).one()
    values = {
        "rules": row.rules,
        "last_run": run_id,
        "layout": row.layout,
        "watermark": row.watermark,
        **({"reconciled_at": row.started_at} if row.reconciles else {}),
    }
    known = source_states.update().where(source_states.c.source_system == system)
    if connection.execute(known.values(**values)).rowcount == 0:
        connection.execute(source_states.insert().values(source_system=system, **values))


# -- progress: written while the writing transaction is open -------------------------------------------


def beat(connection: sa.Connection, run_id: int, progress: Mapping[str, Any]) -> None:
    """Say that a run lives, and how far it is, inside a transaction on the tables of activity."""
    values = {**progress, "beat_at": utc_now()}
    known = run_progress.update().where(run_progress.c.run_id == run_id)
    if connection.execute(known.values(**values)).rowcount == 0:
        connection.execute(run_progress.insert().values(run_id=run_id, **values))


def progress(main: Database, run_id: int) -> Mapping[str, Any] | None:
    with main.begin_activity() as connection:
        row = connection.execute(sa.select(run_progress).where(run_progress.c.run_id == run_id)).first()
    return None if row is None else named(row)
