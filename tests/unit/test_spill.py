"""Rows that wait on disk come back in their buckets."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.errors import TemporaryFolderFault
from ledgerline.ingest.spill import Spill


@given(rows=st.lists(st.integers(1, 40), max_size=60), at_once=st.integers(1, 20))
def test_every_row_is_in_its_bucket(rows: list[int], at_once: int) -> None:
    uppers = [5, 20, 30, 40]
    with Spill("id", uppers, rows=at_once) as spill:
        for number, row in enumerate(rows):
            spill.add(pl.DataFrame({"id": [row], "text": [f"{number} é"]}))
        buckets = {number: spill.read(number) for number in spill.buckets()}
    for number, (low, high) in enumerate(zip([0, *uppers[:-1]], uppers, strict=True)):
        found = buckets[number]["id"].to_list() if number in buckets else []
        assert sorted(found) == sorted(row for row in rows if low < row <= high)
    texts = [text for bucket in buckets.values() for text in bucket["text"]]
    assert sorted(texts) == sorted(f"{number} é" for number in range(len(rows)))


def test_a_bucket_can_be_read_again() -> None:
    with Spill("id", [9, 99], rows=1) as spill:
        spill.add(pl.DataFrame({"id": [50, 3]}))
        spill.add(pl.DataFrame({"id": [4]}))
        assert spill.read(0)["id"].to_list() == spill.read(0)["id"].to_list() == [3, 4]


def test_nothing_needs_no_bucket() -> None:
    with Spill("id", [9]) as spill:
        assert spill.buckets() == []
    with Spill("id", []) as spill:
        spill.add(pl.DataFrame({"id": []}, schema={"id": pl.Int64}))
        assert spill.buckets() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no file on which nothing has room")
def test_a_full_folder_is_told_and_what_was_done_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    full = partial(open, "/dev/full", "r+b", buffering=0)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda prefix: full())
    with Spill("id", [9], rows=1) as spill, pytest.raises(TemporaryFolderFault) as caught:
        spill.add(pl.DataFrame({"id": [4]}))
    assert caught.value.retryable
    assert "TMPDIR" in caught.value.hint
