"""Matching alone, in a process of its own: keys, blocks, pairs and clusters; its cost as JSON."""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from bench.measure import CORES, own_peak, spent
from ledgerline.contacts.blocks import block
from ledgerline.contacts.keys import Keys, match_keys
from ledgerline.contacts.match import Matches, match
from ledgerline.ingest.run import PARTITION_ROWS


def match_all(records: pl.DataFrame) -> Matches:
    """The records of a first load, of which none is known."""
    with ThreadPoolExecutor(CORES) as pool:
        blocks = block(Keys.concat(pool.map(match_keys, records.iter_slices(PARTITION_ROWS))))
    compared = pl.DataFrame({"record": blocks.names_needed()})
    return match(blocks, records.select("record", "name").join(compared, on="record", how="semi"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.match_once", description=__doc__)
    parser.add_argument("records", type=Path, help="folder with cleaned records, as Parquet")
    given = parser.parse_args()
    records = pl.read_parquet(given.records / "*.parquet")
    before = spent()
    matches = match_all(records)
    cost = spent() - before
    result = {
        **cost.as_dict(),
        "records": records.height,
        "clusters": matches.clusters["cluster"].n_unique(),
        "in_clusters": matches.clusters.height,
        "suggestions": matches.suggestions.height,
        "own_peak": own_peak(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
