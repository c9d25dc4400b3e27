"""The command that runs the API: serve."""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from typing import Annotated

import typer

from ledgerline.app import App
from ledgerline.cli import show
from ledgerline.cli.opened import opened
from ledgerline.errors import DatabaseError
from ledgerline.operations.probe import Probe, Status
from ledgerline.settings import Environment, Settings, load_settings
from ledgerline.url import Engine, Secret


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; HOST if not given.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="The port; PORT if not given.")] = None,
) -> None:
    """Run the API until it is stopped."""
    from ledgerline.web import server  # noqa: PLC0415  half a second that no other command has to wait
    from ledgerline.web.api.access import is_loopback  # noqa: PLC0415

    settings = load_settings()
    settings = replace(settings, host=host or settings.host, port=port or settings.port)
    show.notices(settings.notices)
    with opened(settings, quiet=True) as app:
        app.require_drivers()  # what is not installed does not come back by itself
        is_configured = _is_prepared(app)
    may_make_key = settings.environment is Environment.DEVELOPMENT and is_loopback(settings.host)
    made = None
    if may_make_key and settings.api_key is None and not is_configured:
        made = secrets.token_urlsafe(32)
        settings = replace(settings, api_key=Secret(made))
    with opened(settings, quiet=True) as app:
        server.run(app, lambda: _tell(settings, made))


def _is_prepared(app: App) -> bool:
    """Whether there is an API key. The main database is brought up to date first.

    One that cannot be reached stops nothing: the service tells how it is, and serves when it comes back.
    Raises SettingsError where it has to be migrated.
    """
    main = app.settings.main.url
    if main.engine is not Engine.SQLITE:
        probe = Probe("main", main, app.settings.service.probe)
        look = probe.look().result()
        probe.stop()
        if look.status(app.settings.service.probe.slow_ms) is Status.DOWN:
            show.err.print("The main database does not answer yet; /health tells when it does.")
            return False
    try:
        app.prepare()
        return app.keys.is_configured()
    except DatabaseError as error:
        show.failure(error)
        return False


def _reached_by(host: str) -> str:
    """A name for URLs on this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
    return anywhere.get(host) or (f"[{host}]" if ":" in host else host)


def _tell(settings: Settings, key: str | None) -> None:
    base = f"http://{_reached_by(settings.host)}:{settings.port}"
    sys.stdout.write(f"Ledgerline listens on {base} (/docs lists what it can do).\n")
    if key is not None:
        sys.stdout.write(
            "There is no API key yet, so this one was made; it lives as long as this process:\n"
            f'  curl {base}/database/health -H "X-API-Key: {key}"\n'
        )
    sys.stdout.flush()
