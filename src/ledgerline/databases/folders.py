"""The folders of embedded databases."""

from __future__ import annotations

from pathlib import Path

from ledgerline.errors import DatabaseUnreachable


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
