"""Commands by which people see what became of a contact, and put it right: history, edit, unmerge, undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show, show_history
from ledgerline.cli.account import account
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json, number
from ledgerline.contacts.edits import EDITABLE
from ledgerline.documents import camel, history_document, kept_document, undo_document, unmerge_document
from ledgerline.errors import UsageError
from ledgerline.ingest.undo import Kept, Reason, Undone

_KEPT_SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("undo")(undo)
    app.command("kept")(kept)
    app.command("unmerge")(unmerge)
    app.command("edit")(edit)
    app.command("history")(history)


# -- undo ------------------------------------------------------------------------------------------------


def undo(
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", parser=number, help="The run's number, see: ledgerline runs")
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Change nothing if anything was changed since by others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen, and change nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Take a run back: contacts, source records, rejects and watermark as they were before it.

    What a person or a later run changed since is kept and listed. The source is paused until
    `ledgerline ingest --resume`. An undo is a run itself and can be undone.
    """
    with opened(quiet=json) as app:
        undone = app.undo(run_id, strict=strict, dry_run=dry_run)
    if json:
        show.print_json(undo_document(undone))
        return
    _report(undone)
    if dry_run:
        show.out.print("Nothing was changed: this was a dry run.\n")
        return
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
    who = "[bold]Dry run[/]: this would undo" if undone.dry_run else f"[bold]Run {undone.run.id}[/] undid"
    show.out.print(f"\n{who} run {undone.run.undoes_run}\n")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for name, counts in (("contacts", undone.contacts), ("source records", undone.records)):
        for fate, count in sorted(counts.items()):
            table.add_row(f"{count:,}", name, f"[dim]{_WHAT[fate]}[/]")
    show.out.print(table)
    show.out.print()
    if not undone.kept:
        return
    show.out.print(_kept_table(undone.kept[:_KEPT_SHOWN], len(undone.kept)))
    if (further := len(undone.kept) - _KEPT_SHOWN) > 0:
        where = "--json lists them" if undone.dry_run else f"see: ledgerline kept {undone.run.id}"
        show.out.print(f"… and {further:,} more, {where}")
    show.out.print()


def kept(
    run_id: Annotated[
        int, typer.Argument(metavar="RUN", parser=number, help="The number of an undo, see: ledgerline runs")
    ],
    json: Json = False,
) -> None:
    """What an undo left as it was, because a person or a later run had changed it."""
    with opened(quiet=json) as app:
        rows = app.kept(run_id)
    if json:
        show.print_json([kept_document(row) for row in rows])
    elif rows:
        names = Kept.__dataclass_fields__
        show.out.print(_kept_table([Kept(**{name: row[name] for name in names}) for row in rows], len(rows)))
    else:
        show.out.print(f"Run {run_id} kept nothing.")


def _kept_table(kept: Sequence[Kept], of: int) -> Table:
    table = Table(title=f"Kept ({of:,})", title_justify="left", box=None, padding=(0, 2))
    for heading in ("contact", "source row", "field", "is", "was before the run", "because of"):
        table.add_column(heading, overflow="fold")
    for one in kept:
        table.add_row(
            "" if one.contact_id is None else str(one.contact_id),
            escape(one.source_record_id or ""),
            camel(one.field) or "[dim]all of it[/]",
            escape(one.value or "–") if one.field else "",
            escape(one.value_before or "–") if one.field else "",
            _because(one),
        )
    return table


def _because(kept: Kept) -> str:
    if kept.reason == Reason.EDITED:
        return f"edited by {escape(kept.changed_by or '')}"
    if kept.reason == Reason.IN_USE:
        return "messages, or a contact that joined it"
    return f"run {kept.changed_by}" if kept.changed_by else "a later run"


# -- unmerge ---------------------------------------------------------------------------------------------


ContactId = Annotated[int, typer.Argument(metavar="CONTACT", parser=number, help="The contact's id.")]


def unmerge(
    contact_id: ContactId,
    record: Annotated[
        list[str] | None,
        typer.Option("--record", metavar="ID", help="Only this source row leaves the contact."),
    ] = None,
    json: Json = False,
) -> None:
    """Split a contact into its source records, each a contact of its own, and never merge them again.

    The first record keeps the contact; with --record, all that are not named do. It can be undone.
    """
    with opened(quiet=json) as app:
        unmerged = app.unmerge(contact_id, record or ())
    if json:
        show.print_json(unmerge_document(unmerged))
        return
    show.out.print(f"\n[bold]Run {unmerged.run.id}[/] split contact {contact_id}\n")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for source_row, own in unmerged.contacts.items():
        table.add_row(f"source row {escape(source_row)}", "[dim]is now[/]", f"contact {own}")
    show.out.print(table)
    show.out.print()
    show.next_steps([(f"ledgerline undo {unmerged.run.id}", "take this back")])


# -- edit ------------------------------------------------------------------------------------------------

_FIELDS: Mapping[str, str] = {spelling: name for name in EDITABLE for spelling in (name, camel(name) or name)}


def edit(
    contact_id: ContactId,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD=VALUE…", help="designation=Director; empty: no value."),
    ] = None,
    withdraw: Annotated[
        list[str] | None,
        typer.Option("--withdraw", metavar="FIELD", help="Give this field back to the sources."),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")] = "",
    json: Json = False,
) -> None:
    """Enter values for a contact; no run overwrites them.

    Fields: name, honorific, companyName, email, mobileE164, designation, relationshipType.
    """
    if not values and not withdraw:
        raise UsageError("Nothing to edit.", hint="For example: ledgerline edit 1 designation=Director")
    given = dict(_assignment(text) for text in values or ())
    fields = [_field(name) for name in withdraw or ()]
    person = by or account()
    if person is None:
        raise UsageError("Who edits is not known here.", hint="Add: --by NAME")
    with opened(quiet=json) as app:
        if given:
            app.edit(contact_id, given, by=person)
        if fields:
            app.withdraw(contact_id, fields, by=person)
        found = app.history(contact_id)
    if json:
        show.print_json(history_document(found))
    else:
        show_history.history(found, only={*given, *fields})


def _assignment(text: str) -> tuple[str, str | None]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no FIELD=VALUE.", hint="For example: designation=Director")
    return _field(name), value or None


def _field(name: str) -> str:
    if name not in _FIELDS:
        spellings = ", ".join(camel(field) or field for field in EDITABLE)
        raise UsageError(f"{name} cannot be edited.", hint=f"Fields: {spellings}.")
    return _FIELDS[name]


# -- history ---------------------------------------------------------------------------------------------


def history(contact_id: ContactId, json: Json = False) -> None:
    """Each field of a contact: its value, who gave it and why, and what it was before.

    A contact that joined another shows where it went.
    """
    with opened(quiet=json) as app:
        found = app.history(contact_id)
    if json:
        show.print_json(history_document(found))
    else:
        show_history.history(found)
