"""Stop a run, in whatever process and on whatever machine somebody works on it."""

from __future__ import annotations

from contextlib import suppress

from ledgerline.databases import going, runs, staging
from ledgerline.databases.database import Database
from ledgerline.databases.runs import RUNNING, Run
from ledgerline.databases.staging_tables import Staging
from ledgerline.errors import Cancelled, RunInProgress, RunMissing, RunNotGoing
from ledgerline.ingest.opening import leased

_SEE = "See the runs: ledgerline runs, or GET /ingestion/runs."


def cancel(main: Database, system: str, run_id: int | None = None) -> Run:
    """Ask a run to stop at its next partition or stage; the run as it is now.

    run_id  None: the one that is going

    One that was left by a process that died is ended at once. Nothing is undone: a run that writes already
    succeeds. Raises RunMissing, and RunNotGoing when it has ended.
    """
    run = _named(main, run_id) if run_id is not None else _going(main, system)
    if run.status not in RUNNING:
        raise RunNotGoing(f"Run {run.id} has ended: {run.status}.", hint=_SEE)
    if going.is_interrupted(main, run):
        with suppress(RunInProgress):  # its machine's clock is wrong, and it lives after all
            return _end(main, run)
    going.ask_to_stop(main, run.id)
    return _named(main, run.id)


def _named(main: Database, run_id: int) -> Run:
    run = runs.get(main, run_id)
    if run is None:
        raise RunMissing(f"There is no run {run_id}.", hint=_SEE)
    return run


def _going(main: Database, system: str) -> Run:
    run = going.run_at_work(main, system)
    if run is None:
        raise RunNotGoing("No run is going.", hint=_SEE)
    return run


def _end(main: Database, left: Run) -> Run:
    """Note that nobody wants a run which a dead process left; the next ingest goes on with it even so."""
    with leased(main, left.source_system) as lease, main.begin() as connection:
        lease.check(connection)
        now = runs.get_in(connection, left.id)
        if now is not None and now.status in RUNNING:
            resumable = left.kind == "ingest"
            if not resumable:
                staging.drop(connection, Staging(left.id, left.source_system))
            runs.finish(
                connection,
                left.id,
                "cancelled",
                resumable=resumable,
                error_code=Cancelled.code,
                error_detail="It was cancelled after its process had died.",
            )
    return _named(main, left.id)
