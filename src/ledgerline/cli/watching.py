"""`ledgerline runs --watch`: a run that another process works on, as its heartbeats tell."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ledgerline.cli import show
from ledgerline.databases import going, runs
from ledgerline.databases.database import Database
from ledgerline.databases.runs import RUNNING, Run
from ledgerline.documents import run_document

INTERRUPTED = "stopped; the next ingest goes on with it"
_LOOKS_EVERY = 1.0  # seconds; a run beats every two

Seen = tuple[Run, Mapping[str, Any] | None]


def follow(main: Database, run: Run, *, json: bool) -> Run:
    """Show how far a run is until it ends, or nobody works on it any more; the run as it is then."""
    if json:
        run = _as_documents(main, run)
    elif show.err.is_terminal:
        run = _live(main, run)
    else:
        run = _as_lines(main, run)
    if not json:
        _tell_end(run)
    return run


def _seen(main: Database, run: Run) -> Iterator[Seen]:
    """The run whenever it is looked at; the last time as it is left."""
    while True:
        now = runs.get(main, run.id)
        assert now is not None
        yield now, runs.progress(main, run.id)
        if now.status not in RUNNING or going.is_interrupted(main, now):
            return
        time.sleep(_LOOKS_EVERY)


def _as_documents(main: Database, run: Run) -> Run:
    shown: dict[str, Any] | None = None
    for now, progress in _seen(main, run):
        run, document = now, run_document(now, progress)
        if document != shown:
            show.print_json(document)
            shown = document
    return run


def _as_lines(main: Database, run: Run) -> Run:
    shown = ""
    for now, progress in _seen(main, run):
        run = now
        if progress is not None and (line := "  ".join(_told(now, progress))) != shown:
            show.err.print(line)
            shown = line
    return run


def _live(main: Database, run: Run) -> Run:
    with Live(console=show.err, refresh_per_second=4, transient=True) as live:
        for now, progress in _seen(main, run):
            run = now
            if progress is not None:
                live.update(_bar(now, progress))
    return run


def _bar(run: Run, progress: Mapping[str, Any]) -> Group:
    """Two lines, which fit into 80 columns: the run, a bar and the stage; then the figures."""
    name, stage, *figures = _told(run, progress)
    is_counted = progress["stage"] == "stage" and progress["total"]
    total = float(progress["total"]) if is_counted else None
    line = Table.grid(padding=(0, 2))
    line.add_row(name, ProgressBar(total, progress["done"], width=36, pulse=not is_counted), stage)
    return Group(line, Text("  ".join(figures)))


def _told(run: Run, progress: Mapping[str, Any]) -> list[str]:
    """`run 5`, the stage, partitions, rows, rate and the time that is left, as far as they are known."""
    told = [f"{run.kind} {run.id}", show.stage(progress["stage"])]
    if progress["stage"] == "stage" and progress["total"]:
        told.append(f"{progress['done']}/{progress['total']} partitions")
    if progress["rows"]:
        told.append(f"{progress['rows']:,} rows")
        told.append(f"{progress['rows_per_second'] or 0:,.0f} rows/s")
    if progress["seconds_left"] is not None:
        told.append(f"{progress['seconds_left']:.0f} s left")
    return told


def _tell_end(run: Run) -> None:
    if run.status in RUNNING:
        show.err.print(f"Run {run.id}: {INTERRUPTED if run.kind == 'ingest' else 'stopped'}.")
    elif run.status != "succeeded":
        show.err.print(f"Run {run.id} {run.status}: {run.error_detail}", markup=False)
        if run.error_hint:
            show.err.print(f"  → {run.error_hint}", markup=False)
