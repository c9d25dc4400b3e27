"""The numbers agree with `phonenumbers`, the columns with the scalar rules, on strings of all the world.

Three comparisons, each on every string of `phone_strings` and on arbitrary text:

- `parse_phone` with the library: valid or not, E.164 and type. So is `parse_by_plan`, which mostly does
  without the library.
- The columnar recognition of one number (`recognise`, wherever it decides) with the library. It is asked for
  the bare digits, maybe after a plus: for the rest of the text the policy for fields differs from the library
  on purpose (letters, placeholders, separators, extensions), so that
- `clean_phone_column` is compared with its reference, `clean_phones`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from operator import itemgetter

import numpy as np
import phonenumbers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from tests.phone_strings import REGIONS, phone_strings

from ledgerline.contacts.digit_automaton import Numbers
from ledgerline.contacts.model import REASON_SEPARATOR, VALUE_SEPARATOR, PhoneType
from ledgerline.contacts.phone_columns import COLUMNS, clean_phone_column
from ledgerline.contacts.phone_lines import LINES, UNDECIDED
from ledgerline.contacts.phone_numbers import recognise
from ledgerline.contacts.phone_plans import line_of, parse_by_plan
from ledgerline.contacts.phones import VALID_PLACEHOLDERS, Phone, clean_phones, parse_phone

COUNT = 100_000  # half a minute on one core, for all tests of this module
SEED = 2026


def library(text: str, region: str) -> Phone | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    types = {
        PhoneNumberType.MOBILE: PhoneType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneType.MOBILE,
        PhoneNumberType.FIXED_LINE: PhoneType.FIXED,
    }
    line = types.get(phonenumbers.number_type(number), PhoneType.OTHER)
    return Phone(phonenumbers.format_number(number, PhoneNumberFormat.E164), line)


def expected_column(texts: Iterable[str | None], region: str) -> list[tuple[str | None, ...]]:
    cleaned = (clean_phones(text, region) for text in texts)
    return [
        (
            clean.phone,
            clean.phone_type,
            VALUE_SEPARATOR.join(clean.further) or None,
            REASON_SEPARATOR.join(clean.reasons) or None,
        )
        for clean in cleaned
    ]


@cache
def strings() -> dict[str, list[str]]:
    pairs = sorted(phone_strings(COUNT, SEED), key=itemgetter(1))
    return {region: [text for text, _ in group] for region, group in groupby(pairs, itemgetter(1))}


@pytest.mark.parametrize("region", REGIONS)
def test_parse_phone_is_the_library(region: str) -> None:
    texts = strings()[region]
    expected = [library(text, region) for text in texts]
    assert [parse_phone(text, region) for text in texts] == expected
    assert 0.3 < sum(phone is not None for phone in expected) / len(texts) < 0.7, (
        "strings too easy, or too hard"
    )


@pytest.mark.parametrize("region", REGIONS)
def test_plans_are_the_library(region: str) -> None:
    texts = strings()[region]
    assert [text for text in texts if parse_by_plan(text, region) != library(text, region)] == []


def test_plans_decide_most_numbers_of_the_world() -> None:
    compact = {re.sub("[^+0-9]", "", text) for text in strings()["IN"]}
    numbers = [text[1:] for text in compact if re.fullmatch(r"\+[1-9][0-9]{5,14}", text)]
    decided = sum(line_of(number) is not None for number in numbers)
    assert decided > 0.8 * len(numbers) > 1_000


@pytest.mark.parametrize("region", REGIONS)
def test_columnar_recognition_is_the_library_wherever_it_decides(region: str) -> None:
    compact = {re.sub("[^+0-9]", "", text) for text in strings()[region]}
    numbers = [text for text in sorted(compact) if re.fullmatch(r"\+?[0-9]{3,}", text)]
    decided = recognised(numbers, region)
    expected = {text: library(text, region) for text in numbers}
    assert [(text, phone) for text, phone in decided.items() if expected[text] != phone] == []
    assert len(decided) > 0.6 * len(numbers), "too few to prove anything"
    left_out = expected.keys() - decided.keys()
    assert all(text in left_out for text, phone in expected.items() if phone and is_placeholder(phone))


def recognised(texts: list[str], region: str) -> dict[str, Phone | None]:
    """What `recognise` decides."""
    digits = [text.removeprefix("+") for text in texts]
    numbers = Numbers.of(
        np.array([int(digit) for digit in "".join(digits)], np.uint8),
        np.array([len(each) for each in digits], np.intp),
    )
    found = recognise(numbers, np.array([text.startswith("+") for text in texts]), region)
    return {
        text: Phone(f"+{e164}", LINES[line - 1]) if line else None
        for text, line, e164 in zip(texts, found.lines.tolist(), found.e164.tolist(), strict=True)
        if line != UNDECIDED
    }


def is_placeholder(phone: Phone) -> bool:
    number = phonenumbers.parse(phone.e164)
    return phonenumbers.national_significant_number(number) in VALID_PLACEHOLDERS


@pytest.mark.parametrize("region", REGIONS)
def test_column_is_the_scalar_reference_on_strings_of_all_the_world(region: str) -> None:
    texts = strings()[region]
    column = clean_phone_column(pl.Series(texts), region)
    assert column.schema == COLUMNS
    assert differences(texts, column, region) == []


def differences(texts: list[str], column: pl.DataFrame, region: str) -> list[tuple[object, ...]]:
    pairs = zip(texts, column.rows(), expected_column(texts, region), strict=True)
    return [(text, row, reference) for text, row, reference in pairs if row != reference]


# --- arbitrary text -----------------------------------------------------------------------------

# fmt: off
NUMBERS = st.sampled_from([
    "9876543210", "+919812345678", "022-23456789", "98765 43211", "+44 20 7946 0958", "+1 212-555-0123",
    "09999999999", "1234567890", "9876543210.0", "(022) 2345", "6789", "+49 30 123456", "2147483647", "12345",
    "0091 98450 12345", "917012345678", "+3906698123", "0800 1234 567", "12345678901234567", "+919812345678 ",
])
MARKS = st.sampled_from([
    " ", "  ", ",", ";", "/", " / ", "|", "\n", "\t", " or ", "and", "&", "-", "+", ".", "(", ")", "\\", "",
    " x12", " ext. 12", "#3", "Mob: ", "Mob", "M-", " (O)", "(M)", "Tel.No. ", "WhatsApp ", " no ", "ph",
    "NA", "Asha ", " Ravi", "x", "E+9", "\u00a0", "\u200b", "\x00", "–",
])
# fmt: on
PHONISH = st.lists(st.one_of(NUMBERS, MARKS, st.text("0123456789+ -./()x,;", max_size=12)), max_size=6).map(
    "".join
)
FIELDS = st.one_of(PHONISH, st.text(max_size=30), st.none())
ANY_REGION = st.sampled_from([*REGIONS, "VA", "AG", "JP", "ZZ", "in", ""])


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELDS, max_size=40), ANY_REGION)
def test_column_is_the_scalar_reference_on_any_text(texts: list[str | None], region: str) -> None:
    column = clean_phone_column(pl.Series(texts, dtype=pl.String), region)
    assert column.rows() == expected_column(texts, region)


@settings(max_examples=600, deadline=None)
@given(st.one_of(PHONISH, st.text(st.characters(exclude_categories=[]), max_size=300)), ANY_REGION)
def test_parse_phone_is_the_library_on_any_text(text: str, region: str) -> None:
    assert parse_phone(text, region) == parse_by_plan(text, region) == library(text, region)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(PHONISH, st.text(st.characters(exclude_categories=[]), max_size=300)), st.sampled_from(REGIONS)
)
def test_cleaning_is_idempotent(text: str, region: str) -> None:
    clean = clean_phones(text, region)
    if clean.phone is not None:
        again = clean_phones(VALUE_SEPARATOR.join((clean.phone, *clean.further)), region)
        assert again == clean._replace(reasons=())


@pytest.mark.parametrize("region", REGIONS)
def test_every_valid_number_of_the_world_cleans_to_itself(region: str) -> None:
    cleaned = {phone for text in strings()[region] if (phone := clean_phones(text, region).phone)}
    assert [phone for phone in sorted(cleaned) if clean_phones(phone, region).phone != phone] == []
