"""How the databases are. What needs no key answers from what the probes saw last, and waits for nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from ledgerline import __version__
from ledgerline.app import App
from ledgerline.databases.runs import utc_now
from ledgerline.operations.keys import Scope
from ledgerline.operations.probe import Look, Probe, State, Status
from ledgerline.url import DatabaseUrl
from ledgerline.web.api.access import address_of, is_open_here, require, token_of
from ledgerline.web.api.problems import PROTECTED, RETRY_AFTER, documented, example
from ledgerline.web.api.services import LastProven, Watched, last_proven, ledgerline_app, probes
from ledgerline.web.api.shapes import Document, Moment
from ledgerline.web.express import Ways, ways

router = APIRouter(tags=["health"])

_NAMES: Final = {"main": "Main", "invoice": "Invoice"}
_SAID: Final = {
    Status.UP: "is responding",
    Status.DEGRADED: "is responding slowly",
    Status.DOWN: "is not responding",
}


class Config(Document):
    """Where a database is."""

    server: str = Field(description="`embedded` for SQLite.")
    port: str = Field(description="Empty where there is none.")
    database: str
    use_windows_auth: bool

    @classmethod
    def of(cls, url: DatabaseUrl) -> Config:
        return cls(
            server=url.server_label,
            port=url.port_label,
            database=url.database,
            use_windows_auth=url.windows_auth,
        )


class DatabaseHealth(Document):
    status: Status
    details: str
    latency_ms: float | None = Field(default=None, description="Of the last answer, when it is slow.")
    code: str | None = Field(default=None, description="Why it is down, as the doctor says.")
    since: Moment | None = Field(default=None, description="Since when it is not up.")
    config: Config | None = Field(default=None, description="With a key, or on one's own machine.")
    last_proven_restore: Moment | None = Field(
        default=None, description="As `config`: when a backup of the main database was last found good."
    )


class DatabasesHealth(Document):
    timestamp: Moment
    main_database: DatabaseHealth
    invoice_database: DatabaseHealth


class Health(Document):
    status: Literal["ok", "degraded", "error"]
    timestamp: Moment
    uptime: float = Field(description="Seconds since the service started.")
    version: str
    main_database: Status
    invoice_database: Status


class Checked(Document):
    status: Status
    latency_ms: float | None = Field(description="Null where no answer came.")
    details: str
    since: Moment = Field(description="Since when the background probe says what it says.")
    code: str | None = None
    hint: str | None = None
    config: Config


class CheckedDatabases(Document):
    timestamp: Moment
    main: Checked
    invoice: Checked


_CONFIG = {"server": "localhost", "port": "1433", "database": "main_db", "useWindowsAuth": True}
_NOW = "2026-01-01T00:00:00.000Z"
_HEALTH = {
    "timestamp": _NOW,
    "mainDatabase": {"status": "up", "details": "Main database is responding", "config": _CONFIG},
    "invoiceDatabase": {
        "status": "up",
        "details": "Invoice database is responding",
        "config": {**_CONFIG, "database": "invoice"},
    },
}
_DOWN = {
    **_HEALTH,
    "invoiceDatabase": {
        "status": "down",
        "details": "Invoice database is not responding",
        "code": "port_refused",
        "since": _NOW,
    },
}
_FRESH = {
    "status": "up",
    "latencyMs": 0.8,
    "details": "Main database is responding",
    "since": _NOW,
    "config": _CONFIG,
}


@router.head("/health", include_in_schema=False)  # how most monitors ask
@router.get(
    "/health",
    response_model=Health,
    summary="Whether the service lives, and the last known state of both databases",
    responses={
        200: example(
            "Always, as long as the service lives.",
            {
                "status": "ok",
                "timestamp": _NOW,
                "uptime": 3600.5,
                "version": __version__,
                "mainDatabase": "up",
                "invoiceDatabase": "up",
            },
        ),
        **documented(),
    },
)
async def health(request: Request, watched: Watched) -> Response:
    main, invoice = (_status(probe.state) for probe in watched.both())
    statuses = {main, invoice}
    overall: Literal["ok", "degraded", "error"] = "ok" if statuses == {Status.UP} else "degraded"
    document = Health(
        status="error" if main is Status.DOWN else overall,
        timestamp=utc_now(),
        uptime=round(time.monotonic() - request.app.state.began, 3),
        version=__version__,
        main_database=main,
        invoice_database=invoice,
    )
    return document.answer()


@router.head("/health/database", include_in_schema=False)
@router.get(
    "/health/database",
    response_model=DatabasesHealth,
    summary="How both databases are, as the background probes saw them last",
    openapi_extra={"security": [{}, {"key": []}, {"bearer": []}]},  # a key is welcome, and not needed
    responses={
        200: example("Both answer.", _HEALTH),
        **documented(),
        503: {
            "model": DatabasesHealth,
            **example("A database is down; the same body.", _DOWN),
        },
    },
)
async def health_of_databases(request: Request, watched: Watched, proven: LastProven) -> Response:
    app = ledgerline_app(request)
    key = app.keys.remembered(token_of(request), address_of(request))
    shows = is_open_here(app.settings) or key is not None
    main, invoice = (_health(probe, app, shows=shows) for probe in watched.both())
    if shows and proven is not None:
        main.last_proven_restore = proven.proven_at
    document = DatabasesHealth(timestamp=utc_now(), main_database=main, invoice_database=invoice)
    if Status.DOWN in (main.status, invoice.status):
        return document.answer(503, {"Retry-After": str(RETRY_AFTER)})
    return document.answer()


@router.get(
    "/database/health",
    summary="Look at both databases now",
    response_model_exclude_none=False,
    dependencies=[Depends(require(Scope.READ))],
    responses={
        200: example(
            "What was seen, also where nothing answered.",
            {"timestamp": _NOW, "main": _FRESH, "invoice": _FRESH},
        ),
        **documented(*PROTECTED, "cannot_connect"),
    },
)
async def fresh_health(request: Request, watched: Watched) -> CheckedDatabases:
    app = ledgerline_app(request)
    looks = await asyncio.gather(*(asyncio.wrap_future(probe.look()) for probe in watched.both()))
    main, invoice = (_checked(probe, look, app) for probe, look in zip(watched.both(), looks, strict=True))
    return CheckedDatabases(timestamp=utc_now(), main=main, invoice=invoice)


async def _health_shortly(request: Request, _body: bytes) -> Response:
    return await health(request, await probes(request))


async def _databases_shortly(request: Request, _body: bytes) -> Response:
    return await health_of_databases(request, await probes(request), await last_proven(request))


def short_ways() -> Ways:
    """What is asked for all the time. See `web.express`."""
    return ways(router, "GET", {"/health": _health_shortly, "/health/database": _databases_shortly})


def _status(state: State | None) -> Status:
    return Status.DOWN if state is None else state.status


def _url(probe: Probe, app: App) -> DatabaseUrl:
    return (app.settings.main if probe.name == "main" else app.settings.invoice).url


def _details(probe: Probe, status: Status) -> str:
    return f"{_NAMES[probe.name]} database {_SAID[status]}"


def _health(probe: Probe, app: App, *, shows: bool) -> DatabaseHealth:
    state = probe.state
    status = _status(state)
    is_up = state is None or status is Status.UP
    return DatabaseHealth(
        status=status,
        details=_details(probe, status),
        latency_ms=_rounded(state.last.latency_ms) if state and status is Status.DEGRADED else None,
        code=probe.code,
        since=state.since if state and not is_up else None,
        config=Config.of(_url(probe, app)) if shows else None,
    )


def _rounded(latency_ms: float | None) -> float | None:
    return None if latency_ms is None else round(latency_ms, 1)


def _checked(probe: Probe, look: Look, app: App) -> Checked:
    status = look.status(probe.settings.slow_ms)
    return Checked(
        status=status,
        latency_ms=_rounded(look.latency_ms),
        details=look.error.public_detail if look.error else _details(probe, status),
        since=probe.state.since if probe.state else look.at,
        code=look.error.code if look.error else None,
        hint=look.error.hint if look.error else None,
        config=Config.of(_url(probe, app)),
    )
