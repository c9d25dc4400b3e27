"""Commands that come before the first run: init, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ledgerline.cli import show
from ledgerline.cli.asking import ask
from ledgerline.cli.env_file import write_env
from ledgerline.cli.opened import opened
from ledgerline.databases.database import Database
from ledgerline.errors import LedgerlineError, UsageError
from ledgerline.settings import load_settings
from ledgerline.url import DatabaseUrl, parse_any

_HELP = "A connection string as you have it: URL, JDBC, ODBC or ADO.NET."
_COUNTRY = "Country of phones without a country code"
_OPTIONS = "Answer by options: ledgerline init --invoice URL --main URL --country IN"


def register(app: typer.Typer) -> None:
    for command in (init, migrate):
        app.command(command.__name__)(command)


def init(
    invoice: Annotated[str | None, typer.Option(help=f"The invoice database. {_HELP}")] = None,
    main: Annotated[str | None, typer.Option(help=f"The main database. {_HELP}")] = None,
    country: Annotated[str | None, typer.Option(help=f"{_COUNTRY}, such as IN.")] = None,
    force: Annotated[bool, typer.Option(help="Replace an .env that is there.")] = False,
) -> None:
    """Ask where the two databases are, write .env, and try both connections."""
    file = Path(".env")
    if file.exists() and not force:
        raise UsageError(
            f"There is a {file} already.", hint="Edit it, or replace it with: ledgerline init --force"
        )
    invoice_url = _asked(invoice, "Invoice database (read only)", "sqlite:///data/invoice.db")
    main_url = _asked(main, "Main database", "sqlite:///data/main.db")
    region = country or ask(_COUNTRY, otherwise=_OPTIONS, default="IN")
    values = {
        "DATABASE_URL": main_url.render(mask=False),
        "INVOICE_DATABASE_URL": invoice_url.render(mask=False),
        "DEFAULT_COUNTRY_CODE": region.strip().upper(),
    }
    # What is wrong is said before anything is written.
    load_settings(values, folder=file.parent / "no-such-folder")
    write_env(file, values)
    show.out.print(f"Wrote {file} (readable by you alone: it may hold passwords).\n")
    for name, url, read_only in (("invoice", invoice_url, True), ("main", main_url, False)):
        _try(name, url, read_only=read_only)
    show.out.print()
    show.next_steps(
        [
            ("ledgerline migrate", "make the tables of the main database"),
            ("ledgerline ingest", "bring the contacts over"),
        ]
    )


def _asked(given: str | None, question: str, default: str) -> DatabaseUrl:
    while True:
        what = f"{question}: URL, JDBC, ODBC or ADO.NET string"
        text = given or ask(what, otherwise=_OPTIONS, default=default)
        try:
            return parse_any(text)
        except LedgerlineError as error:
            if given is not None:
                raise
            show.failure(error)


def _try(name: str, url: DatabaseUrl, *, read_only: bool) -> None:
    try:
        database = Database(url, read_only=read_only)
        try:
            with database.connect() as connection:
                connection.exec_driver_sql("SELECT 1").all()
        finally:
            database.close()
    except LedgerlineError as error:
        show.out.print(f"[red]✗[/] {name}: {escape(error.detail)}")
        show.out.print(f"  [bold]→[/] {escape(error.hint)}")
    else:
        show.out.print(f"[green]✓[/] {name}: connected to {escape(url.render())}")


def migrate(
    claim_environment: Annotated[
        bool,
        typer.Option("--claim-environment", help="Take a database over that belongs to another environment."),
    ] = False,
) -> None:
    """Bring the tables of the main database to this version."""
    with opened() as app:
        before, after = app.migrate(claim=claim_environment)
    if before == after:
        show.out.print(f"The main database is up to date (revision {after}).")
    else:
        show.out.print(f"The main database is now at revision {after} (was: {before or 'empty'}).")
