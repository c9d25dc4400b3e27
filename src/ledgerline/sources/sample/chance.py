"""Chance that depends on nothing but the seed, the purpose and the key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Hashes: TypeAlias = NDArray[np.uint64]


class Dice:
    """Throws that depend on nothing but the seed, the purpose and the key."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def roll(self, purpose: str, keys: Ints) -> Hashes:
        return mixed(keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + _stream(self._seed, purpose))

    def unit(self, purpose: str, keys: Ints) -> Floats:
        """Uniform in [0, 1)."""
        return (self.roll(purpose, keys) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, purpose: str, keys: Ints, limit: int | Ints) -> Ints:
        """Uniform in 0 … limit - 1."""
        return ((self.roll(purpose, keys) >> np.uint64(1)).astype(np.int64)) % limit

    def hits(self, purpose: str, keys: Ints, share: float | Floats) -> Bools:
        return np.asarray(self.unit(purpose, keys) < share)

    def index(self, purpose: str, keys: Ints, edges: Floats) -> Ints:
        """Of the weighted entries whose upper edges these are."""
        return np.searchsorted(edges, self.unit(purpose, keys), side="right").astype(np.int64)

    def text(self, purpose: str, keys: Ints, choice: _Choice) -> pl.Series:
        return choice.texts.gather(self.index(purpose, keys, choice.edges))


@cache
def _stream(seed: int, purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest(), "little"))


def mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: neighbouring values come out unrelated."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class _Choice(NamedTuple):
    texts: pl.Series
    edges: Floats


def choice_of(entries: str) -> _Choice:
    """From `12 this|3 that`."""
    pairs = [entry.split(" ", 1) for entry in entries.split("|")]
    return _Choice(
        pl.Series([text for _, text in pairs], dtype=pl.String), edges_of([float(w) for w, _ in pairs])
    )


def edges_of(weights: Sequence[float] | Floats) -> Floats:
    sums = np.cumsum(np.asarray(weights, dtype=np.float64))
    edges: Floats = sums / sums[-1]
    edges[-1] = 1.0
    return edges


def wheel_of(weights: Sequence[float] | Floats, slots: int) -> Ints:
    """`slots` indices, each as often as its weight says: a table that a hash's low bits can look up."""
    return np.searchsorted(edges_of(weights), (np.arange(slots) + 0.5) / slots).astype(np.int64)


def duplicate_ranks(keys: Hashes) -> Ints:
    """For each key, how many equal ones stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    position = np.arange(len(keys))
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[order] = position - np.maximum.accumulate(np.where(first, position, 0))
    return ranks
