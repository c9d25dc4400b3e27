"""What every command begins with: settings, their notices, and an app that is closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledgerline.app import App
from ledgerline.cli import show
from ledgerline.settings import Settings, load_settings


@contextmanager
def opened(settings: Settings | None = None, *, quiet: bool = False) -> Iterator[App]:
    settings = settings or load_settings()
    if not quiet:
        show.notices(settings.notices)
    app = App(settings)
    try:
        yield app
    finally:
        app.close()
