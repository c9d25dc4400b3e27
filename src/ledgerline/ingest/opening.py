"""How a run begins, is resumed by another process, and is recorded when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa

from ledgerline.contacts.clean import rules_fingerprint
from ledgerline.databases import going, runs, staging, writing
from ledgerline.databases.database import Database
from ledgerline.databases.retry import patiently
from ledgerline.databases.runs import Lease, Run
from ledgerline.databases.staging_tables import Staging
from ledgerline.errors import Cancelled, DatabaseError, LeaseLost, LedgerlineError
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.progress import Cancel
from ledgerline.ingest.scope import Wanted, is_still_wanted, scope
from ledgerline.sources import Source

T = TypeVar("T")


@contextmanager
def leased(main: Database, system: str) -> Iterator[Lease]:
    """The lease of a source meanwhile. Raises RunInProgress."""
    lease = runs.acquire(main, system, runs.this_process(), is_dead=runs.HolderWatch(main))
    try:
        yield lease
    finally:
        runs.release(main, lease)


@contextmanager
def leased_to_read(main: Database, system: str) -> Iterator[Lease]:
    """The same for a run that reads the source; plans that were left are given up."""
    with leased(main, system) as lease:
        _give_up_plans(main, system, lease)
        yield lease


def _give_up_plans(main: Database, system: str, lease: Lease) -> None:
    """A plan whose process died is of no use to anybody."""
    for left in runs.unfinished(main, system, "plan"):
        with main.begin() as connection:
            lease.check(connection)
            staging.drop(connection, Staging(left.id, system))
            runs.finish(
                connection, left.id, "failed", error_code="interrupted", error_detail="It was stopped."
            )


def take_up(main: Database, source: Source, lease: Lease, region: str, wanted: Wanted) -> Run | None:
    """The run that a dead process left, or that was stopped; what cannot be gone on with is given up."""
    left = next(iter(runs.unfinished(main, source.system, "ingest")), None)
    if left is None:
        return None
    with main.begin_activity() as connection:
        going.forget_request(connection, left.id)
    with main.begin() as connection:
        lease.check(connection)
        runs.adopt(connection, lease, left.id)
        rules = rules_fingerprint(region)
        if is_still_wanted(left, source, rules, wanted):
            accepts = left.accept_withdrawals or wanted.accept_withdrawals
            runs.go_on(connection, left.id, accept_withdrawals=accepts)
            return replace(left, accept_withdrawals=accepts)
        staging.drop(connection, Staging(left.id, source.system))
        runs.finish(
            connection,
            left.id,
            "failed",
            resumable=False,
            error_code="rules_changed" if left.rules != rules else "replaced",
            error_detail="What it was to do changed before it could be resumed; a new run replaces it.",
        )
    return None


def open_run(
    main: Database, source: Source, lease: Lease, region: str, wanted: Wanted, cancel: Cancel, kind: str
) -> Run:
    """A new run in the history, of the kind ingest or plan; what it reads is decided."""
    system, rules = source.system, rules_fingerprint(region)
    state, latest = runs.where_left(main, system)
    known = None if state is None or state.rules != rules else state
    read = with_retries(main, cancel, lambda: scope(source, known, latest, wanted, runs.utc_now()))
    with main.begin() as connection:
        highest = writing.highest_contact_id(connection)
        run_id = runs.create(
            connection,
            lease,
            {
                "kind": kind,
                "source_system": system,
                "status": "running",
                "first_load": read.reading.since is None and writing.is_empty(connection),
                "rules": rules,
                "layout": source.layout,
                "since": read.reading.since,
                "reconciles": read.reconciles,
                "accept_withdrawals": wanted.accept_withdrawals,
                "watermark": read.reading.watermark,
                "advice": "\n".join(read.reading.advice) or None,
                "first_contact_id": highest + 1,
                "started_at": runs.utc_now(),
            },
        )
        if read.reading.since is None or read.reconciles:  # see Job.stages_late
            staging.create(connection, Staging(run_id, system))
        run = runs.get_in(connection, run_id)
    assert run is not None
    return run


def add_run(connection: sa.Connection, lease: Lease, kind: str, **values: Any) -> int:
    """Write the row of a run that begins and ends in this transaction; its id."""
    _supersede(connection, lease, kind)
    now = {"kind": kind, "source_system": lease.name, "status": "succeeded", "started_at": runs.utc_now()}
    unused = {
        "first_load": False,
        "rules": "",
        "first_contact_id": writing.highest_contact_id(connection) + 1,
    }
    state = runs.state_as_json(connection, lease.name)
    return runs.create(connection, lease, {**now, **unused, "state_before": state, **values})


def _supersede(connection: sa.Connection, lease: Lease, by: str) -> None:
    """Give up the run that a dead process left: what it staged is of contacts that change now."""
    for left in runs.unfinished_in(connection, lease.name, "ingest"):
        staging.drop(connection, Staging(left.id, lease.name))
        detail = f"An {by} changed the contacts before the run could be resumed; a new one replaces it."
        why = {"error_code": "superseded", "error_detail": detail}
        runs.finish(connection, left.id, "failed", resumable=False, **why)


def job_of(run_id: int, lease: Lease) -> Job:
    """A run of no partitions, as those see it who make contacts."""
    return Job(run_id, lease.name, region="", rules="", first_contact_id=0, first_load=False, lease=lease)


@contextmanager
def recording_failure(main: Database, job: Job, *, resumable: bool) -> Iterator[None]:
    """Write into the run's row how it ended, if not well.

    What was cancelled, or may succeed when it is tried again, keeps what it staged and can be gone on with
    if it is `resumable`. What nobody foresaw cannot: it would fail in the same way for ever.
    """
    try:
        yield
    except LeaseLost:
        raise  # the run is another's by now
    except Cancelled as error:
        _stop(main, job, "cancelled", error, resumable=resumable)
        raise
    except LedgerlineError as error:
        _stop(main, job, "failed", error, resumable=resumable and error.retryable)
        raise
    except Exception as error:
        fault = LedgerlineError(f"{type(error).__name__}: this is a fault of Ledgerline.")
        _stop(main, job, "failed", fault, resumable=False, code="internal_error")
        raise


def _stop(
    main: Database, job: Job, status: str, error: LedgerlineError, *, resumable: bool, code: str | None = None
) -> None:
    with suppress(DatabaseError), main.begin() as connection:  # what is raised next is why it cannot be noted
        job.lease.check(connection)
        stopped = runs.stop(
            connection,
            job.run_id,
            status,
            resumable=resumable,
            error_code=code or error.code,
            error_detail=error.public_detail,
            error_hint=error.hint,
        )
        if stopped and not resumable:
            staging.drop(connection, job.tables)


def existing_run(main: Database, run_id: int) -> Run:
    run = runs.get(main, run_id)
    assert run is not None
    return run


def with_retries(main: Database, cancel: Cancel, work: Callable[[], T]) -> T:
    """The result of work that may be done twice, in spite of faults that pass by themselves."""
    return patiently(work, main.limits.retries, main.limits.retry_delay_ms, sleep=cancel.pause)
