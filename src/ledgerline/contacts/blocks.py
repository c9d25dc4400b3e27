"""Who might be one person: records that share a key form a block, the pairs within a block are the candidates.

Integers only: what is to be compared is known here, before a single name has been read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.keys import EMAIL, KIND_BITS, NAME_COMPANY, Keys, identity_key, match_keys

Ints: TypeAlias = npt.NDArray[np.int64]
Codes: TypeAlias = npt.NDArray[np.int8]
Flags: TypeAlias = npt.NDArray[np.bool_]

# A block is compared pair by pair up to these many records; a link (mailbox, landline) carries so little that
# more than a handful of records is not worth the comparisons.
_LARGEST_BLOCK = 16
_LARGEST_LINK = 5

_NAMES_SAMPLED = 30_000
_KEYS_AT_ONCE = 2_000_000  # are looked through for those that several records share


@dataclass(frozen=True, slots=True)
class Candidates:
    """The records that are compared with another, in the order of their numbers, and what is known of each.

    name and company are hashes of the match forms, 0 where there is none; mailbox and traits as in `PEOPLE`.
    """

    record: Ints
    name: Ints
    company: Ints
    mailbox: Ints
    traits: Codes


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of those that are not all at hand.

    A run that reads only what is new sees few namesakes, and would take a common name for a rare one, a frequent
    word for a slip. So it is told by a sample how common names, words and companies are. It cannot tell that a
    name is unique, and nothing is then taken for unique.
    """

    names: pl.Series
    people: pl.DataFrame  # `PEOPLE`
    one_in: float  # this is one record in so many

    @staticmethod
    def of(records: pl.DataFrame, one_in: float) -> Sample:
        """records  [name, company_name]"""
        nothing = pl.lit(None, pl.String)
        absent = ("email", "further_emails", "phone", "phone_type", "further_phones")
        numbered = records.with_columns(
            *(nothing.alias(name) for name in absent), record=pl.int_range(pl.len())
        )
        return Sample(records["name"], match_keys(numbered).people, one_in)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The keys that several records share, and the pairs of candidates that do.

    By block: `kind` of the key, `own` (whether it may be one person's own), `size` (records), `names` (how many,
    where the block is too large to be compared pair by pair, else 0); of name with company how many records
    have the name elsewhere (`namesakes`), and how many the company (`colleagues`); else 0.
    By pair: `left` and `right`, the rows of two candidates, left < right, and `block`. A pair that shares several
    keys is there several times.
    """

    candidates: Candidates
    kind: Codes
    own: Flags
    size: Ints
    names: Ints
    namesakes: Ints
    colleagues: Ints
    left: Ints
    right: Ints
    block: Ints
    total: int  # how many records there are
    sampled: Ints  # some records, each of another name, by which frequent words are known
    sample: Sample | None  # by which namesakes, colleagues and total are estimated

    @property
    def capped(self) -> int:
        """How many records are in blocks too large to be compared pair by pair."""
        return int(self.size[self.names > 0].sum())

    def compared(self) -> Ints:
        """One record for each name that differs from another in its block."""
        name = self.candidates.name
        differs = name[self.left] != name[self.right]
        needed = np.zeros(len(name), bool)
        needed[self.left[differs]] = needed[self.right[differs]] = True
        rows = np.flatnonzero(needed)
        return self.candidates.record[rows[_first_of_each(name[rows])]]

    def names_needed(self) -> Ints:
        """The records whose names `match` must be given: those to compare, and those to know words by."""
        needed = np.sort(np.concatenate([self.compared(), self.sampled]))
        return needed[starts(needed)[:-1]]


def _first_of_each(values: Ints) -> Ints:
    """Where each distinct value stands first, ascending."""
    _, first = np.unique(values, return_index=True)
    return np.sort(first)


@dataclass(frozen=True, slots=True)
class _Shared:
    """The keys that several records share. The rows of block b are row[start[b]:start[b + 1]], ascending."""

    row: Ints
    start: Ints
    kind: Codes
    own: Flags

    @property
    def size(self) -> Ints:
        return np.diff(self.start)

    @property
    def large(self) -> Flags:
        return self.size > np.where(self.own, _LARGEST_BLOCK, _LARGEST_LINK)


def block(keys: Keys, known: pl.Series | None = None, sample: Sample | None = None) -> Blocks:
    """Find the records that share a key.

    known   records that are candidates whatever they share
    sample  of all records, where `keys` are not those of all
    """
    people = keys.people if keys.people["record"].is_sorted() else keys.people.sort("record")
    shared = _shared(keys.values, people)
    name = people["name_hash"].to_numpy()
    left, right, of = _pairs(shared, name)
    chosen = np.zeros(len(people), bool)
    chosen[left] = chosen[right] = True
    if known is not None:
        chosen[people["record"].search_sorted(known.cast(pl.UInt32)).to_numpy()] = True
    row = np.cumsum(chosen) - 1
    return Blocks(
        candidates=_candidates(people.filter(pl.Series(chosen))),
        kind=shared.kind,
        own=shared.own,
        size=shared.size,
        names=_names_in_large(shared, name),
        namesakes=_bearers("name_hash", people, shared, sample) - (0 if sample else shared.size),
        colleagues=_bearers("company_hash", people, shared, sample),
        left=row[left],
        right=row[right],
        block=of,
        total=len(people) if sample is None else round(len(sample.people) * sample.one_in),
        sampled=_sampled(people),
        sample=sample,
    )


def _shared(values: pl.DataFrame, people: pl.DataFrame) -> _Shared:
    identities = people.select("record", key=identity_key(people), is_link=pl.lit(value=False))
    keyed = [values, identities.drop_nulls("key")]
    bits = (sum(map(len, keyed)) // _KEYS_AT_ONCE).bit_length()
    shared = pl.concat(_repeated([_slice(frame, bits, i) for frame in keyed]) for i in range(1 << bits))
    row = people["record"].search_sorted(shared["record"]).to_numpy().astype(np.int64)
    key, is_link = shared["key"].to_numpy(), shared["is_link"].to_numpy()
    order = np.lexsort((is_link, row, key))
    key, row, is_link = key[order], row[order], is_link[order]
    again = np.append(False, (key[1:] == key[:-1]) & (row[1:] == row[:-1]))[: len(key)]  # twice in one record
    key, row, is_link = key[~again], row[~again], is_link[~again]
    start = starts(key)
    kind = (key[start[:-1]] & KIND_BITS).astype(np.int8)
    return _Shared(row, start, kind, _own(is_link, start[:-1], kind))


def _slice(keyed: pl.DataFrame, bits: int, number: int) -> pl.DataFrame:
    """One of the 1 << bits slices of the keys, by the bits beside those of the kind."""
    lowest = KIND_BITS + 1
    return keyed.filter(pl.col("key") & ((1 << bits) - 1) * lowest == number * lowest) if bits else keyed


def _repeated(keyed: list[pl.DataFrame]) -> pl.DataFrame:
    """The keys that occur more than once."""
    ordered = np.sort(np.concatenate([frame["key"].to_numpy() for frame in keyed]))
    begin = starts(ordered)
    repeated = pl.Series(ordered[begin[:-1][np.diff(begin) > 1]])
    return pl.concat(frame.filter(pl.col("key").is_in(repeated.implode())) for frame in keyed)


def _own(is_link: Flags, first: Ints, kind: Codes) -> Flags:
    """A mailbox is nobody's own where one record says so; a number is where one record has it as a mobile."""
    if not len(first):
        return np.zeros(0, bool)
    mailboxes = kind == EMAIL
    always, ever = np.logical_and.reduceat(~is_link, first), np.logical_or.reduceat(~is_link, first)
    own: Flags = np.where(mailboxes, always, ever) & (kind != NAME_COMPANY)
    return own


def starts(values: npt.NDArray[np.generic]) -> Ints:
    """Where each run of equal values begins, and at last their number."""
    if not len(values):
        return np.zeros(1, np.int64)
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([[0], changes, [len(values)]]).astype(np.int64)


def _pairs(shared: _Shared, name: Ints) -> tuple[Ints, Ints, Ints]:
    """(left, right, block) of every pair that is compared."""
    large, number = shared.large, np.arange(len(shared.kind))
    left, right, of = all_pairs(shared.start[:-1][~large], shared.size[~large])
    inside = np.flatnonzero(np.repeat(large, shared.size))
    within = np.repeat(number, shared.size)[inside]
    alike = _pairs_by_name(inside, within, name[shared.row[inside]])
    return (
        shared.row[np.concatenate([left, alike[0]])],
        shared.row[np.concatenate([right, alike[1]])],
        np.concatenate([number[~large][of], alike[2]]),
    )


def all_pairs(first: Ints, size: Ints) -> tuple[Ints, Ints, Ints]:
    """Every pair of positions within the runs of `size` that begin at `first`, and the run of each pair."""
    lefts, rights, runs = ([np.zeros(0, np.int64)] for _ in range(3))
    for length in np.unique(size[size > 1]):
        run = np.flatnonzero(size == length)
        above, below = np.triu_indices(length, 1)
        begin = first[run][:, None]
        lefts.append((begin + above).ravel())
        rights.append((begin + below).ravel())
        runs.append(np.repeat(run, len(above)))
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(runs)


def _pairs_by_name(position: Ints, block: Ints, name: Ints) -> tuple[Ints, Ints, Ints]:
    """The pairs of one name within blocks that are too large: neighbours only, which joins them all."""
    order = np.lexsort((position, name, block))
    position, block, name = position[order], block[order], name[order]
    alike = np.flatnonzero((block[1:] == block[:-1]) & (name[1:] == name[:-1]))
    return position[alike], position[alike + 1], block[alike]


def _names_in_large(shared: _Shared, name: Ints) -> Ints:
    large = shared.large
    inside = np.flatnonzero(np.repeat(large, shared.size))
    within = np.repeat(np.arange(len(large)), shared.size)[inside]
    names = name[shared.row[inside]]
    order = np.lexsort((names, within))
    changes = (np.diff(within[order], prepend=-1) != 0) | (np.diff(names[order], prepend=0) != 0)
    return np.bincount(within[order][changes], minlength=len(large))


def _bearers(column: str, people: pl.DataFrame, shared: _Shared, sample: Sample | None) -> Ints:
    """For blocks by name and company, how many records have the hash that those of the block have in common."""
    by_both = shared.kind == NAME_COMPANY
    hashes = people[column].to_numpy()[shared.row[shared.start[:-1][by_both]]]
    counts = np.zeros(len(by_both), np.int64)
    if sample is None:
        counts[by_both] = _counted(people[column], hashes)
    else:
        counts[by_both] = np.round(_counted(sample.people[column], hashes) * sample.one_in)
    return counts


def _counted(values: pl.Series, wanted: Ints) -> Ints:
    """How often each of `wanted` occurs in `values`."""
    ordered = np.sort(values.to_numpy())
    begin = starts(ordered)
    distinct, counts = ordered[begin[:-1]], np.append(np.diff(begin), 0)
    place = np.searchsorted(distinct, wanted)
    found = np.append(distinct, 0)[place] == wanted
    counted: Ints = np.where(found, counts[place], 0)
    return counted


def _sampled(people: pl.DataFrame) -> Ints:
    """Chosen by the hash of the name, so that no order changes it."""
    name = people["name_hash"].to_numpy()
    rows = np.flatnonzero((name % (len(name) // _NAMES_SAMPLED + 1) == 0) & (name != 0))
    return people["record"].to_numpy()[rows[_first_of_each(name[rows])]].astype(np.int64)


def _candidates(people: pl.DataFrame) -> Candidates:
    return Candidates(
        record=people["record"].to_numpy().astype(np.int64),
        name=people["name_hash"].to_numpy(),
        company=people["company_hash"].to_numpy(),
        mailbox=people["mailbox"].to_numpy().astype(np.int64),
        traits=people["traits"].to_numpy().astype(np.int8),
    )
