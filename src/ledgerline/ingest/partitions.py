"""One partition of a run: fetch it, classify its rows, clean those that are new, stage them with a receipt.

A partition is the unit of work, of failure and of resumption: it can be done by any thread, process or
machine, any number of times, and counts once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  (gives expressions their `nchash`)

from ledgerline.contacts.clean import clean
from ledgerline.contacts.keys import Keys, identity_key, match_keys
from ledgerline.contacts.model import RAW, VALUE_SEPARATOR, Reason
from ledgerline.contacts.texts import storable_column
from ledgerline.databases import known_rows, pages, runs, staging
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Load
from ledgerline.databases.known_rows import Known
from ledgerline.databases.pages import Page
from ledgerline.databases.runs import Lease
from ledgerline.databases.schema import ENDED, RECEIPT_COUNTS, RECORD_ID
from ledgerline.databases.staging_tables import Staging
from ledgerline.ingest.pace import Pace
from ledgerline.ingest.unreadable import marked, read
from ledgerline.sources import Partition, Source

_CLEANED_AT_ONCE = 33_000  # rows: more take more memory, and are no faster
_NULL, _UNIT = "\x00", "\x1f"  # in the text that is hashed: a missing value, and between values
_RAW_VALUES = ("name", "phone", "email", "designation", "company", "owner")

# Polars takes NumPy up when it first meets an array; of two threads that meet theirs at once one may fail.
pl.Series(np.empty(0))

_staging = lru_cache(maxsize=4)(Staging)  # to describe ten tables takes some milliseconds


@dataclass(frozen=True, slots=True)
class Job:
    """What every partition of a run has in common."""

    run_id: int
    system: str
    region: str  # default country of phones
    rules: str  # fingerprint of the cleaning rules; part of every payload hash
    first_contact_id: int
    first_load: bool
    lease: Lease
    since: str | None = None  # it reads what changed since then; None: everything
    reconciles: bool = True  # it finds the rows that were deleted
    had_text_keys: bool = False  # when the source was read last: known ones may be no integers
    packs: bool = False  # the records that a partition stages are one value, see `databases.pages`

    @property
    def tables(self) -> Staging:
        return _staging(self.run_id, self.system)

    @property
    def stages_late(self) -> bool:
        """Whether the run has no staging tables before there is something to stage: often there is not."""
        return self.since is not None and not self.reconciles


@dataclass(frozen=True, slots=True)
class Result:
    """What a partition gives back: its counts, and the keys of the new records that it staged.

    A record's number among the keys is its contact id less the first of the run.
    """

    partition: int
    counts: dict[str, int]
    keys: Keys


class KnownRows:
    """What the main database knows of the rows of a source. The partitions of a process share it.

    A range of integer keys is a range there too, and is read when its turn comes. Every server orders text
    in its own way, so rows with text keys are read once and whole; a partition cannot tell then which of
    them are gone, and `mark_gone` does when all partitions are done.
    """

    def __init__(self, job: Job, main: Database, *, integer_keys: bool) -> None:
        self._job = job
        self._main = main
        self._integer_keys = integer_keys and not job.had_text_keys
        self._all: Known | None = None
        self._lock = threading.Lock()

    def of(self, partition: Partition, record_keys: pl.Series) -> Known:
        """What is known of a partition's rows, which have these keys."""
        if self._job.first_load:
            return Known.nothing()
        if partition.without_key:
            return known_rows.without_key(self._main, self._job.system)
        if partition.since is not None:
            return known_rows.of_keys(self._main, self._job.system, record_keys)
        if not self._integer_keys:
            return self.all()
        lower = partition.lower if isinstance(partition.lower, int) else None
        upper = partition.upper if isinstance(partition.upper, int) else None
        return known_rows.in_range(self._main, self._job.system, lower, upper)

    def all(self) -> Known:
        with self._lock:
            if self._all is None:
                self._all = known_rows.all_of(self._main, self._job.system)
            return self._all


def run_partition(
    job: Job, partition: Partition, source: Source, main: Database, known: KnownRows, pace: Pace
) -> Result:
    fetched, unreadable = read(pace.fetch, source, partition)
    raw = identified(fetched, job.rules)
    rows = marked(classify_rows(raw, known.of(partition, raw["record_key"])), unreadable)
    dirty = rows.filter(pl.col("fate") == "clean")
    if dirty.is_empty():  # to make keys of nothing takes as long as of a thousand rows
        counts = _counts(rows) | {"staged": 0, "rejected": 0}
        if not _stage(job, partition, main, [], None, rows, counts):
            return _done_before(job, partition, main)
        return Result(partition.number, counts, Keys.concat([]))
    cleaned = clean_rows(dirty, job.region)
    partition = _with_room(job, partition, main, cleaned.height)
    cleaned = cleaned.with_columns(_contact_ids(job, partition))
    accepted = cleaned.filter(pl.col("reject_reasons").is_null())
    refused = cleaned.filter(pl.col("reject_reasons").is_not_null())
    keys = match_keys(accepted.with_columns(record=pl.col("ordinal") - job.first_contact_id))
    accepted = accepted.with_columns(identity_key=identity_key(keys.people))
    counts = _counts(rows) | {"staged": accepted.height, "rejected": refused.height}
    page = _page(job, accepted)
    if not _stage(job, partition, main, _loads(job, accepted, refused), page, rows, counts):
        return _done_before(job, partition, main)
    is_new = accepted["known_contact_id"].is_null()
    return Result(partition.number, counts, keys.only(keys.people["record"].filter(is_new)))


def staged_keys(job: Job, main: Database, partition: Partition) -> Keys:
    """The keys of the new records that a finished partition staged, made again."""
    if job.packs:
        page = pages.read(main, job.tables, partition.number, staging.KEYED.names())
        staged = staging.typed(page, staging.KEYED)
    else:
        first = job.first_contact_id + partition.offset
        staged = staging.staged(main, job.tables, first, first + partition.rows, staging.KEYED)
    return match_keys(staged.with_columns(record=pl.col("contact_id") - job.first_contact_id))


def _done_before(job: Job, partition: Partition, main: Database) -> Result:
    """What a partition came to that has a receipt from elsewhere: a lost worker was not that lost."""
    receipt = next(row for row in runs.partitions(main, job.run_id) if row.partition == partition.number)
    partition = replace(partition, offset=receipt.row_offset, rows=receipt.planned_rows)
    counts = {name: getattr(receipt, name) for name in RECEIPT_COUNTS}
    return Result(
        partition.number, counts, staged_keys(job, main, partition) if counts["staged"] else Keys.concat([])
    )


# -- deciding ------------------------------------------------------------------------------------------


def identified(raw: pl.DataFrame, rules: str) -> pl.DataFrame:
    """RAW rows with `record_key` and `payload_hash`, in the order of their keys.

    The key is the integer value of the id where that says the id exactly, else the hash of its text. The
    hash covers every raw value and the cleaning rules: when either changes, the row is looked at again.
    Of rows with the same key an active one comes first.
    """
    raw = raw.with_columns(storable_column(pl.col("source_record_id")))
    integer = pl.col("source_record_id").cast(pl.Int64, strict=False)
    is_integer = integer.cast(pl.String) == pl.col("source_record_id")
    payload = [pl.col(name).fill_null(_NULL) for name in _RAW_VALUES]
    rows = raw.with_columns(
        record_key=pl.when(is_integer)
        .then(integer)
        .otherwise(_hashed(pl.col("source_record_id").fill_null(_NULL))),
        payload_hash=_hashed(pl.concat_str([*payload, pl.lit(rules)], separator=_UNIT)),
    )
    if rows["record_key"].n_unique() == rows.height:
        return rows.sort("record_key")  # the usual case, and ten times as fast
    return rows.sort("record_key", "source_record_id", ~pl.col("is_active"), "payload_hash")


def _hashed(text: pl.Expr) -> pl.Expr:
    hashed: pl.Expr = text.nchash.xxh3_64()  # type: ignore[attr-defined]
    return hashed.reinterpret(signed=True)


def classify_rows(raw: pl.DataFrame, known: Known) -> pl.DataFrame:
    """Say of each row what becomes of it, in a column `fate`, and add the known rows that are gone.

    clean            new or changed: to be cleaned
    unchanged        as it was when its contact was written
    rejected_again   as it was when it was rejected
    withdrawn        known and live until now, no longer active
    inactive         not active, and not live here
    vanished         known and live until now, no longer there
    gone             known as a reject only, no longer there

    `settled_hash` is the payload hash of the row's open reject where that is thereby out of date. Rows
    without a key of their own (`key_fault`) are cleaned too, and rejected for it.
    """
    on = ["record_key", "source_record_id"] if known.by_id else ["record_key"]
    earlier = known.rows.rename({"payload_hash": "known_hash"})
    earlier = earlier if known.by_id else earlier.drop("source_record_id")
    rows = raw.with_columns(key_reason=_key_reason()).with_columns(
        key_fault=pl.col("key_reason").is_not_null()
    )
    own = rows.filter(~pl.col("key_fault")).join(earlier, on=on, how="left", maintain_order="left")
    own = own.with_columns(fate=_fate()).with_columns(
        settled_hash=pl.when(pl.col("fate") != "rejected_again").then("reject_hash")
    )
    faults = _classify_faults(rows, known)
    return pl.concat(
        [own, *faults, *([_gone(earlier, own, known)] if known.is_whole else [])], how="diagonal_relaxed"
    )


def _gone(earlier: pl.DataFrame, own: pl.DataFrame, known: Known) -> pl.DataFrame:
    on = ["record_key", "source_record_id"] if known.by_id else ["record_key"]
    gone = earlier.join(own.select(on), on=on, how="anti").filter(
        _is_live() | pl.col("reject_hash").is_not_null()
    )
    if not known.by_id:
        gone = gone.with_columns(source_record_id=pl.col("record_key").cast(pl.String))
    return gone.with_columns(
        fate=pl.when(_is_live()).then(pl.lit("vanished")).otherwise(pl.lit("gone")),
        settled_hash="reject_hash",
        key_fault=pl.lit(False),
    )


def _key_reason() -> pl.Expr:
    """Why a row, among those of its range, has no key of its own; null where it has one."""
    key = pl.col("source_record_id")
    return (
        pl.when(key.is_null())
        .then(pl.lit(Reason.KEY_MISSING.value))
        .when(key.str.len_chars() > RECORD_ID.length)
        .then(pl.lit(Reason.KEY_TOO_LONG.value))
        .when(~key.is_first_distinct())
        .then(pl.lit(Reason.KEY_DUPLICATE.value))
    )


def _is_live() -> pl.Expr:
    return pl.col("is_live").fill_null(False)


def _fate() -> pl.Expr:
    return (
        pl.when(~pl.col("is_active"))
        .then(pl.when(_is_live()).then(pl.lit("withdrawn")).otherwise(pl.lit("inactive")))
        .when(pl.col("payload_hash") == pl.col("reject_hash"))
        .then(pl.lit("rejected_again"))
        .when(_is_live() & (pl.col("payload_hash") == pl.col("known_hash")))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("clean"))
    )


def _classify_faults(rows: pl.DataFrame, known: Known) -> list[pl.DataFrame]:
    """Rows without a key of their own, and the rejects for that reason whose rows are no longer there.

    Nothing tells equal rows apart: where there are more or fewer of them than were rejected, all are anew.
    """
    on = ["record_key", "payload_hash"]
    faulty, active = rows.filter("key_fault"), rows.filter("key_fault", "is_active")
    as_many = active.group_by(on).len().join(known.faults.group_by(on).len(), on=[*on, "len"], how="semi")
    seen = active.join(as_many, on=on, how="semi")
    new = active.join(as_many, on=on, how="anti")
    gone = known.faults.join(as_many, on=on, how="anti")
    if not known.is_whole:
        gone = gone.join(rows, on="record_key", how="semi")
    return [
        seen.with_columns(fate=pl.lit("rejected_again")),
        new.with_columns(fate=pl.lit("clean")),
        faulty.filter(~pl.col("is_active")).with_columns(fate=pl.lit("inactive")),
        gone.with_columns(fate=pl.lit("gone"), settled_hash="payload_hash", key_fault=pl.lit(True)),
    ]


def clean_rows(rows: pl.DataFrame, region: str) -> pl.DataFrame:
    """The CLEAN columns of rows, with key, hash and known contact beside them."""
    beside = rows.select(
        "record_key", "payload_hash", "key_fault", "key_reason", known_contact_id="contact_id"
    )
    raw = rows.select(RAW.names())
    cleaned = pl.concat(clean(some, region) for some in raw.iter_slices(_CLEANED_AT_ONCE))
    reasons = pl.concat_str("key_reason", "reject_reasons", separator=",", ignore_nulls=True)
    is_unreadable = pl.col("key_reason").eq_missing(pl.lit(Reason.UNREADABLE.value))
    return pl.concat([cleaned, beside], how="horizontal").with_columns(
        reject_reasons=pl.when(is_unreadable).then("key_reason").when(reasons != "").then(reasons)
    )


def _contact_ids(job: Job, partition: Partition) -> list[pl.Expr]:
    """A known record keeps its contact; a new one has a number of its own, the same whoever does the work."""
    ordinal = pl.int_range(pl.len(), dtype=pl.Int64)
    number = job.first_contact_id + partition.offset + ordinal
    return [
        number.alias("ordinal"),
        pl.coalesce("known_contact_id", number).alias("contact_id"),
    ]


def _counts(rows: pl.DataFrame) -> dict[str, int]:
    tally = dict(rows["fate"].value_counts().iter_rows())
    fates = ("unchanged", "inactive", "rejected_again", "withdrawn", "vanished")
    fetched = rows.height - tally.get("vanished", 0) - tally.get("gone", 0)
    return {"fetched": fetched, **{fate: tally.get(fate, 0) for fate in fates}}


# -- doing ---------------------------------------------------------------------------------------------


def _with_room(job: Job, partition: Partition, main: Database, rows: int) -> Partition:
    """The partition with numbers for so many rows.

    A range can hold more than it was seen to when it was planned: rows that came late, or many under one
    key. Its rows are then numbered behind those of all others.
    """
    if rows <= partition.rows:
        return partition
    with main.begin() as connection:
        job.lease.check(connection)
        offset = runs.move_partition(connection, job.run_id, partition.number, rows)
    return replace(partition, offset=offset, rows=rows)


def mark_gone(job: Job, source: Source, main: Database, known: KnownRows) -> None:
    """Mark the known rows that the source has no longer, where a partition could not tell: for text keys, and
    where only what changed was read.

    To be called when all partitions are done; what an earlier attempt marked is replaced. A row that was
    new or changed in this run and is gone by now is left to the next run.
    """
    could_tell = job.since is None and source.integer_keys and not job.had_text_keys
    if job.first_load or not job.reconciles or could_tell:
        return
    tables = job.tables
    here = source.keys().select(storable_column(pl.col("source_record_id")))
    seen = pl.concat([here, staging.seen_ids(main, tables)]).unique()
    everything = known.all()
    rows = everything.rows.filter(_is_live() | pl.col("reject_hash").is_not_null())
    gone = rows.join(seen, on="source_record_id", how="anti")
    vanished = gone.filter(_is_live()).select("record_key", "source_record_id", mark=pl.lit("vanished"))
    settled = [
        gone.filter(pl.col("reject_hash").is_not_null()).select(
            "record_key", payload_hash="reject_hash", key_fault=pl.lit(False)
        ),
        everything.faults.join(seen, on="source_record_id", how="anti").select(
            "record_key", "payload_hash", key_fault=pl.lit(True)
        ),
    ]
    marks = pl.concat([vanished, pl.concat(settled).with_columns(mark=pl.lit("gone"))], how="diagonal")
    with main.begin() as connection:
        job.lease.check(connection)
        staging.forget_gone(connection, tables)
    with main.begin([(tables.marks, marks)]) as connection:
        job.lease.check(connection)


def _stage(
    job: Job,
    partition: Partition,
    main: Database,
    loads: list[Load],
    page: Page | None,
    rows: pl.DataFrame,
    counts: dict[str, int],
) -> bool:
    """Load what a partition came to, with its receipt; False, and nothing, where it has a receipt already."""
    tables, marks = job.tables, mark_rows(rows)
    loads = [load for load in loads if load[1].height] + ([(tables.marks, marks)] if marks.height else [])
    if loads and job.stages_late:
        with main.begin() as connection:
            job.lease.check(connection)
            staging.ensure(connection, tables)
    with main.begin(loads) as connection:
        if not runs.sign_receipt(connection, job.run_id, partition.number, counts):
            connection.rollback()
            return False
        if page is not None:
            pages.put(connection, tables, partition.number, page)
        job.lease.check(connection)
    return True


def _loads(job: Job, accepted: pl.DataFrame, refused: pl.DataFrame) -> list[Load]:
    tables = job.tables
    rejects = (tables.rejects, reject_rows(refused, job))
    if job.packs:
        return [rejects]
    return [(tables.records, record_rows(accepted, tables)), (tables.points, point_rows(accepted)), rejects]


def _page(job: Job, accepted: pl.DataFrame) -> Page | None:
    return pages.packed(record_rows(accepted, job.tables)) if job.packs and accepted.height else None


def record_rows(accepted: pl.DataFrame, tables: Staging) -> pl.DataFrame:
    """Accepted rows in the columns of their staging table, but for those that are the same in all."""
    told = (column.name for column in tables.records.columns if column.server_default is None)
    return accepted.select(name for name in told if not name.startswith("match_"))


def point_rows(accepted: pl.DataFrame) -> pl.DataFrame:
    """The further e-mails and phones of accepted rows, one row each, numbered in order from 1."""
    kinds = [
        accepted.select("contact_id", kind=pl.lit(kind), value=pl.col(column).str.split(VALUE_SEPARATOR))
        .drop_nulls("value")
        .with_columns(position=pl.int_ranges(1, pl.col("value").list.len() + 1, dtype=pl.Int16))
        .explode("value", "position")
        for kind, column in (("EMAIL", "further_emails"), ("PHONE", "further_phones"))
    ]
    return pl.concat(kinds)


def reject_rows(refused: pl.DataFrame, job: Job) -> pl.DataFrame:
    raw = pl.struct(pl.col(f"raw_{name}").alias(name) for name in _RAW_VALUES)
    return refused.select(
        "ordinal",
        "record_key",
        "source_record_id",
        "payload_hash",
        "key_fault",
        pl.lit(job.run_id, pl.Int64).alias("run_id"),
        pl.lit(job.system).alias("source_system"),
        pl.concat_str("reject_reasons", "reasons", separator=",", ignore_nulls=True).alias("reasons"),
        raw.struct.json_encode().alias("raw"),
    )


def mark_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """What becomes of known records and rejects that need no cleaning."""
    ended = rows.filter(pl.col("fate").is_in(ENDED))
    marked = ended.select("record_key", "source_record_id", mark="fate")
    settled = rows.filter(pl.col("settled_hash").is_not_null()).select(
        "record_key", "key_fault", mark=pl.lit("settled"), payload_hash="settled_hash"
    )
    return pl.concat([marked, settled], how="diagonal")
