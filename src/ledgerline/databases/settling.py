"""What goes back with a run beside contacts and records: rejects, suggestions, splits, pauses.

The rejects and match suggestions of an ingestion are taken back when it is undone, and come again when that
undo is undone, and so on: `root` is the ingestion at the beginning of such a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import sqlalchemy as sa

from ledgerline.databases import runs
from ledgerline.databases.database import Database
from ledgerline.databases.runs import Lease, utc_now
from ledgerline.databases.schema import (
    ingestion_runs,
    match_suggestions,
    rejects,
    source_pauses,
    source_record_versions,
    source_records,
    split_pairs,
)
from ledgerline.databases.writing import UNDONE
from ledgerline.errors import SourcePaused

# -- rejects and suggestions ---------------------------------------------------------------------------


def take_back(connection: sa.Connection, system: str, root: int, by: int) -> None:
    """Close what the ingestion rejected, open again what it settled; `by` is the undo.

    What it settled of a run that is undone itself stays closed, by that undo.
    """
    mine = (rejects.c.source_system == system) & rejects.c.resolved_run.is_(None)
    connection.execute(rejects.update().where(mine, rejects.c.run_id == root).values(resolved_run=by))
    settled = (rejects.c.source_system == system) & (rejects.c.resolved_run == root)
    for run_id, undo in runs.undos_of_ingestions(connection, system).items():
        if undo is not None:
            of_undone = rejects.update().where(settled, rejects.c.run_id == run_id)
            connection.execute(of_undone.values(resolved_run=undo, reopened_from=root))
    reopened = rejects.update().where(settled, _nothing_newer(root))
    connection.execute(reopened.values(resolved_run=sa.null(), reopened_from=root))
    _mark_suggestions(connection, root, "OPEN", UNDONE)


def bring_again(connection: sa.Connection, system: str, root: int, undo: int) -> None:
    """Do what the ingestion did to rejects once more, where the run `undo` had taken it back.

    Another run may have settled the same ones since, and been undone: then they do not say that this one did.
    """
    reopened = (rejects.c.source_system == system) & (rejects.c.reopened_from == root)
    undos = sa.select(ingestion_runs.c.id).where(ingestion_runs.c.kind == "undo")
    by_none = rejects.c.resolved_run.is_(None) | rejects.c.resolved_run.in_(undos)
    settled = rejects.update().where(reopened, by_none)
    connection.execute(settled.values(resolved_run=root, reopened_from=sa.null()))
    older = (rejects.c.source_system == system) & rejects.c.resolved_run.is_(None) & (rejects.c.run_id < root)
    mended = rejects.update().where(older, ~rejects.c.key_fault, _mended_by(root))
    connection.execute(mended.values(resolved_run=root, reopened_from=sa.null()))
    closed = (rejects.c.source_system == system) & (rejects.c.resolved_run == undo)
    connection.execute(rejects.update().where(closed, _nothing_newer(undo)).values(resolved_run=sa.null()))
    _mark_suggestions(connection, root, UNDONE, "OPEN")


def _mended_by(run_id: int) -> sa.ColumnElement[bool]:
    """That the row of a reject is live by what this run wrote of it."""
    as_before = sa.exists().where(
        source_record_versions.c.source_system == source_records.c.source_system,
        source_record_versions.c.record_key == source_records.c.record_key,
        source_record_versions.c.replaced_by_run == run_id,
        source_record_versions.c.payload_hash == source_records.c.payload_hash,
        source_record_versions.c.is_live,
    )
    return sa.exists().where(
        source_records.c.source_system == rejects.c.source_system,
        source_records.c.record_key == rejects.c.record_key,
        source_records.c.run_id == run_id,
        source_records.c.is_live,
        ~as_before,
    )


def _nothing_newer(run_id: int) -> sa.ColumnElement[bool]:
    """That no later run rejected the same row again, or made a record of it."""
    later = rejects.alias("later")
    same_fault = ~rejects.c.key_fault | (later.c.payload_hash == rejects.c.payload_hash)
    rejected = sa.exists().where(
        later.c.source_system == rejects.c.source_system,
        later.c.record_key == rejects.c.record_key,
        later.c.key_fault == rejects.c.key_fault,
        same_fault,
        later.c.resolved_run.is_(None),
        later.c.run_id > run_id,
    )
    accepted = sa.exists().where(
        source_records.c.source_system == rejects.c.source_system,
        source_records.c.record_key == rejects.c.record_key,
        source_records.c.run_id > run_id,
        ~rejects.c.key_fault,
    )
    return ~rejected & ~accepted


def _mark_suggestions(connection: sa.Connection, run_id: int, before: str, after: str) -> None:
    mine = (match_suggestions.c.run_id == run_id) & (match_suggestions.c.status == before)
    connection.execute(match_suggestions.update().where(mine).values(status=after))


# -- splits --------------------------------------------------------------------------------------------


def split(connection: sa.Connection, system: str, owner: Mapping[str, int], run_id: int) -> None:
    """Declare source records of different contacts to be different people.

    owner  source record → its contact
    """
    record_ids = sorted(owner)
    pairs = [
        {"source_system": system, "left_record_id": left, "right_record_id": right, "run_id": run_id}
        for left, right in combinations(record_ids, 2)
        if owner[left] != owner[right]
    ]
    if pairs:
        connection.execute(split_pairs.insert(), pairs)


def lift_splits(connection: sa.Connection, run_id: int, by: int) -> None:
    """What the unmerging run declared holds no longer."""
    mine = (split_pairs.c.run_id == run_id) & split_pairs.c.lifted_run.is_(None)
    connection.execute(split_pairs.update().where(mine).values(lifted_run=by))


def restore_splits(connection: sa.Connection, run_id: int, undo: int) -> None:
    mine = (split_pairs.c.run_id == run_id) & (split_pairs.c.lifted_run == undo)
    connection.execute(split_pairs.update().where(mine).values(lifted_run=sa.null()))


# -- pauses --------------------------------------------------------------------------------------------


def pause(connection: sa.Connection, system: str, run_id: int) -> None:
    connection.execute(source_pauses.delete().where(source_pauses.c.source_system == system))
    connection.execute(
        source_pauses.insert().values(source_system=system, run_id=run_id, paused_at=utc_now())
    )


def unpause(connection: sa.Connection, system: str, run_id: int) -> None:
    """End the pause that this undo began."""
    mine = (source_pauses.c.source_system == system) & (source_pauses.c.run_id == run_id)
    connection.execute(source_pauses.delete().where(mine))


def resume(main: Database, system: str, lease: Lease) -> None:
    """End the pause of a source, whoever began it."""
    with main.begin() as connection:
        lease.check(connection)
        connection.execute(source_pauses.delete().where(source_pauses.c.source_system == system))


@dataclass(frozen=True, slots=True)
class Pause:
    """A source that is not read until somebody says so. Times are UTC without a zone."""

    system: str
    run_id: int  # the undo that paused it
    since: datetime

    @property
    def reason(self) -> str:
        return f"Run {self.run_id}, an undo, paused {self.system}: a run now would do again what was undone."

    @property
    def remedy(self) -> str:
        return "When the source is as it should be: ledgerline ingest --resume"


def pauses(main: Database) -> list[Pause]:
    with main.connect() as connection:
        rows = connection.execute(sa.select(source_pauses).order_by(source_pauses.c.source_system))
        return [Pause(row.source_system, row.run_id, row.paused_at) for row in rows]


def check_not_paused(main: Database, system: str) -> None:
    """Raises SourcePaused."""
    for pause in pauses(main):
        if pause.system == system:
            raise SourcePaused(pause.reason, hint=pause.remedy)
