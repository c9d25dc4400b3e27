"""Rows of a page, chosen by the ids of their contacts."""

from __future__ import annotations

from typing import cast

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.staged import InPages, among

ordered = st.lists(st.integers(-5, 60), unique=True).map(sorted)


@given(own=ordered, chosen=ordered)
def test_each_row_is_among_them_or_not(own: list[int], chosen: list[int]) -> None:
    rows = pl.DataFrame({"contact_id": pl.Series(own, dtype=pl.Int64), "place": range(len(own))})
    ids = pl.Series("contact_id", chosen, dtype=pl.Int64)
    inside, outside = among(rows, ids), among(rows, ids, others=True)
    assert inside["contact_id"].to_list() == [one for one in own if one in chosen]
    assert outside["contact_id"].to_list() == [one for one in own if one not in chosen]
    assert inside.columns == outside.columns == rows.columns


def test_where_nothing_was_staged_nobody_is_named() -> None:
    staged = InPages(cast("Job", None), cast("Database", None), ())  # neither is asked
    found = staged.named(pl.Series(["7"]))
    assert (found.columns, found.height) == (["source_record_id", "contact_id"], 0)
