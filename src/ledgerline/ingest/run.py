"""A run's life: lease, stages, progress, end.

plan       cut the source into partitions                      (or: take up what a dead run left)
stage      fetch, clean and stage every partition, several at once
match      find the records that are one person
merge      make the golden contacts of those
write      one transaction: everything, or nothing
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from ledgerline.contacts.clean import rules_fingerprint
from ledgerline.contacts.keys import Keys
from ledgerline.databases import edits, runs, settling, staging, writing
from ledgerline.databases.database import Database
from ledgerline.databases.runs import Lease, Run
from ledgerline.databases.schema import Staging
from ledgerline.errors import AccountImbalance, Cancelled, LeaseLost, LedgerlineError, WithdrawalBreaker
from ledgerline.ingest.executors import Executor
from ledgerline.ingest.executors.local import LocalExecutor
from ledgerline.ingest.golden import make_golden
from ledgerline.ingest.joining import join_records
from ledgerline.ingest.memory import return_freed_memory
from ledgerline.ingest.partitions import Job, KnownRows, mark_gone, staged_keys
from ledgerline.ingest.scope import Wanted, is_still_wanted, scope
from ledgerline.sources import Key, Partition, Source

PARTITION_ROWS = 40_000
_BEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    region: str
    partition_rows: int = PARTITION_ROWS
    executor: Executor = field(default_factory=LocalExecutor)
    wanted: Wanted = field(default_factory=Wanted)
    resume: bool = False  # read a source that an undo paused


class Watcher(Protocol):
    """Who wants to see a run's progress."""

    def progress(self, stage: str, done: int, total: int, rows: int) -> None: ...


class Cancel:
    """Asked for from another thread or a signal handler; a run stops at the next partition or stage."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        self._event.set()

    def check(self) -> None:
        if self._event.is_set():
            raise Cancelled(
                "The run was cancelled; nothing of it was written to the contacts.",
                hint="Run it again to go on where it stopped: ledgerline ingest",
            )


def ingest(main: Database, source: Source, options: Options, watcher: Watcher, cancel: Cancel) -> Run:
    """Bring everything that is new in the source into the main database; the finished run.

    Raises RunInProgress when another process is at it, SourcePaused after an undo, Cancelled when asked
    to stop, and whatever made the run fail, after noting it in the run's row.
    """
    with _leased(main, source.system) as lease:
        if options.resume:
            settling.resume(main, source.system, lease)
        settling.check_not_paused(main, source.system)
        run = _take_up(main, source, lease, options) or _open(main, source, lease, options)
        job = Job(
            run_id=run.id,
            system=source.system,
            region=options.region,
            rules=run.rules,
            first_contact_id=run.first_contact_id,
            first_load=run.first_load,
            lease=lease,
            since=run.since,
            reconciles=run.reconciles,
        )
        with _noted(main, job):
            _perform(job, main, source, options, _Progress(main, run.id, watcher), cancel)
        finished = runs.get(main, run.id)
        assert finished is not None
        return finished


def _perform(
    job: Job, main: Database, source: Source, options: Options, progress: _Progress, cancel: Cancel
) -> None:
    return_freed_memory()
    progress.report("plan", 0, 0, 0)
    partitions = _planned(job, main, source, options)
    if not partitions and not _always_stages(job.since, reconciles=job.reconciles):
        _finish(job, main, with_staging=False)
        progress.report("done", 1, 1, 0)
        return
    known = KnownRows(job, main, integer_keys=source.integer_keys)
    with progress.beating():
        keys = _stage_all(job, main, source, known, partitions, options, progress, cancel)
        mark_gone(job, source, main, known)
        _check_breaker(job, main, options.wanted)
        if _has_nothing_to_write(job, main):
            counts = _finish(job, main, with_staging=True)
            progress.report("done", 1, 1, counts["fetched"])
            return
        _prepare_joins(job, main)
        cancel.check()
        progress.report("match", 0, 1, 0)
        join_records(job, main, keys)
        cancel.check()
        counts = _merge_and_write(job, main, progress, cancel)
    progress.report("done", 1, 1, counts["fetched"])


# -- opening and closing --------------------------------------------------------------------------------


@contextmanager
def _leased(main: Database, system: str) -> Iterator[Lease]:
    lease = runs.acquire(main, system, runs.this_process(), is_dead=runs.HolderWatch(main))
    try:
        yield lease
    finally:
        runs.release(main, lease)


def _take_up(main: Database, source: Source, lease: Lease, options: Options) -> Run | None:
    """The run that a dead process left, if it can be gone on with; otherwise it is given up."""
    left = runs.unfinished(main, source.system)
    if left is None:
        return None
    with main.begin() as connection:
        runs.adopt(connection, lease, left.id)
        lease.check(connection)
        rules = rules_fingerprint(options.region)
        if is_still_wanted(left, source, rules, options.wanted):
            return left
        staging.drop(connection, Staging(left.id, source.system))
        runs.finish(
            connection,
            left.id,
            "failed",
            error_code="rules_changed" if left.rules != rules else "replaced",
            error_detail="What it was to do changed before it could be resumed; a new run replaces it.",
        )
    return None


def _open(main: Database, source: Source, lease: Lease, options: Options) -> Run:
    system, rules = source.system, rules_fingerprint(options.region)
    state = runs.source_state(main, system)
    known = None if state is None or state.rules != rules else state
    read = scope(source, known, runs.latest_of(main, system), options.wanted, runs.utc_now())
    with main.begin() as connection:
        highest = writing.highest_contact_id(connection)
        run_id = runs.create(
            connection,
            lease,
            {
                "kind": "ingest",
                "source_system": system,
                "status": "running",
                "first_load": writing.is_empty(connection),
                "rules": rules,
                "layout": source.layout,
                "since": read.reading.since,
                "reconciles": read.reconciles,
                "watermark": read.reading.watermark,
                "advice": "\n".join(read.reading.advice) or None,
                "first_contact_id": highest + 1,
                "started_at": runs.utc_now(),
            },
        )
        if _always_stages(read.reading.since, reconciles=read.reconciles):
            staging.create(connection, Staging(run_id, system))
    run = runs.get(main, run_id)
    assert run is not None
    return run


def _always_stages(since: str | None, *, reconciles: bool) -> bool:
    """Whether a run needs its staging tables even where no row was changed."""
    return since is None or reconciles


@contextmanager
def _noted(main: Database, job: Job) -> Iterator[None]:
    """Write into the run's row how it failed.

    What was cancelled, or may succeed when it is tried again, keeps what it staged and can be resumed. What
    nobody foresaw cannot: it would fail in the same way for ever.
    """
    try:
        yield
    except LedgerlineError as error:
        if not (error.retryable or isinstance(error, Cancelled | LeaseLost)):
            _fail(main, job, error.code, error.detail, error.hint)
        raise
    except Exception as error:
        _fail(main, job, "internal_error", f"{type(error).__name__}: this is a fault of Ledgerline.", "")
        raise


def _fail(main: Database, job: Job, code: str, detail: str, hint: str) -> None:
    values = {"error_code": code, "error_detail": detail, "error_hint": hint}
    with main.begin() as connection:
        job.lease.check(connection)
        staging.drop(connection, Staging(job.run_id, job.system))
        runs.finish(connection, job.run_id, "failed", **values)


# -- partitions ----------------------------------------------------------------------------------------


def _planned(job: Job, main: Database, source: Source, options: Options) -> list[tuple[Partition, bool]]:
    """All partitions of the run, each with whether it is done; planned now unless a dead run did."""
    if not (rows := runs.partitions(main, job.run_id)):
        planned = list(source.partitions(options.partition_rows, job.since))
        with main.begin() as connection:
            job.lease.check(connection)
            if planned and not _always_stages(job.since, reconciles=job.reconciles):
                staging.create(connection, Staging(job.run_id, job.system))
            runs.plan_partitions(connection, job.run_id, map(_partition_row, planned))
        return [(partition, False) for partition in planned]
    since = job.since
    return [(_partition(row, source.integer_keys, since), row.fetched is not None) for row in rows]


def _partition_row(partition: Partition) -> dict[str, Any]:
    return {
        "partition": partition.number,
        "lower_key": None if partition.lower is None else str(partition.lower),
        "upper_key": None if partition.upper is None else str(partition.upper),
        "without_key": partition.without_key,
        "row_offset": partition.offset,
        "planned_rows": partition.rows,
    }


def _partition(row: Any, integer_keys: bool, since: str | None) -> Partition:
    def key(text: str | None) -> Key | None:
        return int(text) if text is not None and integer_keys else text

    return Partition(
        number=row.partition,
        offset=row.row_offset,
        rows=row.planned_rows,
        lower=key(row.lower_key),
        upper=key(row.upper_key),
        without_key=row.without_key,
        since=None if row.without_key else since,
    )


def _stage_all(
    job: Job,
    main: Database,
    source: Source,
    known: KnownRows,
    partitions: Sequence[tuple[Partition, bool]],
    options: Options,
    progress: _Progress,
    cancel: Cancel,
) -> list[Keys]:
    """Run every partition that has no receipt; the match keys of all staged records."""
    keys = [staged_keys(job, main, partition) for partition, done in partitions if done]
    done, rows = len(keys), sum(partition.rows for partition, is_done in partitions if is_done)
    progress.report("stage", done, len(partitions), rows)
    waiting = [partition for partition, is_done in partitions if not is_done]
    with closing(options.executor.run(job, waiting, source, main, known)) as results:
        for result in results:
            if result is not None:
                keys.append(result.keys)
                done, rows = done + 1, rows + result.counts["fetched"]
                progress.report("stage", done, len(partitions), rows)
            cancel.check()
    return keys


def _prepare_joins(job: Job, main: Database) -> None:
    """What is staged by now is joined many times: let the planner know how much it is."""
    tables = Staging(job.run_id, job.system)
    with main.begin() as connection:
        job.lease.check(connection)
        if not job.first_load:
            staging.index(connection, tables)
        main.server.analyze(connection, [tables.records, tables.points, tables.marks])


# -- writing ---------------------------------------------------------------------------------------------


def _merge_and_write(job: Job, main: Database, progress: _Progress, cancel: Cancel) -> dict[str, int]:
    """Make the golden contacts, and write; again when somebody edits a contact in between."""
    if job.first_load and main.server.writes_side_by_side:
        return _write_while_merging(job, main, progress, cancel)
    while True:
        progress.report("merge", 0, 1, 0)
        edited = make_golden(job, main)
        cancel.check()
        progress.report("write", 0, 1, 0)
        if (counts := _write(job, main, edited)) is not None:
            return counts


def _write_while_merging(job: Job, main: Database, progress: _Progress, cancel: Cancel) -> dict[str, int]:
    """The same for a first load, of which what is in no cluster is written while the rest is made."""
    progress.report("merge", 0, 1, 0)
    with ThreadPoolExecutor(1, thread_name_prefix="merge") as pool:
        golden = pool.submit(make_golden, job, main, fenced=False)

        def merged() -> None:
            golden.result()
            cancel.check()
            progress.report("write", 0, 1, 0)

        counts = _write(job, main, None, merged)
    assert counts is not None
    return counts


_TOO_FEW_TO_TELL = 10  # in a table of a few rows a share says nothing


def _check_breaker(job: Job, main: Database, wanted: Wanted) -> None:
    """Raises WithdrawalBreaker when so many records would end that the source is likelier to be at fault."""
    if job.first_load or wanted.accept_withdrawals:
        return
    tables = Staging(job.run_id, job.system)
    ended = staging.ended(main, tables)
    if ended < _TOO_FEW_TO_TELL:
        return
    enough = int(ended / wanted.withdrawal_breaker) + 1 if wanted.withdrawal_breaker else None
    live = staging.live_records(main, job.system, enough)
    if ended > wanted.withdrawal_breaker * live:
        raise WithdrawalBreaker(
            f"{ended:,} of {live:,} live records are no longer active in the source, or no longer there: more"
            f" than the {wanted.withdrawal_breaker:.0%} that WITHDRAWAL_BREAKER allows. Nothing was written.",
            hint="See whether the source is whole, and INVOICE_TABLE and INVOICE_ACTIVE are right. If so:"
            " ledgerline ingest --accept-withdrawals",
        )


def _has_nothing_to_write(job: Job, main: Database) -> bool:
    """Whether every row that was read is as it was."""
    return not job.first_load and not staging.has_work(main, Staging(job.run_id, job.system))


def _write(
    job: Job, main: Database, edited: int | None, merged: Callable[[], None] = lambda: None
) -> dict[str, int] | None:
    """The writing transaction: contacts, their records, rejects, the account and the run's end.

    edited  the mark of the edits that the golden contacts regard; None is returned, and nothing is written,
            where somebody edited a contact since. None: there was no contact that could be edited
    merged  returns when the golden contacts are staged
    """
    tables = Staging(job.run_id, job.system)
    first = job.first_contact_id
    with main.begin() as connection:
        job.lease.check(connection)
        if edited is not None and edits.mark(connection) != edited:
            return None
        written = writing.write(
            connection, main.server, tables, job.run_id, first, merged, first_load=job.first_load
        )
        counts = _end(job, connection, written)
        staging.drop(connection, tables)
    with main.connect() as connection:
        main.server.analyze(connection, writing.TABLES if job.first_load else ())
    return counts


def _finish(job: Job, main: Database, *, with_staging: bool) -> dict[str, int]:
    """End a run that changes nothing but how far the source has been read."""
    with main.begin() as connection:
        job.lease.check(connection)
        counts = _end(job, connection, writing.NOTHING)
        if with_staging:
            staging.drop(connection, Staging(job.run_id, job.system))
    return counts


def _end(job: Job, connection: sa.Connection, written: writing.Written) -> dict[str, int]:
    counts = account(runs.receipt_totals(connection, job.run_id), written)
    state = runs.state_as_json(connection, job.system)
    runs.remember_source(connection, job.system, job.run_id)
    runs.finish(connection, job.run_id, "succeeded", state_before=state, **counts)
    return counts


def account(receipts: dict[str, int], written: writing.Written) -> dict[str, int]:
    """The run's counts, from what the partitions read and what the transaction wrote.

    Raises AccountImbalance unless every fetched row is in exactly one class.
    """
    counts = {
        "fetched": receipts["fetched"],
        "inserted": written.inserted,
        "updated": written.updated,
        "unchanged": receipts["unchanged"] + written.same,
        "merged": written.new_records - written.inserted,
        "rejected": receipts["rejected_again"] + written.rejected,
        "withdrawn": written.withdrawn,
        "inactive": receipts["inactive"],
        "vanished": written.vanished,
    }
    classes = sum(count for name, count in counts.items() if name not in ("fetched", "vanished"))
    if counts["fetched"] != classes or written.rejected != receipts["rejected"]:
        raise AccountImbalance(
            f"{counts['fetched']} rows were fetched, but {classes} are accounted for: {counts}.",
            hint="Nothing was written. This is a fault of Ledgerline; please report it with this message.",
        )
    return counts


# -- progress ----------------------------------------------------------------------------------------------


class _Progress:
    """Tells the watcher at once, and the run's row every few seconds; the latter is the run's heartbeat."""

    def __init__(self, main: Database, run_id: int, watcher: Watcher) -> None:
        self._main = main
        self._run_id = run_id
        self._watcher = watcher
        self._began = time.monotonic()
        self._now = ("plan", 0, 0, 0)

    def report(self, stage: str, done: int, total: int, rows: int) -> None:
        self._now = (stage, done, total, rows)
        self._watcher.progress(stage, done, total, rows)

    @contextmanager
    def beating(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(stop,), name="heartbeat", daemon=True)
        self._beat()
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _beat_until(self, stop: threading.Event) -> None:
        while not stop.wait(_BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        stage, done, total, rows = self._now
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = rows / seconds
        left = seconds / done * (total - done) if stage == "stage" and done else None
        runs.beat(
            self._main,
            self._run_id,
            {
                "stage": stage,
                "done": done,
                "total": total,
                "rows": rows,
                "rows_per_second": rate,
                "seconds_left": left,
            },
        )
