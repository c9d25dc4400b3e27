"""Where the partitions of a run are worked on: in this process, or on a cluster. One file each.

A partition carries its own receipt and its records their numbers, so an executor holds no state: it may run
a partition twice, or somewhere else when a machine is lost, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job, KnownRows, Result
from ledgerline.sources import Partition, Source


class Executor(Protocol):
    def run(
        self,
        job: Job,
        partitions: Sequence[Partition],
        source: Source,
        main: Database,
        known: KnownRows,
        pause: Callable[[float], None],
    ) -> Generator[Result | None]:
        """The results of all partitions as they come, and None now and then while none comes.

        pause  sleeps so many seconds, or raises Cancelled: for a slow source, or a fault that may pass

        Raises what the first partition that failed raised. To close the iterator stops what has not begun,
        and waits for what has.
        """
