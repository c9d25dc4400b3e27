"""What becomes of whole rows; companies, designations and relationships."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ledgerline.contacts.clean import (
    clean_columns,
    clean_owner,
    clean_row,
    quality_score,
    quality_score_column,
    rules_fingerprint,
)
from ledgerline.contacts.companies import (
    clean_company,
    clean_designation,
    match_company,
    match_company_column,
    relationship,
)
from ledgerline.contacts.model import CLEAN, RAW, Reason, Relationship

GOOD: dict[str, Any] = {
    "source_record_id": "7",
    "name": "Ravi Kumar",
    "phone": "+919876543211",
    "email": "ravi@example.com",
    "designation": "Purchase Manager",
    "company": "Acme Pvt Ltd",
    "owner": "asha",
    "is_active": True,
}


def cleaned(**changes: str | None) -> dict[str, Any]:
    """One row, cleaned both ways."""
    raw = GOOD | changes
    row = clean_row(raw, "IN")
    assert clean_columns(pl.DataFrame([raw], schema=RAW), "IN").to_dicts() == [row]
    return row


def test_a_good_row_stays_as_it_is() -> None:
    assert cleaned() == dict.fromkeys(CLEAN) | {
        "source_record_id": "7",
        "name": "Ravi Kumar",
        "company_name": "Acme Pvt Ltd",
        "email": "ravi@example.com",
        "phone": "+919876543211",
        "phone_type": "MOBILE",
        "designation": "Purchase Manager",
        "relationship_type": "CLIENT",
        "data_quality_score": 100,
        "owner": "asha",
    }


def test_an_empty_frame_keeps_its_schema() -> None:
    assert clean_columns(pl.DataFrame(schema=RAW), "IN").schema == CLEAN


def test_raw_values_are_kept_only_where_they_differ() -> None:
    row = cleaned(
        name="Mr. RAVI KUMAR",
        phone="98765 43211",
        email="ravi@example.com info@example.com",
        owner="NA",
        company="",
    )
    raws = {column: row[column] for column in CLEAN if column.startswith("raw_")}
    assert {column for column, value in raws.items() if value is not None} == {
        "raw_name",
        "raw_phone",
        "raw_owner",
    }
    assert raws["raw_phone"] == "98765 43211"
    assert row["further_emails"] == "info@example.com"
    assert row["owner"] is None


def test_a_rejected_row_keeps_all_of_its_raw_values() -> None:
    row = cleaned(name="12345", phone=None, email="nil")
    assert row["reject_reasons"] == "no_name,no_email_or_phone"
    assert row["reasons"] == "name_without_letters,email_placeholder"
    raws = [row[f"raw_{field}"] for field in ("name", "phone", "email", "designation", "company", "owner")]
    assert raws == ["12345", None, "nil", "Purchase Manager", "Acme Pvt Ltd", "asha"]


@pytest.mark.parametrize(
    ("changes", "reject_reasons"),
    [
        ({"name": None}, "no_name"),
        ({"phone": "NA", "email": "NA"}, "no_email_or_phone"),
        ({"phone": None}, None),
        ({"email": None}, None),
    ],
)
def test_reject_reasons(changes: dict[str, str | None], reject_reasons: str | None) -> None:
    assert cleaned(**changes)["reject_reasons"] == reject_reasons


def test_a_repair_in_two_fields_is_said_once() -> None:
    row = cleaned(name="JosÃ©", company="CafÃ© Ltd", designation="NA")
    assert row["reasons"] == "text_repaired,designation_placeholder"


def test_nul_in_a_raw_value_becomes_visible() -> None:
    assert cleaned(name="Ra\0vi")["raw_name"] == "Ra\u2400vi"
    broken = clean_row(GOOD | {"owner": "as\ud800ha"}, "IN")
    assert (broken["owner"], broken["raw_owner"]) == ("asha", "as\ufffdha")


@pytest.mark.parametrize("field", ["name", "phone", "email", "designation", "company", "owner"])
def test_ten_megabytes_in_a_field_are_refused(field: str) -> None:
    row = cleaned(**{field: "a\u0301\u0316" * 2_000_000})
    clean_column = {"company": "company_name"}.get(field, field)
    assert row[clean_column] is None
    assert row["reasons"] == (None if field == "owner" else f"{field}_too_long")


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, 100),
        ({"name": None}, 80),
        ({"email": "info@example.com"}, 85),
        ({"email": None}, 70),
        ({"phone": "022-23456789"}, 90),
        ({"phone": None}, 70),
        ({"company": "NA"}, 90),
        ({"designation": None}, 95),
    ],
)
def test_quality_score(changes: dict[str, str | None], score: int) -> None:
    assert cleaned(**changes)["data_quality_score"] == score


def test_quality_score_of_an_unknown_relationship() -> None:
    row = cleaned() | {"relationship_type": Relationship.OTHER}
    assert quality_score(row) == 95
    assert pl.DataFrame([row], schema=CLEAN).select(quality_score_column()).item() == 95


@pytest.mark.parametrize(
    ("raw", "company", "reasons"),
    [
        ("  Acme \n Pvt  Ltd ", "Acme Pvt Ltd", ()),
        ("ACME", "ACME", ()),
        ("acme", "acme", ()),
        ("3M", "3M", ()),
        ("N.A.", None, (Reason.COMPANY_PLACEHOLDER,)),
        ("Self", None, (Reason.COMPANY_PLACEHOLDER,)),
        ("---", None, (Reason.COMPANY_PLACEHOLDER,)),
        ("Acme " * 61, None, (Reason.COMPANY_TOO_LONG,)),
        (None, None, ()),
    ],
)
def test_companies(raw: str | None, company: str | None, reasons: tuple[Reason, ...]) -> None:
    assert clean_company(raw) == (company, reasons)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Acme Pvt. Ltd.", "acme"),
        ("ACME PRIVATE LIMITED", "acme"),
        ("Acme (P) Ltd", "acme"),
        ("M/s. Sharma & Sons L.L.P.", "sharma sons"),
        ("Sharma and Sons", "sharma sons"),
        ("The Tata Company, Inc.", "tata"),
        ("Müller GmbH & Co. KG", "muller"),
        ("Company Ltd", "company"),
        ("Sanders O'Neil", "sanders oneil"),
        ("Incas", "incas"),
        ("☺", ""),
    ],
)
def test_match_company(name: str, key: str) -> None:
    assert match_company(name) == key
    assert match_company_column(pl.Series([name, None])).to_list() == [key, None]


@pytest.mark.parametrize(
    ("raw", "designation", "reasons"),
    [
        ("GENERAL MANAGER", "General Manager", ()),
        ("head of hr and it", "Head of HR and IT", ()),
        ("VP-SALES", "VP-Sales", ()),
        ("CEO", "CEO", ()),
        ("md", "md", ()),
        ("iOS Developer", "iOS Developer", ()),
        ("N/A", None, (Reason.DESIGNATION_PLACEHOLDER,)),
        ("x" * 201, None, (Reason.DESIGNATION_TOO_LONG,)),
        ("", None, ()),
    ],
)
def test_designations(raw: str, designation: str | None, reasons: tuple[Reason, ...]) -> None:
    assert clean_designation(raw) == (designation, reasons)


@pytest.mark.parametrize(
    ("designation", "expected"),
    [
        (None, Relationship.CLIENT),
        ("Manager", Relationship.CLIENT),
        ("VENDOR", Relationship.VENDOR),
        ("Head, Suppliers", Relationship.VENDOR),
        ("Vendors' Lead", Relationship.VENDOR),
        ("MARKETING_Vendors", Relationship.VENDOR),
        ("Vendorship", Relationship.CLIENT),
        ("lead", Relationship.LEAD),
        ("Hot Leads", Relationship.LEAD),
        ("Sales Lead", Relationship.LEAD),
        ("Prospect", Relationship.LEAD),
        ("Prospectus Editor", Relationship.CLIENT),
        ("Leader", Relationship.CLIENT),
        ("Team Lead", Relationship.CLIENT),
        ("TEAM LEADS", Relationship.CLIENT),
        ("Tech. Lead", Relationship.CLIENT),
        ("QA-Lead", Relationship.CLIENT),
        ("Lead Engineer", Relationship.CLIENT),
        ("Lead Civil Engineer", Relationship.CLIENT),
        ("Team Lead, new lead", Relationship.LEAD),
    ],
)
def test_relationship(designation: str | None, expected: Relationship) -> None:
    assert relationship(designation) == expected


def test_owners() -> None:
    assert [clean_owner(raw) for raw in ("  asha  K ", "NA", "-", "", None, "a" * 201)] == [
        "asha K",
        *[None] * 5,
    ]


def test_fingerprint_tells_regions_apart() -> None:
    assert rules_fingerprint("IN") != rules_fingerprint("US")
    assert rules_fingerprint("IN") == rules_fingerprint("IN")
    assert "phonenumbers=" in rules_fingerprint("IN")
