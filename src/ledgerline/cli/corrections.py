"""Commands by which people put things right: undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show
from ledgerline.cli.ingestion import Json
from ledgerline.cli.opened import opened
from ledgerline.documents import camel, undo_document
from ledgerline.ingest.undo import Kept, Reason, Undone

_KEPT_SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("undo")(undo)


# -- undo ------------------------------------------------------------------------------------------------


def undo(
    run_id: Annotated[int, typer.Argument(metavar="RUN", help="The run's number, see: ledgerline runs")],
    strict: Annotated[
        bool, typer.Option("--strict", help="Change nothing if anything was changed since by others.")
    ] = False,
    json: Json = False,
) -> None:
    """Take a run back: contacts, source records, rejects and watermark as they were before it.

    What a person or a later run changed since is kept and listed. The source is paused until
    `ledgerline ingest --resume`. An undo is a run itself and can be undone.
    """
    with opened(quiet=json) as app:
        undone = app.undo(run_id, strict=strict)
    if json:
        show.print_json(undo_document(undone))
        return
    _report(undone)
    steps = [(f"ledgerline undo {undone.run.id}", "take the undo back")]
    if undone.paused:
        steps.insert(0, ("ledgerline ingest --resume", "read the source again, which is paused now"))
    show.next_steps(steps)


_WHAT = {
    "restore": "as they were",
    "delete": "gone: the run had made them",
    "insert": "back: the run had taken them away",
    "remake": "made anew: others changed something about them since",
    "idle": "kept, inactive: somebody has a use for them",
    "content": "values as they were, contact kept",
    "membership": "contact as it was, values kept",
    "kept": "kept: changed since",
}


def _report(undone: Undone) -> None:
    show.out.print(f"\n[bold]Run {undone.run.id}[/] undid run {undone.run.undoes_run}\n")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for name, counts in (("contacts", undone.contacts), ("source records", undone.records)):
        for fate, count in sorted(counts.items()):
            table.add_row(f"{count:,}", name, f"[dim]{_WHAT[fate]}[/]")
    show.out.print(table)
    show.out.print()
    if undone.kept:
        _list_kept(undone.kept)


def _list_kept(kept: Sequence[Kept]) -> None:
    table = Table(title=f"Kept ({len(kept):,})", title_justify="left", box=None, padding=(0, 2))
    for heading in ("contact", "source row", "field", "is", "was before the run", "because of"):
        table.add_column(heading, overflow="fold")
    for one in kept[:_KEPT_SHOWN]:
        table.add_row(
            "" if one.contact_id is None else str(one.contact_id),
            escape(one.source_record_id or ""),
            camel(one.field) or "",
            escape(one.value or "–") if one.field else "",
            escape(one.value_before or "–") if one.field else "",
            _because(one),
        )
    show.out.print(table)
    if len(kept) > _KEPT_SHOWN:
        show.out.print(f"… and {len(kept) - _KEPT_SHOWN:,} more: add --json to see all.")
    show.out.print()


def _because(kept: Kept) -> str:
    if kept.reason == Reason.EDITED:
        return f"edited by {escape(kept.changed_by or '')}"
    if kept.reason == Reason.IN_USE:
        return "messages, or a contact that joined it"
    return f"run {kept.changed_by}" if kept.changed_by else "a later run"
