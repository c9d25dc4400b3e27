"""Commands that make, list and revoke API keys."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json
from ledgerline.databases.runs import utc_now
from ledgerline.documents import key_document
from ledgerline.errors import SettingsError, UsageError
from ledgerline.operations.keys import Scope
from ledgerline.settings.values import duration

keys = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="Whose key it is; two may be live at a time.")],
    scope: Annotated[str, typer.Option(help=f"What it may, joined by commas: {', '.join(Scope)}.")],
    expires: Annotated[str, typer.Option(help="How long it lives, such as 90d or 12h; never.")] = "90d",
    json: Json = False,
) -> None:
    """Make a key. It is printed once and can never be shown again."""
    with opened(quiet=json) as app:
        app.prepare()
        key, token = app.keys.create(name, _scopes(scope), _lifetime(expires))
    if json:
        show.print_json({**key_document(key), "key": token})
        return
    show.err.print(f"Key {key.id} of {escape(name)}. Keep it now, it is not shown again:")
    sys.stdout.write(token + "\n")


@keys.command("list")
def list_keys(
    json: Json = False,
) -> None:
    """All keys, the newest first."""
    with opened(quiet=json) as app:
        app.prepare()
        found = app.keys.list()
    if json:
        show.print_json([key_document(key) for key in found])
        return
    if not found:
        show.out.print("There are no keys. Make one with: ledgerline keys create --name NAME --scope read")
        return
    table = Table("id", "name", "scopes", "created (UTC)", "expires", "state", box=None, padding=(0, 2))
    for key in found:
        state = "[green]live[/]" if key.is_live(utc_now()) else "revoked" if key.revoked_at else "expired"
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
        table.add_row(
            key.id, escape(key.name), key.scopes, f"{key.created_at:%Y-%m-%d %H:%M}", expires, state
        )
    show.out.print(table)


@keys.command()
def revoke(key: Annotated[str, typer.Argument(metavar="ID", help="See: ledgerline keys list")]) -> None:
    """Revoke a key, here at once and in a running service within half a minute."""
    with opened(quiet=True) as app:
        app.prepare()
        app.keys.revoke(key)
    show.out.print(f"Key {escape(key)} is revoked.")


def _scopes(text: str) -> set[Scope]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(Scope)]
    if unknown:
        raise UsageError(f"There is no scope {', '.join(unknown)}.", hint=f"Scopes: {', '.join(Scope)}.")
    return {Scope(name) for name in names}


def _lifetime(text: str) -> timedelta | None:
    if text == "never":
        return None
    try:
        return duration(text)
    except SettingsError:
        raise UsageError(f"{text!r} is not a duration.", hint="Write 90d, 12h, 30m, 4w or never.") from None
