"""How far a source has been read, and where to read on so that nothing is lost. Pure.

A writer gives its row an update time, and commits later. Whoever reads in between sees neither the row nor
that there is one, and a reader that goes on at the newest time it saw never will. So a watermark says up to
when everything is known to be committed, not what was seen last:

- a rowversion counts from the lowest number that a transaction still holds (`MIN_ACTIVE_ROWVERSION()`);
- an update time counts from when no transaction was open that still is; the next run goes on an overlap
  before that, for writers whose clocks differ, and for servers that do not tell of their transactions.

The clock of an update column is not known: UTC, the server's zone, or an application's. It is taken to be
behind the server's as far as the rows themselves do not prove otherwise: a row that was seen at noon with
11:50 proves that the clock is ten minutes behind at most. So a table that has been quiet for a day is read
from a day ago on, where there is nothing, until its next row brings the clock up to date. What a row proves
of a clock in another zone, it proves of its summer time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

# A clock that is behind in summer is behind an hour more in winter, and no row can prove it.
_SUMMER_TIME = timedelta(hours=1)
_LEAST_ZONE = timedelta(minutes=30)  # by which clocks of two zones differ


@dataclass(frozen=True, slots=True)
class Clock:
    """What a server tells of now, see `Server.clock`."""

    utc: datetime
    local: datetime
    version: str | None
    open: frozenset[str] | None  # None: it does not tell

    @staticmethod
    def of(row: Mapping[str, str | None]) -> Clock:
        utc, local = moment(row["utc"]), moment(row["local"])
        assert utc is not None and local is not None
        told = row["open"]
        return Clock(utc, local, row["version"], None if told is None else frozenset(told.split()))

    def is_quiet_since(self, names: frozenset[str] | None) -> bool:
        """Whether each of these transactions has ended by now."""
        return not (self.open and names and self.open & names)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a table has been read by one of its columns."""

    base: str | None  # a version or a moment on the column's clock; None: nothing is certain yet
    # Seconds by which the column's clock was seen ahead of the server's, or behind.
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a source has been read."""

    at: datetime  # on the server's clock, UTC
    open: frozenset[str]  # the transactions that were open then
    marks: Mapping[str, Mark]  # by table
    unique: bool = False  # whether the source lets no two rows have one key
    # What the customers said then that the next run will find changed since, by id; None: too much to note.
    names: Mapping[str, str] | None = None
    # The customers whose contacts a run that goes on from here is to read; None: of all that changed since.
    renamed: tuple[str, ...] | None = None

    def text(self) -> str:
        marks = {table: asdict(mark) for table, mark in self.marks.items()}
        told = {"at": self.at.isoformat(), "open": sorted(self.open), "marks": marks, "unique": self.unique}
        return json.dumps({**told, "names": self.names, "renamed": self.renamed})

    def going_on(self, names: Mapping[str, str] | None) -> Watermark:
        """Where a run goes on that finds these `names` changed since: those that it knew so are not new.

        The overlap brings back the customers of the last minutes in every run, and the contacts of a
        customer are dear to find.
        """
        if names is None or self.names is None:
            return replace(self, names=None)
        renamed = tuple(sorted(key for key, name in names.items() if self.names.get(key) != name))
        return replace(self, names=None, renamed=renamed)

    @staticmethod
    def parse(text: str | None) -> Watermark | None:
        if text is None:
            return None
        known: Any = json.loads(text)
        marks = {table: Mark(**mark) for table, mark in known["marks"].items()}
        at = datetime.fromisoformat(known["at"])
        renamed = known.get("renamed")
        return Watermark(
            at,
            frozenset(known["open"]),
            marks,
            known.get("unique", False),
            known.get("names"),
            None if renamed is None else tuple(renamed),
        )


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC where it has a zone; digits beyond microseconds are cut off, never rounded."""
    try:
        read = None if text is None else datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return read if read is None or read.tzinfo is None else read.astimezone(UTC).replace(tzinfo=None)


def certain_until(first: Clock, last: Clock, before: Watermark | None) -> datetime | None:
    """The latest moment (UTC) before which no transaction began that was open at the last look.

    None: such a transaction has been open for longer than is known.

    first, last  what the clock told when the run began, and what it told last before the rows are read
    """
    if last.is_quiet_since(first.open):
        return first.utc
    return before.at if before is not None and last.is_quiet_since(before.open) else None


def time_mark(clock: Clock, until: datetime | None, newest: datetime | None, before: Mark | None) -> Mark:
    """How far a table has been read by its update time.

    clock   the server's, read after `newest`, the newest time of a row
    until   see `certain_until`
    before  how far it had been read
    """
    known = None if before is None else before.ahead
    seen = None if newest is None else (newest - clock.utc).total_seconds()
    ahead = max((seconds for seconds in (known, seen) if seconds is not None), default=None)
    if until is None or ahead is None:
        return Mark(None if before is None else before.base, ahead)
    behind, proven = min(timedelta(), clock.local - clock.utc), timedelta(seconds=ahead)
    if proven < behind - _LEAST_ZONE:
        behind = proven - _SUMMER_TIME
    return Mark((until + min(behind, proven)).isoformat(), ahead)


def version_mark(clock: Clock) -> Mark:
    return Mark(clock.version)


def went_back(clock: Clock, before: Mark | None) -> bool:
    """Whether the server counts lower than it did: the database is another, or an older copy of itself."""
    if before is None or before.base is None or clock.version is None:
        return False
    if not before.base.startswith("0x"):
        return False  # it is a moment
    return int(clock.version, 16) < int(before.base, 16)
