"""Phone fields cut into the numbers that they hold, byte by byte, for a whole column at once.

Only fields of digits, punctuation and separators are cut here. The separators are those of `phones`, and mean
what they mean there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.digit_automaton import Bools, Ints, Numbers
from ledgerline.contacts.phone_plans import PUNCTUATION

Bytes: TypeAlias = npt.NDArray[np.uint8]

# Kinds of bytes, as bits.
_DIGIT, _PLUS, _DOT, _BRACKET, _SPACED, _FIRM, _SLASH, _OTHER = (np.uint8(1 << bit) for bit in range(8))
_BLANK: Final = ord(" ")
_FIRM_SEPARATORS: Final = ",;|&\t\n\r"
SEPARATORS: Final = f" /{_FIRM_SEPARATORS}"
_KINDS: Final = np.full(256, _OTHER)
_KINDS[list(PUNCTUATION.encode())] = _BRACKET
_KINDS[list(b"0123456789")] = _DIGIT
_KINDS[list(b" -")] = _SPACED
_KINDS[list(_FIRM_SEPARATORS.encode())] = _FIRM
_KINDS[ord("+")], _KINDS[ord(".")], _KINDS[ord("/")] = _PLUS, _DOT, _SLASH
_FEWEST_DIGITS: Final = 3  # that the library takes for a number
_FLOAT: Final = re.compile(rb"[0-9]{7,15}[.](0{1,4})")


@dataclass(frozen=True, slots=True)
class Fields:
    """A column of fields as pieces, those of a field together."""

    is_legible: Bools  # of each field: it has been cut as it should be
    has_other: Bools  # something else is in it, which may mean anything
    is_cut: Bools  # at what separates only where every part is a number
    of: Ints  # the number of its pieces
    field: Ints  # of each piece the field that it is from
    is_number: Bools  # it is digits and punctuation, maybe behind a plus
    is_glued: Bools  # there is a plus within it
    is_plain: Bools  # there is no blank nor dash at it
    is_international: Bools
    numbers: Numbers

    def every(self, pieces: Bools) -> Bools:
        """The fields of which no piece is missing."""
        is_whole: Bools = np.bincount(self.field[pieces], minlength=len(self.of)) == self.of
        return is_whole


def cut(texts: pl.Series) -> Fields:
    """Cut fields, none of which may be empty, into pieces. All of them together have less than 2³¹ bytes."""
    lengths = texts.str.len_bytes().to_numpy().astype(np.intp)
    data = np.frombuffer(texts.str.join("").item().encode(), np.uint8)
    kinds = _KINDS.take(data)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    marks = _marks(data, kinds, starts, ends)
    of = 1 + np.bincount(marks.owners, minlength=len(texts))
    begins = _begins(starts, of, marks.cuts)
    held = np.bitwise_or.reduceat(kinds, begins)
    is_kept = (kinds & (_DIGIT | _PLUS)) != 0
    counts = np.add.reduceat(is_kept, begins, dtype=np.intp)
    kept = data[is_kept]
    is_international, is_glued = _pluses(kept, counts)
    numbers = Numbers.of(kept - np.uint8(ord("0")), counts).without(is_international.astype(np.intp))
    numbers = _without_fractions(data, begins, held, numbers)
    field = np.repeat(np.arange(len(texts)), of)
    has_other = np.zeros(len(texts), np.bool_)
    has_other[field[(held & _OTHER) != 0]] = True
    return Fields(
        is_legible=~(has_other | marks.is_unclear),
        has_other=has_other,
        is_cut=marks.is_cut,
        of=of,
        field=field,
        is_number=~is_glued & (numbers.counts >= _FEWEST_DIGITS),
        is_glued=is_glued,
        is_plain=(held & _SPACED) == 0,
        is_international=is_international,
        numbers=numbers,
    )


@dataclass(frozen=True, slots=True)
class _Marks:
    """What separates within fields: not at their ends."""

    cuts: Ints  # where pieces begin but the first of a field, in order
    owners: Ints  # the fields of the cuts
    is_cut: Bools
    is_unclear: Bools  # beside separators that always separate stands one that may


def _marks(data: Bytes, kinds: Bytes, starts: Ints, ends: Ints) -> _Marks:
    is_blank, is_mark = data == _BLANK, (kinds & (_FIRM | _SLASH)) != 0
    is_filled = ~(is_blank | is_mark)
    filled = np.append(np.int32(0), np.cumsum(is_filled, dtype=np.int32))  # so many before each place

    def is_within(first: Ints, last: Ints, owners: Ints) -> Bools:
        """Whether something stands on both sides of what goes from `first` to `last`."""
        return (filled[first] > filled[starts[owners]]) & (filled[ends[owners]] > filled[last + 1])

    places = np.flatnonzero(is_mark)
    owners = np.searchsorted(ends, places, side="right")
    inside = is_within(places, places, owners)
    places, owners = places[inside], owners[inside]
    is_firm_place = kinds[places] == _FIRM
    is_firm, has_slash, has_gap = (np.zeros(len(starts), np.bool_) for _ in range(3))
    is_firm[owners[is_firm_place]] = True
    has_slash[owners[~is_firm_place]] = True

    first, last, of_gaps = _gaps(is_blank, ends)
    inside = is_within(first, last, of_gaps)
    first, last, of_gaps = first[inside], last[inside], of_gaps[inside]
    has_gap[of_gaps] = True
    beside = kinds[first - 1] | kinds[last + 1]
    is_unclear = has_slash & is_firm
    is_unclear[of_gaps[is_firm[of_gaps] & ((beside & _FIRM) == 0)]] = True
    cutting = ~is_firm[of_gaps] & ((beside & _SLASH) == 0)
    cuts, owners = np.append(places, first[cutting]), np.append(owners, of_gaps[cutting])
    order = np.argsort(cuts)
    return _Marks(cuts[order], owners[order], (has_slash | has_gap) & ~is_firm, is_unclear)


def _gaps(is_blank: Bools, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """First and last places of two and more blanks, and the fields that they are in."""
    pairs = np.flatnonzero(is_blank[1:] & is_blank[:-1])
    owners = np.searchsorted(ends, pairs, side="right")
    is_inside = pairs + 1 < ends[owners]
    pairs, owners = pairs[is_inside], owners[is_inside]
    is_next = (np.diff(pairs) == 1) & (np.diff(owners) == 0)
    is_first, is_last = np.append(True, ~is_next)[: len(pairs)], np.append(~is_next, True)[: len(pairs)]
    return pairs[is_first], pairs[is_last] + 1, owners[is_first]


def _begins(starts: Ints, of: Ints, cuts: Ints) -> Ints:
    """Where all pieces begin, in order."""
    begins = np.empty(len(starts) + len(cuts), np.intp)
    is_first = np.zeros(len(begins), np.bool_)
    is_first[np.cumsum(of) - of] = True
    begins[is_first], begins[~is_first] = starts, cuts
    return begins


def _pluses(kept: Bytes, counts: Ints) -> tuple[Bools, Bools]:
    """Of each piece, whether it begins with a plus, and whether there is one within it."""
    behind = np.cumsum(counts)
    pluses = np.flatnonzero(kept == ord("+"))
    owners = np.searchsorted(behind, pluses, side="right")
    is_first = pluses == (behind - counts)[owners]
    begins, within = np.zeros(len(counts), np.bool_), np.zeros(len(counts), np.bool_)
    begins[owners[is_first]], within[owners[~is_first]] = True, True
    return begins, within


def _without_fractions(data: Bytes, begins: Ints, held: Bytes, numbers: Numbers) -> Numbers:
    """Without the zeros that a spreadsheet wrote behind a number."""
    dotted = np.flatnonzero(held & _DOT)
    cut = np.zeros(len(numbers), np.intp)
    text, ends = data.tobytes(), np.append(begins[1:], len(data))
    for piece, begin, end in zip(dotted, begins[dotted].tolist(), ends[dotted].tolist(), strict=True):
        if match := _FLOAT.fullmatch(text[begin:end].strip(SEPARATORS.encode())):
            cut[piece] = len(match[1])
    return Numbers(numbers.digits, numbers.starts, numbers.counts - cut)
