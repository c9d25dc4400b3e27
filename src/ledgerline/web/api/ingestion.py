"""Runs over HTTP: start, plan, follow, cancel, undo. The work is done by a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ledgerline.app import SYSTEM, App
from ledgerline.databases import going, reports, run_details, runs
from ledgerline.databases.runs import RUNNING, Run
from ledgerline.documents import change_document, kept_document, reject_document, run_document
from ledgerline.errors import LedgerlineError, RunInProgress, RunMissing, WorkerLost
from ledgerline.operations.keys import Scope
from ledgerline.web.api import run_models
from ledgerline.web.api.access import require
from ledgerline.web.api.problems import ASKS_DATABASE, PROTECTED, documented, example, problem
from ledgerline.web.api.run_models import (
    ChangePage,
    PlanOptions,
    RejectPage,
    RunDocument,
    RunOptions,
    RunPage,
    UndoDocument,
    UndoOptions,
)
from ledgerline.web.api.services import Ledgerline
from ledgerline.worker.starting import Worker, Workers

router = APIRouter(prefix="/ingestion", tags=["ingestion"])

_TO_ANSWER = 5.0  # seconds left of REQUEST_TIMEOUT
_OPENING = 60.0  # seconds that a worker has to connect and to write the row of its run
_MOST = 2**63 - 1  # of any number that a database is asked for
_LOOKS_EVERY = 1.0  # seconds; a run beats every two

RunId = Annotated[int, Path(alias="id", ge=1, le=_MOST)]
Wait = Annotated[float, Query(ge=0, le=600, description="Seconds to wait for the end of the run.")]
Limit = Annotated[int, Query(ge=1, le=1000)]

_READS = [Depends(require(Scope.READ))]
_INGESTS = [Depends(require(Scope.INGEST))]
_ADMINISTERS = [Depends(require(Scope.ADMIN))]

_ASKS = (*PROTECTED, *ASKS_DATABASE, "validation")
_TAKES = (*_ASKS, "not_json", "unsupported_media_type", "body_too_large")
_STARTS = (*_TAKES, "run_in_progress", "worker_lost", "login_failed", "database_missing", "settings_invalid")
Responses = dict[int | str, dict[str, Any]]


def _answers(value: Any, *codes: str, description: str = "Found.") -> Responses:
    return {200: example(description, value), **documented(*codes)}


def _started_or_done(value: Any, *codes: str) -> Responses:
    goes_on = example("It goes on; `Location` tells where to look.", run_models.RUN)
    return {202: goes_on, **_answers(value, *codes, description="It ended, with this `status`.")}


_EVENTS: dict[str, Any] = {
    "description": "Events until the run has ended.",
    "content": {
        "text/event-stream": {
            "example": f"event: progress\ndata: {orjson.dumps(run_models.RUN).decode()}\nid: 1\n\n"
        }
    },
}


def workers(request: Request) -> Workers:
    """Who starts the processes: of the server's settings, if it says nothing else."""
    found = getattr(request.app.state, "workers", None)
    return found if isinstance(found, Workers) else Workers()


Starter = Annotated[Workers, Depends(workers)]


def is_stopping(request: Request) -> Callable[[], bool]:
    """Whether the server was told to end; some say nothing of it."""
    found: Callable[[], bool] = getattr(request.app.state, "is_stopping", lambda: False)
    return found


# -- starting ------------------------------------------------------------------------------------------


@router.post(
    "/invoice/run",
    response_model=RunDocument,
    response_model_exclude_unset=True,
    responses=_started_or_done(run_models.RUN, *_STARTS, "source_paused"),
    dependencies=_INGESTS,
)
def run_ingestion(
    app: Ledgerline,
    starter: Starter,
    request: Request,
    response: Response,
    wait: Wait = 10,
    options: Annotated[RunOptions | None, Body()] = None,
) -> Any:
    """Bring what is new in the invoice database into the main database.

    200 with the run when it ends within `wait` seconds, however it ended (see `status`); else 202.
    """
    return _started(app, starter, "ingest", options or RunOptions(), wait, request, response)


@router.post(
    "/invoice/plan",
    response_model=RunDocument,
    response_model_exclude_unset=True,
    responses=_started_or_done(run_models.PLAN, *_STARTS, "source_paused"),
    dependencies=_INGESTS,
)
def plan_ingestion(
    app: Ledgerline,
    starter: Starter,
    request: Request,
    response: Response,
    wait: Wait = 10,
    options: Annotated[PlanOptions | None, Body()] = None,
) -> Any:
    """Do all of a run but the writing: `plan` tells what it would do, with samples of each kind."""
    return _started(app, starter, "plan", options or PlanOptions(), wait, request, response)


def _started(
    app: App,
    starter: Workers,
    kind: str,
    options: RunOptions | PlanOptions,
    wait: float,
    request: Request,
    response: Response,
) -> dict[str, Any] | Response:
    app.prepare()
    at_work = going.run_at_work(app.main, SYSTEM)
    if at_work is not None:
        return _refused(app, request, at_work)
    worker = starter.start(kind, options.model_dump())
    has_ended = worker.wait(_bearable(app, wait))
    try:
        run_id = _run_of(worker)
    except RunInProgress as error:
        return _refused(app, request, going.run_at_work(app.main, SYSTEM), error)
    if not has_ended:
        response.status_code = 202
        response.headers["Location"] = str(request.url_for("show_run", id=run_id).path)
    return _document(app, _existing(app, run_id))


def _bearable(app: App, wait: float) -> float:
    """No longer than leaves time to answer before REQUEST_TIMEOUT does."""
    return max(0.0, min(wait, app.settings.service.request_ms / 1000 - _TO_ANSWER))


def _run_of(worker: Worker) -> int:
    """The run that a worker began. Raises why there is none."""
    worker.wait_for_begin(_OPENING)
    if worker.run_id is not None:
        return worker.run_id
    raise worker.error or WorkerLost(
        f"The run did not begin within {_OPENING:g} seconds.", hint="See: GET /ingestion/runs/latest"
    )


def _refused(app: App, request: Request, at_work: Run | None, error: RunInProgress | None = None) -> Response:
    """409, with the run that is going."""
    if at_work is None:
        raise error or RunInProgress("A run is beginning.", hint="Try again.")
    return problem(
        RunInProgress.code,
        f"Run {at_work.id} of {at_work.source_system} is going.",
        f"Wait for it to end: GET {router.prefix}/runs/{at_work.id}/events",
        scope=request.scope,
        runId=at_work.id,
        run=_document(app, at_work),
    )


# -- telling -------------------------------------------------------------------------------------------


@router.get(
    "/runs",
    response_model=RunPage,
    response_model_exclude_unset=True,
    responses=_answers({"runs": [run_models.RUN], "next": "7"}, *_ASKS),
    dependencies=_READS,
)
def list_runs(
    app: Ledgerline, limit: Limit = 20, after: Annotated[int | None, Query(ge=1, le=_MOST)] = None
) -> Any:
    """The history, the newest first; `after`: what is older than this run, from `next` of the page before."""
    found = runs.latest(app.main, limit + 1, before=after)
    page = found[:limit]
    documents = [_document(app, run) for run in page]
    return {"runs": documents, "next": str(page[-1].id) if len(found) > limit else None}


@router.get(
    "/runs/latest",
    response_model=RunDocument,
    response_model_exclude_unset=True,
    responses=_answers(run_models.RUN, *_ASKS, "run_missing"),
    dependencies=_READS,
)
def show_latest_run(app: Ledgerline) -> Any:
    """The newest run of whatever kind."""
    found = runs.latest(app.main, limit=1)
    if not found:
        raise RunMissing("There is no run yet.")
    return _document(app, found[0])


@router.get(
    "/runs/{id}",
    response_model=RunDocument,
    response_model_exclude_unset=True,
    responses=_answers(run_models.RUN, *_ASKS, "run_missing"),
    dependencies=_READS,
)
def show_run(app: Ledgerline, run_id: RunId) -> Any:
    """A run: how far it is, or how it ended."""
    return _document(app, _existing(app, run_id))


def existing_run(app: Ledgerline, run_id: RunId) -> Run:
    """Before a stream begins, so that its absence can still be told. Raises RunMissing."""
    return _existing(app, run_id)


@router.get(
    "/runs/{id}/events",
    response_class=EventSourceResponse,
    responses={200: _EVENTS, **documented(*_ASKS, "run_missing")},
    dependencies=_READS,
)
async def follow_run(
    app: Ledgerline,
    run: Annotated[Run, Depends(existing_run)],
    is_over: Annotated[Callable[[], bool], Depends(is_stopping)],
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events, each with the run: `progress` whenever it is further, then `finished`.

    Ends with `interrupted` instead when nobody works on it any more: the next run goes on with it. Comments
    keep the connection open. The first event tells how it is now, also to who connects again, as one does
    when the service was restarted.
    """
    shown: dict[str, Any] | None = None
    number = 0
    while True:
        try:
            document, event = await run_in_threadpool(_event, app, run.id)
        except LedgerlineError as error:
            if not error.retryable or shown is None:
                raise
            document, event = shown, "progress"  # as far as is known, until the database answers again
        if document != shown or event != "progress":
            number += 1
            shown = document
            yield ServerSentEvent(event=event, id=str(number), data=document)
        if event != "progress" or is_over():
            return
        await asyncio.sleep(_LOOKS_EVERY)


def _event(app: App, run_id: int) -> tuple[dict[str, Any], str]:
    run = _existing(app, run_id)
    if run.status not in RUNNING:
        return _document(app, run), "finished"
    return _document(app, run), "interrupted" if going.is_interrupted(app.main, run) else "progress"


@router.get(
    "/runs/{id}/rejects",
    response_model=RejectPage,
    responses=_answers(
        {"rejects": [run_models.REJECT], "next": "12"},
        *_ASKS,
        "run_missing",
        description="A page of rejects.",
    ),
    dependencies=_READS,
)
def list_rejects(
    app: Ledgerline,
    run_id: RunId,
    limit: Limit = 100,
    after: Annotated[str | None, Query(pattern=r"^\d{1,18}$")] = None,
) -> Any:
    """The rows that this run rejected anew, with the reasons and their raw values."""
    _existing(app, run_id)
    rows = run_details.rejects_page(app.main, run_id, None if after is None else int(after), limit + 1)
    return _page("rejects", rows, limit, reject_document, lambda row: str(row["ordinal"]))


@router.get(
    "/runs/{id}/changes",
    response_model=ChangePage,
    responses=_answers(
        {"changes": [run_models.CHANGE], "next": "41.designation"},
        *_ASKS,
        "run_missing",
        description="A page of changes.",
    ),
    dependencies=_READS,
)
def list_changes(
    app: Ledgerline,
    run_id: RunId,
    limit: Limit = 100,
    after: Annotated[str | None, Query(pattern=r"^\d{1,18}\.[a-z0-9_]{1,60}$")] = None,
) -> Any:
    """Every field of a known contact that this run changed; contacts that it created have none."""
    _existing(app, run_id)
    contact_id, _, field = (after or "").partition(".")
    known = (int(contact_id), field) if after else None
    rows = run_details.changes_page(app.main, run_id, known, limit + 1)
    return _page("changes", rows, limit, change_document, lambda row: f"{row['contact_id']}.{row['field']}")


def _page(
    name: str,
    rows: Sequence[dict[str, Any]],
    limit: int,
    document: Callable[[Mapping[str, Any]], dict[str, Any]],
    cursor: Callable[[Mapping[str, Any]], str],
) -> dict[str, Any]:
    """One page of rows, of which there is one more than it holds if there is a next one."""
    page = rows[:limit]
    return {name: [document(row) for row in page], "next": cursor(page[-1]) if len(rows) > limit else None}


# -- stopping and taking back --------------------------------------------------------------------------


@router.post(
    "/runs/{id}/cancel",
    status_code=202,
    response_model=RunDocument,
    response_model_exclude_unset=True,
    responses={
        202: example("It is asked to stop.", run_models.RUN),
        **documented(*_ASKS, "run_missing", "run_not_going", "run_in_progress"),
    },
    dependencies=_INGESTS,
)
def cancel_run(app: Ledgerline, run_id: RunId) -> Any:
    """Ask a run to stop, wherever it is worked on; it does after the partition at hand.

    Nothing is half done, and the next run goes on from there. A run in its last stage, which writes, ends.
    """
    return _document(app, app.cancel(run_id))


@router.post(
    "/runs/{id}/undo",
    response_model=UndoDocument,
    response_model_exclude_unset=True,
    responses={
        202: {"description": "It goes on; `Location` tells where to look.", "content": {}},
        **_answers(run_models.UNDO, *_STARTS, "run_missing", "undo_refused", description="The undo."),
    },
    dependencies=_ADMINISTERS,
)
def undo_run(
    app: Ledgerline,
    starter: Starter,
    request: Request,
    run_id: RunId,
    wait: Wait = 10,
    options: Annotated[UndoOptions | None, Body()] = None,
) -> Any:
    """Take a run back and pause its source; what others changed since is kept and listed.

    200 with the undo when it ends within `wait` seconds. Else 202: it is one transaction, everything or
    nothing, and is seen when it is through.
    """
    app.prepare()
    _existing(app, run_id)
    if (at_work := going.run_at_work(app.main, SYSTEM)) is not None:
        return _refused(app, request, at_work)
    worker = starter.start("undo", {"run_id": run_id, **(options or UndoOptions()).model_dump()})
    if not worker.wait(_bearable(app, wait)):
        return Response(status_code=202, headers={"Location": request.url_for("show_undo", id=run_id).path})
    if isinstance(worker.error, RunInProgress):
        return _refused(app, request, going.run_at_work(app.main, SYSTEM), worker.error)
    if worker.error is not None:
        raise worker.error
    return worker.document


@router.get(
    "/runs/{id}/undo",
    response_model=UndoDocument,
    response_model_exclude_unset=True,
    responses=_answers(run_models.UNDO, *_ASKS, "run_missing", description="The undo."),
    dependencies=_READS,
)
def show_undo(app: Ledgerline, run_id: RunId) -> Any:
    """The undo because of which this run is not in effect, with what it kept; 404 when there is none."""
    _existing(app, run_id)
    undo_id = runs.undone_by(app.main, run_id)
    if undo_id is None:
        raise RunMissing(
            f"There is no undo of run {run_id}: it is in effect.",
            hint=f"POST /ingestion/runs/{run_id}/undo undoes it.",
        )
    kept = [kept_document(row) for row in reports.kept_by_undo(app.main, undo_id)]
    return {**_document(app, _existing(app, undo_id)), "kept": kept}


def _existing(app: App, run_id: int) -> Run:
    run = runs.get(app.main, run_id)
    if run is None:
        raise RunMissing(f"There is no run {run_id}.", hint="See: GET /ingestion/runs")
    return run


def _document(app: App, run: Run) -> dict[str, Any]:
    return run_document(run, runs.progress(app.main, run.id))
