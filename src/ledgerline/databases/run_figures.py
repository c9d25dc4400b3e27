"""How many runs there were, and what became of their rows: figures for those who watch the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from ledgerline.databases import runs as runs_of
from ledgerline.databases.database import Database
from ledgerline.databases.runs import Run
from ledgerline.databases.schema import COUNTS, ingestion_runs, installation


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Runs by (kind, status), rows of the ingestions that succeeded by outcome, and when the last one did
    (seconds since 1970)."""

    runs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    last_success: float | None = None


def run_figures(main: Database) -> RunFigures:
    columns = ingestion_runs.c
    by_kind = sa.select(columns.kind, columns.status, sa.func.count()).group_by(columns.kind, columns.status)
    succeeded = sa.select(
        sa.func.max(columns.finished_at), *(sa.func.sum(columns[name]).label(name) for name in COUNTS)
    ).where(columns.kind == "ingest", columns.status == "succeeded")
    with main.connect() as connection:
        runs = {(kind, status): number for kind, status, number in connection.execute(by_kind)}
        last, *sums = connection.execute(succeeded).one()
    rows = {name: int(number or 0) for name, number in zip(COUNTS, sums, strict=True)}
    return RunFigures(runs, rows, None if last is None else last.replace(tzinfo=UTC).timestamp())


def last_run(main: Database, system: str, statuses: Sequence[str]) -> Run | None:
    """The newest ingestion of a source that has one of these statuses."""
    columns = ingestion_runs.c
    query = sa.select(sa.func.max(columns.id)).where(
        columns.kind == "ingest", columns.source_system == system, columns.status.in_(statuses)
    )
    with main.connect() as connection:
        number = connection.execute(query).scalar()
        return None if number is None else runs_of.get_in(connection, number)


def installed_at(main: Database) -> datetime | None:
    """Since when there is something to look after."""
    with main.connect() as connection:
        at: datetime | None = connection.execute(sa.select(sa.func.min(installation.c.claimed_at))).scalar()
    return at
