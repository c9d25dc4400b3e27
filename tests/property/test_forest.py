"""Components and strongest paths, against the plain way of finding them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.contacts import forest
from ledgerline.contacts.forest import Ints, components, parents

_SIZE = 12
_nodes = st.integers(0, _SIZE - 1)
_edges = st.lists(st.tuples(_nodes, _nodes, st.integers(0, 4)), max_size=30)


@given(_edges)
def test_a_component_is_named_by_its_smallest_node(edges: list[tuple[int, int, int]]) -> None:
    expected = list(range(_SIZE))
    for _ in edges:
        for one, other, _ in edges:
            expected[one] = expected[other] = min(expected[one], expected[other])
    left, right, _ = _columns(edges)
    assert components(left, right, _SIZE).tolist() == expected


@given(_edges, st.sampled_from([0, 1, 16]))
def test_a_path_to_the_root_is_as_strong_as_any(edges: list[tuple[int, int, int]], few_steps: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest, "_FEW_STEPS", few_steps)
        _check_paths(edges)


def _check_paths(edges: list[tuple[int, int, int]]) -> None:
    left, right, strength = _columns(edges)
    labels = components(left, right, _SIZE)
    parent = parents(left, right, strength, np.unique(labels), _SIZE).tolist()
    widest = _widest(edges)
    direct = {(one, other): 0 for one in range(_SIZE) for other in range(_SIZE)}
    for one, other, weight in edges:
        direct[one, other] = direct[other, one] = max(direct[one, other], weight + 1)
    for node, root in enumerate(labels.tolist()):
        at, weakest, steps = node, 9, 0
        while at != root:
            weakest, at, steps = min(weakest, direct[at, parent[at]]), parent[at], steps + 1
            assert steps < _SIZE
        assert node == root or weakest == widest[node][root]


def test_a_long_path_is_walked_once() -> None:
    """As of one person with many records; in steps of the whole graph this would take some minutes."""
    left = np.arange(200_000)
    parent = parents(left, left + 1, np.ones_like(left), np.zeros(1, np.int64), len(left) + 1)
    assert parent.tolist() == [0, *range(200_000)]


@given(_edges)
def test_nodes_without_a_root_have_no_parent(edges: list[tuple[int, int, int]]) -> None:
    left, right, strength = _columns(edges)
    assert parents(left, right, strength, np.zeros(0, np.int64), _SIZE).tolist() == list(range(_SIZE))


def _columns(edges: list[tuple[int, int, int]]) -> tuple[Ints, Ints, Ints]:
    columns = np.array(edges, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _widest(edges: list[tuple[int, int, int]]) -> list[list[int]]:
    """How strong the weakest edge of the strongest path is, 1 and more; 0: there is none."""
    width = [[0] * _SIZE for _ in range(_SIZE)]
    for one, other, weight in edges:
        width[one][other] = width[other][one] = max(width[one][other], weight + 1)
    for via in range(_SIZE):
        for one in range(_SIZE):
            for other in range(_SIZE):
                width[one][other] = max(width[one][other], min(width[one][via], width[via][other]))
    return width
