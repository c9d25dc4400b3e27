"""Partitions on threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial

from ledgerline.databases.database import Database
from ledgerline.databases.retry import patiently
from ledgerline.ingest.pace import Pace
from ledgerline.ingest.partitions import Job, KnownRows, Result, run_partition
from ledgerline.sources import Partition, Source

_PATIENCE_SECONDS = 0.5
_FEWEST = 2  # of which one may wait for a second connection while the other has its own


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    workers: int = 3  # for two cores: one waits for a database, or for another's turn

    def run(
        self,
        job: Job,
        partitions: Sequence[Partition],
        source: Source,
        main: Database,
        known: KnownRows,
        pause: Callable[[float], None],
    ) -> Generator[Result | None]:
        waiting, pace, limits = iter(partitions), Pace(pause), main.limits

        def work(partition: Partition) -> Result:
            once = partial(run_partition, job, partition, source, main, known, pace)
            return patiently(once, limits.retries, limits.retry_delay_ms, sleep=pause)

        if len(partitions) == 1:  # this thread has its connections open by now
            yield work(partitions[0])
            return
        workers = min(self.workers, max(limits.connections - 1, _FEWEST))
        with main.threads(workers, "partition") as pool:
            running: set[Future[Result]] = set()
            try:
                while True:
                    while len(running) < workers and (partition := next(waiting, None)) is not None:
                        running.add(pool.submit(work, partition))
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
