"""A run's life: lease, stages, progress, end.

plan       cut the source into partitions                      (or: take up what a dead run left)
stage      fetch, clean and stage every partition, several at once
match      find the records that are one person
merge      make the golden contacts of those
write      one transaction: everything, or nothing

A first load matches and merges while its transaction is open already, see `first_load`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from ledgerline.contacts.keys import Keys
from ledgerline.databases import edits, plans, runs, settling, staging, writing
from ledgerline.databases.database import Database
from ledgerline.databases.runs import Lease, Run
from ledgerline.errors import AccountImbalance, DatabaseError
from ledgerline.ingest.beside import THREADS, Beside
from ledgerline.ingest.breaker import check_breaker
from ledgerline.ingest.executors import Executor
from ledgerline.ingest.executors.local import LocalExecutor
from ledgerline.ingest.first_load import fill
from ledgerline.ingest.golden import make_golden
from ledgerline.ingest.held import Held, hold
from ledgerline.ingest.joining import join_records, prepare_joins
from ledgerline.ingest.opening import (
    existing_run,
    leased_to_read,
    open_run,
    recording_failure,
    take_up,
    with_retries,
)
from ledgerline.ingest.partitions import Job, KnownRows, mark_gone, staged_keys
from ledgerline.ingest.progress import Cancel, Progress, Watcher
from ledgerline.ingest.scope import Wanted
from ledgerline.ingest.staged import InTable
from ledgerline.memory import return_freed_memory, spare_lasting_objects
from ledgerline.sources import TEXT_KEYS, Key, Partition, Source

__all__ = ["PARTITION_ROWS", "SAMPLES_KEPT", "Cancel", "Options", "Watcher", "account", "ingest", "plan"]

PARTITION_ROWS = 33_000  # to clean all of them takes memory
_RESCANNED_ROWS = 100_000  # most of them are as they were; a full rescan of them takes some 440 MB
SAMPLES_KEPT = 20
_THREADS = 2
_FEW_STAGED = 50_000  # to write more takes as long that nobody should hold a transaction open meanwhile
_FEW_READ = 20_000  # come sooner over open connections than over those for bulk reading, yet to be opened

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    region: str
    partition_rows: int | None = None  # as suits the run
    executor: Executor = field(default_factory=LocalExecutor)
    wanted: Wanted = field(default_factory=Wanted)
    resume: bool = False  # read a source that an undo paused


def ingest(main: Database, source: Source, options: Options, watcher: Watcher, cancel: Cancel) -> Run:
    """Bring everything that is new in the source into the main database; the finished run.

    Raises RunInProgress when another process is at it, SourcePaused after an undo, Cancelled when asked
    to stop, and whatever made the run fail, after noting it in the run's row.
    """
    with leased_to_read(main, source.system) as lease:
        if options.resume:
            settling.resume(main, source.system, lease)
        settling.check_not_paused(main, source.system)
        run = take_up(main, source, lease, options.region, options.wanted)
        run = run or open_run(main, source, lease, options.region, options.wanted, cancel, "ingest")
        job = replace(_job(run, main, source, options, lease), packs=run.first_load)
        progress = Progress(main, run.id, watcher, cancel)
        with recording_failure(main, job, resumable=True), progress.beating():
            reading = _reading(job, main)
            keys = _stage(job, reading, source, _as_begun(options, run), progress, cancel)
            counts = (
                _finish(job, main) if keys is None else _match_and_write(job, reading, keys, progress, cancel)
            )
            progress.report("done", 1, 1, counts["fetched"])
        return existing_run(main, run.id)


def plan(
    main: Database,
    source: Source,
    options: Options,
    watcher: Watcher,
    cancel: Cancel,
    samples: int | None = None,
) -> tuple[Run, dict[str, plans.Section]]:
    """Do all of a run but the writing: what it would do, and the row in the history that is left of it.

    samples  how many of each kind to tell of; None: all. The row keeps `SAMPLES_KEPT`

    Raises what `ingest` raises. What a run left that was stopped stays for the next `ingest` to go on with.
    """
    with leased_to_read(main, source.system) as lease:
        settling.check_not_paused(main, source.system)
        run = open_run(main, source, lease, options.region, options.wanted, cancel, "plan")
        job = _job(run, main, source, options, lease)
        progress = Progress(main, run.id, watcher, cancel)
        with recording_failure(main, job, resumable=False), progress.beating():
            reading = _reading(job, main)
            keys = _stage(job, reading, source, options, progress, cancel)
            if keys is not None:
                prepare_joins(job, reading)
                records = _records(job, reading)
                join_records(job, reading, keys, records)
                cancel.check()
                progress.report("merge", 0, 1, 0)
                make_golden(job, reading, records)
                cancel.check()
            told = _foresee(job, main, samples)
            planned = existing_run(main, run.id)
            progress.report("done", 1, 1, planned.counts["fetched"])
        return planned, told


def _as_begun(options: Options, run: Run) -> Options:
    """What was accepted when the run was begun holds for whoever resumes it."""
    return replace(options, wanted=replace(options.wanted, accept_withdrawals=run.accept_withdrawals))


def _reading(job: Job, main: Database) -> Database:
    """The main database for the work of a run; of those that read but what is new most find little."""
    return main.reading_few() if job.stages_late else main


def _job(run: Run, main: Database, source: Source, options: Options, lease: Lease) -> Job:
    state = runs.source_state(main, source.system)
    return Job(
        run_id=run.id,
        system=source.system,
        region=options.region,
        rules=run.rules,
        first_contact_id=run.first_contact_id,
        first_load=run.first_load,
        lease=lease,
        since=run.since,
        reconciles=run.reconciles,
        had_text_keys=state is not None and (state.layout or "").endswith(TEXT_KEYS),
    )


def _stage(
    job: Job, main: Database, source: Source, options: Options, progress: Progress, cancel: Cancel
) -> list[Keys] | None:
    """Fetch, clean and stage; the match keys of what is new. None: there is nothing to make of it."""
    return_freed_memory()
    spare_lasting_objects()
    progress.report("plan", 0, 0, 0)
    partitions = _planned(job, main, source, options, cancel)
    if not partitions and job.stages_late:
        return None
    known = KnownRows(job, main, integer_keys=source.integer_keys)
    keys = _stage_all(job, main, source, known, partitions, options, progress, cancel)
    with_retries(main, cancel, lambda: mark_gone(job, source, main, known))
    if _has_nothing_to_write(job, main):
        return None
    check_breaker(job, main, options.wanted)
    progress.report("match", 0, 1, 0)
    return keys


# -- partitions ----------------------------------------------------------------------------------------


def _planned(
    job: Job, main: Database, source: Source, options: Options, cancel: Cancel
) -> list[tuple[Partition, bool]]:
    """All partitions of the run, each with whether it is done; planned now unless a dead run did."""
    if not (rows := runs.partitions(main, job.run_id)):
        size = options.partition_rows or _rows_of_a_partition(job, main)
        planned = with_retries(main, cancel, lambda: list(source.partitions(size, job.since)))
        with main.begin() as connection:
            job.lease.check(connection)
            if len(planned) > 1 and job.stages_late:
                staging.create(connection, job.tables)
            runs.plan_partitions(connection, job.run_id, map(_as_row, planned))
        return [(partition, False) for partition in planned]
    since = job.since
    return [(_as_partition(row, source.integer_keys, since), row.fetched is not None) for row in rows]


def _rows_of_a_partition(job: Job, main: Database) -> int:
    if job.since is not None:
        return PARTITION_ROWS
    state = runs.source_state(main, job.system)
    is_rescan = state is not None and state.rules == job.rules
    return _RESCANNED_ROWS if is_rescan else PARTITION_ROWS


def _as_row(partition: Partition) -> dict[str, Any]:
    return {
        "partition": partition.number,
        "lower_key": None if partition.lower is None else str(partition.lower),
        "upper_key": None if partition.upper is None else str(partition.upper),
        "without_key": partition.without_key,
        "row_offset": partition.offset,
        "planned_rows": partition.rows,
    }


def _as_partition(row: Any, integer_keys: bool, since: str | None) -> Partition:
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
    progress: Progress,
    cancel: Cancel,
) -> list[Keys]:
    """Run every partition that has no receipt; the match keys of all staged records."""
    finished = [partition for partition, is_done in partitions if is_done]
    done, rows = len(finished), sum(partition.rows for partition in finished)
    progress.report("stage", done, len(partitions), rows)
    keys = _keys_again(job, main, finished, cancel)
    waiting = [partition for partition, is_done in partitions if not is_done]
    with closing(options.executor.run(job, waiting, source, main, known, cancel.pause)) as results:
        for result in results:
            if result is not None:
                keys.append(result.keys)
                done, rows = done + 1, rows + result.counts["fetched"]
                progress.report("stage", done, len(partitions), rows)
            cancel.check()
    return keys


def _keys_again(job: Job, main: Database, partitions: Sequence[Partition], cancel: Cancel) -> list[Keys]:
    """The match keys of what finished partitions staged, before the run was stopped."""
    if not partitions or (job.stages_late and not staging.has_work(main, job.tables)):
        return []
    if not job.packs:
        with main.begin() as connection:
            job.lease.check(connection)
            staging.index_by_contact(connection, job.tables)
            main.server.analyze(connection, [job.tables.records])
    keys = []
    with main.threads(_THREADS, "keys") as pool:
        for made in pool.map(partial(staged_keys, job, main), partitions):
            keys.append(made)
            cancel.check()
    return keys


# -- writing ---------------------------------------------------------------------------------------------


def _match_and_write(
    job: Job, main: Database, keys: list[Keys], progress: Progress, cancel: Cancel
) -> dict[str, int]:
    """Match, make the golden contacts, and write; both again when somebody edits a contact in between."""
    if job.packs:
        return _fill(job, main, keys, progress, cancel)
    prepare_joins(job, main)
    main = main.reading_few() if staging.is_small(main, job.tables, _FEW_READ) else main
    beside = main.works_beside and main.server.shares_tables
    if beside and staging.is_small(main, job.tables, _FEW_STAGED):
        return _merge_beside(job, main, keys, progress, cancel)
    records = _records(job, main)
    join_records(job, main, keys, records)
    cancel.check()
    while True:
        progress.report("merge", 0, 1, 0)
        edited = make_golden(job, main, records)
        cancel.check()
        progress.report("write", 0, 1, 0)
        if (counts := _write(job, main, edited)) is not None:
            return counts


def _records(job: Job, main: Database) -> Held | InTable:
    """The records that the run is about: held where they are few, else where they are."""
    return hold(job, main) if staging.is_small(main, job.tables, _FEW_STAGED) else InTable(job, main)


def _merge_beside(
    job: Job, main: Database, keys: list[Keys], progress: Progress, cancel: Cancel
) -> dict[str, int]:
    """The same for a later run with little to write: what depends on no cluster is written meanwhile."""
    with main.threads(THREADS, "beside") as pool, main.begin() as connection:
        return _write_in(connection, job, Beside(job, main, keys, progress, cancel, pool))


def _fill(job: Job, main: Database, keys: list[Keys], progress: Progress, cancel: Cancel) -> dict[str, int]:
    """The same for a first load."""
    counts = fill(job, main, keys, progress, cancel, partial(_end_in, job))
    _analyze(main)
    return counts


def _has_nothing_to_write(job: Job, main: Database) -> bool:
    """Whether every row that was read is as it was."""
    return not job.first_load and not staging.has_work(main, job.tables)


def _write(job: Job, main: Database, edited: int) -> dict[str, int] | None:
    """The writing transaction: contacts, their records, rejects, the account and the run's end.

    edited  the mark of the edits that the golden contacts regard; None is returned, and nothing is written,
            where somebody edited a contact since
    """
    with main.begin() as connection:
        job.lease.check(connection)
        if edits.mark(connection) != edited:
            return None
        return _write_in(connection, job)


def _write_in(connection: sa.Connection, job: Job, merging: writing.Merging | None = None) -> dict[str, int]:
    written = writing.write(connection, job.tables, job.run_id, job.first_contact_id, merging)
    return _end_in(job, connection, written)


def _end_in(job: Job, connection: sa.Connection, written: writing.Written) -> dict[str, int]:
    counts = _end(job, connection, written)
    staging.drop(connection, job.tables)
    return counts


def _analyze(main: Database) -> None:
    """Tell the server of the new rows; it would find out by itself, and the run is through in any case."""

    def one(table: sa.Table) -> None:
        try:
            with main.connect() as connection:
                main.server.analyze(connection, [table])
        except DatabaseError as error:
            _log.warning("The table %s could not be analysed: %s", table.name, error.detail)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="analyze") as pool:
        list(pool.map(one, writing.TABLES))


def _finish(job: Job, main: Database) -> dict[str, int]:
    """End a run that changes nothing but how far the source has been read."""
    with main.begin() as connection:
        job.lease.check(connection)
        counts = _end(job, connection, writing.NOTHING)
        staging.drop(connection, job.tables)
    return counts


def _foresee(job: Job, main: Database, samples: int | None) -> dict[str, plans.Section]:
    """End a plan: what a run would do, of which some is kept in the plan's row."""
    tables = job.tables
    with main.begin() as connection:
        job.lease.check(connection)
        is_staged = staging.exists(connection, tables)
        told = plans.foreseen(connection, tables, job.first_contact_id, samples) if is_staged else {}
        written = (
            writing.foresee(connection, tables, job.run_id, job.first_contact_id)
            if is_staged
            else writing.NOTHING
        )
        counts = account(runs.receipt_totals(connection, job.run_id), written)
        runs.finish(connection, job.run_id, "succeeded", foreseen=_kept(told), **counts)
        staging.drop(connection, tables)
    return told


def _kept(told: dict[str, plans.Section]) -> str:
    sections = {
        name: {**section, "samples": section["samples"][:SAMPLES_KEPT]} for name, section in told.items()
    }
    return json.dumps(sections, ensure_ascii=False)


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
