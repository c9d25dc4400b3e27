"""Every statement that the flow executes, written as T-SQL: it parses, and asks for nothing dangerous.

The statements are caught where they are executed, on SQLite, and rendered again for SQL Server, so that a
statement that SQL Server cannot take is seen without one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import expressions as exp

from ledgerline.app import App
from ledgerline.databases import engines, queries, reports, schedules, schema
from ledgerline.databases.alerts import Outbox
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Load
from ledgerline.databases.engines.sqlserver import TAKE_TURN, unconnected_dialect
from ledgerline.databases.runs import Run
from ledgerline.databases.staging_tables import Staging
from ledgerline.errors import AuthNotConfigured, DatabaseUnreachable
from ledgerline.ingest.run import Cancel
from ledgerline.operations.doctor_findings import Diagnosis
from ledgerline.operations.keys import Scope
from ledgerline.operations.probe import Look, State, Status
from ledgerline.settings import Settings, load_settings
from ledgerline.sources.sample_database import write_sample
from ledgerline.worker.duties import Duties

DIALECT = unconnected_dialect()
ROWS = 300
_NOTHING = Diagnosis((), None)
TABLES = [
    *schema.metadata.sorted_tables,
    *schema.activity.sorted_tables,
    *Staging(1, "INVOICE").tables,
]


class _Unwatched:
    def progress(self, stage: str, done: int, total: int, rows: int) -> None: ...


@contextmanager
def _caught(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[sa.sql.ClauseElement]]:
    statements: list[sa.sql.ClauseElement] = []

    def execute(_connection: Any, statement: sa.sql.ClauseElement, *_others: Any) -> None:
        statements.append(statement)

    def rendered(statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> str:
        statements.append(statement)
        return render(statement, dialect)

    render = engines.render
    monkeypatch.setattr("ledgerline.databases.database.render", rendered)
    sa.event.listen(sa.Engine, "before_execute", execute)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_execute", execute)


@contextmanager
def _no_second_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A thread whose transaction is open uses no other connection to the same database.

    By default SQL Server lets a reader wait for a writer: the thread would wait for itself. Servers that
    keep versions of rows do not show it.
    """
    writing = threading.local()
    begin = Database.begin

    @contextmanager
    def begin_watched(self: Database, loads: Sequence[Load] = ()) -> Iterator[sa.Connection]:
        assert not getattr(writing, "now", False), "A transaction was begun inside another."
        writing.now = True
        try:
            with begin(self, loads) as connection:
                yield connection
        finally:
            writing.now = False

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def use(*arguments: Any, **named: Any) -> Any:
            assert not getattr(writing, "now", False), f"{method.__name__} was used inside a transaction."
            return method(*arguments, **named)

        return use

    monkeypatch.setattr(Database, "begin", begin_watched)
    for method in (Database.read, Database.connect):
        monkeypatch.setattr(Database, method.__name__, watched(method))
    yield


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a first run, a run that finds changes, the reports and undo execute, as T-SQL."""
    folder = tmp_path_factory.mktemp("tsql")
    urls = {
        "DATABASE_URL": f"sqlite:///{folder}/main.db",
        "INVOICE_DATABASE_URL": f"sqlite:///{folder}/invoice.db",
        "BACKUP_SCHEDULE": "* * * * *",
        "ALERT_OUTBOX": f"{folder}/alerts.db",
    }
    settings = load_settings(urls, folder)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        _no_second_connection(monkeypatch),
        _caught(monkeypatch) as caught,
    ):
        _sample(settings)
        app = App(settings)
        try:
            first = app.ingest(_Unwatched(), Cancel())
            _change(folder / "invoice.db")
            second = app.ingest(_Unwatched(), Cancel(), full=True, accept_withdrawals=True)
            assert min(second.counts[name] for name in ("updated", "withdrawn", "vanished", "rejected")) > 0
            _change_a_little(folder / "invoice.db")
            third = app.ingest(_Unwatched(), Cancel(), reconcile=True)
            assert third.since is not None
            assert min(third.counts[name] for name in ("updated", "withdrawn", "vanished", "rejected")) > 0
            for run in (first, second, third):
                list(reports.open_rejects(app.main, run.id))
                reports.cleaned_examples(app.main, run.id, 5)
                reports.merged_examples(app.main, run.id, 5)
            reports.reject_reasons(app.main, second.source_system)
            list(reports.export_contacts(app.main, inactive=True))
            list(reports.all_open_rejects(app.main))
            reports.rejects_of(app.main, "5")
            _put_right(app, first, second)
            _look_after(app)
            _do_duties(app)
        finally:
            app.close()
    return sorted({_as_tsql(statement) for statement in caught if _is_ours(statement)})


def _put_right(app: App, first: Run, second: Run) -> None:
    """What people do after a run: edits, a split, undos and a redo, on top of each other."""
    exported = pl.concat(reports.export_contacts(app.main))
    merged = exported.filter(pl.col("sourceRecordIds").list.len() > 1)["id"][0]
    app.edit(merged, {"designation": "Owner", "email": "owner@shop.example"}, by="Kim")
    app.withdraw(merged, ["designation"], by="Kim")
    app.unmerge(merged)
    app.history(merged)
    app.undo(app.undo(second.id).run.id)
    undone = app.undo(first.id)
    assert undone.kept
    app.undo(undone.run.id)
    app.ingest(_Unwatched(), Cancel(), resume=True)


def _look_after(app: App) -> None:
    """Queries and keys."""
    app.queries.save("one", "main", "SELECT 1 AS a", by="me")
    app.queries.save("one", "main", "SELECT 2 AS a", by="me")
    found = app.queries.saved("one")
    with app.queries.run(found.database, found.sql, key_name="me") as result:
        assert list(result.batches()) == [[(2,)]]
    queries.all_saved(app.main)
    queries.delete_saved(app.main, "one")
    app.queries.logged(slowest=True, key_name="me")
    queries.forget(app.main, timedelta(days=1))
    with pytest.raises(AuthNotConfigured):
        app.keys.verify(None, "127.0.0.1")
    key, token = app.keys.create("me", {Scope.READ})
    app.keys.verify(token, "127.0.0.1")
    app.keys.list()
    app.keys.revoke(key.id)


class _Failing:
    def start(self, kind: str, options: Mapping[str, Any]) -> Any:
        raise OSError("There is no process to be had.")


def _do_duties(app: App) -> None:
    """A schedule comes due, and a database is down for a while, the main one too."""
    now = datetime(2030, 1, 1)  # noqa: DTZ001  UTC without a zone
    up = State(Status.UP, now, Look(now, latency_ms=1))
    down = State(Status.DOWN, now, Look(now, error=DatabaseUnreachable("It is gone.")))
    seen: dict[str, State | None] = {}
    duties = Duties(
        app, lambda: seen, workers=_Failing(), diagnosed=lambda *_: {"invoice": _NOTHING, "main": _NOTHING},
        clock=lambda: now,
    )  # fmt: skip
    for main, invoice in ((up, up), (up, down), (down, down), (up, up)):
        now += timedelta(hours=3)
        seen = {"main": main, "invoice": invoice}
        duties.tick()
    duties.stop()
    begin = app.main.begin_activity
    assert [fire.outcome for fire in schedules.latest(begin)][-1] == "armed"
    assert schedules.last_started(begin, "backup") is not None
    found = Outbox(begin).recent(10)
    assert {alert.subject for alert in found} >= {"database.main", "database.invoice", "backup.schedule"}
    assert Outbox(begin).deliveries([alert.id for alert in found])


def _sample(settings: Settings) -> None:
    database = Database(settings.invoice.url)
    write_sample(database, settings.invoice_table, ROWS, seed=7)
    database.close()


def _change(path: Path) -> None:
    _changed(
        path,
        "UPDATE customer_contacts SET designation = 'Vendor' WHERE contactid % 5 = 0",
        "UPDATE customer_contacts SET del_sts = 'Y' WHERE contactid % 7 = 0",
        "UPDATE customer_contacts SET contact_no = NULL WHERE contactid % 11 < 3",
        "UPDATE customer_contacts SET contact_person_email = NULL WHERE contactid % 11 < 3",
        "DELETE FROM customer_contacts WHERE contactid % 13 = 0",
    )


def _change_a_little(path: Path) -> None:
    _changed(
        path,
        "UPDATE customer_contacts SET designation = 'Lead' WHERE contactid % 17 = 0",
        "UPDATE customer_contacts SET del_sts = 'Y' WHERE contactid % 19 = 0",
        "UPDATE customer_contacts SET contact_no = '-', contact_person_email = '' WHERE contactid % 23 = 0",
        "UPDATE customers SET customer_name = 'Renamed' WHERE customerid % 19 = 0",
        "DELETE FROM customer_contacts WHERE contactid % 29 = 0",
    )


def _changed(path: Path, *changes: str) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for change in changes:
            connection.execute(sa.text(change))
    engine.dispose()


def _is_ours(statement: sa.sql.ClauseElement) -> bool:
    """Not SQLAlchemy's own questions to SQLite, nor SQLite's alone (`typeof`, and what time it is there)."""
    own = ("typeof", "strftime", "pragma_")
    return not isinstance(statement, sa.TextClause) and not any(word in str(statement) for word in own)


def _as_tsql(statement: sa.sql.ClauseElement) -> str:
    return str(statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})).strip()


def _parsed(sql: str) -> exp.Expr:
    (tree,) = sqlglot.parse(sql, read="tsql")
    assert tree is not None
    return tree


def test_the_flow_was_caught(statements: list[str]) -> None:
    verbs = {statement.split()[0] for statement in statements}
    assert {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP"} <= verbs
    assert len(statements) > 100


def test_every_statement_is_tsql(statements: list[str]) -> None:
    opaque = [statement for statement in statements if _parsed(statement).find(exp.Command)]
    assert opaque == []


def test_no_statement_is_of_another_dialect(statements: list[str]) -> None:
    foreign = re.compile(
        r"\b(LIMIT|TRUE|FALSE|ON CONFLICT|RETURNING|ILIKE|USING|IS (NOT )?DISTINCT FROM)\b|\|\||::",
        re.IGNORECASE,
    )
    assert [statement for statement in statements if foreign.search(statement)] == []


def test_the_lock_of_a_migration_is_tsql() -> None:
    batch = sqlglot.parse(TAKE_TURN, read="tsql")
    assert [type(statement) for statement in batch] == [exp.Declare, exp.Execute, exp.IfBlock]


def test_nothing_is_read_uncommitted(statements: list[str]) -> None:
    assert [s for s in statements if "NOLOCK" in s.upper() or "READUNCOMMITTED" in s.upper()] == []


def test_a_lease_that_is_held_can_be_read(statements: list[str]) -> None:
    """Else nobody could ask, while a run writes, who is at it: by default readers wait for writers."""
    held = [s for s in statements if "UPDLOCK" in s]
    assert held
    assert all(s.startswith("SELECT leases.token") and "FROM leases WITH (UPDLOCK)" in s for s in held)
    changed = [s for s in statements if s.startswith("UPDATE leases")]
    assert not [s for s in changed if "holder=" not in s and "run_id=" not in s]


def test_a_page_is_ordered(statements: list[str]) -> None:
    pages = [statement for statement in statements if "OFFSET" in statement]
    assert pages
    assert all("ORDER BY" in statement for statement in pages)


def test_tables_and_indexes_are_tsql() -> None:
    tables = [sa.schema.CreateTable(table) for table in TABLES]
    indexes = [sa.schema.CreateIndex(index) for table in TABLES for index in table.indexes]
    every: list[sa.sql.ClauseElement] = [*tables, *indexes]
    for ddl in every:
        assert isinstance(_parsed(_as_tsql(ddl)), exp.Create)


def test_only_rows_that_the_database_numbers_have_an_identity() -> None:
    numbered = {table.name for table in TABLES if "IDENTITY" in _as_tsql(sa.schema.CreateTable(table))}
    assert numbered == {"templates", "messages", "ingestion_runs", "contact_edits", "query_log"}


def test_keys_fit_into_an_index() -> None:
    """SQL Server's limits in bytes: 900 for a primary key (it is clustered), 1700 for any other."""
    sizes = {
        (table.name, getattr(item, "name", None)): (sum(map(_bytes, item.columns)), limit)
        for table in TABLES
        for items, limit in (
            ([table.primary_key], 900),
            (table.indexes, 1700),
            ([c for c in table.constraints if isinstance(c, sa.UniqueConstraint)], 1700),
        )
        for item in items
    }
    assert {key: size for key, size in sizes.items() if size[0] > size[1]} == {}


def test_what_is_unique_is_never_null() -> None:
    """To SQL Server two NULLs in a unique index are the same value."""
    unique = [
        column
        for table in TABLES
        for item in (*table.constraints, *table.indexes)
        if isinstance(item, sa.UniqueConstraint) or (isinstance(item, sa.Index) and item.unique)
        for column in item.columns
    ]
    assert unique
    assert [column for column in unique if column.nullable] == []


def _bytes(column: sa.Column[Any]) -> int:
    """At most; SQL Server counts two bytes for each unit of UTF-16."""
    kind = column.type.dialect_impl(DIALECT)
    if isinstance(kind, sa.String):
        assert kind.length, f"{column} has no length: it cannot be in an index."
        return 2 * int(kind.length)
    return 8


def test_text_is_compared_byte_by_byte() -> None:
    texts = [c for table in TABLES for c in table.columns if isinstance(c.type, sa.String)]
    assert len(texts) > 100
    assert {c.type.dialect_impl(DIALECT).collation for c in texts} == {"Latin1_General_BIN2"}  # type: ignore[attr-defined]
