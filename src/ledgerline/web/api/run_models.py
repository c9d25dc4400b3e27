"""The shapes of runs as the API documents them; `ledgerline.documents` makes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.config import JsonDict

from ledgerline.web.api.shapes import Document

RUN: JsonDict = {
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


PLAN: JsonDict = {
    **RUN,
    "kind": "plan",
    "status": "succeeded",
    "finishedAt": "2026-11-22T10:15:30.000Z",
    "plan": {
        "inserted": {
            "total": 1340,
            "samples": [
                {
                    "sourceRecordId": "11",
                    "name": "Asha Rao",
                    "companyName": "Lotus Traders",
                    "email": "asha.rao@lotus.example",
                    "phone": "+919820012345",
                }
            ],
        },
        "rejected": {
            "total": 53,
            "groups": {"no_email_or_phone": 53},
            "samples": [{"sourceRecordId": "12", "reasons": "no_email_or_phone"}],
        },
    },
}
UNDO: JsonDict = {
    **RUN,
    "runId": 8,
    "kind": "undo",
    "status": "succeeded",
    "finishedAt": "2026-11-22T10:20:00.000Z",
    "progress": None,
    "undoesRun": 7,
    "dryRun": False,
    "kept": [
        {
            "contactId": 41,
            "sourceRecordId": None,
            "field": "designation",
            "value": "Director",
            "valueBefore": None,
            "reason": "edited",
            "changedBy": "kim",
        }
    ],
}
REJECT: JsonDict = {
    "runId": 7,
    "sourceSystem": "INVOICE",
    "sourceRecordId": "12",
    "reasons": ["no_email_or_phone"],
    "raw": {"name": "Dov Katz", "phone": "NA", "email": None},
    "resolvedRun": None,
}
CHANGE: JsonDict = {
    "contactId": 41,
    "field": "designation",
    "oldValue": "Manager",
    "newValue": "Director",
    "rule": "newest",
    "sourceSystem": "INVOICE",
    "sourceRecordId": "11",
}


class RunOptions(Document):
    """What is wished of a run; all of it may be left out."""

    model_config = ConfigDict(strict=True)

    full: bool = False
    """Read everything, not only what changed since the last run."""
    reconcile: bool = False
    """Also compare the keys, to find rows that were deleted."""
    accept_withdrawals: bool = False
    """Go on however many records are withdrawn."""
    resume: bool = False
    """Read a source that an undo paused."""


class PlanOptions(Document):
    model_config = ConfigDict(strict=True)

    full: bool = False
    reconcile: bool = False
    accept_withdrawals: bool = False


class UndoOptions(Document):
    model_config = ConfigDict(strict=True)

    strict: bool = False
    """Change nothing if others changed something since."""
    dry_run: bool = False
    """Tell what would happen, and change nothing."""


class RunProgress(Document):
    stage: str
    """plan, stage, match, merge, write, done; of a run that failed the stage in which it did."""
    done: int
    """Partitions of the source that are staged, in the stage `stage`."""
    total: int
    rows: int
    rows_per_second: float | None
    seconds_left: float | None
    """Of the stage `stage`."""


class RunCounts(Document):
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


class RunError(Document):
    code: str
    detail: str | None
    hint: str | None


class PlanSection(Document):
    total: int
    groups: dict[str, int] | None = None
    """How many by field, or by reasons."""
    samples: list[dict[str, Any]]


class RunDocument(Document):
    model_config = ConfigDict(extra="allow", json_schema_extra={"example": RUN})

    run_id: int
    kind: Literal["ingest", "plan", "undo", "unmerge", "edit"]
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
    """`contacts` and `records`: how many of each fate, told to who asked for the undo.

    `dryRun`: this is what would happen, nothing was changed, and no run has this `runId`.
    """

    dry_run: bool | None = None
    contacts: dict[str, int] | None = None
    records: dict[str, int] | None = None
    kept: list[dict[str, Any]]


class RunPage(Document):
    runs: list[RunDocument]
    next: str | None
    """What to send as `after` for the next page; null: this is the last one."""


class RejectDocument(Document):
    run_id: int
    source_system: str
    source_record_id: str | None
    reasons: list[str]
    raw: dict[str, Any]
    resolved_run: int | None


class RejectPage(Document):
    rejects: list[RejectDocument]
    next: str | None


class ChangeDocument(Document):
    contact_id: int
    field: str
    old_value: str | None
    new_value: str | None
    rule: str
    source_system: str | None
    source_record_id: str | None


class ChangePage(Document):
    changes: list[ChangeDocument]
    next: str | None
