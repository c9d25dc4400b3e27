"""Commands about the configuration: config, config check, invoice-contract."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.app import App
from ledgerline.cli import show
from ledgerline.databases.environments import environment_of
from ledgerline.errors import LedgerlineError, SettingsError
from ledgerline.operations.invoice_contract import invoice_contract
from ledgerline.safety import risks
from ledgerline.settings import Settings, describe, load_settings

config = typer.Typer(help="The settings in force; check them.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    app.add_typer(config, name="config")
    app.command("invoice-contract")(contract)


@config.callback()
def shown(context: typer.Context) -> None:
    """All settings as they are in force, and where each comes from. Secrets are never shown."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    show.notices(settings.notices)
    table = Table(box=None, padding=(0, 2))
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for name, value, origin in describe(settings):
        table.add_row(
            name, escape(value) or "[dim]–[/]", escape(origin), style="dim" if origin == "default" else ""
        )
    show.out.print(table)


@config.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Whether Ledgerline may start with these settings: exit code 0, or 2 with what is wrong."""
    document = _checked()
    if json:
        show.print_json(document)
    else:
        show.notices(document["notices"])
        for mistake in document["mistakes"]:
            show.out.print(f"[red]✗[/] {escape(mistake)}")
        if document["ok"]:
            show.out.print(f"[green]✓[/] The settings of {document['environment']} are good.")
    if not document["ok"]:
        raise typer.Exit(2)


def _checked() -> dict[str, Any]:
    try:
        settings = load_settings()
    except SettingsError as error:
        return {"ok": False, "environment": None, "mistakes": list(error.mistakes), "notices": []}
    mistakes, notices = _owner(settings)
    key = settings.api_key.reveal() if settings.api_key else ""
    foreseen = risks(settings.main.url, settings.invoice.url, key)  # in production these are mistakes
    notices += [f"In production: {risk.setting}: {risk.detail} {risk.remedy}" for risk in foreseen]
    return {
        "ok": not mistakes,
        "environment": settings.environment.value,
        "mistakes": mistakes,
        "notices": [*settings.notices, *notices],
    }


def _owner(settings: Settings) -> tuple[list[str], list[str]]:
    """(mistakes, notices) about whose database the main one is."""
    app = App(settings)
    try:
        owner = environment_of(app.main)
    except LedgerlineError as error:
        return [], [f"Whose database DATABASE_URL names is not known: {error.detail}"]
    finally:
        app.close()
    if owner in (None, settings.environment.value):
        return [], []
    return [f"DATABASE_URL: the database belongs to {owner}. See: ledgerline migrate --help"], []


def contract(
    login: Annotated[
        str, typer.Option(help="The name of the login that Ledgerline is to be given.")
    ] = "ledgerline_reader",
) -> None:
    """A sheet for the owners of the invoice database (Markdown): what is needed of it, and the SQL for it."""
    sys.stdout.write(invoice_contract(load_settings(), login))
