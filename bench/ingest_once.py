"""One ingestion in a process of its own: what it cost, stage by stage, and its account, as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import psutil

from bench.measure import Cost, own_peak, spent
from ledgerline.app import App
from ledgerline.ingest.run import Cancel
from ledgerline.settings import load_settings


class StageClock:
    """Notes what had been spent when each stage began."""

    def __init__(self, server: psutil.Process | None) -> None:
        self._server = server
        self._marks: list[tuple[str, Cost]] = []

    def begin(self, stage: str) -> None:
        if not self._marks or self._marks[-1][0] != stage:
            self._marks.append((stage, spent(self._server)))

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:  # noqa: ARG002
        self.begin(stage)

    def stages(self) -> dict[str, dict[str, float]]:
        following = self._marks[1:]
        return {
            stage: (after - before).as_dict()
            for (stage, before), (_, after) in zip(self._marks, following, strict=False)
        }

    def total(self) -> Cost:
        return self._marks[-1][1] - self._marks[0][1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ingest_once", description=__doc__)
    parser.add_argument("main", help="URL of the main database")
    parser.add_argument("invoice", help="URL of the invoice database")
    parser.add_argument(
        "--server", type=int, help="process id of the database server, to count its CPU-seconds"
    )
    parser.add_argument("--full", action="store_true", help="read everything, not only what changed")
    parser.add_argument("--resume", action="store_true", help="also where an undo paused the source")
    parser.add_argument("--tell", action="store_true", help="print a line when the work begins")
    given = parser.parse_args()
    environ = {"DATABASE_URL": given.main, "INVOICE_DATABASE_URL": given.invoice}
    app = App(load_settings(environ, folder=Path(__file__).parent))  # where there is no .env
    app.migrate()
    clock = StageClock(None if given.server is None else psutil.Process(given.server))
    if given.tell:
        print("begun", flush=True)
    clock.begin("open")
    run = app.ingest(clock, Cancel(), full=given.full, resume=given.resume)
    clock.begin("end")
    app.close()
    print(
        json.dumps(
            {
                **clock.total().as_dict(),
                "status": run.status,
                "counts": dict(run.counts),
                "incremental": run.since is not None,
                "stages": clock.stages(),
                "own_peak": own_peak(),
            }
        )
    )


if __name__ == "__main__":
    main()
