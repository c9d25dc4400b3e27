"""Partitions on the workers of a Dask cluster, each with databases of its own settings.

Only numbers travel: which partition, and the keys of what was staged. No connection string and no contact
does; a worker reads its own settings, as this process read its.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ledgerline.databases.database import Database
from ledgerline.errors import ClusterFault, DriverMissing
from ledgerline.ingest.partitions import Job, KnownRows, Result
from ledgerline.sources import Partition, Source

try:
    import distributed
except ModuleNotFoundError as error:
    raise DriverMissing(
        f"The library for a Dask cluster is not installed ({error.name}).",
        hint="Install it with: pip install 'ledgerline[dask]' "
        "(in a clone: .venv/bin/python -m pip install '.[dask]')",
    ) from error

_PATIENCE_SECONDS = 0.5
_CONNECT_SECONDS = 10
_RETRIES = 3  # of a partition whose worker was lost; what a database refuses is not tried again here


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    address: str  # of the scheduler, as tcp://host:port
    run_there: Callable[[Job, Partition], Result]  # what a worker does; found there by its name

    def run(
        self,
        job: Job,
        partitions: Sequence[Partition],
        source: Source,  # noqa: ARG002  a worker has its own, as the next two
        main: Database,  # noqa: ARG002
        known: KnownRows,  # noqa: ARG002
        pause: Callable[[float], None],  # noqa: ARG002
    ) -> Generator[Result | None]:
        with self._client() as client:
            futures = [
                client.submit(
                    self.run_there, job, partition, pure=False, key=f"run-{job.run_id}-{partition.number}"
                )
                for partition in partitions
            ]
            try:
                yield from self._results(futures)
            finally:
                client.cancel(futures, force=True)

    def _results(self, futures: list[distributed.Future[Result]]) -> Generator[Result | None]:
        finished: SimpleQueue[distributed.Future[Result]] = SimpleQueue()
        for future in futures:
            future.add_done_callback(finished.put)
        left = len(futures)
        while left:
            try:
                future = finished.get(timeout=_PATIENCE_SECONDS)
            except Empty:
                yield None
                continue
            yield self._result(future)
            future.release()  # a worker keeps a result as long as somebody may ask for it
            left -= 1

    def _result(self, future: distributed.Future[Result]) -> Result:
        try:
            result: Result = future.result()
        except distributed.KilledWorker as error:
            raise ClusterFault(
                f"The workers that were given a partition died, {_RETRIES + 1} times over.",
                hint="See the workers' logs; most often it is memory. The next run goes on from here.",
            ) from error
        except distributed.client.FutureCancelledError as error:
            raise ClusterFault(
                f"The Dask scheduler at {self.address} lost this run's work.",
                hint="See the scheduler's log. The next run goes on from here.",
            ) from error
        return result

    @contextmanager
    def _client(self) -> Iterator[distributed.Client]:
        try:
            client = distributed.Client(self.address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise ClusterFault(
                f"No Dask scheduler answers at {self.address}.",
                hint="Start one with: dask scheduler --port PORT, and workers with: dask worker HOST:PORT; "
                "or set EXECUTOR=local.",
            ) from error
        with client:
            if not client.scheduler_info()["workers"]:
                raise ClusterFault(
                    f"The Dask scheduler at {self.address} has no worker.",
                    hint="Start one, in a folder with the same .env as here: dask worker HOST:PORT",
                )
            yield client
