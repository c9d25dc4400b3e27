"""Guarded queries over HTTP: ask, see what was asked, stop it, keep it under a name."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from ledgerline.app import App
from ledgerline.databases import queries as log
from ledgerline.databases.queries import LoggedQuery, SavedQuery
from ledgerline.errors import Forbidden, LedgerlineError, QueryMissing
from ledgerline.operations.formats import MEDIA_TYPES, Format
from ledgerline.operations.keys import Key, Scope
from ledgerline.operations.results import MOST_ROWS, Result
from ledgerline.web.api.access import known, require
from ledgerline.web.api.answers import answer, started, wanted_format
from ledgerline.web.api.problems import ASKS_DATABASE, PROTECTED, documented, example, problem
from ledgerline.web.api.query_threads import QueryThreads
from ledgerline.web.api.services import Ledgerline, ledgerline_app
from ledgerline.web.api.shapes import Document, Moment
from ledgerline.web.express import Ways, ways

router = APIRouter(prefix="/database", tags=["queries"])

Database = Literal["main", "invoice"]
Asker = Annotated[Key, Depends(require(Scope.QUERY))]
Scalar = StrictStr | StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | None
QueryText = Annotated[
    str, Field(min_length=1, max_length=100_000, examples=["SELECT name FROM contacts WHERE id = :id"])
]


def _mistakes_as_one(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One sentence, in place of one for each type that a parameter is not."""
    try:
        return read(value)
    except ValidationError:
        raise PydanticCustomError(
            "parameters",
            "It is neither a list for ? nor an object for :name, with values that are text, numbers, true,"
            " false or null",
        ) from None


Parameters = Annotated[list[Scalar] | dict[str, Scalar], WrapValidator(_mistakes_as_one)]
Name = Annotated[str, Path(min_length=1, max_length=100)]

_RUNS = (
    "query_refused", "query_parameters", "query_failed", "table_missing", "column_missing",
    "unreadable_value", "database_error", "permission_denied", "query_cancelled", "too_many_queries",
    "query_timeout", "not_acceptable",
    "not_json", "validation", "body_too_large", "unsupported_media_type",
)  # fmt: skip
_threads = QueryThreads()


class Limits(Document):
    params: Parameters | None = Field(
        default=None, description="A list for `?`, an object for `:name`.", examples=[{"id": 7}]
    )
    max_rows: Annotated[StrictInt, Field(ge=0, le=MOST_ROWS)] | None = Field(
        default=None, description="No more rows than these; 10,000 when nothing is said."
    )


class Asked(Limits):
    query: QueryText
    explain: StrictBool = Field(default=False, description="The plan of the query instead of its rows.")


class Column(Document):
    name: str
    type: str = Field(description="As the server calls it; empty where only values have types.")


class Broken(Document):
    code: str
    detail: str
    hint: str


class Answer(Document):
    """`success` is the last member: an answer without it was cut on its way."""

    query_id: str
    columns: list[Column]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    truncated_by: Literal["rows", "bytes"] | None = None
    elapsed_ms: int
    error: Broken | None = Field(default=None, description="Why it broke off after some rows.")
    success: bool


class Logged(Document):
    """A query that ran or was refused, without its literals."""

    query_id: str
    key: str
    database: str
    fingerprint: str
    statement: str
    started_at: Moment
    outcome: str
    error_code: str | None
    row_count: int | None
    elapsed_ms: int | None

    @classmethod
    def of(cls, entry: LoggedQuery) -> Logged:
        return cls(
            query_id=entry.query_id,
            key=entry.key_name,
            database=entry.database,
            fingerprint=entry.fingerprint,
            statement=entry.statement,
            started_at=entry.started_at,
            outcome=entry.outcome,
            error_code=entry.error_code,
            row_count=entry.row_count,
            elapsed_ms=entry.elapsed_ms,
        )


class ToSave(Document):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"database": "invoice", "query": "SELECT 1 AS one"}]}
    )

    database: Database
    query: QueryText
    description: Annotated[str, Field(max_length=1000)] | None = None


class Saved(ToSave):
    name: str
    created_by: str
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, query: SavedQuery) -> Saved:
        return cls(
            name=query.name,
            database="main" if query.database == "main" else "invoice",
            query=query.sql,
            description=query.description,
            created_by=query.created_by,
            created_at=query.created_at,
            updated_at=query.updated_at,
        )


_ID = "5f1c6c2f9d7e4a0f8a3a0c0b1d2e3f40"
_ANSWER = {
    "queryId": _ID,
    "columns": [{"name": "id", "type": "int8"}, {"name": "name", "type": "text"}],
    "rows": [[7, "Asha Rao"]],
    "rowCount": 1,
    "truncated": False,
    "elapsedMs": 2,
    "success": True,
}
_EXAMPLES = {
    Format.NDJSON: '{"id":7,"name":"Asha Rao"}\n{"_ledgerline":{"rowCount":1,"truncated":false}}\n',
    Format.CSV: "id,name\r\n7,Asha Rao\r\n",
    Format.ARROW: "(an Arrow IPC stream)",
}
_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Answer,
        "description": "The rows, in the format of `Accept`.",
        "content": {
            "application/json": {"example": _ANSWER},
            **{
                MEDIA_TYPES[form].partition(";")[0]: {"schema": {"type": "string"}, "example": text}
                for form, text in _EXAMPLES.items()
            },
        },
    },
    **documented(*PROTECTED, *ASKS_DATABASE, *_RUNS),
}
_LOGGED = {
    "queryId": _ID, "key": "dashboard", "database": "main", "fingerprint": "9b2c…",
    "statement": "SELECT name FROM contacts WHERE id = ?", "startedAt": "2026-01-01T00:00:00.000Z",
    "outcome": "succeeded", "errorCode": None, "rowCount": 1, "elapsedMs": 2,
}  # fmt: skip
_SAVED = {
    "name": "active-customers", "database": "invoice", "query": "SELECT customerid FROM customer_contacts",
    "description": None, "createdBy": "dashboard", "createdAt": "2026-01-01T00:00:00.000Z",
    "updatedAt": "2026-01-01T00:00:00.000Z",
}  # fmt: skip


@router.post(
    "/query/main", summary="Ask the main database, read only", responses=_FORMATS, response_class=Response
)
async def ask_main(request: Request, app: Ledgerline, key: Asker, asked: Asked) -> Response:
    return await _answered(request, app, key, "main", _text(asked), asked)


@router.post(
    "/query/invoice",
    summary="Ask the invoice database, read only",
    responses=_FORMATS,
    response_class=Response,
)
async def ask_invoice(request: Request, app: Ledgerline, key: Asker, asked: Asked) -> Response:
    return await _answered(request, app, key, "invoice", _text(asked), asked)


async def _shortly(request: Request, body: bytes, database: Database) -> Response | None:
    """The same where the key is known and the body fits. See `web.express`."""
    key = known(request, Scope.QUERY)
    if key is None:
        return None
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError:
        return None
    return await _answered(request, ledgerline_app(request), key, database, _text(asked), asked)


_DATABASES: Final[tuple[Database, ...]] = ("main", "invoice")


def short_ways() -> Ways:
    shortly = {f"/database/query/{name}": partial(_shortly, database=name) for name in _DATABASES}
    return ways(router, "POST", shortly)


@router.get(
    "/queries",
    summary="Who asked what: the newest or the slowest queries, without their literals",
    description="A key sees its own queries; one with the scope `admin` sees all.",
    responses={
        200: example("The queries.", [_LOGGED]),
        **documented(*PROTECTED, *ASKS_DATABASE, "validation"),
    },
)
def logged(
    app: Ledgerline,
    key: Asker,
    slowest: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> list[Logged]:
    own = None if Scope.ADMIN in key.scopes else key.name
    return [Logged.of(entry) for entry in app.queries.logged(slowest=slowest, limit=limit, key_name=own)]


@router.delete(
    "/queries/{queryId}",
    summary="Stop a query in its database",
    status_code=204,
    responses={
        204: {"description": "It is being stopped; whoever asked gets `query_cancelled`."},
        **documented(*PROTECTED, *ASKS_DATABASE, "query_missing", "validation"),
    },
)
def cancel(
    app: Ledgerline, key: Asker, query_id: Annotated[str, Path(alias="queryId", min_length=1, max_length=64)]
) -> None:
    for result in app.queries.running():
        if result.query_id == query_id and (result.key_name == key.name or Scope.ADMIN in key.scopes):
            app.queries.cancel(query_id)
            return
    raise QueryMissing(
        f"No query {query_id[:40]} of this key is running here.", hint="It may have ended by itself."
    )


# -- under a name ------------------------------------------------------------------------------------------


@router.get(
    "/saved-queries",
    summary="The saved queries",
    dependencies=[Depends(require(Scope.QUERY))],
    responses={200: example("By name.", [_SAVED]), **documented(*PROTECTED, *ASKS_DATABASE)},
)
def saved_queries(app: Ledgerline) -> list[Saved]:
    return [Saved.of(query) for query in log.all_saved(app.main)]


@router.get(
    "/saved-queries/{name}",
    summary="A saved query",
    dependencies=[Depends(require(Scope.QUERY))],
    responses={
        200: example("The query.", _SAVED),
        **documented(*PROTECTED, *ASKS_DATABASE, "query_missing", "validation"),
    },
)
def saved_query(app: Ledgerline, name: Name) -> Saved:
    return Saved.of(app.queries.saved(name))


@router.put(
    "/saved-queries/{name}",
    summary="Keep a query under a name",
    description="One of that name is replaced: by the key that made it, or one with the scope `admin`.",
    responses={
        200: example("As it is kept.", _SAVED),
        **documented(
            *PROTECTED, *ASKS_DATABASE, "query_refused", "usage", "validation", "not_json", "body_too_large",
            "unsupported_media_type",
        ),
    },
)  # fmt: skip
def save(app: Ledgerline, key: Asker, name: Name, query: ToSave) -> Saved:
    _require_own(key, log.saved(app.main, name))
    app.queries.save(name, query.database, query.query, by=key.name, description=query.description)
    return Saved.of(app.queries.saved(name))


@router.delete(
    "/saved-queries/{name}",
    summary="Forget a saved query",
    status_code=204,
    responses={
        204: {"description": "It is forgotten."},
        **documented(*PROTECTED, *ASKS_DATABASE, "query_missing", "validation"),
    },
)
def forget(app: Ledgerline, key: Asker, name: Name) -> None:
    _require_own(key, app.queries.saved(name))
    log.delete_saved(app.main, name)


@router.post(
    "/saved-queries/{name}/run",
    summary="Run a saved query",
    response_class=Response,
    responses={**_FORMATS, **documented(*PROTECTED, *ASKS_DATABASE, *_RUNS, "query_missing")},
)
async def run_saved(
    request: Request, app: Ledgerline, key: Asker, name: Name, limits: Limits | None = None
) -> Response:
    found = await _threads.run(lambda: app.queries.saved(name))
    return await _answered(request, app, key, found.database, found.sql, limits or Limits())


def _require_own(key: Key, query: SavedQuery | None) -> None:
    if query is not None and query.created_by != key.name and Scope.ADMIN not in key.scopes:
        raise Forbidden(
            f"The query was saved by {query.created_by!r}.",
            hint="Save it under another name, or use an admin key.",
        )


# -- asking ------------------------------------------------------------------------------------------------


def _text(asked: Asked) -> str:
    return f"EXPLAIN {asked.query}" if asked.explain else asked.query


async def _answered(
    request: Request, app: App, key: Key, database: str, text: str, limits: Limits
) -> Response:
    form = wanted_format(request.headers.get("accept", ""))
    if form is None:
        known = ", ".join(MEDIA_TYPES.values())
        return problem("not_acceptable", "No such format.", f"Accept one of: {known}.", scope=request.scope)
    measure = request.app.state.metrics.query

    def run(query_id: str) -> Result:
        return app.queries.run(
            database, text, limits.params, key_name=key.name, rows=limits.max_rows, query_id=query_id
        )

    def ended(over: Result) -> None:
        measure(database, over.outcome, over.elapsed_ms / 1000)

    try:
        begun = await started(request, _threads, app.queries, run, form)
    except LedgerlineError as error:
        measure(database, error.code, None)
        raise
    return answer(begun, _threads, ended)
