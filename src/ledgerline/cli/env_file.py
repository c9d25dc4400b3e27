"""Writing .env: it may hold passwords, so nobody else ever reads it, and it is whole or as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ledgerline.settings import render_env


def write_env(file: Path, values: Mapping[str, str]) -> None:
    """Raises SettingsError: no line can hold one of the values; OSError."""
    text, target = render_env(values), file.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=".env-", dir=target.parent)  # readable by its owner alone
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error  # not under the passing name
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            os.fsync(handle)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
