"""The shapes of runs as the API documents them; `ledgerline.documents` makes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

_EXAMPLE: JsonDict = {
    "runId": 7,
    "kind": "ingest",
    "sourceSystem": "INVOICE",
    "status": "running",
    "startedAt": "2026-11-22T10:15:00.000Z",
    "finishedAt": None,
    "progress": {
        "stage": "stage",
        "done": 3,
        "total": 25,
        "rows": 120_000,
        "rowsPerSecond": 40_000.0,
        "secondsLeft": 22.0,
    },
    "counts": {
        "fetched": 0,
        "inserted": 0,
        "updated": 0,
        "unchanged": 0,
        "merged": 0,
        "rejected": 0,
        "withdrawn": 0,
        "inactive": 0,
        "vanished": 0,
    },
}


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class RunOptions(_Shape):
    """What is wished of a run; all of it may be left out."""

    full: bool = False
    """Read everything, not only what changed since the last run."""
    reconcile: bool = False
    """Also compare the keys, to find rows that were deleted."""
    accept_withdrawals: bool = False
    """Go on however many records are withdrawn."""
    resume: bool = False
    """Read a source that an undo paused."""


class PlanOptions(_Shape):
    full: bool = False
    reconcile: bool = False
    accept_withdrawals: bool = False


class UndoOptions(_Shape):
    strict: bool = False
    """Change nothing if others changed something since."""
    dry_run: bool = False
    """Tell what would happen, and change nothing."""


class RunProgress(_Shape):
    stage: str
    """plan, stage, match, merge, write, done; of a run that failed the stage in which it did."""
    done: int
    """Partitions of the source that are staged, in the stage `stage`."""
    total: int
    rows: int
    rows_per_second: float | None
    seconds_left: float | None
    """Of the stage `stage`."""


class RunCounts(_Shape):
    """fetched = inserted + updated + unchanged + merged + rejected + withdrawn + inactive."""

    fetched: int
    inserted: int
    updated: int
    unchanged: int
    merged: int
    rejected: int
    withdrawn: int
    inactive: int
    vanished: int


class RunError(_Shape):
    code: str
    detail: str | None
    hint: str | None


class PlanSection(_Shape):
    total: int
    groups: dict[str, int] | None = None
    """How many by field, or by reasons."""
    samples: list[dict[str, Any]]


class RunDocument(_Shape):
    model_config = ConfigDict(extra="allow", json_schema_extra={"example": _EXAMPLE})

    run_id: int
    kind: Literal["ingest", "plan", "undo", "unmerge"]
    source_system: str
    status: Literal["queued", "running", "writing", "succeeded", "failed", "cancelled"]
    started_at: str
    finished_at: str | None
    progress: RunProgress | None
    counts: RunCounts
    undoes_run: int | None = None
    incremental: bool | None = None
    reconciled: bool | None = None
    advice: list[str] | None = None
    plan: dict[str, PlanSection] | None = None
    """What a run would do: inserted, merged, joined, changed, rejected, ended, suggested."""
    error: RunError | None = None


class UndoDocument(RunDocument):
    contacts: dict[str, int]
    records: dict[str, int]
    kept: list[dict[str, Any]]


class RunPage(_Shape):
    runs: list[RunDocument]
    next: str | None
    """What to send as `after` for the next page; null: this is the last one."""


class RejectDocument(_Shape):
    run_id: int
    source_system: str
    source_record_id: str | None
    reasons: list[str]
    raw: dict[str, Any]
    resolved_run: int | None


class RejectPage(_Shape):
    rejects: list[RejectDocument]
    next: str | None


class ChangeDocument(_Shape):
    contact_id: int
    field: str
    old_value: str | None
    new_value: str | None
    rule: str
    source_system: str | None
    source_record_id: str | None


class ChangePage(_Shape):
    changes: list[ChangeDocument]
    next: str | None
