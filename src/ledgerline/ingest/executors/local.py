"""Partitions on threads of this process."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job, KnownRows, Result, run_partition
from ledgerline.sources import Partition, Source

_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    workers: int = 2  # one cleans while the other waits for a database

    def run(
        self, job: Job, partitions: Sequence[Partition], source: Source, main: Database, known: KnownRows
    ) -> Generator[Result | None]:
        waiting = iter(partitions)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="partition") as pool:
            running: set[Future[Result]] = set()
            try:
                while True:
                    while len(running) < self.workers and (partition := next(waiting, None)) is not None:
                        running.add(pool.submit(run_partition, job, partition, source, main, known))
                    if not running:
                        return
                    finished, running = wait(running, _PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
                    if not finished:
                        yield None
                    for future in finished:
                        yield future.result()
            finally:
                for future in running:
                    future.cancel()
