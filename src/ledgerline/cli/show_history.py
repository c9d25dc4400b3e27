"""How the history of a contact looks on a terminal."""

from __future__ import annotations

from collections.abc import Collection

from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show
from ledgerline.documents import camel
from ledgerline.ingest.history import Change, Field, History

_RULES = {
    "only_source": "its only source",
    "survivorship": "the best of its sources",
    "live_sources": "whether a live source stands behind it",
    "derived": "made of the other values",
    "edit": "edited",
    "withdrawn": "edit withdrawn",
    "undo": "undone",
    "unmerge": "split",
}


def history(found: History, only: Collection[str] = ()) -> None:
    """`only`: no more than these fields, and nothing of the sources."""
    contact = found.contact
    show.out.print()
    if found.asked_for != contact["id"]:
        show.out.print(f"Contact {found.asked_for} is one with contact [bold]{contact['id']}[/].\n")
    state = "" if contact["is_active"] else " [yellow](inactive: no live source row)[/]"
    show.out.print(f"[bold]Contact {contact['id']}[/] {escape(contact['name'])}{state}\n")
    _fields([field for field in found.fields if not only or field.name in only])
    if not only:
        _sources(found)


def _fields(fields: Collection[Field]) -> None:
    table = Table(box=None, padding=(0, 2))
    for heading in ("field", "value", "from", "why"):
        table.add_column(heading, overflow="fold")
    for field in fields:
        if field.value is None and not field.changes:
            continue
        table.add_row(f"[bold]{camel(field.name)}[/]", escape(field.value or "–"), _giver(field), _why(field))
        if field.has_suggestion:
            said = escape(field.suggestion or "no value")
            table.add_row("", f"[yellow]the source says: {said}[/]", "", "")
        for change in field.changes:
            was = f"[dim]{escape(change.old or '–')} → {escape(change.new or '–')}[/]"
            table.add_row("", was, f"[dim]{_maker(change)}[/]", f"[dim]{_rule(change.rule)}[/]")
    show.out.print(table)
    show.out.print()


def _giver(field: Field) -> str:
    if field.edited_by is not None:
        return f"{escape(field.edited_by)}, {field.edited_at:%Y-%m-%d %H:%M}"
    if field.source_record_id is None:
        return ""
    return f"row {escape(field.source_record_id)}, run {field.run_id}"


def _why(field: Field) -> str:
    return "" if field.rule is None else _rule(field.rule)


def _rule(rule: str) -> str:
    return _RULES.get(rule, rule)


def _maker(change: Change) -> str:
    when = f", {change.at:%Y-%m-%d %H:%M}"
    if change.edited_by is not None:
        return f"{escape(change.edited_by)}{when}"
    row = "" if change.source_record_id is None else f", row {escape(change.source_record_id)}"
    return f"run {change.run_id}{row}{when}"


def _sources(found: History) -> None:
    table = Table(title="Source rows", title_justify="left", box=None, padding=(0, 2), show_header=False)
    for record in found.records:
        why = show.MATCH_REASONS.get(record["match_rule"] or "", "")
        partner = "" if not why else f"{why} as row {escape(record['match_partner'] or '?')}"
        live = "" if record["is_live"] else "[yellow]no longer live[/]"
        table.add_row(escape(record["source_record_id"]), f"run {record['run_id']}", partner, live)
    show.out.print(table)
    for row in found.joined:
        show.out.print(f"  Contact {row['id']} joined it in run {row['run_id']}.")
    show.out.print()
