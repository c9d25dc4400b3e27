"""How errors are told: one table from an error's code to a status, and RFC 9457 problem documents.

What a driver said, SQL and secrets are never in one; who looks after the service finds more in its log, by
the request's id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ledgerline.errors import LedgerlineError, RunInProgress, TooManyAttempts

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 5  # seconds, where nobody knows better

# code → status and title
TABLE: Final[Mapping[str, tuple[int, str]]] = {
    "unauthorised": (401, "The key is missing or not valid"),
    "forbidden": (403, "The key may not do that"),
    "too_many_attempts": (429, "Too many wrong keys"),
    "auth_not_configured": (503, "There is no API key yet"),
    "usage": (422, "The request does not make sense"),
    "validation": (422, "The request does not fit"),
    "not_json": (400, "The body is no JSON"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "Not with this method"),
    "not_acceptable": (406, "No such format"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body has to be JSON"),
    "host_not_allowed": (400, "Unknown host name"),
    "origin_not_allowed": (403, "Unknown origin"),
    "bad_request": (400, "The request cannot be read"),
    "request_timeout": (503, "It took too long"),
    "internal_error": (500, "Something unexpected happened"),
    "cannot_connect": (503, "The database cannot be reached"),
    "probe_timeout": (503, "The database does not answer"),
    "database_late": (503, "The database does not answer in time"),
    "login_failed": (503, "The database refused the login"),
    "database_missing": (503, "The database does not exist"),
    "driver_missing": (503, "A database driver is not installed"),
    "transient_fault": (503, "The database is busy"),
    "settings_invalid": (503, "The service is not set up"),
    "connection_string_invalid": (503, "The service is not set up"),
    "cluster_fault": (503, "The cluster failed"),
    "temporary_folder": (503, "The temporary folder takes no more"),
    "permission_denied": (403, "The database does not allow that"),
    "table_missing": (422, "The table does not exist"),
    "column_missing": (422, "The column does not exist"),
    "unreadable_value": (422, "A value cannot be read"),
    "database_error": (422, "The database refused the statement"),
    "query_refused": (422, "The query may not run"),
    "query_parameters": (422, "The parameters do not fit the query"),
    "query_failed": (422, "The query failed"),
    "query_timeout": (504, "The query took too long"),
    "query_cancelled": (409, "The query was cancelled"),
    "query_missing": (404, "No such query"),
    "too_many_queries": (429, "Too many queries at once"),
    "run_in_progress": (409, "A run is going"),
    "run_missing": (404, "No such run, or no undo of it"),
    "stopped": (409, "It was stopped"),
    "environment_mismatch": (503, "The database belongs to another environment"),
    "tables_newer": (503, "The database is of a later version"),
    "backup_missing": (404, "No such backup"),
    "backup_failed": (503, "The backup failed"),
    "backup_damaged": (422, "The backup is damaged"),
    "passphrase_wrong": (422, "The passphrase does not fit"),
    "restore_refused": (409, "The backup may not be restored there"),
    "channel_failed": (503, "The alert could not be sent"),
    "run_not_going": (409, "The run has ended"),
    "worker_lost": (503, "The process of the run ended unexpectedly"),
    "lease_lost": (409, "Another process took the run over"),
    "withdrawal_breaker": (409, "Too much would be withdrawn"),
    "source_paused": (409, "The source is paused"),
    "undo_refused": (409, "The run cannot be undone"),
    "cancelled": (409, "It was cancelled"),
}
_WAIT: Final = frozenset({429, 503})
_OF_STATUS: Final = {
    400: "not_json", 401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    406: "not_acceptable", 413: "body_too_large", 415: "unsupported_media_type",
}  # fmt: skip


class Mistake(BaseModel):
    where: str = Field(description="The part of the request, such as body.maxRows.")
    what: str


class Problem(BaseModel):
    """What went wrong and what to do next (RFC 9457)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str
    hint: str = Field(description="What to do next.")
    instance: str = Field(description="What was asked for.")
    request_id: str | None = Field(default=None, description="Under this the log tells more.")
    errors: list[Mistake] | None = Field(default=None, description="Everything that does not fit.")
    run_id: int | None = Field(default=None, description="The run that is going.")


def problem(
    code: str,
    detail: str,
    hint: str = "",
    *,
    scope: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """The answer for an error of this code; `scope` is that of the request (ASGI)."""
    status, title = TABLE.get(code, (500, "It failed"))
    document = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        "instance": scope.get("path", ""),
        "requestId": scope.get("state", {}).get("request_id"),
        **members,
    }
    told = {"Retry-After": str(RETRY_AFTER)} if status in _WAIT else {}
    if status == 401:
        told["WWW-Authenticate"] = 'Bearer realm="ledgerline"'
    body = orjson.dumps({name: _valid(value) for name, value in document.items() if value is not None})
    return Response(body, status, {**told, **(headers or {})}, MEDIA_TYPE)


def of_error(error: LedgerlineError, scope: Mapping[str, Any]) -> Response:
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyAttempts) else None
    members = {"runId": error.run_id} if isinstance(error, RunInProgress) else {}
    return problem(
        error.code if error.code in TABLE else "internal_error",
        error.public_detail if error.code in TABLE else "The service failed.",
        error.hint,
        scope=scope,
        headers=headers,
        **members,
    )


def unexpected(scope: Mapping[str, Any]) -> Response:
    return problem(
        "internal_error",
        "The service failed in a way that nobody thought of.",
        "Tell whoever looks after it the requestId.",
        scope=scope,
    )


def _valid(value: Any) -> Any:
    """Text of a request may hold lone surrogates, which JSON cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_valid(item) for item in value]
    return {name: _valid(item) for name, item in value.items()} if isinstance(value, dict) else value


# -- handlers --------------------------------------------------------------------------------------------


def install(app: FastAPI) -> None:
    app.add_exception_handler(LedgerlineError, on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)


def on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LedgerlineError)
    request.state.error_code = error.code
    return of_error(error, request.scope)


def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    mistakes = [_mistake(one) for one in error.errors()]
    is_json = all(one["type"] != "json_invalid" for one in error.errors())
    request.state.error_code = "validation" if is_json else "not_json"
    if not is_json:
        return _no_json(request)
    return problem(
        "validation",
        "; ".join(f"{one['where']}: {one['what']}" for one in mistakes[:5]),
        "Correct these and try again; /docs shows what fits.",
        scope=request.scope,
        errors=mistakes,
    )


def _no_json(request: Request) -> Response:
    return problem(
        "not_json",
        "The body is no JSON.",
        "Send JSON, encoded as UTF-8; see docs/api.md.",
        scope=request.scope,
    )


def _mistake(error: Mapping[str, Any]) -> dict[str, str]:
    """Without the value: it may be a secret in the wrong place."""
    return {"where": ".".join(str(part)[:60] for part in error["loc"]), "what": str(error["msg"])}


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _OF_STATUS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal_error")
    request.state.error_code = code
    if code == "not_json":  # bytes that are no UTF-8, or nested without an end
        return _no_json(request)
    detail = HTTPStatus(TABLE[code][0]).phrase + "."
    headers = {"Allow": _allowed(request)} if code == "method_not_allowed" else error.headers
    return problem(code, detail, "/docs lists what there is.", scope=request.scope, headers=headers)


def _allowed(request: Request) -> str:
    """All methods that the path takes, and not those of the first route alone."""
    operations = request.app.openapi()["paths"]
    path = getattr(request.scope.get("route"), "path", request.url.path)
    return ", ".join(sorted(method.upper() for method in operations.get(path, {}))) or "GET"


# -- documentation ---------------------------------------------------------------------------------------

PROTECTED: Final = ("unauthorised", "forbidden", "too_many_attempts", "auth_not_configured")
ANYWHERE: Final = ("bad_request", "origin_not_allowed", "request_timeout")
ASKS_DATABASE: Final = ("cannot_connect", "database_late", "transient_fault")


def documented(*codes: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of an endpoint: an example of each of these problems, by status."""
    by_status: dict[int | str, dict[str, Any]] = defaultdict(dict)
    for code in dict.fromkeys((*ANYWHERE, *codes)):
        status, title = TABLE[code]
        by_status[status][code] = {
            "summary": title,
            "value": {
                "type": "about:blank", "title": title, "status": status, "code": code, "detail": f"{title}.",
                "hint": "What to do next.", "instance": "/…", "requestId": "5f1c6c2f9d7e4a0f8a3a0c0b1d2e3f40",
            },
        }  # fmt: skip
    return {
        status: {
            "description": "; ".join(example["summary"] for example in examples.values()),
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
            },
        }
        for status, examples in by_status.items()
    }


def example(description: str, value: Any, media_type: str = "application/json") -> dict[str, Any]:
    """An answer's description and example for `responses=`."""
    return {"description": description, "content": {media_type: {"example": value}}}
