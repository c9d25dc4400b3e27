"""Commands that look at the two databases: doctor, status."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.padding import Padding

from ledgerline.cli import show
from ledgerline.documents import diagnosis_document
from ledgerline.errors import SettingsError
from ledgerline.operations.doctor import diagnose
from ledgerline.operations.doctor_faults import Fault, Layer
from ledgerline.operations.doctor_findings import Check, Diagnosis
from ledgerline.settings import load_settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


class Which(StrEnum):
    MAIN = "main"
    INVOICE = "invoice"


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


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
        show.out.print(f"  {mark} {check.layer.value:<10} {escape(check.detail)}")
        for step in check.remedy:
            show.out.print(Padding(f"[bold]→[/] {escape(step)}", (0, 0, 0, 15), expand=False))
    show.out.print()
