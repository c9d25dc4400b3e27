"""Connected components and spanning forests of large sparse graphs, as whole columns.

Borůvka's method: every component takes the strongest edge that leaves it, all at once, until none is left.
Each round at least halves their number, and components are people, so a few rounds do.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.signedinteger[Any]]
Flags: TypeAlias = npt.NDArray[np.bool_]

_NODE = np.int32  # numbers nodes and edges, of which there are fewer than 2³¹
_FEW_STEPS = 16  # from the root are taken by all paths at once; people have few records


def components(left: Ints, right: Ints, size: int) -> Ints:
    """Of each of `size` nodes the smallest node of its component."""
    labels, _ = _span(left, right, size)
    first = np.arange(size, dtype=_NODE)
    first[labels[::-1]] = np.arange(size, dtype=_NODE)[::-1]  # what is written last stays
    return first[labels]


def parents(left: Ints, right: Ints, strength: Ints, roots: Ints, size: int) -> Ints:
    """Of each node the next on the strongest path to its root; of a root, and beyond all paths, itself.

    The strongest path is the one whose weakest edge is the strongest; of equally strong edges the first in
    order is taken.
    """
    order = np.argsort(-strength, kind="stable")
    _, chosen = _span(left[order], right[order], size)
    ends = left[order[chosen]], right[order[chosen]]
    parent, is_reached = np.arange(size, dtype=_NODE), np.zeros(size, bool)
    is_reached[roots] = True
    for _ in range(_FEW_STEPS):
        for near, far in (ends, ends[::-1]):
            onward = is_reached[near] & ~is_reached[far]
            parent[far[onward]] = near[onward]
        reached = is_reached[ends[0]] | is_reached[ends[1]]
        if not reached.any():
            break
        is_reached[ends[0][reached]] = is_reached[ends[1][reached]] = True
        ends = ends[0][~reached], ends[1][~reached]
    else:
        _walk(ends, is_reached, parent)
    return parent


def _walk(ends: tuple[Ints, Ints], is_reached: Flags, parent: Ints) -> None:
    """Go on from the nodes that are reached, one by one: of a person with 50,000 records the path may be as
    long, and to look at all that is left for each step would take the square of it."""
    onward: dict[int, list[int]] = defaultdict(list)
    for one, other in zip(ends[0].tolist(), ends[1].tolist(), strict=True):
        onward[one].append(other)
        onward[other].append(one)
    walked = [node for node in onward if is_reached[node]]
    for node in walked:  # which grows meanwhile
        for other in onward.pop(node):
            if other in onward:  # else it is where we came from
                parent[other] = node
                walked.append(other)


def _span(left: Ints, right: Ints, size: int) -> tuple[Ints, Flags]:
    """A label of each node, the same throughout a component; the edges of a spanning forest.

    The edges come in order of strength, the strongest first.
    """
    label, chosen = np.arange(size, dtype=_NODE), np.zeros(len(left), bool)
    edges = np.flatnonzero(left != right).astype(_NODE)
    while len(edges):
        ends = label[left[edges]], label[right[edges]]
        strongest = np.full(size, len(left), _NODE)
        for end in ends:  # the strongest is written last
            best = np.full(size, len(left), _NODE)
            best[end[::-1]] = edges[::-1]
            np.minimum(strongest, best, out=strongest)
        roots = np.flatnonzero(strongest < len(left))
        taken = strongest[roots]
        chosen[taken] = True
        parent = np.arange(size, dtype=_NODE)
        parent[roots] = label[left[taken]] + label[right[taken]] - roots  # the other end
        mutual = roots[(parent[parent[roots]] == roots) & (roots < parent[roots])]
        parent[mutual] = mutual
        while (higher := parent[parent] != parent).any():
            parent[higher] = parent[parent[higher]]
        label = parent[label]
        edges = edges[label[left[edges]] != label[right[edges]]]
    return label, chosen
