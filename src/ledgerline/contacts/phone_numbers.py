"""A column of telephone numbers: the parsing of `phonenumbers`, as expressions over columns.

A number here is an optional plus and ASCII digits. The steps, their order and their terms are those of
`phonenumbers.parse` and `phonenumbers.number_type`; what the library does by rewriting digits (national
prefixes of a few countries) or by trying again (an unknown country code) is left undecided.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Final

import phonenumbers
import polars as pl
from phonenumbers import PhoneNumberDesc

from ledgerline.contacts.model import PhoneType
from ledgerline.contacts.phone_plans import INVALID, Plan, code_length, line_of
from ledgerline.contacts.phones import VALID_PLACEHOLDERS, national_number, parse_phone

_NUMBER: Final = pl.col("number")
_BARE: Final = pl.col("bare")
TYPE: Final = pl.col("phone_type")
_IS_PLACEHOLDER: Final = _NUMBER.is_in(VALID_PLACEHOLDERS)


class _Plan(Plan):
    """The numbering plan of one region, as expressions over a column of national numbers."""

    @cached_property
    def line_type(self) -> pl.Expr:
        """A PhoneType, or null where the number is not valid in this region."""
        return (
            pl.when(~_fits(_NUMBER, self.general))
            .then(None)
            .when(_fits(_NUMBER, *self.others))
            .then(pl.lit(PhoneType.OTHER.value))
            .when(_fits(_NUMBER, self.mobile))
            .then(pl.lit(PhoneType.MOBILE.value))
            .when(_fits(_NUMBER, self.fixed))
            .then(pl.lit(PhoneType.FIXED.value))
        )

    @cached_property
    def claims(self) -> pl.Expr:
        """Whether a typed number is this region's, valid or not, unless an earlier region claims it."""
        return (
            _NUMBER.str.contains(_start(self.leading_digits)) if self.leading_digits else TYPE.is_not_null()
        )

    def without_prefix(self, number: pl.Expr) -> pl.Expr:
        return _without(self.national_prefix, number) if self.national_prefix else number

    def strips(self, number: pl.Expr, bare: pl.Expr) -> pl.Expr:
        """Whether `number` gives up its national prefix to become `bare`: not if only it fits the plan."""
        return self.is_general(bare) | ~self.is_general(number)

    def is_general(self, number: pl.Expr) -> pl.Expr:
        return _matches(number, self.general)

    def is_too_long(self, number: pl.Expr) -> pl.Expr:
        length = number.str.len_bytes()
        return (length > max(self.general.possible_length)) & ~self._is_local(length)

    def is_possible(self, number: pl.Expr) -> pl.Expr:
        length = number.str.len_bytes()
        return length.is_in(self.general.possible_length) & ~self._is_local(length)

    def _is_local(self, length: pl.Expr) -> pl.Expr:
        return length.is_in(self.general.possible_length_local_only)


def _fits(number: pl.Expr, *kinds: PhoneNumberDesc | None) -> pl.Expr:
    """Whether the number has the length and the pattern of one of the kinds."""
    tests = [
        number.str.len_bytes().is_in(kind.possible_length) & _matches(number, kind)
        for kind in kinds
        if kind is not None
    ]
    return pl.any_horizontal(tests) if tests else pl.lit(value=False)


def _matches(number: pl.Expr, kind: PhoneNumberDesc) -> pl.Expr:
    pattern = kind.national_number_pattern
    return number.str.contains(f"{_start(pattern)}$") if pattern else pl.lit(value=False)


def _without(prefix: str, number: pl.Expr) -> pl.Expr:
    return number.str.strip_prefix(prefix) if prefix.isdecimal() else number.str.replace(_start(prefix), "")


def _start(pattern: str) -> str:
    """The pattern at the start of a text; `\\d` is any digit of Unicode to Polars, and slower."""
    return "^(?:" + pattern.replace(r"\d", "[0-9]") + ")"


@lru_cache(maxsize=512)
def _plans(calling_code: int) -> tuple[_Plan, ...]:
    """The plans that share a calling code, the main region's first."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]
    return tuple(_Plan(calling_code, region) for region in regions)


@lru_cache(maxsize=32)
def _home_plan(region: str) -> _Plan:
    return _Plan(phonenumbers.country_code_for_region(region), region)


def recognise(numbers: pl.DataFrame, region: str) -> pl.DataFrame:
    """Add `phone` and `phone_type`, both null where the library would call `number` invalid.

    Rows that cannot be decided here, and placeholders, are left out; the order changes.
    """
    home = phonenumbers.country_code_for_region(region)
    inland, coded = _split_by_code(numbers, region)
    is_home = _NUMBER.str.starts_with(str(home))
    own = _cut_code(coded.filter(is_home), home)
    return pl.concat(
        [
            _typed(_national(inland, region), home),
            _typed(_significant(own, _plans(home)[0]), home),
            _abroad(coded.filter(~is_home)),
        ]
    )


def _split_by_code(numbers: pl.DataFrame, region: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part numbers dialled within the country from those with a plus or international prefix, which goes."""
    has_plus = _NUMBER.str.starts_with("+")
    coded = numbers.filter(has_plus).with_columns(_NUMBER.str.strip_prefix("+"))
    inland = numbers.filter(~has_plus)
    prefix = _home_plan(region).international_prefix
    if not prefix:
        return inland, coded
    has_prefix = _NUMBER.str.contains(_start(prefix))
    dialled = inland.filter(has_prefix).with_columns(bare=_without(prefix, _NUMBER))
    is_inland = _BARE.str.starts_with("0")  # no country code does
    return (
        pl.concat([inland.filter(~has_prefix), dialled.filter(is_inland).drop("bare")]),
        pl.concat([coded, dialled.filter(~is_inland).with_columns(number=_BARE).drop("bare")]),
    )


def _cut_code(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    return numbers.with_columns(_NUMBER.str.strip_prefix(str(calling_code)))


def _national(numbers: pl.DataFrame, region: str) -> pl.DataFrame:
    """Reduce numbers without an international prefix, maybe with the country code, to significant ones."""
    home = phonenumbers.country_code_for_region(region)
    plan, main = _home_plan(region), _plans(home)[0]
    starts = _NUMBER.str.starts_with(str(home))
    rest = pl.col("rest")
    maybe = numbers.filter(starts).with_columns(rest=_NUMBER.str.strip_prefix(str(home)))
    maybe = maybe.with_columns(bare=plan.without_prefix(rest))
    if plan.rewrites_prefix:
        maybe = maybe.filter(rest == _BARE)
    maybe = maybe.with_columns(bare=pl.when(plan.strips(rest, _BARE)).then(_BARE).otherwise(rest))
    has_code = (~plan.is_general(_NUMBER) & plan.is_general(_BARE)) | plan.is_too_long(_NUMBER)
    coded = maybe.filter(has_code).with_columns(number=_BARE)
    inland = pl.concat([numbers.filter(~starts), maybe.filter(~has_code).select(numbers.columns)])
    return pl.concat([_significant(inland, plan), _significant(coded.select(numbers.columns), main)])


def _significant(numbers: pl.DataFrame, plan: _Plan) -> pl.DataFrame:
    """Reduce national numbers to significant ones; those that the library would rewrite are left out."""
    numbers = numbers.with_columns(bare=plan.without_prefix(_NUMBER))
    unprefixed = numbers.filter(_BARE == _NUMBER).drop("bare")
    if plan.rewrites_prefix:
        return unprefixed
    strips = plan.strips(_NUMBER, _BARE) & (plan.is_possible(_BARE) | plan.is_too_long(_BARE))
    prefixed = numbers.filter(_BARE != _NUMBER).with_columns(
        pl.when(strips).then(_BARE).otherwise(_NUMBER).alias("number")
    )
    return pl.concat([unprefixed, prefixed.drop("bare")])


def _typed(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    """Add to significant numbers of one calling code their type and E.164 form; leave placeholders out."""
    typed = _placed(numbers, calling_code).filter(TYPE.is_null() | ~_IS_PLACEHOLDER)
    e164 = pl.concat_str(pl.lit(f"+{calling_code}"), _NUMBER)
    return typed.with_columns(phone=pl.when(TYPE.is_not_null()).then(e164))


def _placed(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    """Add the type that a number has in its region, the first to claim it of those that share the code."""
    plans = _plans(calling_code)
    if len(plans) == 1:
        return numbers.with_columns(phone_type=plans[0].line_type)
    placed = []
    for plan in plans:
        typed = numbers.with_columns(phone_type=plan.line_type)
        placed.append(typed.filter(plan.claims))
        numbers = typed.filter(~plan.claims).drop("phone_type")
        if numbers.is_empty():
            break
    return pl.concat([*placed, numbers.with_columns(phone_type=pl.lit(None, pl.String))])


def _abroad(numbers: pl.DataFrame) -> pl.DataFrame:
    """Recognise numbers that begin with the code of another country.

    One by one: a batch holds a few of each of many countries, and to compile their plans into expressions,
    which Polars does anew each time, costs more than the numbers do.
    """
    lines = [
        None if number[code_length(number) :] in VALID_PLACEHOLDERS else line_of(number)
        for number in numbers["number"]
    ]
    line = pl.Series("phone_type", lines, pl.String)
    decided = numbers.with_columns(line).filter(line.is_not_null())
    decided = decided.with_columns(TYPE.replace(INVALID, None))
    settled = decided.with_columns(
        phone=pl.when(TYPE.is_not_null()).then(pl.concat_str(pl.lit("+"), _NUMBER))
    )
    return pl.concat([settled, _ask_all(numbers.filter(line.is_null()))])


def _ask_all(numbers: pl.DataFrame) -> pl.DataFrame:
    """Recognise such numbers by the library; what it would change, and placeholders, are left out."""
    answers = [(number, *answer) for number in numbers["number"].unique() if (answer := _asked(number))]
    schema = {"number": pl.String, "phone_type": pl.String, "phone": pl.String}
    return numbers.join(pl.DataFrame(answers, schema=schema, orient="row"), on="number")


def _asked(number: str) -> tuple[str | None, str | None] | None:
    """Type and E.164 form of a number with its country code; None where it is invalid, or a placeholder."""
    phone = parse_phone(f"+{number}", "ZZ")
    if phone is None or national_number(phone.e164) in VALID_PLACEHOLDERS:
        return None
    return phone.type.value, phone.e164
