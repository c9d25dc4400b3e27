"""Commands about backups of the main database: create, list, prove, restore, prune."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ledgerline.cli import show
from ledgerline.cli.opened import opened
from ledgerline.cli.options import Json
from ledgerline.errors import BackupDamaged
from ledgerline.operations.backup_manifest import Manifest, Proof, to_document

backups = typer.Typer(help="Backups of the main database: take, prove, restore.", no_args_is_help=True)

Id = Annotated[str | None, typer.Argument(metavar="ID", help="See: ledgerline backup list; the newest one.")]


def register(app: typer.Typer) -> None:
    app.add_typer(backups, name="backup")


@backups.command()
def create(
    no_prove: Annotated[bool, typer.Option("--no-prove", help="Do not restore it into scratch.")] = False,
    json: Json = False,
) -> None:
    """Take a backup while the database is in use, restore it into scratch to prove it, and prune."""
    with opened(quiet=json) as app:
        manifest = app.backups.create(prove=not no_prove, prune=False)
        gone = app.backups.prune()
    if json:
        show.print_json({**_document(manifest), "pruned": [one.id for one in gone]})
        return
    rows = sum(content.rows for content in manifest.tables.values())
    show.out.print(f"Backup [bold]{manifest.id}[/]: {rows:,} rows, {_size(manifest)}, {_state(manifest)}")
    _list_pruned(gone, "deleted")


@backups.command("list")
def list_backups(json: Json = False) -> None:
    """All backups in the folder, the newest first, and whether they were proven."""
    with opened(quiet=json) as app:
        found, damaged = app.backups.known(), app.backups.damaged()
        lacking, unfinished = app.backups.lacking(found), app.backups.unfinished()
    if json:
        show.print_json([{**_document(one), "lacking": lacking.get(one.id, [])} for one in found])
        return
    table = Table(box=None, padding=(0, 1))
    table.add_column("id", no_wrap=True)  # it is what other commands take
    for heading in ("size", "rows", "state"):
        table.add_column(heading)
    for one in found:
        rows = sum(content.rows for content in one.tables.values())
        state = "[red]files are missing[/]" if one.id in lacking else _state(one)
        table.add_row(one.id, _size(one), f"{rows:,}", state)
    if found:
        show.out.print(table)
    else:
        show.out.print("There is no backup yet. Take one with: ledgerline backup create")
    for name in damaged:
        show.err.print(
            f"[yellow]note:[/] The manifest of {escape(name)} is damaged: nothing of it can be restored."
        )
    for name in (file for files in lacking.values() for file in files):
        show.err.print(f"[yellow]note:[/] {escape(name)} is missing, or not as long as it was.")
    for name in unfinished:
        show.err.print(
            f"[yellow]note:[/] {escape(name)} has no manifest: its backup goes on now, or was interrupted."
        )


@backups.command()
def prove(backup: Id = None, json: Json = False) -> None:
    """Restore a backup into scratch, check it, compare it, and note the result. Nothing else is touched."""
    with opened(quiet=json) as app:
        manifest = app.backups.prove(backup)
    proof = manifest.proofs[-1]
    if json:
        show.print_json(_document(manifest))
    else:
        _report(manifest, proof)
    if not proof.ok:
        raise BackupDamaged(
            f"Backup {manifest.id} is not good.", hint="Take another: ledgerline backup create"
        )


@backups.command()
def restore(
    backup: Id = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where the main database holds data; it is kept beside.")
    ] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Do not keep what was there.")] = False,
    json: Json = False,
) -> None:
    """Put a backup in place of the main database. Stop Ledgerline first; until the end nothing is changed."""
    with opened(quiet=json) as app:
        restored = app.backups.restore(backup, replace_existing=replace, drop_old=drop_old)
    if json:
        document = {"backup": restored.manifest.id, "database": restored.database, "old": restored.old}
        show.print_json(document)
        return
    _report(restored.manifest, restored.proof)
    show.out.print(f"{escape(restored.database)} is now backup [bold]{restored.manifest.id}[/].")
    if restored.old:
        show.out.print(f"What was there is kept as {escape(restored.old)}.")


@backups.command()
def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, and delete nothing.")
    ] = False,
) -> None:
    """Delete backups of this database beyond BACKUP_KEEP or BACKUP_KEEP_FOR; the last proven one stays."""
    with opened() as app:
        gone = app.backups.prune(dry_run=dry_run)
    _list_pruned(gone, "would delete" if dry_run else "deleted")
    if not gone:
        show.out.print("There is nothing to delete.")


def _list_pruned(gone: Sequence[Manifest], did: str) -> None:
    for manifest in gone:
        show.out.print(f"{did} {manifest.id}, of {manifest.taken_at:%Y-%m-%d %H:%M} UTC: {_state(manifest)}")


def _document(manifest: Manifest) -> dict[str, Any]:
    return {name: value for name, value in to_document(manifest).items() if name != "key"}


def _report(manifest: Manifest, proof: Proof) -> None:
    show.out.print(f"\n[bold]Backup {manifest.id}[/], restored and checked in {proof.seconds:.1f} s\n")
    table = Table(box=None, padding=(0, 2), show_header=False)
    for check in proof.checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        table.add_row(mark, check.name, f"[dim]{escape(check.detail)}[/]")
    show.out.print(table)
    show.out.print()


def _state(manifest: Manifest) -> str:
    if not manifest.proofs:
        return "[yellow]not proven[/]"
    last = manifest.proofs[-1]
    return f"[green]proven {last.at:%Y-%m-%d}[/]" if last.ok else "[red]not good[/]"


def _size(manifest: Manifest) -> str:
    if manifest.server_file is not None:
        return "on the server"
    size = float(manifest.size)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
