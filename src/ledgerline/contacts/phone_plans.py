"""The numbering plans of the world: what `phonenumbers` makes of one number that is nothing but digits.

The library reads a number by some ten steps and as many regular expressions, one kind of line after another;
here the plans of all regions that share a calling code are one expression for each length. What the library
does by rewriting digits (national prefixes of a few countries), by dropping some abroad, or by trying again
(an unknown calling code) is left undecided: it has to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberDesc

from ledgerline.contacts.model import PhoneType
from ledgerline.contacts.phones import Phone, parse_phone

INVALID: Final = ""  # in the place of a type
LIBRARY_LIMIT: Final = 250  # characters that `phonenumbers.parse` reads
PUNCTUATION: Final = " ().-"  # that it does not look at
COMPACT: Final = "[+]?[0-9]{3,}"  # a number without it

CALLING_CODES: Final = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
# Calling codes are prefix-free: the first two digits tell how long one is (three digits, where not here).
_CODE_LENGTHS: Final = {
    code + further: len(code)
    for code in CALLING_CODES
    if len(code) < 3
    for further in ("0123456789" if len(code) == 1 else ("",))
}
_TYPE_OF_GROUP: Final = {line_type.value[0]: line_type.value for line_type in PhoneType}
_PREFIXED = "prefixed"


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


def code_length(number: str) -> int:
    """Of how many digits the calling code is with which a number begins, if it begins with one."""
    return _CODE_LENGTHS.get(number[:2], 3)


def line_of(number: str) -> str | None:
    """The `PhoneType` of digits that begin with a calling code, `INVALID`, or None: undecided."""
    end = _CODE_LENGTHS.get(number[:2], 3)
    tests = _tests(number[:end])
    if tests is None:
        return None
    match = tests[len(number) - end].fullmatch(number, end)
    if match is None:
        return INVALID
    group = match.lastgroup
    if group == _PREFIXED:
        return None
    return _TYPE_OF_GROUP[group[0]] if group else INVALID  # claimed by a region whose plan it does not fit


class _Tests(dict[int, re.Pattern[str]]):
    """Tests of the national numbers of a calling code, by length; the group that matches tells the type.

    Each is compiled when it is needed: of most countries a batch holds a few numbers, all of one length.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        super().__init__()
        self._plans = plans
        self._prefixed = f"(?P<{_PREFIXED}>(?:{plans[0].national_prefix or '(?!)'}).*)"

    def __missing__(self, length: int) -> re.Pattern[str]:
        claims = (_claim(plan, f"{number}_", length) for number, plan in enumerate(self._plans))
        pattern = "|".join(filter(None, (self._prefixed, *claims)))
        self[length] = test = re.compile(pattern, re.ASCII)
        return test


def _claim(plan: Plan, name: str, length: int) -> str:
    """The numbers that a region claims of those with its code: by its leading digits, or because they fit."""
    fitting = "|".join(
        f"(?P<{kind.line_type.value[0]}{name}{number}>{kind.pattern})"
        for number, kind in enumerate(plan.kinds())
        if length in kind.lengths and length in plan.general.possible_length
    )
    typed = f"(?=(?:{plan.general.national_number_pattern or '(?!)'})$)(?:{fitting})" if fitting else ""
    if not plan.leading_digits:
        return typed
    return f"(?={plan.leading_digits})(?:{typed or '(?!)'}|.*)"


@lru_cache(maxsize=1024)
def _tests(calling_code: str) -> _Tests | None:
    """None: there is no such code, or the library may drop a prefix from any number of it."""
    if calling_code not in CALLING_CODES:
        return None
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(calling_code)]
    plans = [Plan(int(calling_code), region) for region in regions]
    return None if re.match(plans[0].national_prefix or "0", "") else _Tests(plans)


class _Home:
    """How numbers are dialled within a region."""

    def __init__(self, region: str) -> None:
        code = phonenumbers.country_code_for_region(region)
        plan = Plan(code, region)
        self.calling_code = str(code)
        self._plan = plan
        self._international = re.compile(plan.international_prefix or "(?!)")
        self._prefix = re.compile(plan.national_prefix or "(?!)")
        self._general = re.compile(plan.general.national_number_pattern or "(?!)", re.ASCII)

    def with_code(self, number: str) -> str | None:
        """The digits that are dialled, with the calling code and without prefixes; None: undecided."""
        if abroad := self._international.match(number):
            rest = number[abroad.end() :]
            if not rest.startswith("0"):  # as no calling code does
                return rest
        if number.startswith(self.calling_code):
            return None
        significant = self._significant(number)
        return None if significant is None else self.calling_code + significant

    def _significant(self, number: str) -> str | None:
        prefix = self._prefix.match(number)
        if not prefix or not prefix[0]:
            return number
        if self._plan.rewrites_prefix:
            return None
        bare = number[prefix.end() :]
        gives_up = self._is_general(bare) or not self._is_general(number)
        lengths, local = self._plan.general.possible_length, self._plan.general.possible_length_local_only
        fits = (len(bare) in lengths or len(bare) > max(lengths)) and len(bare) not in local
        return bare if gives_up and fits else number

    def _is_general(self, number: str) -> bool:
        return self._general.fullmatch(number) is not None


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
