"""Commands about alerts: test, list."""

from __future__ import annotations

import socket
import uuid
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show
from ledgerline.cli.options import Json
from ledgerline.databases.alerts import GIVEN_UP, PENDING, Alert, Delivery
from ledgerline.databases.runs import utc_now
from ledgerline.documents import alert_document
from ledgerline.errors import ChannelFailed, DatabaseError
from ledgerline.operations.alert_messages import test_message
from ledgerline.operations.channels import channels
from ledgerline.operations.duty_status import alerts_beside, known_alerts
from ledgerline.settings import Settings, load_settings

alerts = typer.Typer(help="What is wrong, who is told of it, and whether that works.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(alerts, name="alerts")


@alerts.command("test")
def try_channels(json: Json = False) -> None:
    """Send a message through every channel that is set up, and say what became of it."""
    settings = load_settings()
    now = utc_now()
    message = test_message(now, environment=settings.environment.value, host=socket.gethostname())
    failed: dict[str, ChannelFailed | None] = {}
    for channel in channels(settings.alerts):
        try:
            channel.send(str(uuid.uuid4()), message, now)
            failed[channel.name] = None
        except ChannelFailed as error:
            failed[channel.name] = error
    if json:
        show.print_json({name: _result(error) for name, error in failed.items()})
    else:
        show.notices(settings.notices)
        _print_results(failed)
    raise typer.Exit(1 if any(failed.values()) else 0)


def _result(error: ChannelFailed | None) -> dict[str, object]:
    if error is None:
        return {"sent": True}
    return {"sent": False, "code": error.code, "detail": error.detail, "hint": error.hint}


def _print_results(failed: dict[str, ChannelFailed | None]) -> None:
    for name, error in failed.items():
        if error is None:
            show.out.print(f"[green]✓[/] {name}")
        else:
            show.out.print(f"[red]✗[/] {name}  {escape(error.detail)}")
            show.out.print(f"  [bold]→[/] {escape(error.hint)}")
    if set(failed) == {"log"}:
        show.err.print("Only the log of the service gets alerts: set ALERT_WEBHOOK_URL or ALERT_MAIL_TO.")


@alerts.command("list")
def list_alerts(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20, json: Json = False
) -> None:
    """What is wrong now and what was, the newest first, and whether it was told."""
    settings = load_settings()
    found = _known(settings, limit)
    if json:
        show.print_json([alert_document(alert, made) for alert, made in found])
        return
    show.notices(settings.notices)
    if not found:
        show.out.print("There are no alerts.")
        return
    table = Table("opened (UTC)", "ended (UTC)", "alert", "told", box=None, padding=(0, 2))
    for alert, made in found:
        ended = f"{alert.recovered_at:%Y-%m-%d %H:%M}" if alert.recovered_at else "[red]open[/]"
        title = f"{escape(alert.title)} [dim]({escape(alert.code)})[/]"
        table.add_row(f"{alert.opened_at:%Y-%m-%d %H:%M}", ended, title, _told(made))
    show.out.print(table)


def _known(settings: Settings, limit: int) -> list[tuple[Alert, list[Delivery]]]:
    try:
        return known_alerts(settings, limit)
    except DatabaseError as error:
        show.failure(error)
        show.err.print(f"What follows is from {escape(settings.alerts.outbox)}, a file of this machine.")
        return alerts_beside(settings, limit)


def _told(made: list[Delivery]) -> str:
    """The channels that got it, and those that did not."""
    words = []
    for channel in dict.fromkeys(delivery.channel for delivery in made):
        states = {delivery.status for delivery in made if delivery.channel == channel}
        bad = next((state for state in (GIVEN_UP, PENDING) if state in states), None)
        words.append(channel if bad is None else f"[yellow]{channel}: {bad.replace('_', ' ')}[/]")
    return ", ".join(words)
