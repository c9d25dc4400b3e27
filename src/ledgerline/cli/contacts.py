"""Commands about the contacts themselves: export."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import polars as pl
import typer
from polars.io.plugins import register_io_source
from rich.markup import escape

from ledgerline.cli import show
from ledgerline.cli.opened import opened
from ledgerline.databases import reports
from ledgerline.errors import UsageError

_LIST_SEPARATOR = ";"


class Format(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class What(StrEnum):
    CONTACTS = "contacts"


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    what: Annotated[What, typer.Argument(help="What to export.")],  # noqa: ARG001
    form: Annotated[Format, typer.Option("--format", help="The format.")] = Format.NDJSON,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; standard output if not given.")
    ] = None,
    inactive: Annotated[
        bool, typer.Option(help="Also contacts that no live source row stands behind.")
    ] = False,
) -> None:
    """The contacts, one row each, in the order of their ids."""
    if form is Format.PARQUET and output is None:
        raise UsageError("Parquet is written to a file.", hint="Add: --output contacts.parquet")
    with opened(quiet=True) as app:
        app.prepare()
        pages = reports.export_contacts(app.main, inactive=inactive)
        if output is None:
            _write_pages(pages, sys.stdout.buffer, form)
            return
        with _whole(output) as target:
            if form is Format.PARQUET:
                _write_parquet(pages, target)
            else:
                with target.open("wb") as file:
                    _write_pages(pages, file, form)
    show.err.print(f"Written to {escape(str(output))}.")


@contextmanager
def _whole(output: Path) -> Iterator[Path]:
    """Where to write what becomes this file when all is there: half of an export looks like a whole one."""
    is_file = not output.exists() or output.is_file()  # else a pipe, a device
    unfinished = output.with_name(f"{output.name}.unfinished") if is_file else output
    try:
        yield unfinished
        if is_file:
            unfinished.replace(output)
    except BaseException as error:
        if is_file:
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(output)  # a full disk says none
        raise


def _write_pages(pages: Iterator[pl.DataFrame], file: IO[bytes], form: Format) -> None:
    is_first = True
    for page in pages:
        text = io.BytesIO()  # Polars would write to the file past Python, and not say which error it was
        if form is Format.NDJSON:
            page.write_ndjson(text)
        else:
            _flat(page).write_csv(text, include_header=is_first)
        file.write(text.getbuffer())
        is_first = False
    if is_first and form is Format.CSV:
        _flat(reports.EXPORT.to_frame()).write_csv(file)


def _flat(page: pl.DataFrame) -> pl.DataFrame:
    """Lists as text; text that a spreadsheet would take for a formula gets an apostrophe, phones do not."""
    lists = [
        pl.col(name).list.join(_LIST_SEPARATOR) for name, dtype in page.schema.items() if dtype == pl.List
    ]
    flat = page.with_columns(lists)
    return flat.with_columns(_cell(name) for name, dtype in flat.schema.items() if dtype == pl.String)


def _cell(name: str) -> pl.Expr:
    text = pl.col(name)
    is_formula = text.str.contains(r"^[=+\-@\t\r]") & ~text.str.contains(r"^\+[0-9;+]+$")
    return pl.when(is_formula).then(pl.lit("'") + text).otherwise(text).alias(name)


def _write_parquet(pages: Iterator[pl.DataFrame], output: Path) -> None:
    """Streamed, so that memory does not grow with the number of contacts."""

    def scan(
        columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for page in pages:
            yield page if columns is None else page.select(columns)

    try:
        register_io_source(scan, schema=reports.EXPORT).sink_parquet(output)
    except pl.exceptions.PolarsError as error:
        raise OSError(errno.EIO, str(error)) from error  # the disk is full, in its words
