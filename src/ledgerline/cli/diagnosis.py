"""Commands that look at the two databases: doctor, status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ledgerline.cli import show
from ledgerline.cli.options import Json, Which
from ledgerline.databases.migrate import is_known
from ledgerline.databases.runs import Run, utc_now
from ledgerline.databases.settling import Pause
from ledgerline.documents import diagnosis_document, housekeeping_document, status_document
from ledgerline.errors import LedgerlineError, SettingsError
from ledgerline.operations.backup import Backups
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.doctor import diagnose
from ledgerline.operations.doctor_faults import Fault, Layer
from ledgerline.operations.doctor_findings import Check, Diagnosis
from ledgerline.operations.duty_status import ScheduleState, schedule_states
from ledgerline.operations.status import Activity, DatabaseStatus, SourceActivity, activity, paused
from ledgerline.operations.status import status as look_at
from ledgerline.settings import Settings, load_settings
from ledgerline.url import DatabaseUrl


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("status")(status)


def doctor(
    database: Annotated[Which | None, typer.Option(help="Look at this one only.")] = None,
    json: Json = False,
) -> None:
    """Find out why a database cannot be reached or read, layer by layer, and what to do about it."""
    names = list(Which) if database is None else [database]
    found = _diagnosed([name.value for name in names], quiet=json)
    if json:
        show.print_json({name: diagnosis_document(each) for name, each in found.items()})
    else:
        for name, each in found.items():
            _print(name, each)
    raise typer.Exit(_exit_code(found))


def _diagnosed(names: list[str], *, quiet: bool) -> Mapping[str, Diagnosis]:
    try:
        settings = load_settings()
    except SettingsError as error:
        wrong = Check(Layer.SETTINGS, False, error.detail, (error.hint,), Fault.SETTINGS_INVALID)
        return {name: Diagnosis((wrong,), None) for name in names}
    if not quiet:
        show.notices(settings.notices)
    return diagnose(settings, names)


def _exit_code(found: Mapping[str, Diagnosis]) -> int:
    """What is wrong here before what is wrong elsewhere: 2, 3, 1."""
    codes = {each.exit_code for each in found.values()}
    return next((code for code in (2, 3, 1) if code in codes), 0)


def _print(name: str, diagnosis: Diagnosis) -> None:
    latency = "" if diagnosis.latency_ms is None else f", {diagnosis.latency_ms:g} ms"
    state = f"connected{latency}" if diagnosis.connected else "not connected"
    code = "" if diagnosis.code is None else f"  [red]{diagnosis.code.value}[/]"
    show.out.print(f"[bold]{name}[/]  {state}{code}")
    for check in diagnosis.checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]" if check.hinders else "[yellow]![/]"
        line = Table.grid(padding=(0, 1))
        line.add_row(f"  {mark}", f"{check.layer.value:<10}", escape(check.detail))
        show.out.print(line)
        for step in check.remedy:
            show.out.print(Padding(f"[bold]→[/] {escape(step)}", (0, 0, 0, 15), expand=False))
    show.out.print()


def status(json: Json = False) -> None:
    """What is in both databases: tables, how many rows, the last runs; schedules, the last proven backup."""
    settings = load_settings()
    found = look_at(settings)
    connected = found["main"].connected
    states = schedule_states(settings, utc_now(), connected=connected)
    proven, waiting = _last_proven(settings), paused(settings, connected=connected)
    if json:
        databases = {name: status_document(each) for name, each in found.items()}
        show.print_json({**databases, **housekeeping_document(waiting, states, proven)})
    else:
        show.notices(settings.notices)
        _print_status("main", settings.main.url, found["main"])
        _print_status("invoice", settings.invoice.url, found["invoice"])
        if connected:
            _print_activity(activity(settings))
        _print_paused(waiting)
        _print_duties(states, proven)
    raise typer.Exit(max(0 if each.fault is None else 3 for each in found.values()))


def _print_status(name: str, url: DatabaseUrl, status: DatabaseStatus) -> None:
    mark = "[green]✓[/]" if status.connected else "[red]✗[/]"
    show.out.print(f"{mark} [bold]{name}[/]  {escape(url.render())}")
    if status.fault is not None:
        show.out.print(f"  {escape(status.fault.detail)}")
        show.out.print("  [bold]→[/] Find out why: ledgerline doctor\n")
        return
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(justify="right", min_width=10)
    table.add_column()
    for name_of_table, count in status.counts.items():
        if count is None:
            table.add_row(
                "[red]–[/]", f"{escape(name_of_table)}  [red]{escape(status.errors[name_of_table].detail)}[/]"
            )
        else:
            about = "[dim]about[/] " if name_of_table in status.estimated else ""
            table.add_row(f"{about}{count:,}", escape(name_of_table))
    show.out.print(table)
    further = [each for each in status.tables if each not in status.counts]
    if further:
        show.out.print(f"  [dim]{_further(further)}[/]")
    show.out.print()


def _further(names: Sequence[str], shown: int = 4) -> str:
    listed = ", ".join(escape(name) for name in names[:shown])
    return f"further tables: {listed}" + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _print_activity(activity: Activity) -> None:
    if activity.is_current:
        show.out.print(f"Revision {activity.revision} of the main database's tables, the newest.")
        _print_runs(activity.sources)
        return
    at = activity.revision or "none"
    show.out.print(
        f"[yellow]Revision {at} of the main database's tables; the newest is {activity.newest}.[/]"
    )
    step = "Run: ledgerline migrate" if is_known(activity.revision) else "A later version made them: run it."
    show.out.print(f"  [bold]→[/] {step}")


def _print_runs(sources: Sequence[SourceActivity]) -> None:
    table = Table("source", "last run", "ended (UTC)", "last success", box=None, padding=(0, 2))
    for source in sources:
        last, success = source.last, source.last_success
        colour = {"succeeded": "green", "failed": "red"}.get(last.status, "yellow")
        table.add_row(
            source.system,
            f"run {last.id} [{colour}]{last.status}[/]",
            _when(last),
            "never" if success is None else f"run {success.id}, {_when(success)}",
        )
    show.out.print(table if sources else "No run so far.")


def _print_paused(sources: Sequence[Pause]) -> None:
    for one in sources:
        show.out.print(f"[yellow]{escape(one.reason)}[/] It is paused since {one.since:%Y-%m-%d %H:%M} UTC.")
        show.out.print(f"  [bold]→[/] {escape(one.remedy)}")


def _last_proven(settings: Settings) -> Manifest | None:
    try:
        return Backups(settings).last_proven()
    except LedgerlineError as error:
        show.failure(error)
        return None


def _print_duties(states: Sequence[ScheduleState], proven: Manifest | None) -> None:
    table = Table("schedule", "", "next (UTC)", "last (UTC)", box=None, padding=(0, 2))
    for state in states:
        last = "–"
        if state.last is not None:
            colour = {"succeeded": "green", "failed": "red"}.get(state.last.outcome, "yellow")
            last = f"{state.last.due_at:%Y-%m-%d %H:%M} [{colour}]{state.last.outcome}[/]"
        following = f"{state.next_at:%Y-%m-%d %H:%M}" if state.next_at else "never"
        table.add_row(state.schedule.name, state.schedule.text, following, last)
    show.out.print(table if states else "Nothing is scheduled.")
    if proven is None or proven.proven_at is None:
        show.out.print("No backup is proven.  [bold]→[/] ledgerline backup create")
    else:
        show.out.print(f"Backup {proven.id} was proven {proven.proven_at:%Y-%m-%d %H:%M} UTC.")


def _when(run: Run) -> str:
    return f"{run.finished_at:%Y-%m-%d %H:%M}" if run.finished_at else "–"
