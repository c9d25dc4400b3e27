"""`ledgerline`: the commands, and how errors become messages and exit codes."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from ledgerline import __version__
from ledgerline.cli import (
    alerts,
    backups,
    configuration,
    contacts,
    corrections,
    diagnosis,
    ingestion,
    keys,
    queries,
    service,
    setup,
    show,
)
from ledgerline.errors import LedgerlineError

app = typer.Typer(
    name="ledgerline",
    help="Brings the contacts of an invoice database into an application's own database: "
    "cleaned, matched, merged, and accounted for to the row.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for commands in (
    setup,
    configuration,
    diagnosis,
    ingestion,
    contacts,
    corrections,
    queries,
    keys,
    backups,
    alerts,
    service,
):
    commands.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledgerline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit with the codes of docs/cli.md."""
    try:
        app()
    except LedgerlineError as error:
        show.failure(error)
        sys.exit(error.exit_code)
    sys.exit(0)
