"""`ledgerline`: the commands, and how errors become messages and exit codes."""

from __future__ import annotations

import codecs
import io
import signal
import sys
from typing import Annotated, NoReturn, TextIO

import typer

from ledgerline import __version__
from ledgerline.cli import (
    alerts,
    backups,
    configuration,
    contacts,
    corrections,
    diagnosis,
    ingestion,
    keys,
    queries,
    service,
    setup,
    show,
)
from ledgerline.errors import LedgerlineError

app = typer.Typer(
    name="ledgerline",
    help="Brings the contacts of an invoice database into an application's own database: "
    "cleaned, matched, merged, and accounted for to the row.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for commands in (
    setup,
    configuration,
    diagnosis,
    ingestion,
    contacts,
    corrections,
    queries,
    keys,
    backups,
    alerts,
    service,
):
    commands.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ledgerline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit with the codes of docs/cli.md."""
    for stream in (sys.stdout, sys.stderr):
        _print_everything(stream)
    if hasattr(signal, "siginterrupt"):  # not on Windows
        # Polars has put its handler before Python's, and with it a read goes on after Ctrl-C: no question
        # could be left before it is answered.
        signal.siginterrupt(signal.SIGINT, True)
    try:
        app()
    except LedgerlineError as error:
        show.failure(error)
        sys.exit(error.exit_code)
    except OSError as error:
        show.failure(_of_a_file(error))
        sys.exit(1)
    sys.exit(0)


def _print_everything(stream: TextIO) -> None:
    """A terminal prints what it can, and signs of ours that it lacks by others; for good and bad may not look
    alike. A file or a pipe gets UTF-8, whatever the locale, as JSON has to be.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return
    if stream.isatty():
        codecs.register_error("ledgerline", _by_other_signs)
        stream.reconfigure(errors="ledgerline")
    else:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


_OTHER_SIGNS = {"✓": "ok", "✗": "x", "→": "->", "–": "-", "…": "..."}


def _by_other_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_OTHER_SIGNS.get(sign, "?") for sign in signs), error.end


def _of_a_file(error: OSError) -> LedgerlineError:
    what = f"{error.filename} cannot be used" if error.filename else "A file cannot be used"
    return LedgerlineError(
        f"{what}: {error.strerror or str(error) or type(error).__name__}.",
        hint="Check its path, the rights there, and the space that is left.",
    )
