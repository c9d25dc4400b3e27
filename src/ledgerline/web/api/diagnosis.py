"""What is in the databases, and what is wrong with their connections."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from ledgerline.databases.runs import utc_now
from ledgerline.documents import diagnosis_document, housekeeping_document, status_document
from ledgerline.operations.doctor import diagnose
from ledgerline.operations.doctor_faults import Fault, Layer
from ledgerline.operations.duty_status import schedule_states
from ledgerline.operations.keys import Scope
from ledgerline.operations.status import paused, status
from ledgerline.web.api.access import require
from ledgerline.web.api.apart import apart
from ledgerline.web.api.problems import ASKS_DATABASE, PROTECTED, documented, example
from ledgerline.web.api.services import LastProven, Ledgerline
from ledgerline.web.api.shapes import Document

router = APIRouter(prefix="/database", tags=["databases"])


class Failure(Document):
    """Why a table could not be counted, or a database not be reached."""

    code: str
    detail: str
    hint: str


class DatabaseStatus(Document):
    connected: bool
    tables: list[str]
    record_counts: dict[str, int | None] = Field(description="Null: `errors` says why.")
    estimated: list[str] = Field([], description="Tables whose count is the server's estimate.")
    errors: dict[str, Failure] = Field({}, description="By table.")
    error: Annotated[Failure | None, Field(description="Why it is not connected.")] = None


class LastFire(Document):
    """The newest time of a schedule that something came of."""

    due_at: str
    outcome: str
    started_at: str
    finished_at: str | None
    run_id: int | None
    code: str | None = Field(description="Why it failed.")


class Schedule(Document):
    name: Literal["ingest", "backup"]
    expression: str
    time_zone: str
    next: str | None
    last: LastFire | None = None


class ProvenRestore(Document):
    backup: str
    at: str


class PausedSource(Document):
    source: str
    run_id: int = Field(description="The undo that paused it.")
    since: str
    detail: str
    hint: str = Field(description="How to have it read again.")


class Status(Document):
    main: DatabaseStatus
    invoice: DatabaseStatus
    paused: list[PausedSource] = Field([], description="Sources that no run reads now, where there are some.")
    schedules: list[Schedule] = Field([], description="Where there are some.")
    last_proven_restore: Annotated[
        ProvenRestore | None, Field(description="The backup of the main database that was found good last.")
    ] = None


class Check(Document):
    """What was tried at a layer and came of it."""

    layer: Layer
    ok: bool
    detail: str
    code: Annotated[Fault | None, Field(description="What is wrong.")] = None
    remedy: Annotated[str | None, Field(description="What to do, a step a line.")] = None


class Diagnosis(Document):
    connected: bool
    latency_ms: float | None = Field(description="Of a round trip; null where there was none.")
    code: Annotated[Fault | None, Field(description="What is wrong; of several things, the worst.")] = None
    checks: list[Check]


class Test(Document):
    main: Diagnosis
    invoice: Diagnosis


_STATUS_EXAMPLE: Final[dict[str, Any]] = {
    "main": {
        "connected": True,
        "tables": ["contacts", "owners", "templates", "messages"],
        "recordCounts": {"contacts": 150, "owners": 5, "templates": 12, "messages": 89},
    },
    "invoice": {
        "connected": True,
        "tables": ["customer_contacts", "customers"],
        "recordCounts": {"customer_contacts": 1000},
    },
}
_TEST_EXAMPLE: Final[dict[str, Any]] = {
    "main": {
        "connected": True,
        "latencyMs": 0.4,
        "checks": [{"layer": "tcp", "ok": True, "detail": "Port 1433 of 10.0.0.5 is open."}],
    },
    "invoice": {
        "connected": False,
        "latencyMs": None,
        "code": "port_refused",
        "checks": [
            {
                "layer": "tcp",
                "ok": False,
                "detail": "erp.example:1433 refused the connection: nothing listens at that port.",
                "code": "port_refused",
                "remedy": "Check that the SQL Server service runs on erp.example.",
            }
        ],
    },
}


@router.get(
    "/status",
    summary="What is in the databases: tables and record counts",
    response_model=Status,
    response_model_exclude_unset=True,
    responses={200: example("What is there.", _STATUS_EXAMPLE), **documented(*PROTECTED, *ASKS_DATABASE)},
    dependencies=[Depends(require(Scope.READ))],
)
def database_status(app: Ledgerline, proven: LastProven) -> Any:
    """Tables and record counts of both databases; of large tables the server's estimate."""
    found = status(app.settings)
    connected = found["main"].connected
    states = schedule_states(app.settings, utc_now(), connected=connected)
    return {
        **{name: status_document(each) for name, each in found.items()},
        **housekeeping_document(paused(app.settings, connected=connected), states, proven),
    }


@router.post(
    "/test-connections",
    summary="Why a database cannot be used, layer by layer, and what to do",
    response_model=Test,
    response_model_exclude_unset=True,
    responses={
        200: example("Both connections.", _TEST_EXAMPLE),
        **documented(*PROTECTED, *ASKS_DATABASE),
    },
    dependencies=[Depends(require(Scope.READ))],
)
@apart
def test_connections(app: Ledgerline) -> Any:
    """Look at both connections layer by layer: what works, what does not, and what to do about it."""
    return {name: diagnosis_document(each) for name, each in diagnose(app.settings).items()}
