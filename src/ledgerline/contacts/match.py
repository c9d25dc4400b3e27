"""Records that share keys → clusters of one person each, with the evidence that made every record join.

Matching knows people by integers; only the names that have to be compared are text. In order:

1. *Keys* (`keys`). Each e-mail address, each phone, and name with company becomes a stable 64-bit key.
2. *Blocks* (`blocks`). Records that share a key form a block; the pairs within a block are compared. A block
   too large for that (a switchboard) is cut by name; `Matches.capped` counts its records.
3. *Names* (`agreement`). The names of each pair are compared word by word, each pair of names once.
4. *Score* (here). Points are added: what two records share, plus how well their names agree, minus what
   contradicts. `MERGE` points and more are a merge, `SUGGEST` and more are shown to a person, fewer nothing.
5. *Clusters* (`clusters`). Merging pairs are joined, and cut again where names in a chain clearly disagree;
   such a link becomes a suggestion.

What several people use is no identity: a role mailbox (`info@`), a mailbox named like the company, an address
or a mobile used under three clearly different names, a landline used under two. Each is a link, worth one
point, and none beside the same company, of which it says no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.agreement import (
    CONFLICT,
    CROSSED,
    INITIALS,
    LOOSE,
    ONE_INITIAL,
    PARTIAL,
    RENAMED,
    RIVAL,
    SAME,
    SAME_WORD,
    SHORTENED,
    SLIP,
    SURNAME,
    UNSURE,
    VARIANT,
    Names,
)
from ledgerline.contacts.blocks import ROW, Blocks, Candidates, Codes, Flags, Ints, Sample, starts
from ledgerline.contacts.clusters import (
    IDENTITY,
    Ends,
    Pairs,
    as_one,
    explain,
    join_pairs,
    labels_of,
    surest_first,
)
from ledgerline.contacts.forest import components
from ledgerline.contacts.keys import EMAIL, FULL_NAME, NAME_COMPANY, OWN_EMAIL, OWN_PHONE, PHONE
from ledgerline.contacts.model import MatchRule

Bits: TypeAlias = npt.NDArray[np.int16]

MERGE = 8
SUGGEST = 6

# What two records share (bits). An address or a number is personal, or a link that others use too.
_PERSONAL_EMAIL, _PERSONAL_PHONE, _LANDLINE, _SHARED_EMAIL, _SHARED_PHONE, _COMPANY = 1, 2, 4, 8, 16, 32
_ADDRESS = 64  # an e-mail address, whatever it is worth
_UNIQUE, _LIKELY = 128, 256  # name and company that nobody else has, or that chance may bring together
_PERSONAL = _PERSONAL_EMAIL | _PERSONAL_PHONE | _LANDLINE

_CROWD = 3  # so many people use what is nobody's own

# How the agreement of two names counts, and how it is told to a person.
_AGREEMENT_POINTS = np.zeros(SAME + 1, np.int8)
for _level, _points in {
    CONFLICT: -20,
    RIVAL: -3,
    RENAMED: -1,
    ONE_INITIAL: -1,
    SURNAME: 1,
    UNSURE: 2,
    CROSSED: 2,
    SLIP: 3,
    PARTIAL: 3,
    INITIALS: 3,
    SHORTENED: 4,
    VARIANT: 4,
    SAME_WORD: 3,
    SAME: 5,
}.items():
    _AGREEMENT_POINTS[_level] = _points
_AGREEMENT_TEXT = {
    CONFLICT: "the names differ",
    RIVAL: "two given names that are much alike",
    RENAMED: "the same given name with another surname",
    ONE_INITIAL: "the names have an initial in common",
    SURNAME: "only the surname is the same",
    UNSURE: "the names differ by a letter or two",
    SLIP: "the surnames differ by a letter or two",
    CROSSED: "the names differ in what is an initial",
    PARTIAL: "the names have one word in common",
    INITIALS: "one name has initials",
    SHORTENED: "one name is shorter",
    VARIANT: "the names are spelt differently",
    SAME_WORD: "the same name, one that many may have",
    SAME: "the same name",
}
_SHARED_POINTS = {_PERSONAL_EMAIL: 5, _PERSONAL_PHONE: 5, _LANDLINE: 3, _COMPANY: 3}
_SHARED_TEXT = {
    _PERSONAL_EMAIL: "the same e-mail address",
    _PERSONAL_PHONE: "the same mobile number",
    _LANDLINE: "the same landline",
    _SHARED_EMAIL: "a shared mailbox",
    _SHARED_PHONE: "a shared number",
    _COMPANY: "the same company",
}
# Name and company alone: how many namesakes chance may bring together before they are worth a point less, and
# the records of a company that is small enough for one point more, or too large.
_NAMESAKES = 0.001
_SMALL_COMPANY, _LARGE_COMPANY = 30, 100
_TELLING = 10_000  # records: among fewer, that a name is unique says nothing
# asha.rao@ and asha.rao2@ were numbered because they are two people: no name and company outweigh that.
_NUMBERED = 4


@dataclass(frozen=True, slots=True)
class Matches:
    """What belongs together, and why.

    clusters     [record, cluster, rule, partner, score]: every record of a cluster of two or more; `cluster`
                 is its smallest record, which has no rule, partner or score: the others joined it, each
                 through its partner
    suggestions  [left, right, rule, score, why]: pairs of records that may be one person
    capped       how many records were in blocks too large to be compared pair by pair
    """

    clusters: pl.DataFrame
    suggestions: pl.DataFrame
    capped: int


def match(
    blocks: Blocks,
    names: pl.DataFrame,
    contacts: pl.DataFrame | None = None,
    exclusions: pl.DataFrame | None = None,
) -> Matches:
    """Find the records that are one person.

    names       [record, name]: of the records `blocks.names_needed()` and those of `contacts`
    contacts    [record, contact_id]: what is known of candidates; records of one contact stay together
    exclusions  [left, right]: pairs of records that a person has declared to be two people
    """
    candidates = blocks.candidates
    comparable = _comparable(candidates, names, blocks.sample)
    apart = _excluded(candidates, exclusions)
    pairs = _judge(blocks, comparable)
    merging = pairs.only(pairs.score >= MERGE)
    edges = join_pairs(merging, _known(candidates, contacts), candidates, comparable, apart)
    del merging, comparable  # to tell what came of it takes as much memory again
    labels = labels_of(edges, len(candidates.record))
    return Matches(
        clusters=explain(edges, labels, _rules(edges), candidates),
        suggestions=_suggest(pairs, labels, apart, candidates),
        capped=blocks.capped,
    )


def _comparable(candidates: Candidates, names: pl.DataFrame, sample: Sample | None) -> Names:
    ordered = names.sort("record")
    is_candidate = ordered["record"].is_in(pl.Series(candidates.record).implode())
    compared, others = ordered.filter(is_candidate), ordered.filter(~is_candidate)["name"]
    hashes = candidates.name[np.searchsorted(candidates.record, compared["record"].to_numpy())]
    named = pl.DataFrame({"hash": hashes, "name": compared["name"]})
    # Of the spellings of a name always the same one: which record came first must not matter.
    named = named.group_by("hash").agg(pl.col("name").min()).sort("hash")
    others = others if sample is None else pl.concat([others, sample.names])
    return Names(named["hash"].to_numpy(), named["name"], others)


def _known(candidates: Candidates, contacts: pl.DataFrame | None) -> Ints:
    """Of each row the first row that is known to be of the same contact."""
    first = np.arange(len(candidates.record), dtype=ROW)
    if contacts is not None and len(contacts):
        row = np.searchsorted(candidates.record, contacts["record"].to_numpy())
        known = pl.DataFrame({"row": row, "contact_id": contacts["contact_id"]}).drop_nulls()
        founders = known.select("row", first=pl.col("row").min().over("contact_id"))
        first[founders["row"].to_numpy()] = founders["first"].to_numpy()
    return first


def _excluded(candidates: Candidates, exclusions: pl.DataFrame | None) -> Ends:
    """The excluded pairs as rows, those whose records are both here."""
    if exclusions is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    ids = candidates.record
    one, other = exclusions["left"].to_numpy(), exclusions["right"].to_numpy()
    here = np.isin(one, ids) & np.isin(other, ids)
    return np.searchsorted(ids, one[here]), np.searchsorted(ids, other[here])


# -- evidence ----------------------------------------------------------------------------------------------


def _judge(blocks: Blocks, names: Names) -> Pairs:
    """Weigh every pair."""
    left, right, candidates = blocks.left, blocks.right, blocks.candidates
    full = (candidates.traits[left] & candidates.traits[right] & FULL_NAME) > 0
    agreement = names.agreement(candidates.name[left], candidates.name[right], full)
    evidence = _evidence(blocks, agreement)[blocks.block]
    evidence[_ambiguous(blocks, agreement)] = 0
    evidence[blocks.kind[blocks.block] == EMAIL] |= _ADDRESS
    codes = as_one(left, right)
    order = np.argsort(codes)
    start = starts(codes[order])[:-1]
    first = order[start]
    shared = np.bitwise_or.reduceat(evidence[order], start) if len(start) else evidence
    return _score(candidates, left[first], right[first], shared, agreement[first])


def _ambiguous(blocks: Blocks, agreement: Codes) -> Ints:
    """The loose agreements that fit another person of the block: 'R Kumar' beside Rajesh and Ramesh Kumar."""
    differs, loose = agreement <= RIVAL, np.isin(agreement, LOOSE)
    mixed = _holding(blocks, differs) & _holding(blocks, loose)
    chosen = np.flatnonzero(mixed[blocks.block])
    pairs = pl.DataFrame(
        {
            "pair": chosen,
            "block": blocks.block[chosen],
            "one": blocks.left[chosen],
            "other": blocks.right[chosen],
            "agreement": agreement[chosen],
        }
    )
    both_ways = pl.concat([pairs, pairs.rename({"one": "other", "other": "one"}).select(pairs.columns)])
    conflicts = both_ways.filter(pl.col("agreement") <= RIVAL).select("block", "one", "other")
    agreeing = both_ways.filter(pl.col("agreement") > RENAMED).select("block", "one", loose="other")
    rivals = agreeing.join(conflicts, on=["block", "one"]).select("block", one="loose", other="other")
    doubtful = both_ways.filter(pl.Series(np.tile(loose[chosen], 2)))
    return doubtful.join(rivals, on=["block", "one", "other"], how="semi")["pair"].to_numpy()


def _holding(blocks: Blocks, pairs: Flags) -> Flags:
    """The blocks that hold such a pair."""
    holds = np.zeros(len(blocks.kind), bool)
    holds[blocks.block[pairs]] = True
    return holds


def _evidence(blocks: Blocks, agreement: Codes) -> Bits:
    """What sharing the key of each block is worth."""
    persons = _persons(blocks, agreement > RENAMED)
    email, phone = blocks.kind == EMAIL, blocks.kind == PHONE
    crowded = persons >= _CROWD
    likely, unique = _chance(blocks)
    worth = {
        _SHARED_EMAIL: email & (~blocks.own | crowded),
        _PERSONAL_EMAIL: email,
        _SHARED_PHONE: phone & (crowded | (~blocks.own & (persons > 1))),
        _LANDLINE: phone & ~blocks.own,
        _PERSONAL_PHONE: phone,
        _LIKELY: likely,
        _UNIQUE: unique,
    }
    return np.select(list(worth.values()), list(worth), 0).astype(np.int16)


def _persons(blocks: Blocks, agrees: Flags) -> Ints:
    """Under how many clearly different names each key is used; in a large block every name counts as one."""
    persons = np.maximum(blocks.names, 1)
    contested = _holding(blocks, ~agrees)
    inside = contested[blocks.block]
    block, agrees = blocks.block[inside], agrees[inside]
    uses, ends = np.unique(
        np.concatenate([as_one(block, blocks.left[inside]), as_one(block, blocks.right[inside])]),
        return_inverse=True,
    )
    left, right = ends.reshape(2, -1)[:, agrees]
    first = np.unique(components(left, right, len(uses)))
    persons[contested] = np.bincount(uses[first] >> 32, minlength=len(persons))[contested]
    return persons


def _chance(blocks: Blocks) -> tuple[Flags, Flags]:
    """For blocks by name and company: whether chance may bring two people of that name together in a company
    of that size; and whether nobody else has the name."""
    same = blocks.kind == NAME_COMPANY
    likely = blocks.colleagues > _LARGE_COMPANY
    likely |= blocks.namesakes.astype(np.int64) * blocks.colleagues > _NAMESAKES * blocks.total
    unique = (blocks.namesakes == 0) & (blocks.size == 2) & (blocks.colleagues <= _SMALL_COMPANY)
    unique &= blocks.total >= _TELLING if blocks.sample is None else False
    return same & likely, same & unique


# -- score -------------------------------------------------------------------------------------------------


def _score(candidates: Candidates, left: Ints, right: Ints, shared: Bits, agreement: Codes) -> Pairs:
    """Add up the points of each pair."""
    one, other = candidates.company[left], candidates.company[right]
    shared = shared | np.where((one != 0) & (one == other), _COMPANY, 0).astype(np.int16)
    score = _AGREEMENT_POINTS[agreement]
    for bit, points in _SHARED_POINTS.items():
        score += np.int8(points) * _has(shared, bit)
    company, alone = _has(shared, _COMPANY), ~_has(shared, _PERSONAL)
    # The mailbox or the switchboard of a company says no more than the company, its landline hardly more.
    score += _has(shared, _SHARED_EMAIL | _SHARED_PHONE) & ~company
    score -= 2 * (company & _has(shared, _LANDLINE))
    score += alone & _has(shared, _UNIQUE)
    score -= alone & _has(shared, _LIKELY)
    score -= _contradictions(candidates, left, right, shared)
    return Pairs(left, right, shared, agreement, score)


def _has(shared: Bits, bits: int) -> Flags:
    return (shared & bits) > 0


def _contradictions(candidates: Candidates, left: Ints, right: Ints, shared: Bits) -> Ints:
    """What two records have that one person would rather not have: two mobiles, two numbered mailboxes."""
    both = candidates.traits[left] & candidates.traits[right]
    mobiles = ((both & OWN_PHONE) > 0) & ~_has(shared, _PERSONAL_PHONE | _LANDLINE)
    mailboxes = ((both & OWN_EMAIL) > 0) & ~_has(shared, _ADDRESS)
    numbered = mailboxes & (candidates.mailbox[left] == candidates.mailbox[right])
    points: Ints = mobiles + _NUMBERED * numbered
    return points


# -- telling -----------------------------------------------------------------------------------------------


def _rules(pairs: Pairs) -> pl.Series:
    shared = pairs.shared
    chosen = np.select(
        [
            pairs.score >= IDENTITY,
            _has(shared, _PERSONAL_EMAIL),
            _has(shared, _PERSONAL),
            _has(shared, _COMPANY),
            _has(shared, _SHARED_EMAIL),
        ],
        [0, 1, 2, 3, 1],
        2,
    )
    rules = [MatchRule.IDENTITY, MatchRule.EMAIL, MatchRule.PHONE, MatchRule.NAME_COMPANY]
    return pl.Series([rule.value for rule in rules], dtype=pl.String).gather(chosen)


def _suggest(pairs: Pairs, labels: Ints, apart: Ends, candidates: Candidates) -> pl.DataFrame:
    """The best pair between any two clusters that may be one person, but not those kept apart by a person."""
    doubtful = pairs.only((pairs.score >= SUGGEST) & (labels[pairs.left] != labels[pairs.right]))
    one, other = np.sort([labels[doubtful.left], labels[doubtful.right]], axis=0)
    between = as_one(one, other)
    best = surest_first(doubtful, candidates)
    _, first = np.unique(between[best], return_index=True)
    best = np.sort(best[first])
    low, high = np.sort([labels[apart[0]], labels[apart[1]]], axis=0)
    best = best[~np.isin(between[best], as_one(low, high))]
    doubtful = doubtful.only(best)
    ids = candidates.record
    return pl.DataFrame(
        {
            "left": ids[doubtful.left],
            "right": ids[doubtful.right],
            "rule": _rules(doubtful),
            "score": doubtful.score.astype(np.int64),
            "why": _why(doubtful),
        }
    )


def _why(pairs: Pairs) -> pl.Series:
    """In words, for the person who decides: 'same mobile number; one name has only initials'."""
    shared = [
        pl.when(pl.lit(pl.Series((pairs.shared & bit) > 0))).then(pl.lit(text))
        for bit, text in _SHARED_TEXT.items()
    ]
    agreement = pl.lit(pl.Series(pairs.agreement)).replace_strict(_AGREEMENT_TEXT, return_dtype=pl.String)
    return pl.select(why=pl.concat_str(*shared, agreement, separator="; ", ignore_nulls=True))["why"]
