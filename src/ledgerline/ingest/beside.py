"""Matching and merging of a small run, while its transaction writes already what asks for no cluster."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import sqlalchemy as sa

from ledgerline.contacts.keys import Keys
from ledgerline.databases import edits
from ledgerline.databases.database import Database
from ledgerline.ingest.golden import Seen, make_golden, see
from ledgerline.ingest.held import Held, hold
from ledgerline.ingest.joining import join_records
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.progress import Cancel, Progress
from ledgerline.ingest.staged import InTable

THREADS = 3  # one reads contacts as they are while another matches, and a third waits for both


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
        self._pool = pool
        self._found = pool.submit(self._find)
        self._made = pool.submit(self._make)

    def linked(self) -> None:
        self._found.result()
        self._cancel.check()

    def merged(self, connection: sa.Connection) -> None:
        (held, _), edited = self._found.result(), self._made.result()
        self._cancel.check()
        self._job.lease.check(connection)  # not before, for from here on nobody can edit a contact
        if edits.mark(connection) != edited:
            make_golden(replace(self._job, lease=self._job.lease.held()), self._main, held)
        self._progress.report("write", 0, 1, 0)

    def _find(self) -> tuple[Held | None, Future[Seen | None] | None]:
        held = hold(self._job, self._main)
        seen = None if held is None else self._pool.submit(see, self._job, self._main, held.contacts)
        join_records(self._job, self._main, self._keys, held or InTable(self._job, self._main))
        return held, seen

    def _make(self) -> int:
        held, seen = self._found.result()
        self._cancel.check()
        self._progress.report("merge", 0, 1, 0)
        return make_golden(self._job, self._main, held, None if seen is None else seen.result())
