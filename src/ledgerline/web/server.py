"""The application, and the server that runs it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, Final

import uvicorn
from anyio import to_thread
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from ledgerline import __version__
from ledgerline.app import App
from ledgerline.errors import LedgerlineError
from ledgerline.operations.doctor import why_not_connected
from ledgerline.operations.probe import Probe
from ledgerline.settings import Settings
from ledgerline.web import logs
from ledgerline.web.api import databases, diagnosis, health, ingestion, metrics, pages, problems, queries
from ledgerline.web.api.access import is_loopback
from ledgerline.web.api.services import Probes
from ledgerline.web.express import Express
from ledgerline.web.listening import listening
from ledgerline.web.metrics import Metrics
from ledgerline.web.middleware import Clock, Gate, Recorder
from ledgerline.web.protocol import Protocol
from ledgerline.worker.duties import Duties
from ledgerline.worker.starting import resume_left

ROUTERS: Final[Sequence[APIRouter]] = (
    health.router,
    databases.router,
    diagnosis.router,
    queries.router,
    ingestion.router,
    metrics.router,
    pages.router,
)

_log = logging.getLogger(__name__)

_LAST_SECONDS: Final = 3.0  # for what is left when the time to end is over
_GARBAGE: Final = (20_000, 10, 10)  # an answer of 100 rows alone is more than Python's 700 new objects
_THREADS: Final = 64  # of endpoints that ask a database
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "[::1]")
_ABOUT: Final = (
    "Brings the contacts of an invoice database into the main database, and looks after both. "
    "Errors are RFC 9457 problem documents: `code` for programs, `hint` for what to do next."
)


def create_app(ledgerline: App, ready: Callable[[], None] = lambda: None) -> FastAPI:
    """The API over this installation. Probes run while it lives; whoever made `ledgerline` closes it.

    ready  called when both databases were looked at, just before the first request is taken
    """
    settings = ledgerline.settings
    probes = Probes(_probe("main", settings), _probe("invoice", settings))
    app = FastAPI(
        title="Ledgerline",
        version=__version__,
        description=_ABOUT,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,  # pages.py
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # Recorder does that
    )
    app.state.ledgerline = ledgerline
    app.state.probes = probes
    app.state.duties = Duties(ledgerline, probes.states)
    app.state.metrics = Metrics(ledgerline, probes.both(), lambda: app.state.duties.last_proven)
    app.state.began = time.monotonic()
    app.state.ready = ready
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    service = settings.service
    app.add_middleware(Express, short={**health.short_ways(), **queries.short_ways()})
    app.add_middleware(Clock, seconds=service.request_ms / 1000)
    app.add_middleware(Gate, hosts=hosts(settings), origins=service.origins, body_bytes=service.body_bytes)
    app.add_middleware(Recorder, metrics=app.state.metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _probe(name: str, settings: Settings) -> Probe:
    of = settings.main if name == "main" else settings.invoice
    return Probe(name, of.url, settings.service.probe, diagnosed=lambda: why_not_connected(settings, name))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    # Made now, by one thread; none of them connects yet.
    assert app.state.ledgerline.queries
    probes: Probes = app.state.probes
    for probe in probes.both():
        probe.start()
    for probe in probes.both():
        await to_thread.run_sync(probe.wait_for_first)
    app.state.metrics.figures.start()
    threading.Thread(target=_resume, args=(app.state.ledgerline,), name="resume", daemon=True).start()
    app.state.duties.start()
    gc.collect()
    gc.freeze()  # what is here now stays: nobody has to look through it again and again
    gc.set_threshold(*_GARBAGE)
    app.state.ready()
    try:
        yield
    finally:
        app.state.metrics.figures.stop()
        await to_thread.run_sync(app.state.duties.stop)
        for probe in probes.both():
            await to_thread.run_sync(probe.stop)


def _resume(ledgerline: App) -> None:
    """Go on with the run that a stop or a crash left; the service is there whatever comes of it."""
    try:
        worker = resume_left(ledgerline)
    except LedgerlineError as error:
        _log.warning("no run was resumed", extra={"code": error.code})
        return
    if worker is not None:
        _log.info("a run that was left is resumed", extra={"pid": worker.pid})


def hosts(settings: Settings) -> tuple[str, ...]:
    """The names that the service answers to.

    Those of this machine are always among them, for health checks on it: DNS rebinding brings another name.
    """
    if settings.service.hosts:
        return (*_THIS_MACHINE, *settings.service.hosts)
    return (*_THIS_MACHINE, settings.host.lower()) if is_loopback(settings.host) else ("*",)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schemas["Problem"].pop("$defs", {}))
        app.openapi_schema = document
    return app.openapi_schema


# -- running it ------------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """Ends within its time once it is told to, whatever hangs: queries are stopped, then the process."""

    def __init__(self, config: uvicorn.Config, ledgerline: App, seconds: float) -> None:
        super().__init__(config)
        self._ledgerline = ledgerline
        self._seconds = seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        threading.Thread(target=self._end, name="shutdown", daemon=True).start()

    def _end(self) -> None:
        time.sleep(self._seconds)
        for result in self._ledgerline.queries.running():
            threading.Thread(target=result.cancel, daemon=True).start()
        time.sleep(_LAST_SECONDS)
        _log.error("The service did not end in time and was ended.")
        logging.shutdown()
        os._exit(1)


def run(ledgerline: App, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C. `ready` is called when it listens.

    Raises LedgerlineError where it cannot listen.
    """
    settings = ledgerline.settings
    sockets = listening(settings.host, settings.port)
    logs.configure()
    seconds = settings.service.shutdown_ms / 1000
    app = create_app(ledgerline, ready)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.service.proxies),
        forwarded_allow_ips=list(settings.service.proxies),
        http=Protocol,
        ws="none",
        timeout_graceful_shutdown=max(1, round(seconds)),
    )
    # The server hands the signal on when it is done; by then it has done its work.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = _Server(config, ledgerline, seconds)
    app.state.is_stopping = lambda: server.should_exit  # who follows a run would hold it up
    server.run(sockets)
