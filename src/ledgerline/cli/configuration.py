"""Commands about the configuration: config, its check, export and import; invoice-contract."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.app import App
from ledgerline.cli import show
from ledgerline.cli.asking import ask
from ledgerline.cli.env_file import write_env
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json
from ledgerline.databases.environments import environment_of
from ledgerline.databases.migrate import newest_revision, revision
from ledgerline.errors import EnvironmentMismatch, LedgerlineError, SettingsError, UsageError
from ledgerline.operations.config_backup import bring_back, open_config, seal_config
from ledgerline.operations.invoice_contract import invoice_contract
from ledgerline.safety import risks
from ledgerline.settings import Settings, describe, given_values, load_settings
from ledgerline.url import Secret

config = typer.Typer(help="The settings in force: see, check, export, import.", invoke_without_command=True)


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
    json: Json = False,
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


@config.command("export")
def export_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
) -> None:
    """Settings, saved queries and the hashes of API keys in one file, encrypted by BACKUP_PASSPHRASE."""
    with opened() as app:
        passphrase = _passphrase(app.settings.backups.passphrase, new=True)
        is_there = revision(app.main) == newest_revision()
        sealed = seal_config(given_values(), app.main if is_there else None, passphrase)
    try:
        with file.open("xb") as target:
            target.write(sealed)
    except FileExistsError:
        raise UsageError(f"There is a {file} already.", hint="Name another file.") from None
    show.out.print(f"Written to {escape(str(file))}. Without the passphrase nobody can open it.")
    if not is_there:
        show.err.print(
            "[yellow]note:[/] Saved queries and keys are not in it: the main database has no tables of this"
            " version. If it should, run: ledgerline migrate"
        )


@config.command("import")
def import_config(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of: ledgerline config export")],
    force: Annotated[bool, typer.Option("--force", help="Replace an .env that is there.")] = False,
) -> None:
    """Write .env from such a file, and bring saved queries and keys back into the main database."""
    target = Path(".env")
    if target.exists() and not force:
        raise UsageError(f"There is a {target} already.", hint="Replace it with --force.")
    if not file.is_file():
        raise UsageError(f"There is no {file}.", hint="Write one with: ledgerline config export FILE")
    values, tables = open_config(file.read_bytes(), _passphrase(None))
    settings = load_settings(values, folder=Path("no-such-folder"))
    _demand_environment(settings.environment.value)
    write_env(target, values)
    show.out.print(f"Wrote {target}: {len(values)} settings (readable by you alone).")
    for name in _overruled(values):
        show.err.print(f"[yellow]note:[/] {name} is set otherwise in the environment, which wins over .env.")
    with opened(settings, quiet=True) as app:
        if revision(app.main) is None:
            app.migrate()
        app.prepare()
        for name, count in bring_back(app.main, tables).items():
            show.out.print(f"{count} rows brought back into {name}.")


def _demand_environment(environment: str) -> None:
    """Raises EnvironmentMismatch: a file of production would bring its database along."""
    here = os.environ.get("ENVIRONMENT", "").strip().lower()
    if here and here != environment:
        raise EnvironmentMismatch(
            f"The file is of {environment}, and this is {here}: nothing is written.",
            hint=f"Where it shall be {environment}: ENVIRONMENT={environment} ledgerline config import …",
        )


def _overruled(values: Mapping[str, str]) -> list[str]:
    """Settings of the file that have another value in this process's environment."""
    return [name for name, value in values.items() if os.environ.get(name, value) != value]


def _passphrase(known: Secret | None, *, new: bool = False) -> Secret:
    """That of the settings, of the environment, or what is typed in; `new`: what it seals is yet to be."""
    if known is not None:
        return known
    given = os.environ.get("BACKUP_PASSPHRASE")
    return Secret(given or ask("Passphrase", otherwise="Set BACKUP_PASSPHRASE.", secret=True, new=new))
