"""How a plan looks on a terminal: what a run would do, with a few examples of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show

_HEADINGS = {
    "inserted": "new contacts",
    "merged": "rows would join a contact that others make",
    "joined": "known contacts would become one with an older one",
    "changed": "fields of known contacts would change",
    "rejected": "rows would be rejected",
    "ended": "records would be withdrawn",
    "suggested": "pairs would be suggested for review: too doubtful to merge",
}


def plan(told: Mapping[str, Mapping[str, Any]]) -> None:
    """Every kind of which there is something, in the order in which a person wants to know."""
    for name, heading in _HEADINGS.items():
        section = told.get(name)
        if section is None or not section["total"]:
            continue
        show.out.print(f"[bold]{section['total']:,}[/] {heading}")
        if groups := section.get("groups"):
            counted = ", ".join(f"{escape(group)} {count:,}" for group, count in groups.items())
            show.out.print(f"    [dim]{counted}[/]")
        table = Table(box=None, padding=(0, 2), show_header=False)
        for sample in section["samples"]:
            table.add_row("", *(escape(str(cell)) for cell in _CELLS[name](sample)))
        show.out.print(table)


def _listed(*values: Any) -> str:
    return ", ".join(str(value) for value in values if value is not None)


_CELLS: dict[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]] = {
    "inserted": lambda row: (
        f"row {row['source_record_id']}",
        row["name"],
        _listed(row["company_name"], row["email"], row["phone"]),
    ),
    "merged": lambda row: (
        f"row {row['source_record_id']}",
        row["name"],
        f"→ {row['contact_name']}" + (f" (contact {row['contact_id']})" if row["contact_id"] else ""),
        f"{show.MATCH_REASONS[row['rule']]} as row {row['partner']}, {row['score']:g} points",
    ),
    "joined": lambda row: (
        f"contact {row['contact_id']}",
        row["name"],
        f"→ {row['into_name']} (contact {row['into_contact_id']})",
    ),
    "changed": lambda row: (
        f"contact {row['contact_id']}",
        row["field"],
        f"{row['old_value'] or '–'} → {row['new_value'] or '–'}",
    ),
    "rejected": lambda row: (f"row {row['source_record_id']}", row["reasons"].replace(",", ", ")),
    "ended": lambda row: (f"row {row['source_record_id']}", row["name"], row["mark"]),
    "suggested": lambda row: (
        f"contacts {row['left_contact_id']} and {row['right_contact_id']}",
        row["why"],
    ),
}
