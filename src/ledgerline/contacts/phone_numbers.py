"""A column of telephone numbers: the parsing of `phonenumbers`, for all of them at once.

A number here is digits, international or as they are dialled in a region. The steps, their order and their
terms are those of `phonenumbers.parse` and `phonenumbers.number_type`; what the library does by rewriting
digits (national prefixes of a few countries) or by trying again (an unknown country code) is left undecided.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt
import phonenumbers

from ledgerline.contacts.digit_automaton import Bools, Ints, Language, Numbers, UnreadPattern
from ledgerline.contacts.phone_lines import (
    INVALID,
    UNDECIDED,
    Plan,
    automaton,
    code_length,
    lines_of,
    number_of_line,
    plans_of,
    start_abroad,
)
from ledgerline.contacts.phones import VALID_PLACEHOLDERS, national_number, parse_phone

MOST_DIGITS: Final = 24  # of the numbers that are looked at; none that is valid has more than 18
_LONGEST: Final = 18
_LONGEST_CODE: Final = 3


@dataclass(frozen=True, slots=True)
class Recognised:
    """What numbers are: their lines, and E.164 as an integer where the line is one of `LINES`.

    `UNDECIDED` is what cannot be decided here, and a placeholder; `INVALID` what the library calls invalid.
    """

    lines: npt.NDArray[np.int8]
    e164: npt.NDArray[np.int64]


def knows(region: str) -> bool:
    """Whether it is read here how numbers are dialled in a region."""
    return region in phonenumbers.SUPPORTED_REGIONS and _home(region) is not None


def recognise(numbers: Numbers, is_international: Bools, region: str) -> Recognised:
    """The lines of numbers which have at least one digit.

    is_international  of each number, whether it begins with a calling code (a plus stood before it)
    region            one that `knows` the plans of: from there the others are dialled
    """
    found = Recognised(np.full(len(numbers), UNDECIDED, np.int8), np.zeros(len(numbers), np.int64))
    home = _home(region)
    assert home is not None
    is_short = numbers.counts <= MOST_DIGITS
    inland = np.flatnonzero(is_short & ~is_international)
    dialled = numbers.only(inland)
    prefix = home.international_prefix(dialled)
    # Behind the prefix comes a calling code, of which none begins with 0.
    is_abroad = (prefix > 0) & (prefix < dialled.counts) & (dialled.without(prefix).at(0) != 0)
    coded = np.concatenate([np.flatnonzero(is_short & is_international), inland[is_abroad]])
    cut = np.concatenate([np.zeros(len(coded) - int(is_abroad.sum()), np.intp), prefix[is_abroad]])
    _settle(found, inland[~is_abroad], home.read_inland(dialled.only(~is_abroad)))
    _read_coded(found, coded, numbers.only(coded).without(cut), home)
    return found


def _settle(found: Recognised, rows: Ints, read: Recognised) -> None:
    found.lines[rows], found.e164[rows] = read.lines, read.e164


def _read_coded(found: Recognised, rows: Ints, numbers: Numbers, home: _Home) -> None:
    is_own = numbers.begin_with(home.code)
    _settle(found, rows[is_own], home.read_own(numbers.only(is_own).without(len(home.code))))
    _settle(found, rows[~is_own], _read_abroad(numbers.only(~is_own)))


# -- at home -------------------------------------------------------------------------------------------


class _Home:
    """How numbers are dialled within a region, in columns."""

    def __init__(self, region: str) -> None:
        calling_code = phonenumbers.country_code_for_region(region)
        self.code = str(calling_code)
        plans = plans_of(calling_code)
        self._plan = _Dialled(Plan(calling_code, region))
        self._main = _Dialled(plans[0])
        self._start = automaton.start(lines_of(plans, prefixed=None))
        self.international_prefix = _Prefix(self._plan.plan.international_prefix).lengths

    def read_inland(self, numbers: Numbers) -> Recognised:
        """Numbers without an international prefix, maybe with the country code."""
        rows = np.arange(len(numbers))
        maybe = np.flatnonzero(numbers.begin_with(self.code))
        with_code = numbers.only(maybe)
        rest = with_code.without(len(self.code))
        prefix = self._plan.prefix(rest)
        is_rewritten = self._plan.rewrites(prefix)
        bare = rest.without(self._plan.stripped(rest, prefix))
        has_code = (~self._plan.is_general(with_code) & self._plan.is_general(bare)) | self._plan.is_too_long(
            with_code
        )
        is_inland = np.ones(len(numbers), np.bool_)
        is_inland[maybe] = ~has_code & ~is_rewritten
        coded = has_code & ~is_rewritten
        found = Recognised(np.full(len(numbers), UNDECIDED, np.int8), np.zeros(len(numbers), np.int64))
        _settle(found, rows[is_inland], self._read(numbers.only(is_inland), self._plan))
        _settle(found, maybe[coded], self._read(bare.only(coded), self._main))
        return found

    def read_own(self, numbers: Numbers) -> Recognised:
        """Numbers of this calling code, without it."""
        return self._read(numbers, self._main)

    def _read(self, numbers: Numbers, plan: _Dialled) -> Recognised:
        """National numbers, maybe with the national prefix."""
        prefix = plan.prefix(numbers)
        bare = numbers.without(prefix)
        fits = plan.is_possible(bare) | plan.is_too_long(bare)
        national = numbers.without(np.where(fits, plan.stripped(numbers, prefix), 0))
        lines = automaton.read(self._start, national)
        lines[plan.rewrites(prefix)] = UNDECIDED
        codes = np.full(len(numbers), int(self.code))
        return _placed(lines, codes, national, lines > INVALID)


class _Dialled:
    """A numbering plan, as it is asked of columns of national numbers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.prefix = _Prefix(plan.national_prefix).lengths
        self._possible = _of_lengths(plan.general.possible_length)
        self._local = _of_lengths(plan.general.possible_length_local_only)
        self._longest = max(plan.general.possible_length)
        pattern = plan.general.national_number_pattern
        whole = {"general": pattern} if pattern else {}
        self._general = automaton.start(Language(whole, {}, lambda matched, _: len(matched)))

    def rewrites(self, prefix: Ints) -> Bools:
        """Whether the library puts other digits in the place of a prefix of so many."""
        return (prefix > 0) & self.plan.rewrites_prefix

    def stripped(self, numbers: Numbers, prefix: Ints) -> Ints:
        """How many digits numbers give up that begin with a national prefix: none if only thus they fit."""
        count = np.zeros(len(numbers), np.intp)
        rows = np.flatnonzero(prefix)
        some, length = numbers.only(rows), prefix[rows]
        gives_up = self.is_general(some.without(length)) | ~self.is_general(some)
        count[rows[gives_up]] = length[gives_up]
        return count

    def is_general(self, numbers: Numbers) -> Bools:
        is_general: Bools = automaton.read(self._general, numbers) == 1
        return is_general

    def is_too_long(self, numbers: Numbers) -> Bools:
        return (numbers.counts > self._longest) & ~self._local[numbers.counts]

    def is_possible(self, numbers: Numbers) -> Bools:
        return self._possible[numbers.counts] & ~self._local[numbers.counts]


def _of_lengths(lengths: Sequence[int]) -> Bools:
    return np.isin(np.arange(MOST_DIGITS + 1), lengths)


class _Prefix:
    """What may be dialled before a number."""

    def __init__(self, pattern: str | None) -> None:
        self._pattern = pattern or ""
        self._test = re.compile(self._pattern, re.ASCII)
        self._first = np.array([self._may_begin_with(digit) for digit in "0123456789"] + [False])

    def _may_begin_with(self, digit: str) -> bool:
        language = Language({}, {"prefix": self._pattern}, lambda matched, _: len(matched))
        return bool(language.step(language.start, int(digit)))

    def lengths(self, numbers: Numbers) -> Ints:
        """How many digits of each number are the prefix."""
        lengths = np.zeros(len(numbers), np.intp)
        if not self._pattern:
            return lengths
        rows = np.flatnonzero(self._first[numbers.at(0)])
        some = numbers.only(rows)
        if self._pattern.isdecimal():
            lengths[rows[some.begin_with(self._pattern)]] = len(self._pattern)
        else:
            matches = (self._test.match(text) for text in some.texts())
            lengths[rows] = [match.end() if match else 0 for match in matches]
        return lengths


@lru_cache(maxsize=32)
def _home(region: str) -> _Home | None:
    try:
        return _Home(region)
    except UnreadPattern:  # as `start_abroad`
        return None


# -- abroad --------------------------------------------------------------------------------------------

_MOST_CODES: Final = 10**_LONGEST_CODE
_CODE_LENGTHS: Final = np.array([code_length(f"{first_two:02}") for first_two in range(100)])
_UNREAD: Final = -1  # in the place of where a language starts: nobody asked so far
_UNREADABLE: Final = -2  # there is no such code, or the library may drop a prefix from any number of it
_starts: Final = np.full(_MOST_CODES, _UNREAD, np.intp)
_starting: Final = Lock()


def _read_abroad(numbers: Numbers) -> Recognised:
    """Numbers that begin with the calling code of another country."""
    lines = np.full(len(numbers), UNDECIDED, np.int8)
    codes = np.zeros(len(numbers), np.int64)
    rows = np.flatnonzero((numbers.counts > _LONGEST_CODE) & (numbers.at(0) != 0))
    some = numbers.only(rows)
    lengths = _CODE_LENGTHS[some.at(0) * 10 + some.at(1)]
    codes[rows] = Numbers(some.digits, some.starts, lengths).values()
    starts = _starts_of(codes[rows])
    is_readable = starts != _UNREADABLE
    rows, lengths = rows[is_readable], lengths[is_readable]
    national = numbers.without(_scattered(lengths, rows, len(numbers)))
    lines[rows] = automaton.read(starts[is_readable], national.only(rows))
    found = _placed(lines, codes, national, lines != UNDECIDED)
    _ask(numbers, found)
    return found


def _starts_of(codes: npt.NDArray[np.int64]) -> Ints:
    if (_starts[codes] == _UNREAD).any():
        with _starting:  # threads that begin together would each do the work of all
            for code in np.unique(codes[_starts[codes] == _UNREAD]).tolist():
                start = start_abroad(str(code))
                _starts[code] = _UNREADABLE if start is None else start
    return _starts[codes]


def _ask(numbers: Numbers, found: Recognised) -> None:
    """Let the library decide what is undecided; what it would change, and placeholders, stay so."""
    rows = np.flatnonzero((found.lines == UNDECIDED) & (numbers.counts > 0))
    texts = numbers.only(rows).texts()
    answers = {text: _asked(text) for text in set(texts)}
    for row, text in zip(rows.tolist(), texts, strict=True):
        if answer := answers[text]:
            found.lines[row], found.e164[row] = answer


def _asked(number: str) -> tuple[int, int] | None:
    """Line and E.164 of a number with its country code; None where it is invalid, or a placeholder."""
    phone = parse_phone(f"+{number}", "ZZ")
    if phone is None or national_number(phone.e164) in VALID_PLACEHOLDERS:
        return None
    return number_of_line(phone.type), int(phone.e164)


# -- either way ----------------------------------------------------------------------------------------

_SPREAD: Final = 32  # by which a value is multiplied that has its length added
_PLACEHOLDERS: Final = np.sort([int(number) * _SPREAD + len(number) for number in VALID_PLACEHOLDERS])


def _placed(
    lines: npt.NDArray[np.int8], codes: npt.NDArray[np.int64], national: Numbers, is_judged: Bools
) -> Recognised:
    """National numbers of these lines with their codes. Of those judged, placeholders are undecided."""
    is_long = national.counts >= _LONGEST - _LONGEST_CODE
    lines[is_long & (lines > INVALID)] = UNDECIDED
    rows = np.flatnonzero(is_judged & ~is_long)
    some = national.only(rows)
    values = some.values()
    keys = values * _SPREAD + some.counts
    found = _PLACEHOLDERS.take(np.searchsorted(_PLACEHOLDERS, keys), mode="clip")  # isin would sort the keys
    lines[rows[found == keys]] = UNDECIDED
    return Recognised(lines, _scattered(codes[rows] * 10**some.counts + values, rows, len(national)))


def _scattered(values: npt.NDArray[np.int64], rows: Ints, length: int) -> npt.NDArray[np.int64]:
    """Values in these rows, 0 in the others."""
    scattered = np.zeros(length, np.int64)
    scattered[rows] = values
    return scattered
