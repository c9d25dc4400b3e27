"""Rows on disk, in buckets, for whoever reads one bucket after the other."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import polars as pl

from ledgerline.errors import TemporaryFolderFault

_ROWS = 50_000


class Spill:
    """A nameless temporary file of frames, each as Parquet: of a process that is killed, nothing stays.

    by      an integer column without nulls
    uppers  the highest value of each bucket, in order
    rows    so many, at least, are shared out at a time

    Raises TemporaryFolderFault where the temporary folder takes no more.
    """

    def __init__(self, by: str, uppers: Sequence[int], rows: int = _ROWS) -> None:
        with _explained():
            self._file = tempfile.TemporaryFile(prefix="ledgerline-")  # noqa: SIM115  (closed by `__exit__`)
        self._by = by
        self._uppers = pl.Series(uppers, dtype=pl.Int64)
        self._places: list[list[tuple[int, int]]] = [[] for _ in uppers]  # (offset, bytes) of its frames
        self._rows = rows
        self._waiting: list[pl.DataFrame] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= self._rows:
            self._share_out()

    def buckets(self) -> list[int]:
        """The numbers of the buckets that have rows. To be called when all rows are added."""
        self._share_out()
        return [number for number, places in enumerate(self._places) if places]

    def read(self, bucket: int) -> pl.DataFrame:
        """The rows of a bucket."""
        return pl.concat(self._frame(*place) for place in self._places[bucket])

    def _share_out(self) -> None:
        if not self._waiting:
            return
        rows = pl.concat(self._waiting).sort(self._by)
        self._waiting = []
        first = 0
        ends = rows[self._by].search_sorted(self._uppers, side="right")
        for places, end in zip(self._places, ends, strict=True):
            if end > first:
                places.append(self._append(rows[first:end]))
            first = end

    def _append(self, rows: pl.DataFrame) -> tuple[int, int]:
        content = io.BytesIO()
        rows.write_parquet(content, compression="uncompressed", statistics=False)
        with _explained():
            offset = self._file.seek(0, io.SEEK_END)
            return offset, self._file.write(content.getbuffer())

    def _frame(self, offset: int, length: int) -> pl.DataFrame:
        self._file.seek(offset)
        return pl.read_parquet(self._file.read(length))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TemporaryFolderFault(
            f"Rows of the run cannot be kept in the temporary folder: {error.strerror}.",
            hint="Make room there, or name another folder in TMPDIR. What the run has read so far stays.",
        ) from error
