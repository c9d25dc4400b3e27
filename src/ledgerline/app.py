"""The one place that wires: settings → databases → source → flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from ledgerline.databases import reports, runs
from ledgerline.databases.database import Database
from ledgerline.databases.duties import held
from ledgerline.databases.engines import Limits
from ledgerline.databases.environments import EnvironmentMark
from ledgerline.databases.folders import make_folder_of
from ledgerline.databases.migrate import migrate, require_newest
from ledgerline.databases.plans import Section
from ledgerline.databases.retry import patiently
from ledgerline.databases.runs import Run
from ledgerline.errors import SettingsError, UsageError
from ledgerline.ingest import run as ingestion
from ledgerline.ingest.cancelling import cancel
from ledgerline.ingest.editing import edit_contact, withdraw_edits
from ledgerline.ingest.executors import Executor
from ledgerline.ingest.executors.local import LocalExecutor
from ledgerline.ingest.history import History, contact_history
from ledgerline.ingest.pace import Pace
from ledgerline.ingest.partitions import Job, KnownRows, Result, run_partition
from ledgerline.ingest.scope import Wanted
from ledgerline.ingest.undo import Undone, undo
from ledgerline.ingest.unmerge import Unmerged, unmerge
from ledgerline.operations.backup import Backups
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.keys import Keys
from ledgerline.operations.query import Queries
from ledgerline.operations.results import QueryLimits
from ledgerline.safety import same_database
from ledgerline.settings import DatabaseSettings, Environment, Settings, load_settings
from ledgerline.sources import Partition
from ledgerline.sources.invoice import SYSTEM, InvoiceSource
from ledgerline.url import Engine

__all__ = ["SYSTEM", "App"]


class App:
    """Ledgerline over two databases; connections open when they are first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._main: Database | None = None
        self._invoice: Database | None = None
        self._queries: Queries | None = None
        patience = settings.service.probe.timeout_ms / 1000
        self.keys = Keys(lambda: self.main, settings.api_key, patience=patience)

    @property
    def main(self) -> Database:
        if self._main is None:
            self._main = _open(self.settings.main, read_only=False)
            self._mark = EnvironmentMark(self._main, self.settings.environment)
            self._main.before_writing = self._mark.check
        return self._main

    @property
    def invoice(self) -> Database:
        if self._invoice is None:
            self._invoice = _open(self.settings.invoice, read_only=True)
        return self._invoice

    def require_drivers(self) -> None:
        """Raises DriverMissing."""
        _ = self.main, self.invoice

    @property
    def backups(self) -> Backups:
        return Backups(self.settings)

    @property
    def queries(self) -> Queries:
        if self._queries is None:
            limits = QueryLimits(timeout_ms=self.settings.main.statement_ms)
            self._queries = Queries(
                self.main,
                self.invoice,
                limits,
                require_reading_login=self.settings.environment is Environment.PRODUCTION,
            )
        return self._queries

    def migrate(self, *, claim: bool = False) -> tuple[str | None, str | None]:
        """Bring the tables to this version; (revision before, after). `claim`: whosever database it was.

        Raises EnvironmentMismatch, TablesNewer, SettingsError where it is the invoice database.
        """
        self._check_roles()
        main = self.main
        if claim:
            self._mark.claim()
        self._mark.check()
        before, after = migrate(main)
        self._mark.note()
        return before, after

    def prepare(self) -> None:
        """An embedded main database updates itself; a server's is migrated when its owner says so.

        Raises EnvironmentMismatch, TablesNewer, SettingsError.
        """
        main = self.main
        if main.url.engine is Engine.SQLITE:
            self.migrate()
            return
        self._check_roles()
        self._mark.check()
        require_newest(main)

    def _check_roles(self) -> None:
        for risk in same_database(self.settings.main.url, self.settings.invoice.url):
            raise SettingsError(f"{risk.setting}: {risk.detail}", hint=risk.remedy)

    def ingest(
        self,
        watcher: ingestion.Watcher,
        cancel: ingestion.Cancel,
        *,
        full: bool = False,
        reconcile: bool = False,
        accept_withdrawals: bool = False,
        resume: bool = False,
        partition_rows: int | None = None,
    ) -> Run:
        """Run the ingestion: what changed since the last run where that can be known, else everything.

        full                everything in any case
        reconcile           also find the rows that were deleted
        accept_withdrawals  however many records are withdrawn by it
        resume              also where an undo paused the source

        See `ingest.run.ingest` for what it raises.
        """
        wanted = {"full": full, "reconcile": reconcile, "accept_withdrawals": accept_withdrawals}
        with self._ingestion(partition_rows, resume=resume, **wanted) as (source, options):
            return ingestion.ingest(self.main, source, options, watcher, cancel)

    def plan(
        self,
        watcher: ingestion.Watcher,
        cancel: ingestion.Cancel,
        *,
        samples: int | None = None,
        partition_rows: int | None = None,
        **wanted: bool,
    ) -> tuple[Run, dict[str, Section]]:
        """Do what `ingest` with the same wishes would do, but for the writing. See `ingest.run.plan`."""
        with self._ingestion(partition_rows, **wanted) as (source, options):
            return ingestion.plan(self.main, source, options, watcher, cancel, samples)

    @contextmanager
    def _ingestion(
        self, partition_rows: int | None, *, resume: bool = False, **wanted: bool
    ) -> Iterator[tuple[InvoiceSource, ingestion.Options]]:
        self.prepare()
        source = InvoiceSource(self.invoice, self.settings.invoice_table)
        try:
            yield (
                source,
                ingestion.Options(
                    self.settings.default_country_code,
                    partition_rows,
                    executor=_executor(self.settings),
                    wanted=Wanted(
                        **wanted,
                        reconcile_every=self.settings.reconcile_every,
                        withdrawal_breaker=self.settings.withdrawal_breaker,
                    ),
                    resume=resume,
                ),
            )
        finally:
            source.close()

    def cancel(self, run_id: int | None = None) -> Run:
        """Stop a run, or the one that is going. See `ingest.cancelling.cancel` for what it raises."""
        self.prepare()
        return cancel(self.main, SYSTEM, run_id)

    def back_up(self) -> Manifest:
        """Take a backup, prove it and prune, as a schedule does.

        Raises RunInProgress while another by schedule is going, and what `Backups.create` does.
        """
        self.prepare()
        with held(self.main, "backup"):
            return self.backups.create()

    def undo(self, run_id: int, *, strict: bool = False, dry_run: bool = False) -> Undone:
        """Take a run back. See `ingest.undo.undo` for what it raises."""
        self.prepare()
        return undo(self.main, run_id, strict=strict, dry_run=dry_run)

    def kept(self, run_id: int) -> list[dict[str, Any]]:
        """What an undo left as it was. Raises UsageError when there is no such run, or it is no undo."""
        self.prepare()
        run = runs.get(self.main, run_id)
        if run is None:
            raise UsageError(f"There is no run {run_id}.", hint="See: ledgerline runs")
        if run.kind != "undo":
            raise UsageError(
                f"Run {run_id} is not an undo.", hint="Give the number of the undo, see: ledgerline runs"
            )
        return reports.kept_by_undo(self.main, run_id)

    def unmerge(self, contact_id: int, record_ids: Sequence[str] = ()) -> Unmerged:
        """Split a contact. See `ingest.unmerge.unmerge` for what it raises."""
        self.prepare()
        return unmerge(self.main, contact_id, record_ids)

    def edit(self, contact_id: int, values: Mapping[str, str | None], *, by: str) -> None:
        """Store a person's values. See `ingest.editing.edit_contact` for what it raises."""
        self.prepare()
        edit_contact(self.main, contact_id, values, by=by, region=self.settings.default_country_code)

    def withdraw(self, contact_id: int, fields: Sequence[str], *, by: str) -> None:
        """Give fields back to the sources. See `ingest.editing.withdraw_edits` for what it raises."""
        self.prepare()
        withdraw_edits(self.main, contact_id, fields, by=by)

    def history(self, contact_id: int) -> History:
        """What is known of a contact. See `ingest.history.contact_history` for what it raises."""
        self.prepare()
        return contact_history(self.main, contact_id)

    def close(self) -> None:
        if self._queries is not None:
            self._queries.close()
        for database in (self._main, self._invoice):
            if database is not None:
                database.close()


def _executor(settings: Settings) -> Executor:
    """Raises SettingsError where a cluster could not write to the main database."""
    if settings.dask_scheduler is None:
        return LocalExecutor()
    if settings.main.url.engine is Engine.SQLITE:
        raise SettingsError(
            "An embedded main database cannot be written from several machines.",
            hint="Set EXECUTOR=local, or DATABASE_URL to a PostgreSQL or SQL Server.",
        )
    from ledgerline.ingest.executors.dask import DaskExecutor  # noqa: PLC0415  an extra: may not be installed

    return DaskExecutor(settings.dask_scheduler, partial(run_partition_here, settings.invoice.url.render()))


def run_partition_here(invoice: str, job: Job, partition: Partition) -> Result:
    """What a worker of a cluster does: a partition of a run that another process coordinates.

    invoice  the coordinator's invoice database, without its secrets. Raises SettingsError where this
             process reads another one: its settings are its own.
    """
    app = _worker()
    if (here := app.settings.invoice.url.render()) != invoice:
        raise SettingsError(
            f"A worker reads {here}, and the run {invoice}.",
            hint="Give the workers the settings of the process that starts the run (.env or environment).",
        )
    source = InvoiceSource(app.invoice, app.settings.invoice_table)
    known, limits = _known(job, source.integer_keys), app.main.limits
    try:
        once = partial(run_partition, job, partition, source, app.main, known, _pace())
        return patiently(once, limits.retries, limits.retry_delay_ms)
    finally:
        source.close()


@cache
def _worker() -> App:
    """One a process: its threads share it, and it lives as long."""
    return App(load_settings())


@cache
def _pace() -> Pace:
    return Pace()


@lru_cache(maxsize=1)
def _known(job: Job, integer_keys: bool) -> KnownRows:
    """Of text keys it holds all that is known: one at a time."""
    return KnownRows(job, _worker().main, integer_keys=integer_keys)


def _open(settings: DatabaseSettings, *, read_only: bool) -> Database:
    if settings.url.engine is Engine.SQLITE and not read_only:
        make_folder_of(Path(settings.url.database), "DATABASE_URL")
    limits = Limits(
        settings.connections,
        settings.acquire_ms,
        settings.statement_ms,
        settings.retry_attempts,
        settings.retry_delay_ms,
    )
    return Database(settings.url, limits, read_only=read_only)
