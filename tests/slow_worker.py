"""A worker as the API starts it, of small partitions that take a while each (SECONDS_A_PARTITION)."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ledgerline.app import App
from ledgerline.ingest.executors import local
from ledgerline.ingest.partitions import run_partition
from ledgerline.worker import __main__ as worker

_ROWS = 100


def _slow_down() -> None:
    ingest, plan = App.ingest, App.plan

    def slowly(*arguments: Any) -> Any:
        time.sleep(float(os.environ.get("SECONDS_A_PARTITION", "0")))
        return run_partition(*arguments)

    def ingest_small(self: App, *arguments: Any, **options: Any) -> Any:
        return ingest(self, *arguments, partition_rows=_ROWS, **options)

    def plan_small(self: App, *arguments: Any, **options: Any) -> Any:
        return plan(self, *arguments, partition_rows=_ROWS, **options)

    vars(local)["run_partition"] = slowly
    App.ingest = ingest_small  # type: ignore[method-assign]
    App.plan = plan_small  # type: ignore[method-assign]


if __name__ == "__main__":
    _slow_down()
    sys.exit(worker.main())
