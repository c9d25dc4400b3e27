"""What `phonenumbers` makes of one number that is nothing but digits, mostly without asking it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import phonenumbers

from ledgerline.contacts.model import PhoneType
from ledgerline.contacts.phone_lines import (
    LINES,
    UNDECIDED,
    Plan,
    automaton,
    code_length,
    plans_of,
    start_abroad,
)
from ledgerline.contacts.phones import Phone, parse_phone

LIBRARY_LIMIT: Final = 250  # characters that `phonenumbers.parse` reads
PUNCTUATION: Final = " ().-"  # that it does not look at
COMPACT: Final = "[+]?[0-9]{3,}"  # a number without it

_NO_TYPE: Final = ""  # of an invalid number


def line_of(number: str) -> str | None:
    """The `PhoneType` of digits that begin with a calling code, "" of an invalid number, None: undecided."""
    end = code_length(number)
    start = start_abroad(number[:end])
    label = UNDECIDED if start is None else automaton.label(start, number[end:])
    if label == UNDECIDED:
        return None
    return LINES[label - 1] if label else _NO_TYPE


class _Home:
    """How numbers are dialled within a region."""

    def __init__(self, region: str) -> None:
        code = phonenumbers.country_code_for_region(region)
        plan = Plan(code, region)
        self.calling_code = str(code)
        self._plan = _Dialled(plan)
        self._main = _Dialled(plans_of(code)[0])
        self._international = re.compile(plan.international_prefix or "(?!)")

    def with_code(self, number: str) -> str | None:
        """The digits that are dialled, with the calling code and without prefixes; None: undecided."""
        if abroad := self._international.match(number):
            rest = number[abroad.end() :]
            if not rest.startswith("0"):  # as no calling code does
                return rest
        significant = self._significant(number)
        return None if significant is None else self.calling_code + significant

    def _significant(self, number: str) -> str | None:
        """Without the calling code too, if it begins with that rather than with the same digits."""
        if not number.startswith(self.calling_code):
            return self._plan.significant(number)
        bare = self._plan.bare(number[len(self.calling_code) :])
        if bare is None:
            return None
        has_code = not self._plan.is_general(number) and self._plan.is_general(bare)
        if has_code or self._plan.is_too_long(number):
            return self._main.significant(bare)
        return self._plan.significant(number)


class _Dialled:
    """A numbering plan, as it is asked of national numbers. None: the library would put in other digits."""

    def __init__(self, plan: Plan) -> None:
        self._rewrites_prefix = plan.rewrites_prefix
        self._prefix = re.compile(plan.national_prefix or "(?!)")
        self._general = re.compile(plan.general.national_number_pattern or "(?!)", re.ASCII)
        self._lengths = frozenset(plan.general.possible_length)
        self._local = frozenset(plan.general.possible_length_local_only)

    def significant(self, number: str) -> str | None:
        """Without the national prefix, where it may be one."""
        bare = self.bare(number)
        if bare is None:
            return None
        fits = (len(bare) in self._lengths and len(bare) not in self._local) or self.is_too_long(bare)
        return bare if fits else number

    def bare(self, number: str) -> str | None:
        """Without the national prefix, but if only with it the number fits."""
        prefix = self._prefix.match(number)
        if not prefix or not prefix[0]:
            return number
        if self._rewrites_prefix:
            return None
        bare = number[prefix.end() :]
        return bare if self.is_general(bare) or not self.is_general(number) else number

    def is_general(self, number: str) -> bool:
        return self._general.fullmatch(number) is not None

    def is_too_long(self, number: str) -> bool:
        return len(number) > max(self._lengths) and len(number) not in self._local


@lru_cache(maxsize=512)
def _home(region: str) -> _Home | None:
    return _Home(region) if region in phonenumbers.SUPPORTED_REGIONS else None


_WITHOUT_PUNCTUATION: Final = str.maketrans("", "", PUNCTUATION)
_COMPACT: Final = re.compile(COMPACT)


@lru_cache(maxsize=1024)
def parse_by_plan(text: str, region: str) -> Phone | None:
    """`parse_phone`, without the library where the plans decide."""
    compact = text.translate(_WITHOUT_PUNCTUATION)
    if len(text) <= LIBRARY_LIMIT and _COMPACT.fullmatch(compact):
        number = compact[1:] if compact[0] == "+" else _dialled(compact, region)
        line = line_of(number) if number else None
        if line is not None:
            return Phone(f"+{number}", PhoneType(line)) if line else None
    return parse_phone(text, region)


def _dialled(number: str, region: str) -> str | None:
    home = _home(region)
    return None if home is None else home.with_code(number)
