"""Where contacts enter: one file each. A source reads; it never writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import polars as pl

Key = int | str


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of source keys, (lower, upper], and how many rows it was seen to hold when it was planned.

    `without_key`: the rows that have no key at all; then there are no bounds.
    """

    number: int  # from 0, in the order of keys
    offset: int  # rows in the partitions before this one
    rows: int
    lower: Key | None = None  # None: from the first
    upper: Key | None = None
    without_key: bool = False
    since: str | None = None  # a watermark: only the rows that changed since then; None: all


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run that begins now is to read, and how far the source has been read when it is done."""

    since: str | None  # None: everything
    watermark: str
    advice: tuple[str, ...] = ()  # what would make the next run quicker or safer


TEXT_KEYS = "-text"  # so ends the `layout` of a source of which not every key is an integer


class Source(Protocol):
    """One place that contacts come from. Threads may share it."""

    system: str
    """Its name in `source_system`."""

    integer_keys: bool
    """Whether every key is an integer, so that a range of keys is a range of `record_key` too."""

    @property
    def unique_keys(self) -> bool:
        """Whether the source itself lets no two rows have one key."""

    layout: str
    """A fingerprint of where the rows are and how they are read; a watermark of another is worth nothing."""

    def begin(self, watermark: str | None) -> Reading:
        """What to read now, where it was read as far as `watermark` before; asked before anything is read."""

    def partitions(self, rows: int, since: str | None = None) -> Iterator[Partition]:
        """All rows, cut into ranges of about so many. Cheap statements, one range at a time.

        `since`: only the rows that changed since then, and all those without a key.

        The ranges leave no gap: the first has no lower bound, the last no upper one, and the rows without a
        key follow, also where there are none now. So a row that comes late is in one of them, and so is
        every row that was known and is gone.
        """

    def fetch(self, partition: Partition) -> pl.DataFrame:
        """The rows of a range in the columns of `contacts.model.RAW`, in no particular order."""

    def halves(self, partition: Partition) -> tuple[Partition, Partition] | str | None:
        """The range cut in two; the key, where it holds but one; None where it cannot be cut."""

    def keys(self) -> pl.DataFrame:
        """The keys of all rows that have one, as [source_record_id]."""

    def close(self) -> None: ...
