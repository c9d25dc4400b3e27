"""How things look on a terminal: progress, tables, the report of a run, errors."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from ledgerline.databases.runs import Run
from ledgerline.errors import LedgerlineError

_WIDE = 400  # columns where there is no terminal: nothing is cut off in a file or a pipe


class _Plain(Console):
    """Where there is no terminal: no line of a table is filled up with blanks."""

    def print(self, *objects: Any, **how: Any) -> None:
        with self.capture() as captured:
            super().print(*objects, **how)
        text = captured.get()
        if any(isinstance(each, Table) for each in objects):
            text = "\n".join(line.rstrip() for line in text.split("\n"))
        self.file.write(text)
        self.file.flush()


def _console(*, stderr: bool) -> Console:
    if (sys.stderr if stderr else sys.stdout).isatty():
        return Console(stderr=stderr, highlight=False)
    return _Plain(stderr=stderr, highlight=False, soft_wrap=True, width=_WIDE)


out, err = _console(stderr=False), _console(stderr=True)

_ACTED_ON = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

MATCH_REASONS = {
    "email": "same e-mail address",
    "phone": "same phone",
    "name_company": "same name and company",
}
_STAGES = {
    "plan": "Plan",
    "stage": "Fetch, clean, stage",
    "match": "Match",
    "merge": "Merge",
    "write": "Write",
}
_CLASSES = {
    "inserted": "new contacts",
    "updated": "known, with new values",
    "unchanged": "known, nothing new",
    "merged": "joined a contact that others made",
    "rejected": "cannot become a contact",
    "withdrawn": "were live, no longer active",
    "inactive": "not active in the source",
}


def stage(name: str) -> str:
    """What a stage does, in words."""
    return _STAGES.get(name, name.capitalize())


class Bars:
    """One progress bar a stage, on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        for earlier, task in self._tasks.items():
            if earlier != stage:
                self._progress.update(task, total=self._progress.tasks[task].total or 1)
                self._progress.update(task, completed=self._progress.tasks[task].total)
        if stage not in _STAGES:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(_STAGES[stage], total=None, rows="")
        known = total if stage == "stage" and total else None
        shown = f"{rows:,} rows" if rows else ""
        self._progress.update(self._tasks[stage], completed=done, total=known, rows=shown)


class Lines:
    """A line a stage, and one every tenth of the partitions, where there is no terminal."""

    def __init__(self) -> None:
        self._last = ("", -1)

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        tenth = 10 * done // total if total else 0
        if stage in _STAGES and (stage, tenth) != self._last:
            self._last = (stage, tenth)
            share = f" {done}/{total} partitions, {rows:,} rows" if stage == "stage" and total else ""
            err.print(f"{_STAGES[stage]}{share}")


class Silence:
    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        pass


@contextmanager
def progress_shown(*, quiet: bool) -> Iterator[Bars | Lines | Silence]:
    if quiet:
        yield Silence()
    elif not err.is_terminal:
        yield Lines()
    else:
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=36),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rows]}"),
        )
        with Progress(*columns, console=err) as progress:
            yield Bars(progress)


@contextmanager
def filling(description: str, total: int, *, quiet: bool) -> Iterator[Any]:
    """A bar for work of a known size; yields what is to be called with the amount done."""
    if quiet or not err.is_terminal:
        if not quiet:
            err.print(description)
        yield lambda _: None
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done: progress.update(task, completed=done)


def print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def visible(text: str) -> str:
    """What a terminal would act on is shown instead: a value of a database may hold anything."""
    return _ACTED_ON.sub(lambda found: repr(found[0])[1:-1], text)


def notices(texts: Iterable[str]) -> None:
    for text in texts:
        err.print(f"[yellow]note:[/] {escape(text)}")


def failure(error: LedgerlineError) -> None:
    err.print(f"[bold red]error:[/] {escape(error.detail)}")
    if error.hint:
        err.print(f"  [bold]→[/] {escape(error.hint)}")


def account(run: Run) -> None:
    """Every fetched row in exactly one class."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim")
    table.add_row(f"[bold]{run.counts['fetched']:,}[/]", "[bold]rows read[/]", "from the source")
    for name, meaning in _CLASSES.items():
        style = "" if run.counts[name] else "dim"
        table.add_row(f"{run.counts[name]:,}", name, meaning, style=style)
    if run.counts["vanished"]:
        table.add_row(f"{run.counts['vanished']:,}", "vanished", "known, no longer in the source")
    out.print(table)
    if nothing_is_active(run):
        notices(
            ["No row is active. See whether INVOICE_ACTIVE says which rows are live: docs/configuration.md"]
        )


def nothing_is_active(run: Run) -> bool:
    """Whether everything was read, and none of it counts: that is seldom meant."""
    return run.since is None and run.counts["fetched"] == run.counts["inactive"] > 0


def rejects(reasons: Sequence[tuple[str, int]], limit: int = 5) -> None:
    if not reasons:
        return
    table = Table(
        title="Why rows were rejected", title_justify="left", box=None, padding=(0, 2), show_header=False
    )
    table.add_column(justify="right")
    table.add_column()
    for reason, count in reasons[:limit]:
        table.add_row(f"{count:,}", escape(reason.replace(",", ", ")))
    if len(reasons) > limit:
        table.add_row(f"{sum(count for _, count in reasons[limit:]):,}", "for other reasons", style="dim")
    out.print(table)


def reject_groups(documents: Iterable[Mapping[str, Any]], limit: int, run_id: int | None) -> None:
    """Rejected rows under their reasons, a few of each; those that this run rejected anew."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    counts: dict[str, int] = {}
    for document in documents:
        reason = ", ".join(document["reasons"])
        counts[reason] = counts.get(reason, 0) + 1
        if counts[reason] <= limit:
            groups.setdefault(reason, []).append(document)
    if not groups:
        rejected = "" if run_id is None else f" anew by run {run_id}"
        out.print(f"No row was rejected{rejected}.")
    for reason in sorted(groups, key=lambda name: -counts[name]):
        out.print(f"[bold]{counts[reason]:,}[/] {escape(reason)}")
        for document in groups[reason]:
            raw = ", ".join(
                f"{name} {_short(value)}" for name, value in document["raw"].items() if value is not None
            )
            row = f"[dim]row {escape(str(document['sourceRecordId']))}:[/] {escape(raw)}"
            out.print(Padding(row, (0, 0, 0, 4), expand=False))


def reject_history(record: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Every time that one source row was rejected."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("rejected in", "because of", "raw values", "settled"):
        table.add_column(heading, overflow="fold")
    for document in documents:
        raw = ", ".join(f"{name} {_short(value)}" for name, value in document["raw"].items() if value)
        settled = document["resolvedRun"]
        table.add_row(
            f"run {document['runId']}",
            escape(", ".join(document["reasons"])),
            escape(raw),
            "[yellow]rejected still[/]" if settled is None else f"in run {settled}",
        )
    if table.row_count:
        out.print(table)
    else:
        out.print(f"Row {escape(record)} was never rejected.")


def _short(value: str, length: int = 60) -> str:
    shown = repr(value)
    return shown if len(shown) <= length else f"{shown[:length]}… ({len(value):,} characters)"


_SHOWN = (
    ("raw_name", "name"),
    ("raw_phone", "phone"),
    ("raw_email", "email"),
    ("raw_designation", "designation"),
)


def examples(rows: Sequence[Mapping[str, Any]]) -> None:
    """Raw values and what became of them."""
    if not rows:
        return
    table = Table(title="Before → after", title_justify="left", box=None, padding=(0, 2), show_header=False)
    table.add_column(style="dim", overflow="fold", max_width=44)
    table.add_column(overflow="fold", max_width=60)
    for number, row in enumerate(rows):
        if number:
            table.add_row("", "")
        for raw, clean in _SHOWN:
            if row[raw] is not None:
                further = row.get({"phone": "further_phones", "email": "further_emails"}.get(clean, ""))
                after = " ".join(value for value in (row[clean], further) if value)
                table.add_row(
                    escape(repr(row[raw])[1:-1]),
                    escape(after) or f"[dim]– ({escape(row['reasons'] or '')})[/]",
                )
    out.print(table)


def merges(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = Table(
        title="One person, several rows", title_justify="left", box=None, padding=(0, 2), show_header=False
    )
    for row in rows:
        table.add_row(
            f"[dim]{escape(row['name'])}[/]",
            f"joined [bold]{escape(row['contact_name'])}[/]",
            f"[dim]{MATCH_REASONS[row['match_rule']]} as row {escape(row['match_partner'])}[/]",
        )
    out.print(table)


def next_steps(lines: Sequence[tuple[str, str]]) -> None:
    table = Table(title="Next", title_justify="left", box=None, padding=(0, 2), show_header=False)
    for command, purpose in lines:
        table.add_row(f"[cyan]{escape(_as_typed(command))}[/]", purpose)
    out.print(table)


def _as_typed(command: str) -> str:
    """The command as it works in this shell: with the program's path where it is not on the PATH."""
    program, _, rest = command.partition(" ")
    if program != "ledgerline" or shutil.which(program):
        return command
    here = Path(sys.argv[0])
    if here.name == "__main__.py":
        return f"{sys.executable} -m ledgerline {rest}"
    return f"{here} {rest}"
