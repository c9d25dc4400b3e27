"""The one place that wires: settings → databases → source → flow."""

from __future__ import annotations

from pathlib import Path

from ledgerline.databases.database import Database
from ledgerline.databases.engines import Limits
from ledgerline.databases.migrate import migrate, newest_revision, revision
from ledgerline.databases.runs import Run
from ledgerline.errors import SettingsError
from ledgerline.ingest import run as ingestion
from ledgerline.settings import DatabaseSettings, Settings
from ledgerline.sources.invoice import SYSTEM, InvoiceSource
from ledgerline.url import Engine

__all__ = ["SYSTEM", "App"]


class App:
    """Ledgerline over two databases; connections open when they are first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._main: Database | None = None
        self._invoice: Database | None = None

    @property
    def main(self) -> Database:
        if self._main is None:
            self._main = _open(self.settings.main, read_only=False)
        return self._main

    @property
    def invoice(self) -> Database:
        if self._invoice is None:
            self._invoice = _open(self.settings.invoice, read_only=True)
        return self._invoice

    def migrate(self) -> tuple[str | None, str | None]:
        return migrate(self.main)

    def prepare(self) -> None:
        """An embedded main database updates itself; a server's is migrated when its owner says so."""
        if self.settings.main.url.engine is Engine.SQLITE:
            self.migrate()
        elif (at := revision(self.main)) != newest_revision():
            raise SettingsError(
                f"The main database is at revision {at or 'none'}, this version needs {newest_revision()}.",
                hint="Run: ledgerline migrate",
            )

    def ingest(self, watcher: ingestion.Watcher, cancel: ingestion.Cancel) -> Run:
        """Run the ingestion. See `ingest.run.ingest` for what it raises."""
        self.prepare()
        source = InvoiceSource(self.invoice, self.settings.invoice_table)
        try:
            options = ingestion.Options(region=self.settings.default_country_code)
            return ingestion.ingest(self.main, source, options, watcher, cancel)
        finally:
            source.close()

    def close(self) -> None:
        for database in (self._main, self._invoice):
            if database is not None:
                database.close()


def _open(settings: DatabaseSettings, *, read_only: bool) -> Database:
    if settings.url.engine is Engine.SQLITE and not read_only:
        Path(settings.url.database).parent.mkdir(parents=True, exist_ok=True)
    limits = Limits(settings.connections, settings.acquire_ms, settings.statement_ms)
    return Database(settings.url, limits, read_only=read_only)
