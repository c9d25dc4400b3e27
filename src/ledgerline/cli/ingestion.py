"""Commands that run the ingestion and tell of its runs: demo, sample, ingest, runs, rejects."""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.app import SYSTEM, App
from ledgerline.cli import show, show_plan, watching
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json, number
from ledgerline.databases import going, reports, runs
from ledgerline.databases.database import Database
from ledgerline.databases.folders import make_folder_of
from ledgerline.databases.runs import Run
from ledgerline.documents import plan_document, reject_document, run_document
from ledgerline.errors import UsageError
from ledgerline.ingest.run import Cancel
from ledgerline.settings import load_settings
from ledgerline.sources.sample_database import write_sample
from ledgerline.url import Engine, parse_url

_DEMO_ROWS = 10_000
_DEMO_SEED = 1
_PLAN_SAMPLES = 5
_DEMO_SETTINGS = {
    "DATABASE_URL": "sqlite:///data/demo-main.db",
    "INVOICE_DATABASE_URL": "sqlite:///data/demo-invoice.db",
}


def register(app: typer.Typer) -> None:
    for command in (demo, sample, ingest, cancel, list_runs, rejects):
        name = {"list_runs": "runs"}.get(command.__name__, command.__name__)
        app.command(name)(command)


def demo() -> None:
    """Ingest a sample invoice database of 10,000 messy contacts, and show what became of it.

    Everything is under ./data; your own settings are not used.
    """
    settings = load_settings({**_DEMO_SETTINGS, "ENVIRONMENT": "development"}, folder=Path("data"))
    invoice = Path(settings.invoice.url.database)
    if not invoice.exists():
        _write_sample_file(invoice)
    with opened(settings, quiet=True) as app:
        known = _is_known(app)
        run = _ingest(app, quiet=False)
        _report(app, run)
        show.next_steps(
            [
                ("ledgerline init", "point Ledgerline at your own databases"),
                ("ledgerline ingest", "bring your contacts over"),
                *(
                    []
                    if known
                    else [("ledgerline demo", "once more: nothing has changed, so nothing is written")]
                ),
            ]
        )


def _is_known(app: App) -> bool:
    app.prepare()
    return bool(runs.latest(app.main, limit=1))


def _write_sample_file(invoice: Path) -> None:
    """Under another name until it is whole, so that an interrupted demo leaves no half of a sample."""
    settings = load_settings(_DEMO_SETTINGS, folder=Path("data"))
    make_folder_of(invoice, "the folder that this runs in")
    unfinished = invoice.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    database = Database(parse_url(f"sqlite:///{unfinished.as_posix()}"))
    with show.filling("Write a sample", _DEMO_ROWS, quiet=False) as done:
        write_sample(database, settings.invoice_table, _DEMO_ROWS, _DEMO_SEED, done)
    database.close()
    unfinished.replace(invoice)


def sample(
    url: Annotated[str, typer.Argument(help="Where to write it, for example sqlite:///data/invoice.db")],
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many contacts.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same rows.")] = 1,
) -> None:
    """Write a sample invoice database: messy contacts, their customers, and the truth of who each row is."""
    settings = load_settings()
    parsed = parse_url(url)
    if parsed.engine is Engine.SQLITE:
        make_folder_of(Path(parsed.database), "the URL")
    database = Database(parsed)
    try:
        with show.filling("Write a sample", rows, quiet=False) as done:
            write_sample(database, settings.invoice_table, rows, seed, done)
    finally:
        database.close()
    show.out.print(
        f"{rows:,} contacts written to {escape(parsed.render())} (truth in the table sample_truth)."
    )


def ingest(
    full: Annotated[
        bool, typer.Option("--full", help="Read everything, not only what changed since the last run.")
    ] = False,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Also compare the keys, to find rows that were deleted.")
    ] = False,
    accept_withdrawals: Annotated[
        bool, typer.Option("--accept-withdrawals", help="Go on however many records are withdrawn.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Read a source that an undo paused.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what a run would do, and write nothing of it.")
    ] = False,
    samples: Annotated[
        int | None,
        typer.Option(min=0, help="With --plan: how many of each kind to show (5; as --json all)."),
    ] = None,
    json: Json = False,
) -> None:
    """Bring what is new in the invoice database into the main database.

    Where a column of the source tells when a row was changed, only the rows that changed since the last run
    are read, and every RECONCILE_EVERY the keys of all, to find those that were deleted.

    Ctrl-C stops it after the partition at hand; nothing is half done, and the next run goes on from there.
    """
    with opened(quiet=json) as app:
        wanted = {
            "full": full,
            "reconcile": reconcile,
            "accept_withdrawals": accept_withdrawals,
            "resume": resume,
        }
        if plan:
            _plan(app, samples, json=json, **wanted)
            return
        run = _ingest(app, quiet=json, **wanted)
        if json:
            show.print_json(run_document(run, runs.progress(app.main, run.id)))
            return
        _report(app, run)
        steps = [("ledgerline export contacts", "the contacts, as NDJSON, CSV or Parquet")]
        if run.counts["rejected"]:
            steps.insert(0, ("ledgerline rejects", "each rejected row, with its reasons and raw values"))
        show.next_steps(steps)


def _plan(app: App, samples: int | None, *, json: bool, **wanted: bool) -> None:
    if samples is None and not json:
        samples = _PLAN_SAMPLES
    with _stopped_by_signals() as cancel, show.progress_shown(quiet=json) as watcher:
        run, told = app.plan(watcher, cancel, samples=samples, **wanted)
    if json:
        document = run_document(run, runs.progress(app.main, run.id))
        show.print_json({**document, "plan": plan_document(told)})
        return
    _plan_report(run, told)


def _plan_report(run: Run, told: Mapping[str, Mapping[str, Any]]) -> None:
    show.out.print(f"\n[bold]Plan {run.id}[/]: what a run would do now. Nothing was written.\n")
    show.account(run)
    show.out.print()
    show_plan.plan(told)
    show.out.print()
    show.next_steps([("ledgerline ingest", "do it")])


def _ingest(app: App, *, quiet: bool, **wanted: bool) -> Run:
    with _stopped_by_signals() as cancel, show.progress_shown(quiet=quiet) as watcher:
        return app.ingest(watcher, cancel, **wanted)


@contextmanager
def _stopped_by_signals() -> Iterator[Cancel]:
    """Ctrl-C (and SIGTERM) ask the run to stop; a second Ctrl-C stops at once."""
    cancel = Cancel()

    def stop(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            cancel.request()
        else:
            cancel.stop()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        # Not printed: the signal may have come in the middle of a line, and a stream cannot be entered twice.
        with suppress(OSError):  # whoever read it may be gone
            os.write(sys.stderr.fileno(), b"\nStopping after the partition at hand ...\n")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(app: App, run: Run) -> None:
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at else 0.0
    rate = run.counts["fetched"] / seconds if seconds else 0.0
    show.out.print()
    show.out.print(f"[bold]Run {run.id}[/] [green]{run.status}[/] in {seconds:.1f} s ({rate:,.0f} rows/s)")
    show.out.print(f"[dim]{_read(run)}[/]\n")
    show.account(run)
    if run.advice:
        show.notices(run.advice.splitlines())
    wrote = sum(run.counts[name] for name in ("inserted", "updated", "merged", "withdrawn", "vanished"))
    if not wrote and not reports.rejected_anew(app.main, run.id):
        known = "Nothing has changed since the last run, so nothing"
        why = "Nothing" if show.nothing_is_active(run) else known
        show.out.print(f"\n{why} was written but this account.\n")
        return
    show.out.print()
    show.rejects(reports.reject_reasons(app.main, run.source_system))
    show.out.print()
    show.examples(reports.cleaned_examples(app.main, run.id, 3))
    show.out.print()
    show.merges(reports.merged_examples(app.main, run.id, 3))
    show.out.print()


def _read(run: Run) -> str:
    if run.since is None:
        return "everything was read"
    return "what changed was read" + (", and the keys of all rows" if run.reconciles else "")


def cancel(
    run_id: Annotated[
        int | None,
        typer.Argument(
            metavar="RUN", parser=number, help="Which; without it the one that is going.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Stop a run that another process works on, also on another machine.

    It stops after the partition at hand; nothing is half done, and the next ingest goes on from there. A run
    that is in its last stage, and writes, is not stopped any more.
    """
    with opened(quiet=json) as app:
        run = app.cancel(run_id)
        if json:
            show.print_json(run_document(run, runs.progress(app.main, run.id)))
        elif run.status == "cancelled":
            show.out.print(f"Run {run.id} is cancelled: nobody worked on it any more.")
        else:
            show.out.print(f"Run {run.id} is asked to stop.")
            show.next_steps([("ledgerline runs --watch", "see it end")])


def list_runs(
    json: Json = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many, the newest first.")] = 20,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the run that is going until it ends.")
    ] = False,
) -> None:
    """The history of runs, the newest first."""
    with opened(quiet=json) as app:
        app.prepare()
        if watch:
            _watch(app, json=json)
            return
        found = [(run, runs.progress(app.main, run.id)) for run in runs.latest(app.main, limit)]
        left = {run.id for run, _ in found if going.is_interrupted(app.main, run)}
    if json:
        show.print_json([run_document(run, progress) for run, progress in found])
        return
    if not found:
        show.out.print("No runs yet. Start one with: ledgerline ingest")
        return
    table = Table(box=None, padding=(0, 1))
    for heading in ("run", "kind", "status", "started (UTC)"):
        table.add_column(heading, no_wrap=True)
    for heading in ("seconds", "rows"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("of them")
    for run, _ in found:
        table.add_row(*_run_row(run, is_left=run.id in left))
    show.out.print(table)
    if left:
        show.out.print(f"[yellow]interrupted[/]: {watching.INTERRUPTED}.")


def _watch(app: App, *, json: bool) -> None:
    run = going.run_at_work(app.main, SYSTEM)
    if run is None:
        latest = runs.latest(app.main, limit=1)
        if not json:
            show.err.print("No run is going." + (" The last one:" if latest else ""))
        if not latest:
            return
        run = latest[0]
    run = watching.follow(app.main, run, json=json)
    if run.status != "succeeded":
        raise typer.Exit(1)
    if not json:
        _report_of_any(app, run)


def _report_of_any(app: App, run: Run) -> None:
    if run.kind == "ingest":
        _report(app, run)
    elif run.foreseen is not None:
        _plan_report(run, json_module.loads(run.foreseen))
    else:
        show.out.print(f"Run {run.id}, an {run.kind}, [green]{run.status}[/].")


def _run_row(run: Run, *, is_left: bool) -> list[str]:
    style = {"succeeded": "green", "failed": "red"}.get(run.status, "yellow")
    seconds = f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else "–"
    names = ("inserted", "updated", "merged", "rejected", "withdrawn", "vanished")
    return [
        str(run.id),
        run.kind if run.undoes_run is None else f"{run.kind} of {run.undoes_run}",
        f"[{style}]{'interrupted' if is_left else run.status}[/]",
        f"{run.started_at:%Y-%m-%d %H:%M}",
        seconds,
        f"{run.counts['fetched']:,}",
        ", ".join(f"{run.counts[name]:,} {name}" for name in names if run.counts[name]),
    ]


def rejects(
    run_id: Annotated[
        int | None,
        typer.Argument(
            metavar="RUN", parser=number, help="Only what this run rejected anew.", show_default=False
        ),
    ] = None,
    json: Json = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to show of each reason.")] = 5,
    record: Annotated[
        str, typer.Option("--record", metavar="ID", help="Every time that this source row was rejected.")
    ] = "",
) -> None:
    """Rows that are rejected now, or that a run rejected anew, by reason; --json: a line each."""
    if record and run_id is not None:
        raise UsageError("A run and a record are two questions.", hint="Leave out one of them.")
    with opened(quiet=json) as app:
        app.prepare()
        if run_id is not None and runs.get(app.main, run_id) is None:
            raise UsageError(f"There is no run {run_id}.", hint="See: ledgerline runs")
        documents = (reject_document(row) for row in _rejected(app, run_id, record))
        if json:
            for document in documents:
                show.print_json(document)
        elif record:
            show.reject_history(record, documents)
        else:
            show.reject_groups(documents, limit, run_id)


def _rejected(app: App, run_id: int | None, record: str) -> Iterable[Mapping[str, Any]]:
    if record:
        return reports.rejects_of(app.main, record)
    return reports.all_open_rejects(app.main) if run_id is None else reports.open_rejects(app.main, run_id)
