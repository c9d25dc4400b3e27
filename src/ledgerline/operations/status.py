"""What is in the two databases: their tables, how many rows, what ran last.

A count must not hurt the server that is asked. Its own estimate comes first; only a table that is small by
it is counted, and that only up to a bound, within a statement timeout. What is larger stays an estimate, and
says so. SQLite estimates nothing, but counts in this process, so its bound is higher.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import sqlalchemy as sa

from ledgerline.databases import runs
from ledgerline.databases.database import Database
from ledgerline.databases.migrate import newest_revision, revision
from ledgerline.databases.runs import Run
from ledgerline.databases.schema import ingestion_runs
from ledgerline.databases.settling import Pause, pauses
from ledgerline.errors import DatabaseUnreachable, LedgerlineError, TableMissing, TransientFault
from ledgerline.operations.doctor import quick_database
from ledgerline.settings import Settings
from ledgerline.url import Engine

CORE_TABLES: Final = ("contacts", "owners", "templates", "messages")
EXACT_ROWS: Final = 100_000  # up to here rows are counted
EMBEDDED_ROWS: Final = 2_000_000  # the same in an embedded database, some tenths of a second
LONGEST_SECONDS: Final = 13.0


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """One database. Where it is not connected there is nothing but the `fault`."""

    connected: bool
    tables: tuple[str, ...] = ()
    counts: Mapping[str, int | None] = field(default_factory=dict)  # None: see `errors`
    estimated: tuple[str, ...] = ()  # tables whose count is the server's estimate
    errors: Mapping[str, LedgerlineError] = field(default_factory=dict)
    fault: LedgerlineError | None = None


@dataclass(frozen=True, slots=True)
class SourceActivity:
    """What ran last of one source."""

    system: str
    last: Run
    last_success: Run | None


@dataclass(frozen=True, slots=True)
class Activity:
    """The revision of the main database's tables, and the runs.

    Tables of another version may lack columns that a run is read from: of those no runs are told.
    """

    revision: str | None
    newest: str | None
    sources: tuple[SourceActivity, ...]

    @property
    def is_current(self) -> bool:
        return self.revision == self.newest


def status(settings: Settings) -> dict[str, DatabaseStatus]:
    """Both databases, looked at side by side, within LONGEST_SECONDS. Fails for neither."""
    found: dict[str, DatabaseStatus] = {}

    def look(name: str) -> None:
        found[name] = _of_main(settings) if name == "main" else _of_invoice(settings)

    threads = [threading.Thread(target=look, args=(name,), daemon=True) for name in ("main", "invoice")]
    until = time.monotonic() + LONGEST_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = DatabaseUnreachable(
        f"It did not answer within {LONGEST_SECONDS:.0f} s.", hint="Find out why: ledgerline doctor"
    )
    return {name: found.get(name) or DatabaseStatus(False, fault=late) for name in ("main", "invoice")}


def activity(settings: Settings) -> Activity:
    """What ran last. Raises DatabaseError when the main database cannot be read."""
    main = _quick_main(settings)
    try:
        found = Activity(revision(main), newest_revision(), ())
        return replace(found, sources=tuple(_sources(main))) if found.is_current else found
    finally:
        main.close()


def paused(settings: Settings, *, connected: bool) -> list[Pause]:
    """The sources that an undo paused. Fails for nothing.

    connected  whether the main database is known to answer, so that it can be asked
    """
    if not connected:
        return []
    main = _quick_main(settings)
    try:
        return pauses(main)
    except LedgerlineError:  # not migrated yet, or the status tells why elsewhere
        return []
    finally:
        main.close()


def _sources(main: Database) -> Iterable[SourceActivity]:
    """Plans and undos are no runs of a source."""
    last = _latest(main)
    successes = _latest(main, ingestion_runs.c.status == "succeeded")
    return [SourceActivity(system, run, successes.get(system)) for system, run in sorted(last.items())]


def _latest(main: Database, *conditions: sa.ColumnElement[bool]) -> dict[str, Run]:
    newest = (
        sa.select(sa.func.max(ingestion_runs.c.id))
        .where(ingestion_runs.c.kind == "ingest", *conditions)
        .group_by(ingestion_runs.c.source_system)
    )
    with main.connect() as connection:
        found = [runs.get_in(connection, number) for number in connection.scalars(newest).all()]
    return {run.source_system: run for run in found if run is not None}


# --- one database ------------------------------------------------------------------------------


def _quick_main(settings: Settings) -> Database:
    """An embedded one is opened for reading only: looking at it makes no file."""
    url = settings.main.url
    return quick_database(url, read_only=url.engine is Engine.SQLITE)


def _of_main(settings: Settings) -> DatabaseStatus:
    try:
        database = _quick_main(settings)
        try:
            there = _tables(database, None)
            return _counted(database, None, _in_order(there, CORE_TABLES), CORE_TABLES)
        finally:
            database.close()
    except LedgerlineError as error:
        return DatabaseStatus(False, fault=error)


def _of_invoice(settings: Settings) -> DatabaseStatus:
    layout = settings.invoice_table
    try:
        database = quick_database(settings.invoice.url, read_only=True)
        try:
            schema = layout.table.schema if database.url.engine.has_schemas else None
            there = _tables(database, schema)
            spelt = {name.casefold(): name for name in there} if schema is None else {}
            wanted = [
                spelt.get(table.name.casefold(), table.name)
                for table in (layout.table, layout.customers.table)
            ]
            return _counted(database, schema, _in_order(there, wanted), wanted[:1])
        finally:
            database.close()
    except LedgerlineError as error:
        return DatabaseStatus(False, fault=error)


def _in_order(there: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those that are wanted first, then the rest."""
    first = [name for name in dict.fromkeys(wanted) if name in there]
    return [*first, *sorted(set(there) - set(first))]


def _tables(database: Database, schema: str | None) -> list[str]:
    """Tables, and views, which may stand for them."""
    with database.connect() as connection:
        inspector = sa.inspect(connection)
        return [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]


def _counted(
    database: Database, schema: str | None, tables: Sequence[str], wanted: Sequence[str]
) -> DatabaseStatus:
    counts: dict[str, int | None] = {}
    estimated: list[str] = []
    errors: dict[str, LedgerlineError] = {}
    for name in wanted:
        try:
            if name not in tables:
                raise TableMissing(f"There is no table {name}.", hint="Find out why: ledgerline doctor")
            counts[name], is_estimate = _count(database, name, schema)
        except LedgerlineError as error:
            counts[name], errors[name] = None, error
        else:
            estimated += [name] if is_estimate else []
    return DatabaseStatus(True, tuple(tables), counts, tuple(estimated), errors)


def _count(database: Database, name: str, schema: str | None) -> tuple[int, bool]:
    """(rows, whether that is an estimate); one that the server does not make is the least that there are."""
    bound = EMBEDDED_ROWS if database.url.engine is Engine.SQLITE else EXACT_ROWS
    with database.connect() as connection:
        estimate = database.server.estimate_rows(connection, name, schema)
    if estimate is not None and estimate > bound:
        return estimate, True
    try:
        with database.connect() as connection:
            counted = connection.execute(count_up_to(bound + 1, name, schema)).scalar_one()
    except TransientFault:
        if estimate is None:
            raise
        return estimate, True
    return (counted, False) if counted <= bound else (max(counted, estimate or 0), True)


def count_up_to(rows: int, name: str, schema: str | None) -> sa.Select[Any]:
    """How many rows there are; no more than so many are read."""
    one: sa.ColumnElement[int] = sa.literal_column("1")
    few = sa.select(one.label("one")).select_from(sa.table(name, schema=schema)).limit(rows)
    return sa.select(sa.func.count()).select_from(few.subquery("few"))
