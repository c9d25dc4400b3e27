"""Rows of a page, chosen by the ids of their contacts."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.ingest.staged import among

ordered = st.lists(st.integers(-5, 60), unique=True).map(sorted)


@given(own=ordered, chosen=ordered)
def test_each_row_is_among_them_or_not(own: list[int], chosen: list[int]) -> None:
    rows = pl.DataFrame({"contact_id": pl.Series(own, dtype=pl.Int64), "place": range(len(own))})
    ids = pl.Series("contact_id", chosen, dtype=pl.Int64)
    inside, outside = among(rows, ids), among(rows, ids, others=True)
    assert inside["contact_id"].to_list() == [one for one in own if one in chosen]
    assert outside["contact_id"].to_list() == [one for one in own if one not in chosen]
    assert inside.columns == outside.columns == rows.columns
