"""Who might be one person: records that share a key form a block, and are compared in pairs.

Integers only: what is to be compared is known here, before a single name has been read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.keys import EMAIL, KIND_BITS, NAME_COMPANY, Keys, identity_key, match_keys

Ints: TypeAlias = npt.NDArray[np.signedinteger[Any]]
Codes: TypeAlias = npt.NDArray[np.int8]
Flags: TypeAlias = npt.NDArray[np.bool_]

# A block is compared pair by pair up to these many records; a link (mailbox, landline) carries so little that
# more than a handful of records is not worth the comparisons.
_LARGEST_BLOCK = 16
_LARGEST_LINK = 5

_NAMES_SAMPLED = 30_000
_KEYS_AT_ONCE = 500_000  # are looked through for those that several records share
_KEYS_READ = 100_000  # are read at a time: they are in many chunks, and not to be joined
_WORKERS = 2

ROW = np.int32  # numbers rows, pairs and blocks: each is there many times, and there are fewer than 2³¹


@dataclass(frozen=True, slots=True)
class Candidates:
    """The records that are compared with another, in the order of their numbers, and what is known of each.

    name and company are hashes of the match forms, 0 where there is none; mailbox and traits as in `PEOPLE`.
    """

    record: Ints
    name: Ints
    company: Ints
    mailbox: npt.NDArray[np.uint32]
    traits: Codes


@dataclass(frozen=True, slots=True)
class Sample:
    """Some records of those that are not all at hand.

    A run that reads only what is new sees few namesakes: it would take a common name for a rare one, and
    could not tell a slip from another name. So it learns from a sample how common names, words and companies
    are, and decides much as a run that reads all would. A sample cannot show that a name is unique, so that
    none is taken for it.
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

    By block: `kind` of the key, `own` (whether it may be one person's own), `size` (records), `names` (how
    many, where the block is too large to be compared pair by pair, else 0); of name with company how many
    records have the name elsewhere (`namesakes`), and how many the company (`colleagues`), else 0.

    By pair: `left` and `right`, the rows of two candidates, left < right, and `block`. A pair that shares
    several keys is there several times.
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
        """The records whose names differ from another in their block."""
        name = self.candidates.name
        differs = name[self.left] != name[self.right]
        needed = np.zeros(len(name), bool)
        needed[self.left[differs]] = needed[self.right[differs]] = True
        rows = np.flatnonzero(needed)
        return self.candidates.record[rows]

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
        return np.diff(self.start).astype(ROW)

    @property
    def large(self) -> Flags:
        return self.size > np.where(self.own, _LARGEST_BLOCK, _LARGEST_LINK)


def block(keys: Keys, known: pl.Series | None = None, sample: Sample | None = None) -> Blocks:
    """Find the records that share a key.

    known   records that are candidates whatever they share
    sample  of all records, where `keys` are not those of all
    """
    people = keys.people if keys.people["record"].is_sorted() else keys.people.sort("record")
    values = keys.values
    del keys
    sampled = _sampled(people)
    shared = _shared(values, people)
    del values  # nobody else may have them: half of what is known of the records is not needed any more
    names, left, right, of = _pairs(shared, people["name_hash"].to_numpy())
    chosen = np.zeros(len(people), bool)
    chosen[left] = chosen[right] = True
    if known is not None:
        chosen[people["record"].search_sorted(known.cast(pl.UInt32)).to_numpy()] = True
    row = np.cumsum(chosen, dtype=ROW) - 1
    return Blocks(
        candidates=_candidates(people, pl.Series(chosen)),
        kind=shared.kind,
        own=shared.own,
        size=shared.size,
        names=names,
        namesakes=_bearers("name_hash", people, shared, sample) - (0 if sample else shared.size),
        colleagues=_bearers("company_hash", people, shared, sample),
        left=row[left],
        right=row[right],
        block=of,
        total=len(people) if sample is None else round(len(sample.people) * sample.one_in),
        sampled=sampled,
        sample=sample,
    )


def _shared(values: pl.DataFrame, people: pl.DataFrame) -> _Shared:
    """Look through the keys slice by slice: so two cores do it, and little is in memory at a time."""
    keyed = _Keyed(values, people)
    bits = ((len(values) + len(people)) // _KEYS_AT_ONCE).bit_length()
    with ThreadPoolExecutor(_WORKERS) as pool:
        slices = pool.map(lambda number: keyed.shared(bits, number), range(1 << bits))
        key, row, is_link = (np.concatenate(parts) for parts in zip(*slices, strict=True))
    start = starts(key)
    kind = (key[start[:-1]] & KIND_BITS).astype(np.int8)
    return _Shared(row, start, kind, _own(is_link, start[:-1], kind))


class _Keyed:
    """The keys of all values, and behind them that by name and company of each row."""

    def __init__(self, values: pl.DataFrame, people: pl.DataFrame) -> None:
        self._keys = [values.select("record", "key", "is_link"), *map(_identities, _read(people))]
        self._records = people["record"].to_numpy()

    def shared(self, bits: int, number: int) -> tuple[Ints, Ints, Flags]:
        """What several records share of one of 1 << bits slices: (key, row, is_link), each record once."""
        key, row, is_link = self._slice(bits, number)
        at = np.argsort(key)
        begin = starts(key[at])
        size = np.diff(begin)
        key = key[at[begin[:-1][size > 1]]]
        at, of = at[np.repeat(size > 1, size)], np.repeat(np.arange(len(key)), size[size > 1])
        # As one number they are sorted ten times as fast: the key's, the row, whether it is a link.
        uses = np.sort(of << 33 | row[at].astype(np.int64) << 1 | is_link[at])
        new = np.ones(len(uses), bool)
        new[1:] = uses[1:] >> 1 != uses[:-1] >> 1
        uses = uses[new]
        return key[uses >> 33], (uses >> 1 & 0xFFFFFFFF).astype(ROW), (uses & 1).astype(bool)

    def _slice(self, bits: int, number: int) -> tuple[Ints, Ints, Flags]:
        lowest = KIND_BITS + 1  # the bits of the kind are not among those that make the slices
        mask, wanted = ((1 << bits) - 1) * lowest, number * lowest
        keys, rows, links = [np.zeros(0, np.int64)], [np.zeros(0, ROW)], [np.zeros(0, bool)]
        for frame in self._keys:
            for part in _read(frame):
                record, key, is_link = (column.to_numpy() for column in part.get_columns())
                at = np.flatnonzero(key & mask == wanted)
                keys.append(key[at])
                rows.append(np.searchsorted(self._records, record[at]).astype(ROW))
                links.append(is_link[at])
        return np.concatenate(keys), np.concatenate(rows), np.concatenate(links)


def _read(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return frame.iter_slices(_KEYS_READ)


def _identities(people: pl.DataFrame) -> pl.DataFrame:
    named = people.select("record", key=identity_key(people), is_link=pl.lit(value=False))
    return named.drop_nulls("key")


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


def _pairs(shared: _Shared, name: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """How many names are in each large block; (left, right, block) of every pair that is compared."""
    large, number = shared.large, np.arange(len(shared.kind), dtype=ROW)
    inside = np.flatnonzero(np.repeat(large, shared.size)).astype(ROW)
    within = np.repeat(number[large], shared.size[large])
    names = name[shared.row[inside]]
    alike = _pairs_by_name(inside, within, names)
    left, right, of = all_pairs(shared.start[:-1][~large], shared.size[~large])
    return (
        _names_in_large(within, names, len(large)),
        shared.row[np.concatenate([left, alike[0]])],
        shared.row[np.concatenate([right, alike[1]])],
        np.concatenate([number[~large][of], alike[2]]),
    )


def all_pairs(first: Ints, size: Ints) -> tuple[Ints, Ints, Ints]:
    """Every pair of positions within the runs of `size` that begin at `first`, and the run of each pair."""
    lefts, rights, runs = ([np.zeros(0, ROW)] for _ in range(3))
    for length in np.unique(size[size > 1]):
        run = np.flatnonzero(size == length)
        above, below = np.triu_indices(length, 1)
        begin = first[run][:, None]
        lefts.append((begin + above).ravel().astype(ROW))
        rights.append((begin + below).ravel().astype(ROW))
        runs.append(np.repeat(run.astype(ROW), len(above)))
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(runs)


def _pairs_by_name(position: Ints, block: Ints, name: Ints) -> tuple[Ints, Ints, Ints]:
    """The pairs of one name within blocks that are too large: neighbours only, which joins them all."""
    order = np.lexsort((position, name, block))
    position, block, name = position[order], block[order], name[order]
    alike = np.flatnonzero((block[1:] == block[:-1]) & (name[1:] == name[:-1]))
    return position[alike], position[alike + 1], block[alike]


def _names_in_large(block: Ints, name: Ints, blocks: int) -> Ints:
    order = np.lexsort((name, block))
    changes = (np.diff(block[order], prepend=-1) != 0) | (np.diff(name[order], prepend=0) != 0)
    return np.bincount(block[order][changes], minlength=blocks).astype(ROW)


def _bearers(column: str, people: pl.DataFrame, shared: _Shared, sample: Sample | None) -> Ints:
    """For blocks by name and company, how many records have the hash that is common to the block."""
    by_both = shared.kind == NAME_COMPANY
    hashes = people[column].gather(shared.row[shared.start[:-1][by_both]])
    counts = np.zeros(len(by_both), ROW)
    if sample is None:
        counts[by_both] = _counted(people[column], hashes)
    else:
        counts[by_both] = np.round(_counted(sample.people[column], hashes) * sample.one_in)
    return counts


def _counted(values: pl.Series, wanted: pl.Series) -> Ints:
    """How often each of `wanted` occurs in `values`."""
    asked = wanted.to_frame("value")
    found = values.filter(values.is_in(asked["value"].unique().implode())).rename("value").value_counts()
    counts = asked.join(found, on="value", how="left", maintain_order="left")["count"]
    return counts.fill_null(0).cast(pl.Int64).to_numpy()


def _sampled(people: pl.DataFrame) -> Ints:
    """Chosen by the hash of the name, so that no order changes it."""
    name = people["name_hash"].to_numpy()
    rows = np.flatnonzero((name % (len(name) // _NAMES_SAMPLED + 1) == 0) & (name != 0))
    return people["record"].to_numpy()[rows[_first_of_each(name[rows])]].astype(np.int64)


def _candidates(people: pl.DataFrame, chosen: pl.Series) -> Candidates:
    record, name, company, mailbox, traits = (
        people[column].filter(chosen).to_numpy()
        for column in ("record", "name_hash", "company_hash", "mailbox", "traits")
    )
    return Candidates(record.astype(np.int64), name, company, mailbox, traits.astype(np.int8))
