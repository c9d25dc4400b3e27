"""Who runs a command, as the machine knows it."""

from __future__ import annotations

import getpass


def account() -> str | None:
    """None: in a container a user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # on Windows it looks for a module that is not there
        return None
