"""Matching and merging of a small run, while its transaction writes already what asks for no cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import sqlalchemy as sa

from ledgerline.contacts.keys import Keys
from ledgerline.databases import edits
from ledgerline.databases.database import Database
from ledgerline.ingest.golden import make_golden, see
from ledgerline.ingest.held import Held, hold
from ledgerline.ingest.joining import join_records
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.progress import Cancel, Progress

THREADS = 2  # the contacts are looked at while their records are matched


class Beside:
    """A `writing.Merging` that begins at once."""

    def __init__(
        self,
        job: Job,
        main: Database,
        keys: list[Keys],
        progress: Progress,
        cancel: Cancel,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._job = job
        self._main = main
        self._keys = keys
        self._progress = progress
        self._cancel = cancel
        self._records = pool.submit(hold, job, main)
        self._joined = pool.submit(self._join)
        self._made = pool.submit(self._make)

    def linked(self) -> None:
        self._joined.result()
        self._cancel.check()

    def merged(self, connection: sa.Connection) -> None:
        edited = self._made.result()
        self._cancel.check()
        self._job.lease.check(connection)  # not before, for from here on nobody can edit a contact
        if edits.mark(connection) != edited:
            make_golden(replace(self._job, lease=self._job.lease.held()), self._main, self._records.result())
        self._progress.report("write", 0, 1, 0)

    def _join(self) -> None:
        join_records(self._job, self._main, self._keys, self._records.result())

    def _make(self) -> int:
        records = self._records.result()
        seen = see(self._main, records.contacts) if isinstance(records, Held) else None
        self._joined.result()
        self._cancel.check()
        self._progress.report("merge", 0, 1, 0)
        return make_golden(self._job, self._main, records, seen)
