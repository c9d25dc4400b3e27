"""What holds of golden contacts whatever the records."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerline.contacts.clean import quality_score
from ledgerline.contacts.model import CLEAN
from ledgerline.contacts.survive import survive

FEW = settings(max_examples=60, deadline=None)  # each example is many columnar operations on next to nothing

PLAIN = ("name", "honorific", "company_name", "designation", "relationship_type", "owner")
EMAILS = ["asha@rao.example", "info@rao.example", "rao@home.example"]
MOBILES, LANDLINES = ["+919810012345", "+919820054321"], ["+912226543210"]
LINE = {"record": pl.Int64(), "cluster": pl.Int64(), "trust": pl.Int64(), "position": pl.Int64()}
SCHEMA = pl.Schema({**LINE, **CLEAN})


def joined(values: list[str]) -> str | None:
    return " ".join(values) or None


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A record as cleaning makes it: no value twice, personal mailboxes and mobiles first."""
    emails = draw(st.lists(st.sampled_from(EMAILS), unique=True))
    emails.sort(key=lambda email: email.startswith("info@"))
    phones = draw(st.lists(st.sampled_from(MOBILES + LANDLINES), unique=True))
    phones.sort(key=lambda phone: phone in LANDLINES)
    phone_type = None if not phones else "FIXED" if phones[0] in LANDLINES else "MOBILE"
    row = {
        "cluster": draw(st.integers(1, 3)),
        "trust": draw(st.integers(0, 2)),
        "position": draw(st.integers(0, 3)),
        "name": draw(st.sampled_from(["Asha Rao", "A. Rao", "Asha Devi Rao", "राव"])),
        "honorific": draw(st.sampled_from([None, "Dr", "Ms"])),
        "company_name": draw(st.sampled_from([None, "Rao & Co", "Rao and Company"])),
        "email": emails[0] if emails else None,
        "further_emails": joined(emails[1:]),
        "phone": phones[0] if phones else None,
        "phone_type": phone_type,
        "further_phones": joined(phones[1:]),
        "designation": draw(st.sampled_from([None, "Buyer", "Vendor"])),
        "relationship_type": draw(st.sampled_from(["CLIENT", "VENDOR", "LEAD"])),
        "owner": draw(st.sampled_from([None, "Meera", "Vikram"])),
    }
    return {**row, "data_quality_score": quality_score(row)}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    drawn = draw(st.lists(rows(), max_size=10))
    return pl.DataFrame([{"record": i, **row} for i, row in enumerate(drawn)], schema=SCHEMA)


def points(frame: pl.DataFrame, cluster: int, kind: str) -> list[str]:
    return frame.filter(cluster=cluster, kind=kind).sort("position")["value"].to_list()


@FEW
@given(frames(), st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_matter(records: pl.DataFrame, chance: random.Random) -> None:
    order = list(range(len(records)))
    chance.shuffle(order)
    one, other = survive(records), survive(records[order])
    assert one.contacts.equals(other.contacts)
    assert one.points.equals(other.points)
    assert one.provenance.equals(other.provenance)


@FEW
@given(frames())
def test_every_value_is_that_of_the_record_named_as_its_source(records: pl.DataFrame) -> None:
    golden = survive(records)
    by_record = {row["record"]: row for row in records.iter_rows(named=True)}
    given_by = {(cluster, field): record for cluster, field, record in golden.provenance.iter_rows()}
    assert golden.contacts["cluster"].to_list() == sorted(set(records["cluster"]))
    for contact in golden.contacts.iter_rows(named=True):
        for field in (*PLAIN, "email", "mobile_e164"):
            source = given_by.get((contact["cluster"], field))
            assert (source is None) == (contact[field] is None)
            if source is not None:
                assert by_record[source]["phone" if field == "mobile_e164" else field] == contact[field]
                assert by_record[source]["cluster"] == contact["cluster"]


@FEW
@given(frames())
def test_no_address_number_or_owner_is_lost_or_made_up(records: pl.DataFrame) -> None:
    golden = survive(records)
    for contact in golden.contacts.iter_rows(named=True):
        own = records.filter(cluster=contact["cluster"])
        for kind, field, best in (("EMAIL", "email", "email"), ("PHONE", "mobile_e164", "phone")):
            kept = [contact[field], *points(golden.points, contact["cluster"], kind)]
            known = own[best].to_list() + " ".join(own[f"further_{best}s"].drop_nulls()).split()
            assert sorted(filter(None, kept)) == sorted({*filter(None, known)})
        owners = [contact["owner"], *contact["further_owners"]]
        assert sorted(filter(None, owners)) == sorted({*own["owner"].drop_nulls()})


@FEW
@given(rows())
def test_a_single_record_is_its_own_golden_contact(row: dict[str, Any]) -> None:
    golden = survive(pl.DataFrame([{"record": 1, **row}], schema=SCHEMA))
    contact = golden.contacts.row(0, named=True)
    assert {field: contact[field] for field in PLAIN} == {field: row[field] for field in PLAIN}
    assert (contact["email"], contact["mobile_e164"]) == (row["email"], row["phone"])
    assert contact["data_quality_score"] == row["data_quality_score"]
    assert contact["further_owners"] == []
    assert joined(points(golden.points, row["cluster"], "EMAIL")) == row["further_emails"]
    assert joined(points(golden.points, row["cluster"], "PHONE")) == row["further_phones"]


@FEW
@given(frames())
def test_a_golden_contact_is_its_own_golden_contact(records: pl.DataFrame) -> None:
    """Its phone type is that of whoever gave the phone; further owners have no place in a record."""
    once = survive(records)
    types = dict(records.drop_nulls("phone").select("phone", "phone_type").iter_rows())
    as_records = [
        {
            **{field: contact[field] for field in (*PLAIN, "cluster", "email", "data_quality_score")},
            "record": contact["cluster"],
            "trust": 1,
            "position": 1,
            "phone": contact["mobile_e164"],
            "phone_type": types.get(contact["mobile_e164"]),
            "further_emails": joined(points(once.points, contact["cluster"], "EMAIL")),
            "further_phones": joined(points(once.points, contact["cluster"], "PHONE")),
        }
        for contact in once.contacts.iter_rows(named=True)
    ]
    twice = survive(pl.DataFrame(as_records, schema=SCHEMA))
    assert twice.contacts.drop("further_owners").equals(once.contacts.drop("further_owners"))
    assert twice.points.equals(once.points)
