"""The files of embedded databases, and their folders."""

from __future__ import annotations

import os
from pathlib import Path

from ledgerline.errors import DatabaseMissing, DatabaseUnreachable

_LET = "Let the account that runs Ledgerline"


def make_folder_of(file: Path, setting: str) -> None:
    """Where a database can be made when it is first used. `setting`: what names it.

    Raises DatabaseUnreachable.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnreachable(
            f"The folder of {file} cannot be made: {error.strerror}.",
            hint=f"Check {setting}, and the rights there.",
        ) from error


def may(path: Path, mode: int) -> bool:
    """As whom a file is opened, where the system tells that from who started the process."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def why_unopened(file: Path) -> DatabaseMissing:
    """What SQLite calls "unable to open database file", whichever of these it is."""
    folder = file.absolute().parent
    if file.exists() and not may(file, os.R_OK):
        return DatabaseMissing(f"This process may not read {file}.", hint=f"{_LET} read it.")
    if file.exists():
        return DatabaseMissing(f"SQLite cannot open {file}.", hint=f"{_LET} write to it and to {folder}.")
    if folder.is_dir() and not may(folder, os.W_OK | os.X_OK):
        return DatabaseMissing(
            f"There is no file {file}, and this process may not make one in {folder}.",
            hint=f"{_LET} write to that folder, or name another path.",
        )
    return DatabaseMissing(
        f"There is no file {file}.", hint="Check the path: a relative one starts where the command is run."
    )
