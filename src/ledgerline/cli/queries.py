"""Commands that ask the databases: query, queries."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.app import App
from ledgerline.cli import show
from ledgerline.cli.account import account
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json, Which
from ledgerline.databases import queries as log
from ledgerline.databases.queries import LoggedQuery, SavedQuery
from ledgerline.databases.schema import secret_tables
from ledgerline.documents import logged_query_document, saved_query_document
from ledgerline.errors import UsageError
from ledgerline.operations import formats
from ledgerline.operations.guard import Checked, Dialect, check
from ledgerline.operations.query import DIALECTS, Parameters
from ledgerline.settings import load_settings

_SHOWN_ROWS = 1_000


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"


def register(app: typer.Typer) -> None:
    app.command("query")(query)
    app.command("queries")(queries)


def query(
    sql: Annotated[
        str | None, typer.Argument(metavar="SQL", help="The query; - reads it from standard input.")
    ] = None,
    database: Annotated[Which, typer.Option(help="Which database to ask.")] = Which.MAIN,
    form: Annotated[Form, typer.Option("--format", help="How to print the answer.")] = Form.TABLE,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter: NAME=VALUE for :NAME, VALUE for ?, in order.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=0, help="Print no more than so many rows.")] = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Only tell whether it may run, and what would be sent.")
    ] = False,
    dialect: Annotated[
        Dialect | None, typer.Option(help="With --check: the dialect, if not the database's.")
    ] = None,
    save: Annotated[
        str | None, typer.Option(help="Keep the query under this name, and do not run it.")
    ] = None,
    saved: Annotated[str | None, typer.Option(help="Run the query that was kept under this name.")] = None,
) -> None:
    """Ask a database, read only: what would write, and what is not known to be harmless, is refused."""
    if (sql is None) == (saved is None):
        raise UsageError("Give a query, or --saved and its name.", hint='ledgerline query "SELECT 1"')
    if dialect is not None and not check_only:
        raise UsageError("A query runs in its database's own dialect.", hint="Leave out --dialect.")
    text = sys.stdin.buffer.read() if sql == "-" else (sql or "")
    if check_only and saved is None:
        _check(text, database, dialect)
        return
    with opened(quiet=True) as app:
        app.prepare()
        if save is not None:
            app.queries.save(save, database, text, by=_caller())
            show.err.print(f"Saved. Run it with: ledgerline query --saved {escape(save)}")
            return
        if saved is not None:
            found = app.queries.saved(saved)
            text, database = found.sql, Which(found.database)
        if check_only:
            _check(text, database, dialect)
        else:
            _run(app, text, database, form, param or [], rows)


def _check(text: str | bytes, database: Which, dialect: Dialect | None) -> None:
    if dialect is None:
        settings = load_settings()
        dialect = DIALECTS[(settings.main if database is Which.MAIN else settings.invoice).url.engine]
    checked = check(text, dialect, secret_tables() if database is Which.MAIN else ())
    show.err.print(f"Allowed in {dialect.value}. This would be sent:")
    sys.stdout.write(checked.sql + "\n")
    if checked.parameters:
        names = ", ".join(f"?{key + 1}" if isinstance(key, int) else f":{key}" for key in checked.parameters)
        show.err.print(f"with the parameters: {escape(names)}")


def _run(
    app: App, text: str | bytes, database: Which, form: Form, given: list[str], rows: int | None
) -> None:
    parameters = _parameters(app.queries.check(database, text), given) if given else None
    if form is Form.TABLE:
        rows = _SHOWN_ROWS if rows is None else rows
    with app.queries.run(database, text, parameters, key_name=_caller(), rows=rows) as result:
        if form is not Form.TABLE:
            for chunk in formats.written(result, formats.Format(form)):
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        else:
            table = Table(box=None, padding=(0, 2))
            for name in formats.names_of(result):
                table.add_column(escape(show.visible(name)), overflow="fold")
            for batch in result.batches():
                for row in batch:
                    table.add_row(*map(_shown, row))
            show.out.print(table)
            more = f", cut off by the limit of {result.truncated_by}" if result.truncated else ""
            counted = "1 row" if result.rows == 1 else f"{result.rows:,} rows"
            show.err.print(f"{counted} in {result.elapsed_ms:,} ms{more}.")
        if result.error is not None:
            raise result.error


def _parameters(checked: Checked, given: list[str]) -> Parameters:
    if all(isinstance(key, int) for key in checked.parameters):
        return [_value(text) for text in given]
    pairs = (text.partition("=") for text in given)
    return {name.removeprefix(":"): _value(value) for name, _, value in pairs}


def _value(text: str) -> Any:
    """A number, true, false, null or "text" as in JSON; everything else is text as it stands."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, list | dict) else value


def _shown(value: Any) -> str:
    if value is None:
        return "[dim]–[/]"
    return escape(show.visible(value if isinstance(value, str) else str(formats.plain(value))))


def _caller() -> str:
    name = account()
    return "cli" if name is None else f"cli:{name}"


def queries(
    slowest: Annotated[bool, typer.Option(help="The slowest first, not the newest.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 20,
    saved: Annotated[
        bool, typer.Option("--saved", help="The saved queries instead of those that ran.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Who asked what: the queries that ran or were refused, without their literals."""
    with opened(quiet=as_json) as app:
        app.prepare()
        if saved:
            found = log.all_saved(app.main)
            if as_json:
                show.print_json([saved_query_document(query) for query in found])
            elif found:
                show.out.print(_saved_table(found))
            else:
                show.out.print('No query is saved. Save one with: ledgerline query --save NAME "SELECT …"')
            return
        entries = app.queries.logged(slowest=slowest, limit=limit)
    if as_json:
        show.print_json([logged_query_document(entry) for entry in entries])
    elif entries:
        show.out.print(_log_table(entries))
    else:
        show.out.print('Nobody has asked anything yet. Ask with: ledgerline query "SELECT …"')


def _saved_table(found: list[SavedQuery]) -> Table:
    table = Table("name", "database", "query", box=None, padding=(0, 2))
    for entry in found:
        table.add_row(escape(entry.name), entry.database, escape(entry.sql))
    return table


def _log_table(entries: list[LoggedQuery]) -> Table:
    table = Table("started (UTC)", "key", "database", "outcome", box=None, padding=(0, 2))
    for name in ("rows", "ms"):
        table.add_column(name, justify="right")
    table.add_column("query", overflow="fold")
    for entry in entries:
        table.add_row(
            f"{entry.started_at:%Y-%m-%d %H:%M:%S}",
            escape(entry.key_name),
            entry.database,
            escape(entry.outcome),
            "–" if entry.row_count is None else f"{entry.row_count:,}",
            "–" if entry.elapsed_ms is None else f"{entry.elapsed_ms:,}",
            escape(entry.statement or entry.error_code or ""),
        )
    return table
