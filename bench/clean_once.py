"""Cleaning alone, in a process of its own: columnar as in production, or row by row; its cost as JSON."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from bench.measure import CORES, spent
from ledgerline.contacts.clean import clean, clean_row
from ledgerline.ingest.run import PARTITION_ROWS

_REGION = "IN"


def clean_columns(raw: pl.DataFrame) -> int:
    """Partitions of the size that a run has them; the rows cleaned."""
    with ThreadPoolExecutor(CORES) as pool:
        parts = list(raw.iter_slices(PARTITION_ROWS))
        return sum(pool.map(lambda part: clean(part, _REGION).height, parts))


def clean_rows(raw: pl.DataFrame) -> int:
    return sum(clean_row(row, _REGION) is not None for row in raw.iter_rows(named=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clean_once", description=__doc__)
    parser.add_argument("raw", type=Path, help="folder with raw rows, as Parquet")
    parser.add_argument(
        "--by-row", type=int, metavar="ROWS", help="row by row, so many of them, evenly spaced"
    )
    given = parser.parse_args()
    raw = pl.read_parquet(given.raw / "*.parquet").filter("is_active")
    work = clean_columns
    if given.by_row:
        raw, work = raw.gather_every(max(1, raw.height // given.by_row)), clean_rows
    before = spent()
    rows = work(raw)
    cost = spent() - before
    print(json.dumps({**cost.as_dict(), "rows": rows, "rows_per_second": round(rows / cost.wall)}))


if __name__ == "__main__":
    main()
