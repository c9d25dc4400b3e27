"""What stands in phone fields, notation by notation, and what becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys

import phonenumbers
import polars as pl
import pytest
from phonenumbers import PhoneMetadata

from ledgerline.contacts import phones
from ledgerline.contacts.model import PhoneType, Reason
from ledgerline.contacts.phone_columns import COLUMNS, clean_phone_column
from ledgerline.contacts.phones import CleanPhones, Phone, clean_phones, parse_phone

MOBILE = "+919876543210"
SECOND = "+919876543211"
MUMBAI = "+912223456789"
NOTHING = CleanPhones(None, None, (), ())


# --- one number ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("98765 43210", "IN", Phone(MOBILE, PhoneType.MOBILE)),
        ("022-23456789", "IN", Phone(MUMBAI, PhoneType.FIXED)),
        ("1800 123 4567", "IN", Phone("+9118001234567", PhoneType.OTHER)),
        # There, fixed or mobile cannot be told.
        ("(650) 253-0000", "US", Phone("+16502530000", PhoneType.MOBILE)),
        ("1-800-FLOWERS", "US", Phone("+18003569377", PhoneType.OTHER)),  # as the library reads it
        ("697-555-0142", "US", None),
        ("697-555-0142", "IN", Phone("+916975550142", PhoneType.MOBILE)),
        ("+39 06 698 12345", "US", Phone("+390669812345", PhoneType.FIXED)),  # the zero stays in Italy
        ("98765 43210", "ZZ", None),
        ("98765 43210", "in", None),  # the library knows regions in upper case
        ("+91 98765 43210", "ZZ", Phone(MOBILE, PhoneType.MOBILE)),
        ("", "IN", None),
        ("\x00", "IN", None),
        ("\ud800 9876543210", "IN", Phone(MOBILE, PhoneType.MOBILE)),
        ("9876543210" * 26, "IN", None),
    ],
)
def test_one_number(text: str, region: str, expected: Phone | None) -> None:
    assert parse_phone(text, region) == expected


def test_ten_megabytes_are_refused_at_once() -> None:
    text = "+91 98765 43210" * 700_000
    assert parse_phone(text, "IN") is None
    assert clean_phones(text, "IN").reasons == (Reason.PHONE_TOO_LONG,)


# --- fields -------------------------------------------------------------------------------------

ONE_MOBILE = [
    "9876543210",
    " 9876543210 ",
    "+919876543210",
    "+91-98765 43210",
    "+91 98765 43210",
    "(+91) 98765-43210",
    "+91 (0) 98765 43210",
    "+91.98765.43210",
    "09876543210",
    "0 98765 43210",
    "00919876543210",
    "0091-98765-43210",
    "+00919876543210",
    "91 9876543210",
    "919876543210",
    "98765-43210",
    "987 654 3210",
    "98765 - 43210",
    "98765  43210",
    "9876543210.0",
    "9876543210.00",
    "9876543210.0000",
    "/9876543210.0/",
    "９８７６５４３２１０",
    "＋９１ ９８７６５ ４３２１０",
    "९८७६५४३२१०",
    "98765\u00a043210",
    "\u202a+91\u00a098765\u201143210\u202c",
    "98765\u200b43210",
    "\ufeff9876543210",
    "98765\x0043210",
    "Mob: 98765 43210",
    "Mob.No.: 98765 43210",
    "MOBILE-9876543210",
    "M-9876543210",
    "M. 9876543210",
    "(M) 9876543210",
    "9876543210 (M)",
    "9876543210(m)",
    "Mob9876543210",
    "Ph: 9876543210",
    "Ph# 9876543210",
    "H/P: 9876543210",
    "WhatsApp 9876543210",
    "whatsapp no. 9876543210",
    "Cell/WhatsApp: 9876543210",
    "Ramesh 9876543210",
    "NA / 9876543210",
    "Ramesh: 9876543210",
    "9876543210 Ramesh",
    "9876543210 (Ramesh)",
    "मोबाइल: 9876543210",
    "tel:+91-98765-43210",
    "tel:+91-98765-43210;ext=12",
    "98765 43210,",
    ", 98765 43210",
    "98765 43210 /",
    "98765 43210 x12",
    "9876543210, 98765 43210",
    "9876543210/+919876543210",
]


@pytest.mark.parametrize(
    ("raw", "region", "phones"),
    [
        ("030/2345679 / 0171/2345679", "DE", ("+491712345679", "+49302345679")),
        ("030 2345679 0171 2345679", "DE", ("+491712345679", "+49302345679")),
        ("(030) 2345679 +49 171 2345679", "DE", ("+491712345679", "+49302345679")),
        ("0664/7654329 01/2345679", "AT", ("+436647654329", "+4312345679")),
        ("02 2345679 347 2345679", "IT", ("+393472345679", "+39022345679")),  # a mobile has no 0 there
    ],
)
def test_where_a_number_begins_tells_it_from_the_one_before(
    raw: str, region: str, phones: tuple[str, ...]
) -> None:
    read = clean_phones(raw, region)
    assert ((read.phone, *read.further), read.reasons) == (phones, ())


@pytest.mark.parametrize("raw", ONE_MOBILE)
def test_one_mobile_number(raw: str) -> None:
    assert clean_phones(raw, "IN") == CleanPhones(MOBILE, PhoneType.MOBILE, (), ())


ONE_FIXED = [
    "022-23456789",
    "(022) 23456789",
    "(022) 2345-6789",
    "(022) 2345/6789",
    "022/23456789",
    "022 2345  6789",
    "+91 (22) 2345 6789",
    "+91-22-23456789",
    "Tel. 022-23456789",
    "T: 022-23456789",
    "022-23456789 (O)",
    "(R) 022-23456789",
    "022-23456789 x 12",
    "022-23456789x1234",
    "022-23456789 ext. 12",
    "022-23456789 Extn: 12",
    "022-23456789, ext 12/13/14",
    "022-23456789 extension 12",
    "022-23456789 #12",
    "022-23456789 - Office",
]


@pytest.mark.parametrize("raw", ONE_FIXED)
def test_one_fixed_line(raw: str) -> None:
    assert clean_phones(raw, "IN") == CleanPhones(MUMBAI, PhoneType.FIXED, (), ())


TWO_MOBILES = [
    "9876543210,9876543211",
    "9876543210, 9876543211",
    "98765 43210; 98765 43211",
    "9876543210/9876543211",
    "9876543210 / 9876543211",
    "98765-43210/98765-43211",
    "9876543210|9876543211",
    "9876543210 & 9876543211",
    "9876543210 or 9876543211",
    "9876543210 and 9876543211",
    "9876543210\n9876543211",
    "9876543210\t9876543211",
    "9876543210\u20289876543211",
    "9876543210   9876543211",
    "(+91) 98765 43210   (+91) 98765-43211",
    "(+91) 9876543210  0 98765 43211",
    "9876543210 /  9876543211",
    "９８７６５４３２１０  ٩٨٧٦٥٤٣٢١١",
    "9876543210 9876543211",
    "98765 43210 98765 43211",
    "+91 98765 43210 +91 98765 43211",
    "+919876543210+919876543211",
    "9876543210-9876543211",
    "9876543210 - 9876543211",
    "98765-43210 98765-43211",
    "9876543210.0/9876543211.0",
    "9876543210.0 9876543211.0",
    "9876543210.0000/9876543211.0000",
    "Mob: 9876543210 WhatsApp: 9876543211",
    "(M) 9876543210 (H) 9876543211",
    "Asha 98765 43210 / Ravi 98765 43211",
    "Asha 98765 43210, Ravi 98765 43211",
    "Asha 98765 43210 Ravi 98765 43211",
]


@pytest.mark.parametrize("raw", TWO_MOBILES)
def test_two_mobile_numbers(raw: str) -> None:
    assert clean_phones(raw, "IN") == CleanPhones(MOBILE, PhoneType.MOBILE, (SECOND,), ())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("022-23456789, 9876543210", (MOBILE, MUMBAI)),
        ("022-23456789 x12, 9876543210", (MOBILE, MUMBAI)),
        ("022-23456789 ext 12/13, 9876543210", (MOBILE, MUMBAI)),
        ("022-23456789 (O) 9876543210 (M)", (MOBILE, MUMBAI)),
        # Other types are as good as fixed lines.
        ("1800 123 4567 / 022-23456789", ("+9118001234567", MUMBAI)),
        ("022-23456789, 9876543211, 9876543210", (SECOND, MOBILE, MUMBAI)),
        ("+44 20 7946 0958 / 98765 43210", (MOBILE, "+442079460958")),
    ],
)
def test_mobile_numbers_come_first_then_the_order_in_the_field(raw: str, expected: tuple[str, ...]) -> None:
    clean = clean_phones(raw, "IN")
    assert ((clean.phone, *clean.further), clean.reasons) == (expected, ())


PLACEHOLDERS = [
    *("NA", "N/A", "n.a.", "N.A", "nil", "NIL.", "None", "null", "-", "--", ".", "?", "*", "( )", ",", "/"),
    *("test", "Test Test", "Not Available", "unknown", "xxxxxxxxxx", "#N/A", "Mob:", "No number", "NA, NA"),
    *("0", "00", "0000000000", "000-000-0000", "9999999999", "+91 9999999999", "09999999999", "1111111111"),
    *("1234567890", "+91-12345 67890", "0123456789", "12345", "987654321", "2147483647", "+91 2147483647"),
    *("00000000000000000000000000", "test 123", "9999999999.0"),
]


@pytest.mark.parametrize("raw", PLACEHOLDERS)
def test_placeholders(raw: str) -> None:
    assert clean_phones(raw, "IN") == NOTHING._replace(reasons=(Reason.PHONE_PLACEHOLDER,))


def test_short_valid_numbers_of_small_countries_are_no_placeholders() -> None:
    assert clean_phones("22222", "FK").phone == "+50022222"


LETTERS = [
    *(
        "98765ABC10",
        "9876S43210",
        "98765xxxxx",
        "98765432IO",
        "1-800-FLOWERS",
        "1800 FLOWERS",
        "+91-98765-ABCDE",
    ),
    *("M9876543210", "9876543210Ramesh", "abc12@example.com", "9876543210a", "12345 Ramesh 6789"),
]


@pytest.mark.parametrize("raw", LETTERS)
def test_letters_never_become_digits(raw: str) -> None:
    assert clean_phones(raw, "IN") == NOTHING._replace(reasons=(Reason.PHONE_HAS_LETTERS,))


def test_a_word_that_may_belong_to_the_number_is_no_label() -> None:
    assert parse_phone("0800 1234 HILFE", "DE") is not None
    assert clean_phones("0800 1234 HILFE", "DE").reasons == (Reason.PHONE_HAS_LETTERS,)


INVALID = [
    *("97531", "98765432101", "5876543210987", "+91 12", "+999 123456789", "ask at the desk", "²"),
    *(
        "9.87654321E+9",
        "9.87654321e+09",
        "9876543210E0",
        "98765432101234567890123",
        "98765 1234",
        f"98765{'(' * 250}43210",
    ),
]


@pytest.mark.parametrize("raw", INVALID)
def test_invalid_numbers(raw: str) -> None:
    assert clean_phones(raw, "IN") == NOTHING._replace(reasons=(Reason.PHONE_INVALID,))


@pytest.mark.parametrize(
    ("raw", "phone", "reasons"),
    [
        ("022-23456789/90", MUMBAI, (Reason.PHONE_INVALID,)),  # 022-23456790 may be meant; it is not invented
        ("9876543210, 12", MOBILE, (Reason.PHONE_INVALID,)),
        ("NA, 9876543210", MOBILE, (Reason.PHONE_PLACEHOLDER,)),
        (
            "9876543210, 98765ABC10, NA, 97531",
            MOBILE,
            tuple(Reason(f"phone_{r}") for r in ("has_letters", "placeholder", "invalid")),
        ),
        ("9999999999/9876543210", MOBILE, (Reason.PHONE_PLACEHOLDER,)),
        ("9999999999 9876543210", MOBILE, (Reason.PHONE_PLACEHOLDER,)),
        ("12, 34567, 9876543210", MOBILE, (Reason.PHONE_INVALID, Reason.PHONE_PLACEHOLDER)),
    ],
)
def test_what_fails_beside_a_valid_number_is_reported(
    raw: str, phone: str, reasons: tuple[Reason, ...]
) -> None:
    clean = clean_phones(raw, "IN")
    assert (clean.phone, clean.further, clean.reasons) == (phone, (), reasons)


@pytest.mark.parametrize("raw", [None, "", " ", "\t\n ", "\u00a0\u3000", "\u200b\ufeff", " " * 2000])
def test_blank_fields_give_nothing(raw: str | None) -> None:
    assert clean_phones(raw, "IN") == NOTHING


def test_the_limit_of_a_field() -> None:
    field = "9876543210".ljust(phones.MAX_FIELD_LENGTH)
    assert clean_phones(field, "IN").phone == MOBILE
    assert clean_phones(field + " ", "IN") == NOTHING._replace(reasons=(Reason.PHONE_TOO_LONG,))


# --- columns ------------------------------------------------------------------------------------


def test_a_column() -> None:
    values = pl.Series(["98765 43210 / 022-23456789", None, "NA", "98765ABC10; 12", " ", "+44 20 7946 0958"])
    assert clean_phone_column(values, "IN").rows() == [
        (MOBILE, "MOBILE", MUMBAI, None),
        (None, None, None, None),
        (None, None, None, "phone_placeholder"),
        (None, None, None, "phone_has_letters,phone_invalid"),
        (None, None, None, None),
        ("+442079460958", "FIXED", None, None),
    ]


@pytest.mark.parametrize("values", [[], [None], [None, ""], ["NA"], ["9876543210"], ["+1"]])
def test_columns_have_their_schema_whatever_they_hold(values: list[str | None]) -> None:
    column = clean_phone_column(pl.Series(values, dtype=pl.String), "IN")
    assert (column.schema, column.height) == (COLUMNS, len(values))
    assert clean_phone_column(pl.Series([None] * len(values), dtype=pl.Null), "IN").schema == COLUMNS


ALL_RAW = [*ONE_MOBILE, *ONE_FIXED, *TWO_MOBILES, *PLACEHOLDERS, *LETTERS, *INVALID]


@pytest.mark.parametrize("padding", ["", " " * phones.MAX_FIELD_LENGTH, ",", " (O)"])
def test_a_column_is_as_its_fields(padding: str) -> None:
    values = [raw + padding for raw in ALL_RAW]
    column = clean_phone_column(pl.Series(values), "IN")
    expected = [clean_phones(raw, "IN") for raw in values]
    assert column["phone"].to_list() == [clean.phone for clean in expected]
    assert column["phone_type"].to_list() == [clean.phone_type for clean in expected]
    assert column["further_phones"].to_list() == [" ".join(clean.further) or None for clean in expected]
    assert column["phone_reasons"].to_list() == [",".join(clean.reasons) or None for clean in expected]


def test_common_notations_do_not_reach_the_scalar_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(raw: str | None, region: str) -> CleanPhones:
        raise AssertionError(raw)

    monkeypatch.setattr(phones, "clean_phones", refuse)
    values = ["9876543210", "+91 98765 43210", "022-23456789", "(022) 23456789", "0091 9876543210", "97531"]
    values += ["9876543210, 022-23456789", "9876543210 / 9876543211", "98765 43210 98765 43211"]
    values += ["9876543210.0", "Mob: 9876543210", "022-23456789 (O)", "022-23456789 x12", "98765\u00a043210"]
    values += [
        "+971 50 123 4567",
        "+33 6 12 34 56 78",
        "00 971 501234567",
        "9876543210; 9876543211; 022-23456789",
        "9876543210  +91 98765 43211",
        "9876543210 - 9876543211",
        "९८७६५४३२१०",
        "+7 903 867 99 79",
        "98765O4321",
        "9.87654E+09",
    ]
    assert clean_phone_column(pl.Series(values), "IN").null_count()["phone"][0] == 3


@pytest.mark.parametrize("before", ["", ".", ")", "-", "("])
def test_what_stands_before_a_plus_is_punctuation(before: str) -> None:
    field = f"{before}+919876543211  +919812345678"
    phone, _, further, _ = clean_phones(field, "IN")
    assert (phone, further) == ("+919876543211", ("+919812345678",))
    assert clean_phone_column(pl.Series([field]), "IN").row(0)[::2] == (phone, *further)


# --- what the rules take for granted of the metadata ------------------------------------------------


def test_the_bounds_of_a_number_are_those_of_the_metadata() -> None:
    lengths = {
        len(str(code)) + length
        for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        for region in regions
        if (plan := PhoneMetadata.metadata_for_region_or_calling_code(code, region)) and plan.general_desc
        for length in plan.general_desc.possible_length
    }
    assert (min(lengths), max(lengths)) == (phones.MIN_DIGITS, phones.MAX_DIGITS)


def test_no_country_code_begins_another() -> None:
    codes = [str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]
    assert [(a, b) for a in codes for b in codes if a != b and b.startswith(a)] == []


_NEWER_RELEASE = """
import json, sys
import polars as pl
from phonenumbers import PhoneMetadata

for region in ("IN", "DE"):  # what they mean is what they meant, with a sign that they did not have
    metadata = PhoneMetadata.metadata_for_region(region)
    for kind in (metadata.general_desc, metadata.mobile):
        pattern = f"(?:{kind.national_number_pattern})(?=$)"
        object.__setattr__(kind, "national_number_pattern", pattern)

from ledgerline.contacts.phone_columns import clean_phone_column

texts, regions = json.load(sys.stdin)
print(json.dumps([clean_phone_column(pl.Series(texts), region).rows() for region in regions]))
"""


def test_plans_of_a_newer_release_are_left_to_the_library() -> None:
    texts = [
        "98765 43210",
        "+49 1512 3456789",
        "0049 30 901820",
        "+91 22 2202 1234",
        "+44 20 7946 0018",
        "12",
    ]
    regions = ["IN", "DE", "GB"]
    newer = subprocess.run(
        [sys.executable, "-c", _NEWER_RELEASE],
        input=json.dumps([texts, regions]),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [[tuple(row) for row in rows] for rows in json.loads(newer.stdout)]
    assert answers == [clean_phone_column(pl.Series(texts), region).rows() for region in regions]
