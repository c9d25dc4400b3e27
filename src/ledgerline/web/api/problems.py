"""Errors as RFC 9457 problem documents, by one table."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from ledgerline.errors import LedgerlineError

_STATUS = {
    "unauthorised": 401,
    "forbidden": 403,
    "run_missing": 404,
    "run_in_progress": 409,
    "run_not_going": 409,
    "source_paused": 409,
    "undo_refused": 409,
    "lease_lost": 409,
    "withdrawal_breaker": 409,
    "usage": 422,
    "too_many_attempts": 429,
    "auth_not_configured": 503,
    "cannot_connect": 503,
    "login_failed": 503,
    "database_missing": 503,
    "transient_fault": 503,
    "worker_lost": 503,
}
_RETRY_AFTER = 5  # seconds


def problem(error: LedgerlineError, **further: Any) -> JSONResponse:
    """The answer that tells of an error; `further`: members of its own."""
    status = _STATUS.get(error.code, 500)
    document = {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "code": error.code,
        "detail": error.detail,
        "hint": error.hint,
        **further,
    }
    headers = (
        {"Retry-After": str(getattr(error, "retry_after", _RETRY_AFTER))} if status in (429, 503) else {}
    )
    return JSONResponse(document, status, headers, media_type="application/problem+json")


def answer(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LedgerlineError)
    return problem(error)
