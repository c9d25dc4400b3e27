"""Pairs that are one person → clusters, each record with the reason why it is in its own.

Merging pairs are joined. A chain A–B–C in which A and C clearly disagree is cut where names agree but loosely
(initials, one word), the weakest link first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.agreement import LOOSE, RENAMED, SAME, SAME_WORD, Names
from ledgerline.contacts.blocks import ROW, Candidates, Codes, Flags, Ints, all_pairs, starts
from ledgerline.contacts.forest import components, parents
from ledgerline.contacts.keys import FULL_NAME

Ends: TypeAlias = tuple[Ints, Ints]  # of pairs: left and right, or one and other

IDENTITY = 100  # the score of what is known to be one contact
_LARGEST_CLUSTER = 64
_IS_LOOSE = np.isin(np.arange(SAME + 1), LOOSE)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows (left < right), distinct and sorted; what they share, how the names agree, the points."""

    left: Ints
    right: Ints
    shared: npt.NDArray[np.int16]
    agreement: Codes
    score: Codes

    def only(self, chosen: Flags | Ints) -> Pairs:
        return Pairs(*(getattr(self, field.name)[chosen] for field in fields(self)))


def surest_first(pairs: Pairs, candidates: Candidates) -> Ints:
    """The order of pairs: the most points, then the names that agree best. Of pairs that are as sure, what
    their records say decides and not which came first, but among records that say the same."""
    says = candidates.name ^ candidates.company >> 1 ^ candidates.mailbox.astype(np.int64)
    low, high = np.sort([says[pairs.left], says[pairs.right]], axis=0)
    order: Ints = np.lexsort((pairs.right, pairs.left, high, low, -pairs.agreement, -pairs.score))
    return order


def join_pairs(merging: Pairs, contact: Ints, candidates: Candidates, names: Names, apart: Ends) -> Pairs:
    """The pairs by which rows are joined, so that no cluster holds two names that clearly disagree.

    contact  of each row the first row that is known to be of the same contact
    apart    pairs of rows that are two people
    """
    edges = _together(_identities(contact), merging)
    return edges.only(_without_conflicts(edges, contact, candidates, names, apart))


def _identities(contact: Ints) -> Pairs:
    """What is known to be one contact, each row with the first."""
    right = np.flatnonzero(contact != np.arange(len(contact))).astype(ROW)
    nothing, sure = np.zeros(len(right), np.int16), np.full(len(right), IDENTITY, np.int8)
    return Pairs(contact[right], right, nothing, nothing.astype(np.int8), sure)


def _together(identities: Pairs, merging: Pairs) -> Pairs:
    """Both, each pair once; an identity stands before other evidence."""
    if not len(identities.left):
        return merging
    pairs = Pairs(*(np.concatenate(both) for both in zip(astuple(identities), astuple(merging), strict=True)))
    _, first = np.unique(as_one(pairs.left, pairs.right), return_index=True)
    return pairs.only(first)


def labels_of(edges: Pairs, size: int) -> Ints:
    """The cluster of each row: the smallest row of it."""
    return components(edges.left, edges.right, size)


def _without_conflicts(
    edges: Pairs, contact: Ints, candidates: Candidates, names: Names, apart: Ends
) -> Flags:
    """Which edges to keep. What is known to be one contact counts as one, whatever its names."""
    labels = labels_of(edges, len(contact))
    kept = _possible(edges, labels)
    left, right = _conflicts(edges, labels, contact, candidates, names)
    together = labels[apart[0]] == labels[apart[1]]
    forbidden = contact[apart[0][together]], contact[apart[1][together]]
    in_conflict = np.zeros(len(labels), bool)
    in_conflict[labels[np.concatenate([left, forbidden[0]])]] = True
    suspects = np.flatnonzero(kept & in_conflict[labels[edges.left]])
    conflicting, cannot_link = _adjacency(left, right), _adjacency(*forbidden)
    some = edges.only(suspects)
    kept[suspects] = _cut_weakest(some, candidates, contact, conflicting, cannot_link)
    return kept


def _possible(edges: Pairs, labels: Ints) -> Flags:
    """Nobody has more than `_LARGEST_CLUSTER` records under different names: beyond that equal ones join."""
    possible: Flags = np.bincount(labels)[labels[edges.left]] <= _LARGEST_CLUSTER
    possible |= np.isin(edges.agreement, (SAME, SAME_WORD)) | (edges.score == IDENTITY)
    return possible


def _conflicts(
    edges: Pairs, labels: Ints, contact: Ints, candidates: Candidates, names: Names
) -> tuple[Ints, Ints]:
    """The pairs of contacts of one cluster whose names clearly disagree, and that nothing joins directly.

    Only of clusters that hold a loose agreement: nothing else will be cut.
    """
    is_doubtful = np.zeros(len(labels), bool)
    is_doubtful[labels[edges.left[_IS_LOOSE[edges.agreement]]]] = True
    rows = np.flatnonzero(is_doubtful[labels] & (candidates.name != 0))
    rows = rows[np.argsort(labels[rows], kind="stable")]
    start = starts(labels[rows])
    size = np.diff(start)
    checked = (size > 2) & (size <= _LARGEST_CLUSTER)  # two were compared already
    one, other, _ = all_pairs(start[:-1][checked], size[checked])
    left, right = rows[one], rows[other]
    full = (candidates.traits[left] & candidates.traits[right] & FULL_NAME) > 0
    agrees = names.agreement(candidates.name[left], candidates.name[right], full) > RENAMED
    pairs = _codes(contact[left], contact[right])
    direct = is_doubtful[labels[edges.left]]
    joined = [pairs[agrees], _codes(contact[edges.left[direct]], contact[edges.right[direct]])]
    is_joined = pl.Series(pairs[~agrees]).is_in(pl.Series(np.concatenate(joined)).implode())
    conflicts = pairs[~agrees][~is_joined.to_numpy()]
    return conflicts >> 32, conflicts & 0xFFFFFFFF


def _codes(one: Ints, other: Ints) -> Ints:
    """A pair of rows as one number, whichever comes first."""
    return as_one(np.minimum(one, other), np.maximum(one, other))


def as_one(high: Ints, low: Ints) -> Ints:
    """Two row numbers as one number."""
    codes: Ints = high.astype(np.int64) << 32 | low
    return codes


def _adjacency(left: Ints, right: Ints) -> dict[int, set[int]]:
    """Each end of a pair → its other ends."""
    adjacent: dict[int, set[int]] = defaultdict(set)
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        adjacent[one].add(other)
        adjacent[other].add(one)
    return adjacent


def _cut_weakest(
    edges: Pairs,
    candidates: Candidates,
    contact: Ints,
    conflicting: dict[int, set[int]],
    cannot_link: dict[int, set[int]],
) -> Flags:
    """Join the strongest edges first, but nothing that must not be linked, and no conflicting contacts by a
    loose agreement.

    Row by row in Python: only the clusters in which something conflicts come here, a few in a thousand.
    """
    ends = contact[edges.left].tolist(), contact[edges.right].tolist()
    loose = _IS_LOOSE[edges.agreement]
    cluster = {end: {end} for end in {*ends[0], *ends[1]}}
    kept = np.ones(len(edges.left), bool)
    for edge in surest_first(edges, candidates).tolist():
        one, other = cluster[ends[0][edge]], cluster[ends[1][edge]]
        if one is other:
            continue
        if _is_between(one, other, cannot_link) or (loose[edge] and _is_between(one, other, conflicting)):
            kept[edge] = False
            continue
        one |= other
        cluster.update(dict.fromkeys(other, one))
    return kept


def _is_between(one: set[int], other: set[int], adjacent: dict[int, set[int]]) -> bool:
    """Whether a pair has one end here and the other there."""
    return any(not other.isdisjoint(adjacent.get(member, ())) for member in one)


def explain(edges: Pairs, labels: Ints, rules: pl.Series, candidates: Candidates) -> pl.DataFrame:
    """[record, cluster, rule, partner, score]: every record joins through the strongest path to the first.

    labels  the cluster of each row by the edges; rules  the rule of each edge
    """
    inside = np.zeros(len(labels), bool)
    inside[edges.left] = inside[edges.right] = True
    rows = np.flatnonzero(inside)
    first = labels[rows] == rows
    partner = _next_to_founder(edges, labels)[rows]
    edge = np.searchsorted(as_one(edges.left, edges.right), _codes(rows, partner))  # the edges are sorted
    edge[first] = 0
    ids = candidates.record
    return pl.DataFrame(
        {
            "record": ids[rows],
            "cluster": ids[labels[rows]],
            "rule": rules.gather(edge),
            "partner": ids[partner],
            "score": edges.score[edge].astype(np.int64),
            "first": first,
        }
    ).select("record", "cluster", pl.when(~pl.col("first")).then(pl.col("rule", "partner", "score")))


def _next_to_founder(edges: Pairs, labels: Ints) -> Ints:
    """For each row the next on the strongest path to the first of its cluster."""
    partner = labels.copy()
    several = (np.bincount(labels, minlength=len(labels)) > 2)[labels]  # of two there is but one path
    rows, place = np.flatnonzero(several), np.cumsum(several, dtype=ROW) - 1
    paths = edges.only(several[edges.left])
    roots = place[rows[labels[rows] == rows]]
    onward = parents(place[paths.left], place[paths.right], paths.score, roots, len(rows))
    partner[rows] = rows[onward]
    return partner
