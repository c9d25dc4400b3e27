"""What a worker's words are made of, and what is heard of one that is killed while it speaks."""

from __future__ import annotations

import sys

from ledgerline.errors import WorkerLost
from ledgerline.worker.starting import Workers


def test_of_a_worker_that_is_killed_in_the_middle_of_a_line_it_is_heard_that_it_is_lost() -> None:
    says = 'import os; os.write(1, b\'{"opened": 7}\\n{"ended": {"runId\'); os._exit(9)'
    worker = Workers(command=[sys.executable, "-c", says]).start("ingest", {})
    assert worker.wait(60)
    assert worker.run_id == 7
    assert isinstance(worker.error, WorkerLost)
