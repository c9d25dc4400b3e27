"""Closes the connections of databases that go on being used: the next use opens new ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ledgerline.databases.database import Database

_LOOK_EVERY = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Drained:
    """`closed` connections, and those that were still `in_use` and close when they are given back."""

    closed: int
    in_use: int


def drain(databases: Sequence[Database], seconds: float) -> list[Drained]:
    """Wait until their connections are not used any more, but no longer than this; then close them.

    Bulk readers belong to the run that reads by them, which closes them itself.
    """
    until = time.monotonic() + seconds
    while any(database.connections()[1] for database in databases) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    return [_closed(database) for database in databases]


def _closed(database: Database) -> Drained:
    idle, used = database.connections()
    database.close_pool()
    return Drained(idle, used)
