"""Cleaning in columns is cleaning row by row, it is idempotent, and what comes out is clean."""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerline.contacts.clean import clean_columns, clean_row
from ledgerline.contacts.companies import match_company, match_company_column
from ledgerline.contacts.model import CLEAN, RAW
from ledgerline.contacts.names import clean_name, clean_name_column, match_name, match_name_column
from ledgerline.contacts.texts import by_distinct, join_reasons, stitch

WORDS_TEXT = (
    "Ravi ravi RAVI Kumar KUMAR Mr Mr. MRS. dr Dr. Shri Sri. SRI Md. CA ca CA. Col Capt. Er and & Lt. "
    "Mr.Mrs mcKAY MCKAY  MACDONALD mack O'BRIEN o'brien d'souza van VAN der DE la AL-FARSI al- bin III ii "
    "II IV RK sk Ng jr. A.K. a.k. A a.  JEAN-PAUL zia-ur-rehman José JOSÉ ÑANDÚ GarcÃ­a Ã©milie straße "
    "STRASSE İpek ŉgo ǆ क्‍ष राम 王小明 ΣΑΣ ΟΔΥΣΣΕΥΣ  NA N/A nil test xxx - -- ... ??? 12345 abc (Purchase) "
    "Dvořák Łukasz ŁUKASZ Œuvre cœur ırmak ſt Şahin YÄ±lmaz Смирнов СМИРНОВ Юрий їжак Ольга-Марія Ελένη "
    "ΕΛΕΝΗ ς فيروز پٹھان مُحَمَّد आ़शा ेक कृष्णा がくカー 김민준 שרה Ý Âb Ãc "
    "'quoted' \"Bunty\" 2nd ravi@x.com aaa no name "
)
WORDS = WORDS_TEXT.split()
GLUE = (
    " ",
    "  ",
    ",",
    ". ",
    ".",
    "-",
    "",
    "\t",
    "\n",
    "\0",
    "\u200b",
    "\xa0",
    "\u200d",
    "\x92",
    "'",
    " . ",
    "_",
)
names = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(GLUE)), max_size=8).map("".join),
    st.text(max_size=10),
    st.text("aAbBz .'-Mmcr", max_size=12),
)
phones = st.one_of(
    st.sampled_from(
        ("9876543211", "+91 98765 43211, 022-23456789", "NA", "0000000000", "98765abc12", "-", "")
    ),
    st.text("0123456789+-/ ,()", max_size=24),
)
emails = st.one_of(
    st.sampled_from(
        (
            "Ravi@X.com",
            "info@x.com; ravi@x.com",
            "NA",
            "test@test.com",
            "a@b",
            "ravi@x.com ",
            "",
            "R <r@x.in>",
        )
    ),
    st.text(max_size=12),
)
DUTIES = "PURCHASE manager Lead lead team Vendor SUPPLIERS prospect ENGINEER of CEO r&d - , NA"
FIRMS = "M/s M/S. The TATA Sons & and Pvt. pvt Ltd. LTD (P) P Limited L.L.P. Co Company O'Neil Ünal GmbH self"
designations = st.lists(st.sampled_from(DUTIES.split()), max_size=4).map(" ".join) | names
companies = st.lists(st.sampled_from(FIRMS.split()), max_size=6).map(" ".join) | names
rows = st.fixed_dictionaries(
    {
        "source_record_id": st.none() | st.text("0123456789", max_size=6),
        "name": st.none() | names,
        "phone": st.none() | phones,
        "email": st.none() | emails,
        "designation": st.none() | designations,
        "company": st.none() | companies,
        "owner": st.none() | names,
        "is_active": st.just(value=True),
    }
)


def again(clean_values: dict[str, Any]) -> dict[str, Any]:
    """The clean values as a raw row."""

    def joined(*columns: str) -> str | None:
        return " ".join(filter(None, map(clean_values.get, columns))) or None

    return {
        "source_record_id": clean_values["source_record_id"],
        "name": clean_values["name"],
        "phone": joined("phone", "further_phones"),
        "email": joined("email", "further_emails"),
        "designation": clean_values["designation"],
        "company": clean_values["company_name"],
        "owner": clean_values["owner"],
        "is_active": True,
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(rows, min_size=5, max_size=20))
def test_frame_is_its_rows(raw: list[dict[str, Any]]) -> None:
    frame = clean_columns(pl.DataFrame(raw, schema=RAW), "IN")
    assert frame.schema == CLEAN
    expected = [{column: clean_row(row, "IN")[column] for column in CLEAN} for row in raw]
    assert frame.to_dicts() == expected


@settings(max_examples=200, deadline=None)
@given(rows)
def test_clean_again_changes_nothing(raw: dict[str, Any]) -> None:
    once = clean_row(raw, "IN")
    twice = clean_row(again(once), "IN")
    told_once_only = {"honorific", "reasons"}
    kept = {column for column in CLEAN if not column.startswith("raw_")} - told_once_only
    assert {column: twice[column] for column in kept} == {column: once[column] for column in kept}


@settings(max_examples=200, deadline=None)
@given(rows)
def test_clean_values_are_clean(raw: dict[str, Any]) -> None:
    row = clean_row(raw, "IN")
    for column in ("name", "honorific", "company_name", "email", "phone", "designation", "owner"):
        value = row[column]
        assert value is None or is_tidy(value), column
    assert not any("\0" in value for value in row.values() if isinstance(value, str))


def is_tidy(value: str) -> bool:
    unwanted = {"Cc", "Cs", "Zl", "Zp"}
    return (
        value != ""
        and value == " ".join(value.split())
        and unicodedata.is_normalized("NFC", value)
        and unwanted.isdisjoint(map(unicodedata.category, value))
        and not any(char in value for char in "\u200b\u200e\u2060\ufeff\xad")
    )


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(), max_size=8),
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2),
    st.integers(0, 8),
)
def test_half_surrogate_pairs_do_no_harm(text: str, surrogates: str, at: int) -> None:
    broken = f"{text[:at]}{surrogates}{text[at:]}"
    fields = dict.fromkeys(("name", "phone", "email", "designation", "company", "owner"), broken)
    row = clean_row({"source_record_id": "1", **fields}, "IN")
    for value in row.values():
        str(value).encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | names, min_size=1, max_size=20))
def test_name_column_is_the_scalar(values: list[str | None]) -> None:
    expected = [
        (clean.name, clean.honorific, join_reasons(clean.reasons)) for clean in map(clean_name, values)
    ]
    assert clean_name_column(pl.Series(values, dtype=pl.String)).rows() == expected


def test_mended_names_stay_mended() -> None:
    signs = [bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)] + ["a", "Z", ".", " "]
    texts = [
        "Jos" + "".join(pair) + last for pair in itertools.product(signs, signs) for last in ("", "”", ".")
    ]
    once = [name for name in (clean_name(text).name for text in texts) if name is not None]
    assert len(once) > 20_000
    assert [clean_name(name).name for name in once] == once


def test_name_column_is_the_scalar_on_pairs_of_words() -> None:
    words = sorted({*WORDS, *map(str.lower, WORDS), *map(str.upper, WORDS)})
    values = [" ".join(pair) for pair in itertools.product(words, words)]
    expected = [
        (clean.name, clean.honorific, join_reasons(clean.reasons)) for clean in map(clean_name, values)
    ]
    assert clean_name_column(pl.Series(values)).rows() == expected
    once = [name for name, _, _ in expected if name is not None]
    assert [clean_name(name).name for name in once] == once


@given(st.lists(st.none() | names, max_size=20))
def test_match_name_column_is_the_scalar(values: list[str | None]) -> None:
    expected = [None if value is None else match_name(value) for value in values]
    assert match_name_column(pl.Series(values, dtype=pl.String)).to_list() == expected


@given(st.lists(st.none() | companies, max_size=20))
def test_match_company_column_is_the_scalar(values: list[str | None]) -> None:
    expected = [None if value is None else match_company(value) for value in values]
    assert match_company_column(pl.Series(values, dtype=pl.String)).to_list() == expected


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=2))))
def test_stitch_restores_the_order(flags_and_values: list[tuple[bool, str]]) -> None:
    frame = pl.DataFrame(flags_and_values, schema={"flag": pl.Boolean, "value": pl.String}, orient="row")
    flag, values = frame["flag"], frame.select("value")
    assert stitch(values.filter(flag), values.filter(~flag), flag).equals(values)


@given(st.lists(st.none() | st.text(max_size=2)))
def test_by_distinct_keeps_every_row(values: list[str | None]) -> None:
    result = by_distinct(
        pl.Series(values, dtype=pl.String), lambda value: (value,), pl.Schema({"same": pl.String})
    )
    assert result["same"].to_list() == values
