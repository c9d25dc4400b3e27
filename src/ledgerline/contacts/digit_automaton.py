"""Regular languages of digits, decided for whole columns of numbers at once.

The patterns of numbering plans know but a few signs, see `_Parser`. A set of them becomes a `Language`, which
says what a number is by the patterns that it matches. One automaton reads all languages: a step is one look
into a table for every number of a column. Its states are made when a number first leads to them, as in a lazy
DFA (https://swtch.com/~rsc/regexp/regexp3.html): of most countries hardly any are needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.intp]
Bools: TypeAlias = npt.NDArray[np.bool_]
Digits: TypeAlias = npt.NDArray[np.uint8]

_END: Final = 10  # in the place of a digit, behind the last one
_SYMBOLS: Final = 11
_UNKNOWN: Final = -1
_NO_DIGITS: Final = 0
_ALL_DIGITS: Final = 0b11_1111_1111
_FEW_MORE: Final = 32  # places that can be looked at behind the last number
_LOST: Final = -1  # in the place of a length, where no pattern can match any more


class UnreadPattern(ValueError):
    """A pattern has a sign that is not read here."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, as digits one after another. What is cut off the numbers is only passed over."""

    digits: Digits  # 0 to 9; `_FEW_MORE` follow that belong to none
    starts: Ints
    counts: Ints

    @classmethod
    def of(cls, digits: Digits, counts: Ints) -> Numbers:
        """Numbers that follow each other in `digits`, of so many each."""
        return cls(
            np.concatenate([digits, np.zeros(_FEW_MORE, np.uint8)]), np.cumsum(counts) - counts, counts
        )

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: Ints | Bools) -> Numbers:
        return Numbers(self.digits, self.starts[rows], self.counts[rows])

    def without(self, count: Ints | int) -> Numbers:
        """The numbers without their first digits."""
        return Numbers(self.digits, self.starts + count, self.counts - count)

    def at(self, place: int) -> Digits:
        """The digit of each number at a place from 0, `_END` behind its last one."""
        digits = self.digits.take(self.starts + place)
        np.putmask(digits, self.counts <= place, _END)
        return digits

    def begin_with(self, prefix: str) -> Bools:
        begin = np.ones(len(self), np.bool_)
        for place, digit in enumerate(prefix):
            begin &= self.at(place) == int(digit)
        return begin

    def values(self) -> npt.NDArray[np.int64]:
        """The numbers as integers: none may have more than 18 digits."""
        values = np.zeros(len(self), np.int64)
        for place in range(int(self.counts.max(initial=0))):
            digits = self.at(place)
            values = np.where(digits == _END, values, values * 10 + digits)
        return values

    def texts(self) -> list[str]:
        spelt = (self.digits + ord("0")).tobytes().decode()
        return [
            spelt[start : start + count]
            for start, count in zip(self.starts.tolist(), self.counts.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Position:
    """A place in a pattern where one of some digits must follow, and the places that it leads to."""

    digits: int  # a bit for each
    after: frozenset[int]


class Language:
    """What numbers are by the patterns that they match.

    `judge` is asked which patterns, by their names, a number of a length matches; its answer, from -127 to
    127, is the number's label. Raises UnreadPattern for a sign that `_Parser` does not know.
    """

    def __init__(
        self,
        whole: Mapping[str, str],
        begins: Mapping[str, str],
        judge: Callable[[frozenset[str], int], int],
    ) -> None:
        """
        whole   patterns that match a number from end to end, by names
        begins  patterns that match its beginning
        """
        self._positions: list[_Position] = []
        self._names = [*whole, *begins]
        self._judge = judge
        ends = [self._add(_NO_DIGITS, frozenset()) for _ in self._names]
        self._name_of = dict(zip(ends, self._names, strict=True))
        start: set[int] = set()
        for end, pattern in zip(ends, whole.values(), strict=False):
            start |= _Parser(pattern, self._add, frozenset({end})).first(frozenset({end}))
        for end, pattern in zip(ends[len(whole) :], begins.values(), strict=True):
            start |= _Parser(pattern, self._add, frozenset({end})).first(self._anything(end))
        self.start = frozenset(start)

    def _add(self, digits: int, after: frozenset[int]) -> int:
        self._positions.append(_Position(digits, after))
        return len(self._positions) - 1

    def _anything(self, end: int) -> frozenset[int]:
        """Any digits, or none, before an end."""
        follow = frozenset({len(self._positions), end})
        self._add(_ALL_DIGITS, follow)
        return follow

    def step(self, places: frozenset[int], digit: int) -> frozenset[int]:
        reached = (self._positions[place] for place in places)
        return frozenset().union(*(place.after for place in reached if place.digits >> digit & 1))

    def label(self, places: frozenset[int], length: int) -> int:
        matched = frozenset(self._name_of[place] for place in places if place in self._name_of)
        return self._judge(matched, length)


class _Parser:
    """A pattern made into positions, from its end to its beginning.

    Grammar: digits, `\\d`, `[2-59]`, `(?:…)`, `(…)`, `|`, `?`, `{n}`, `{n,m}` and `$`.
    """

    def __init__(self, pattern: str, add: Callable[[int, frozenset[int]], int], end: frozenset[int]) -> None:
        self._pattern = pattern
        self._place = 0
        self._add = add
        self._end = end
        self._make = self._alternatives()
        if self._place < len(pattern):
            raise UnreadPattern(f"unexpected {self._next()!r} in the pattern {pattern!r}")

    def first(self, follow: frozenset[int]) -> frozenset[int]:
        """The positions that the pattern begins with, where those of `follow` come behind it."""
        return self._make(follow)

    def _next(self) -> str:
        return self._pattern[self._place : self._place + 1]

    def _take(self, expected: str = "") -> str:
        sign = self._next()
        if not sign or (expected and sign != expected):
            raise UnreadPattern(f"{expected or 'more'} expected at {self._place} of {self._pattern!r}")
        self._place += 1
        return sign

    def _alternatives(self) -> _Make:
        branches = [self._sequence()]
        while self._next() == "|":
            self._take()
            branches.append(self._sequence())
        return lambda follow: frozenset().union(*(branch(follow) for branch in branches))

    def _sequence(self) -> _Make:
        parts = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))

        def make(follow: frozenset[int]) -> frozenset[int]:
            for part in reversed(parts):
                follow = part(follow)
            return follow

        return make

    def _atom(self) -> _Make:
        sign = self._take()
        if sign == "(":
            if self._next() == "?":
                self._take()
                self._take(":")
            inner = self._alternatives()
            self._take(")")
            return inner
        if sign == "$":
            return lambda _: self._end
        if sign == "\\":
            self._take("d")
            return self._one_of(_ALL_DIGITS)
        if sign == "[":
            return self._one_of(self._class())
        return self._one_of(1 << _digit(sign))

    def _one_of(self, digits: int) -> _Make:
        return lambda follow: frozenset({self._add(digits, follow)})

    def _class(self) -> int:
        digits = 0
        while (sign := self._take()) != "]":
            if sign == "\\":
                self._take("d")
                digits |= _ALL_DIGITS
                continue
            last = sign
            if self._next() == "-":
                self._take()
                last = self._take()
            for digit in range(_digit(sign), _digit(last) + 1):
                digits |= 1 << digit
        return digits

    def _repeated(self, atom: _Make) -> _Make:
        least, most = self._quantity()

        def make(follow: frozenset[int]) -> frozenset[int]:
            behind = follow
            for _ in range(most - least):
                behind = atom(behind) | follow
            for _ in range(least):
                behind = atom(behind)
            return behind

        return make

    def _quantity(self) -> tuple[int, int]:
        if self._next() == "?":
            self._take()
            return 0, 1
        if self._next() != "{":
            return 1, 1
        self._take()
        text = ""
        while (sign := self._take()) != "}":
            text += sign
        least, _, most = text.partition(",")
        if not least.isdecimal() or text.endswith(","):
            raise UnreadPattern(f"no numbers in {{{text}}} of {self._pattern!r}")
        return int(least), int(most or least)


_Make: TypeAlias = Callable[[frozenset[int]], frozenset[int]]


def _digit(sign: str) -> int:
    if not (sign.isascii() and sign.isdecimal()):
        raise UnreadPattern(f"unexpected {sign!r} in a pattern of digits")
    return int(sign)


@dataclass(frozen=True, slots=True)
class _State:
    language: Language
    places: frozenset[int]
    length: int  # how many digits were read


class Automaton:
    """Reads numbers by languages. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: list[_State] = []
        self._numbers: dict[_State, int] = {}
        # Of each state and digit the next state, as where its own cells begin.
        self._cells = np.full(1024 * _SYMBOLS, _UNKNOWN, np.intp)
        self._labels = np.zeros(1024, np.int8)

    def start(self, language: Language) -> int:
        """Where numbers of a language are read from, for `read`."""
        with self._lock:
            return self._cell(_State(language, language.start, 0))

    def read(self, starts: Ints | int, numbers: Numbers) -> npt.NDArray[np.int8]:
        """The label of each number, by the language from whose start it is read."""
        cells = np.broadcast_to(np.asarray(starts, np.intp), len(numbers))
        for place in range(int(numbers.counts.max(initial=0))):
            cells = self._step(cells + numbers.at(place))
        return self._labels.take(cells // _SYMBOLS)

    def label(self, start: int, digits: str) -> int:
        """The same of one number."""
        cell = start
        for digit in digits:
            cell += int(digit)
            if (after := self._cells.item(cell)) == _UNKNOWN:
                self._explore([cell])
                after = self._cells.item(cell)
            cell = after
        return self._labels.item(cell // _SYMBOLS)

    def _step(self, cells: Ints) -> Ints:
        after = self._cells.take(cells)
        if after.min(initial=0) == _UNKNOWN:
            self._explore(np.unique(cells[after == _UNKNOWN]).tolist())
            after = self._cells.take(cells)
        return after

    def _explore(self, cells: Sequence[int]) -> None:
        with self._lock:
            for cell in cells:
                state, digit = self._states[cell // _SYMBOLS], cell % _SYMBOLS
                places = state.language.step(state.places, digit)
                after = self._cell(_State(state.language, places, state.length + 1 if places else _LOST))
                self._cells[cell] = after  # not before that state is there: others are reading

    def _cell(self, state: _State) -> int:
        """Where the cells of a state begin, which is made if it is new."""
        if state not in self._numbers:
            number = len(self._states)
            if number == len(self._labels):
                more = np.full(len(self._cells), _UNKNOWN, np.intp)
                self._cells = np.concatenate([self._cells, more])
                self._labels = np.concatenate([self._labels, np.zeros(number, np.int8)])
            self._labels[number] = state.language.label(state.places, state.length)
            self._cells[number * _SYMBOLS + _END] = number * _SYMBOLS
            self._states.append(state)
            self._numbers[state] = number
        return self._numbers[state] * _SYMBOLS
