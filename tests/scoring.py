"""How well clusters agree with a known truth, counted over pairs of records."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl


class Score(NamedTuple):
    precision: float  # of the pairs joined, how many are one person
    recall: float  # of the pairs that are one person, how many were joined
    f1: float


def pairwise(clusters: pl.DataFrame, truth: pl.DataFrame) -> Score:
    """Compare `clusters` [record, cluster, …] with `truth` [record, person].

    Only the records of `truth` count; one that is in no cluster stands alone. Nothing to find, or nothing
    found, scores 1.
    """
    joined = truth.join(clusters.select("record", "cluster"), on="record", how="left").with_columns(
        pl.col("cluster").fill_null(-1 - pl.int_range(pl.len()))
    )
    right = _pairs(joined, "person", "cluster")
    found, real = _pairs(joined, "cluster"), _pairs(joined, "person")
    precision = right / found if found else 1.0
    recall = right / real if real else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Score(precision, recall, f1)


def _pairs(frame: pl.DataFrame, *columns: str) -> int:
    """How many pairs of rows have equal values in all `columns`."""
    size = frame.group_by(columns).len()["len"].cast(pl.Int64)
    return int((size * (size - 1) // 2).sum())
