"""The end of a first load: what was staged goes straight into the tables of the application.

alone       what shares no key with another record is a contact as it stands, and is written while the others
            are compared
candidates  the others: of those, what is in no cluster is a contact as it stands too
golden      what is in clusters, slice by slice
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import polars as pl
import sqlalchemy as sa

from ledgerline.contacts.edits import EDITS, effective
from ledgerline.contacts.keys import Keys
from ledgerline.databases import pages, staging, writing
from ledgerline.databases.database import Database
from ledgerline.databases.filling import Filling, Part
from ledgerline.databases.schema import OF_ITS_RECORD, source_records
from ledgerline.ingest.golden import CONTACTS_AT_ONCE, remade
from ledgerline.ingest.joining import Blocked, block_records, compare_records
from ledgerline.ingest.partitions import Job, point_rows
from ledgerline.ingest.progress import Cancel, Progress
from ledgerline.ingest.spill import Spill
from ledgerline.ingest.staged import InPages, among

T = TypeVar("T")
U = TypeVar("U")
_SLICES_AHEAD = 4  # while indexes are built nobody takes one


def fill(
    job: Job,
    main: Database,
    keys: list[Keys],
    progress: Progress,
    cancel: Cancel,
    end: Callable[[sa.Connection, writing.Written], dict[str, int]],
) -> dict[str, int]:
    """Match, and write everything in one transaction; what `end` returns, which is called at its end."""
    with main.connect() as connection:
        staged = InPages(job, main, pages.partitions(connection, job.tables))
    blocked = block_records(job, main, keys, staged)
    candidates = blocked.candidates()
    with main.threads(1, "match") as beside:
        matching = beside.submit(_match, job, main, blocked, staged)
        del blocked
        if not main.works_beside:
            matching.result()
        with main.begin_loading() as (connection, loader):
            job.lease.check(connection)
            first_load = _FirstLoad(job, main, staged, Filling(connection, loader), cancel)
            written = first_load.write(connection, candidates, matching, progress)
            return end(connection, written)


class _FirstLoad:
    def __init__(self, job: Job, main: Database, staged: InPages, filling: Filling, cancel: Cancel) -> None:
        self._job = job
        self._main = main
        self._staged = staged
        self._filling = filling
        self._cancel = cancel

    def write(
        self,
        connection: sa.Connection,
        candidates: pl.Series,
        matching: Future[_Matched],
        progress: Progress,
    ) -> writing.Written:
        job, unindexed, filling = self._job, self._main.server.unindexed, self._filling
        with (
            ExitStack() as files,
            self._main.threads(1, "prepare") as pool,
            unindexed(connection, writing.OF_CONTACTS),
        ):
            with unindexed(connection, writing.OF_RECORDS):  # indexed while golden contacts are made
                self._put(self._of_pages(pool, partial(_alone, job, candidates)))
                matched = matching.result()
                progress.report("merge", 0, 1, 0)
                filling.put_suggestions(job.tables, matched.suggestions)
                members = files.enter_context(Spill("contact_id", matched.slices))
                self._put(self._of_pages(pool, partial(_compared, job, candidates, matched.links, members)))
                golden = ahead(pool, partial(_golden, job, members), members.buckets(), _SLICES_AHEAD)
            self._put(golden)
            progress.report("write", 0, 1, 0)
        rejected = writing.settle_first(connection, job.tables, job.run_id, job.first_contact_id)
        return writing.Written(filling.records, filling.contacts, 0, 0, 0, 0, rejected)

    def _of_pages(self, pool: ThreadPoolExecutor, made: Callable[[pl.DataFrame], Part]) -> Iterator[Part]:
        read = partial(pages.read, self._main, self._job.tables)
        return ahead(pool, lambda partition: made(read(partition)), self._staged.partitions)

    def _put(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._cancel.check()
            self._filling.put(part)
        self._filling.bring()


@dataclass(frozen=True, slots=True)
class _Matched:
    links: pl.DataFrame  # [contact_id, cluster, …]: to which contact records in clusters belong, and why
    slices: list[int]  # the highest contact id of each slice of the clusters
    suggestions: pl.DataFrame


def _match(job: Job, main: Database, blocked: Blocked, staged: InPages) -> _Matched:
    joined = compare_records(job, main, blocked, staged)
    links = joined.links.select(writing.REASONS, contact_id="old_contact_id", cluster="contact_id")
    slices = staging.slices(links["cluster"].unique(), CONTACTS_AT_ONCE)
    return _Matched(links.sort("contact_id"), [part.upper for part in slices], joined.suggestions)


def _alone(job: Job, candidates: pl.Series, page: pl.DataFrame) -> Part:
    """Of a page, what shares no key with any other record."""
    rows = among(page, candidates, others=True)
    return Part(_plain_contacts(job, rows), _points(rows), _records(job, rows))


def _compared(
    job: Job, candidates: pl.Series, links: pl.DataFrame, members: Spill, page: pl.DataFrame
) -> Part:
    """The rest of a page. What is in a cluster is put among the members."""
    rows = among(page, candidates)
    own = among(links, rows["contact_id"])
    rows = rows.join(own, on="contact_id", how="left", maintain_order="left")
    is_plain = pl.col("cluster").is_null()
    records = rows.with_columns(contact_id=pl.coalesce("cluster", "contact_id"))
    members.add(records.filter(~is_plain).select(staging.RECORDS.names()))
    plain = rows.filter(is_plain)
    return Part(_plain_contacts(job, plain), _points(plain), _records(job, records))


def _golden(job: Job, members: Spill, bucket: int) -> Part:
    """The contacts of a slice of the clusters."""
    nothing_edited = effective(EDITS.to_frame(), staging.MOVED.to_frame())
    made = remade(members.read(bucket), None, nothing_edited, job)
    is_first = pl.col("position") == 0
    first, further = made.owners.filter(is_first), made.owners.filter(~is_first)
    named = made.contacts.join(first.select("owner", id="contact_id"), on="id", how="left")
    return Part(named.sort("id"), made.points, owners=further)


def _records(job: Job, rows: pl.DataFrame) -> pl.DataFrame:
    """Staged rows in the columns of `source_records`."""
    same = rows.with_columns(
        source_system=pl.lit(job.system), is_live=pl.lit(value=True), run_id=pl.lit(job.run_id, pl.Int64)
    )
    return same.select(column.name for column in source_records.columns if column.name in same.columns)


def _plain_contacts(job: Job, rows: pl.DataFrame) -> pl.DataFrame:
    """Of each staged row a contact as it stands, in the columns of `contacts`, with its `owner`."""
    own = rows.with_columns(
        id="contact_id",
        mobile_e164="phone",
        source_system=pl.lit(job.system),
        created_run=pl.lit(job.run_id, pl.Int64),
        is_active=pl.lit(value=True),
    )
    return own.select(*OF_ITS_RECORD, "owner", "id", "mobile_e164", "created_run", "is_active")


def _points(rows: pl.DataFrame) -> pl.DataFrame:
    return point_rows(rows).select("contact_id", "kind", "position", "value")


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], U], items: Iterable[T], count: int = 1
) -> Iterator[U]:
    """What becomes of each item, in their order; the first so many are begun at once, as one is later."""
    left = iter(items)
    begun = deque(pool.submit(work, item) for item in islice(left, count))

    def results() -> Iterator[U]:
        while begun:
            result = begun.popleft().result()
            begun.extend(pool.submit(work, item) for item in islice(left, 1))
            yield result

    return results()
