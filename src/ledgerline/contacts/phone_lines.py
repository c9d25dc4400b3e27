"""The numbering plans of the world: which kind of line a national number is, as languages of one automaton.

The library reads a number by some ten steps and as many regular expressions, one kind of line after another;
here the plans of all regions that share a calling code are one language. What the library does by dropping
digits abroad, or by trying again (an unknown calling code), is left undecided: it has to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberDesc

from ledgerline.contacts.digit_automaton import Automaton, Language, UnreadPattern
from ledgerline.contacts.model import PhoneType

UNDECIDED: Final = -1
INVALID: Final = 0
LINES: Final = tuple(PhoneType)  # a line's number is its place here, from 1

automaton: Final = Automaton()

_CALLING_CODES: Final = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
# Calling codes are prefix-free: the first two digits tell how long one is (three digits, where not here).
_CODE_LENGTHS: Final = {
    code + further: len(code)
    for code in _CALLING_CODES
    if len(code) < 3
    for further in ("0123456789" if len(code) == 1 else ("",))
}
_PREFIXED: Final = "prefixed"


def number_of_line(line: PhoneType) -> int:
    return LINES.index(line) + 1


def code_length(number: str) -> int:
    """Of how many digits the calling code is with which a number begins, if it begins with one."""
    return _CODE_LENGTHS.get(number[:2], 3)


class Kind(NamedTuple):
    """A kind of lines: the numbers of some lengths that match a pattern."""

    line_type: PhoneType
    pattern: str
    lengths: frozenset[int]


class Plan:
    """The numbering plan of one region."""

    def __init__(self, calling_code: int, region: str) -> None:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
        if metadata is None or metadata.general_desc is None:
            raise LookupError(f"phonenumbers has no numbering plan of {region} (+{calling_code})")
        self.general = metadata.general_desc
        self.fixed = metadata.fixed_line
        self.mobile = metadata.fixed_line if metadata.same_mobile_and_fixed_line_pattern else metadata.mobile
        self.others = (
            *(metadata.premium_rate, metadata.toll_free, metadata.shared_cost, metadata.voip),
            *(metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail),
        )
        self.international_prefix = metadata.international_prefix
        self.national_prefix = metadata.national_prefix_for_parsing
        self.rewrites_prefix = bool(metadata.national_prefix_transform_rule)
        self.leading_digits = metadata.leading_digits

    def kinds(self) -> list[Kind]:
        """The kinds of lines of this region, in the order in which the library asks for them."""
        kinds: list[tuple[PhoneType, PhoneNumberDesc | None]] = [
            *((PhoneType.OTHER, other) for other in self.others),
            (PhoneType.MOBILE, self.mobile),
            (PhoneType.FIXED, self.fixed),
        ]
        return [
            Kind(line_type, kind.national_number_pattern, frozenset(kind.possible_length))
            for line_type, kind in kinds
            if kind and kind.national_number_pattern
        ]


@lru_cache(maxsize=512)
def plans_of(calling_code: int) -> tuple[Plan, ...]:
    """The plans that share a calling code, the main region's first."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]
    return tuple(Plan(calling_code, region) for region in regions)


@lru_cache(maxsize=1024)
def start_abroad(calling_code: str) -> int | None:
    """From where the automaton reads national numbers that are dialled abroad.

    None: there is no such code, or the library may drop a prefix from any number of it, or it is a release of
    the library that has plans which are not read here.
    """
    if calling_code not in _CALLING_CODES:
        return None
    plans = plans_of(int(calling_code))
    prefix = plans[0].national_prefix
    if re.match(prefix or "0", ""):
        return None
    try:
        return automaton.start(lines_of(plans, prefixed=prefix))
    except UnreadPattern:
        return None


def lines_of(plans: Sequence[Plan], prefixed: str | None) -> Language:
    """The lines of national numbers of a calling code; those that begin with `prefixed` are undecided."""
    whole: dict[str, str] = {}
    begins = {_PREFIXED: prefixed} if prefixed else {}
    claims = []
    for number, plan in enumerate(plans):
        claim = _Claim(plan, number, alone=len(plans) == 1)
        whole |= claim.whole
        begins |= claim.begins
        claims.append(claim)

    def judge(matched: frozenset[str], length: int) -> int:
        if _PREFIXED in matched:
            return UNDECIDED
        claimed = (claim.line(matched, length) for claim in claims)
        return next((line for line in claimed if line is not None), INVALID)

    return Language(whole, begins, judge)


class _Claim:
    """The numbers of a calling code that one of its regions claims, by leading digits or because they fit."""

    def __init__(self, plan: Plan, number: int, *, alone: bool) -> None:
        self._plan = plan
        self._general = f"{number} general"
        self._leading = f"{number} leading"
        self._kinds = {f"{number} {place}": kind for place, kind in enumerate(plan.kinds())}
        self.whole = {name: kind.pattern for name, kind in self._kinds.items()}
        if plan.general.national_number_pattern:
            self.whole[self._general] = plan.general.national_number_pattern
        leading = None if alone else plan.leading_digits
        self.begins = {self._leading: leading} if leading else {}

    def line(self, matched: frozenset[str], length: int) -> int | None:
        """The line of a number that matches these patterns, `INVALID`, or None: not claimed."""
        if self.begins and self._leading not in matched:
            return None
        if self._general in matched and length in self._plan.general.possible_length:
            for name, kind in self._kinds.items():
                if name in matched and length in kind.lengths:
                    return number_of_line(kind.line_type)
        return INVALID if self.begins else None
