"""Microsoft's AdventureWorks, 1,226 fictional contacts of stores, vendors and employees, from end to end.

The counts of rows, shared addresses and odd phone numbers were checked against the CSV files.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.house import Installation, contact
from tests.postgres import PostgresServer
from tests.servers import MAIN_ENGINES

from ledgerline.databases.runs import Run

DATA = Path(__file__).parents[1] / "data" / "adventureworks"
FILES = {
    "Sales_vStoreWithContacts": 10_000_000,
    "Purchasing_vVendorWithContacts": 20_000_000,
    "HumanResources_vEmployee": 30_000_000,
    "Sales_vSalesPerson": 40_000_000,
    "Person_vAdditionalContactInfo": 50_000_000,
}
EMPLOYER = "Adventure Works Cycles"


def lines(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from enumerate(csv.DictReader(file), start=FILES[name])


def invoice_rows() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The five views as one invoice table, and its customers."""
    rows: list[dict[str, Any]] = []
    customers: dict[str, str] = {}
    for name in FILES:
        for key, line in lines(name):
            company = line.get("Name") or EMPLOYER
            customer = customers.setdefault(company, str(len(customers) + 1))
            parts = [line.get("Title"), line["FirstName"], line["MiddleName"], line["LastName"]]
            row = contact(
                key,
                " ".join(part for part in parts if part),
                line.get("PhoneNumber") or line["TelephoneNumber"],
                line.get("EmailAddress") or line["EMailAddress"],
                designation=line.get("ContactType") or line.get("JobTitle"),
                customerid=customer,
                added_by="import",
            )
            rows.append(row)
    return rows, {number: company for company, number in customers.items()}


def loaded(engine: str, folder: Path, postgres: PostgresServer) -> tuple[Installation, Run]:
    house = Installation(engine, folder, postgres, DEFAULT_COUNTRY_CODE="US")
    rows, customers = invoice_rows()
    house.write_invoice(rows, customers)
    return house, house.ingest(partition_rows=200)


@pytest.fixture(scope="module", params=MAIN_ENGINES)
def first_load(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> tuple[Installation, Run]:
    return loaded(request.param, tmp_path_factory.mktemp("adventureworks"), postgres)


def test_every_row_is_accounted_for(first_load: tuple[Installation, Run]) -> None:
    house, run = first_load
    assert run.counts == {
        "fetched": 753 + 156 + 290 + 17 + 10,
        "inserted": 1206,
        "updated": 0,
        "unchanged": 0,
        "merged": 17,  # every sales person is an employee too, with the same e-mail address
        "rejected": 3,
        "withdrawn": 0,
        "inactive": 0,
        "vanished": 0,
    }
    assert len(house.contacts()) == 1206


def test_the_rejected_are_those_without_any_address(first_load: tuple[Installation, Run]) -> None:
    house, run = first_load
    rejects = house.rejects(run)
    assert [(row["sourceRecordId"], row["raw"]["name"], row["reasons"]) for row in rejects] == [
        ("50000004", "Pilar Ackerman", ["no_email_or_phone"]),
        ("50000007", "Carla J. Adams", ["no_email_or_phone"]),
        ("50000009", "Ronald L. Adina", ["no_email_or_phone"]),
    ]


def test_exact_contacts(first_load: tuple[Installation, Run]) -> None:
    house, _ = first_load
    contacts = house.by_record()
    assert {name: value for name, value in contacts["10000134"].items() if name != "id"} == {
        "name": "John Tippett",
        "companyName": "Regional Cycle Shop",
        "email": "john28@adventure-works.com",
        "mobileE164": "+15005550132",
        "emails": ["john28@adventure-works.com"],
        "phones": ["+15005550132"],
        "designation": "Owner",
        "relationshipType": "CLIENT",
        "dataQualityScore": 90,  # +1 500 is a personal number: 20 of 30
        "sourceSystem": "INVOICE",
        "sourceRecordIds": ["10000134"],
    }
    assert contacts["40000014"] == contacts["30000287"]
    assert contacts["30000287"]["name"] == "Rachel B Valdez"
    assert contacts["30000287"]["sourceRecordIds"] == ["30000287", "40000014"]
    assert contacts["30000287"]["companyName"] == EMPLOYER
    assert contacts["50000001"]["email"] == "joe@sample.com"
    assert contacts["30000284"]["email"] == "josé1@adventure-works.com"


def test_american_numbers_in_their_odd_notation(first_load: tuple[Installation, Run]) -> None:
    house, _ = first_load
    contacts = house.by_record()
    odd = {
        str(key): "+1500555" + line["PhoneNumber"][-4:]
        for name in list(FILES)[:4]
        for key, line in lines(name)
        if re.fullmatch(r"1 \(11\) 500 555-\d{4}", line["PhoneNumber"])
    }
    assert len(odd) == 160 + 0 + 4 + 4
    assert {key: contacts[key]["mobileE164"] for key in odd} == odd
    of_0132 = [row["email"] for row in house.contacts() if row["mobileE164"] == "+15005550132"]
    assert of_0132 == [
        f"{name}@adventure-works.com" for name in ("john28", "pilar1", "alice2", "christopher1")
    ]


def test_a_number_with_an_area_code_that_nobody_has_is_refused(first_load: tuple[Installation, Run]) -> None:
    house, _ = first_load
    record = next(row for row in house.table("source_records") if row["source_record_id"] == "10000000")
    assert (record["phone"], record["raw_phone"], record["reasons"]) == (
        None,
        "149-555-0113",
        "phone_invalid",
    )


def test_designations_decide_who_is_a_vendor(tmp_path: Path, postgres: PostgresServer) -> None:
    """Not the view they come from: nobody here is called one, until somebody is."""
    house, _ = loaded("sqlite", tmp_path, postgres)
    contacts = house.contacts()
    assert Counter(row["relationshipType"] for row in contacts) == {"CLIENT": 1206}
    assert Counter(row["designation"] for row in contacts)["Sales Agent"] == 54
    house.change(
        "UPDATE {contacts} SET designation = 'Vendor ' || designation WHERE contactid / 10000000 = 2"
    )
    run = house.ingest()
    assert (run.counts["updated"], run.counts["unchanged"], run.counts["rejected"]) == (156, 1067, 3)
    vendors = [row for row in house.contacts() if row["relationshipType"] == "VENDOR"]
    assert len(vendors) == 156
    assert all(record.startswith("2000") for row in vendors for record in row["sourceRecordIds"])
    assert Counter(row["designation"] for row in vendors) == {
        "Vendor Sales Agent": 54,
        "Vendor Sales Associate": 44,
        "Vendor Sales Manager": 40,
        "Vendor Assistant Sales Agent": 18,
    }


def test_every_engine_makes_the_same_contacts(
    first_load: tuple[Installation, Run], tmp_path: Path, postgres: PostgresServer
) -> None:
    house, _ = first_load
    reference, _ = loaded("sqlite", tmp_path, postgres)
    assert house.contacts() == reference.contacts()


def test_a_second_run_writes_nothing(first_load: tuple[Installation, Run]) -> None:
    house, _ = first_load
    before = house.dump()
    run = house.ingest(partition_rows=500)
    assert {name: count for name, count in run.counts.items() if count} == {
        "fetched": 1226,
        "unchanged": 1223,
        "rejected": 3,
    }
    assert house.dump() == before
