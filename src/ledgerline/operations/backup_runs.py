"""What went on when a backup was taken, and does not any more in the database that is restored from it.

A run that was at work left its staging tables behind, which are not in every backup: going on with it would
lose what it had read. The next run reads from where the last one that succeeded ended, so nothing is missing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ledgerline.databases import runs, staging
from ledgerline.databases.database import Database
from ledgerline.databases.runs import RUNNING
from ledgerline.databases.schema import duties, ingestion_runs, leases
from ledgerline.databases.staging_tables import Staging

_WHY = "It was at work, or waited to be resumed, when the backup was taken that was restored."


def give_up_what_went_on(restored: Database) -> None:
    """End the runs that are not through, and free what was held. Raises DatabaseError.

    The database may be of an older version: only what all of them have is touched.
    """
    if ingestion_runs.c.resumable.name not in restored.columns(ingestion_runs.name):
        return  # so old that no run could be gone on with
    with restored.begin() as connection:
        for run in connection.execute(_unfinished()).all():
            staging.drop(connection, Staging(run.id, run.source_system))
            told = {"error_code": "restored", "error_detail": _WHY}
            runs.finish(connection, run.id, "cancelled", resumable=False, **told)
        connection.execute(leases.update().values(holder=sa.null(), run_id=sa.null()))
    with restored.begin_activity() as connection:
        if sa.inspect(connection).has_table(duties.name):
            connection.execute(duties.update().values(holder=sa.null()))


def _unfinished() -> sa.Select[Any]:
    is_left = ingestion_runs.c.status.in_(RUNNING) | ingestion_runs.c.resumable
    return sa.select(ingestion_runs.c.id, ingestion_runs.c.source_system).where(is_left)
