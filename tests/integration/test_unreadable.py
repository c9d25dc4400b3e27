"""A row that the source cannot give out takes no other row with it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.house import Installation, Watcher, contact

from ledgerline.databases.runs import Run
from ledgerline.documents import reject_document
from ledgerline.errors import UnreadableValue
from ledgerline.ingest import run as ingestion
from ledgerline.sources.invoice import InvoiceSource

# A view of the table in which the phone is worked out, and fails where it says "broken".
_PHONES = {
    "sqlite": "json_extract(contact_no, '$')",
    "postgresql": "CAST(CAST(contact_no AS bigint) AS text)",
    "sqlserver": "CAST(CAST(contact_no AS bigint) AS nvarchar(40))",
}


def rows(*broken: int, key: type = int) -> list[dict[str, Any]]:
    return [
        contact(key(n), f"Person {chr(96 + n) * 4}", "broken" if n in broken else f"98200{n:05}")
        for n in range(1, 21)
    ]


def with_view(house: Installation) -> None:
    names = "contactid, customerid, contact_person_name, designation, contact_person_email, added_by, status"
    view = house._qualified("customer_contacts").replace("customer_contacts", "shown_contacts")
    phone = _PHONES[house.engine]
    house.change(
        f"CREATE VIEW {view} AS SELECT {names}, del_sts, {phone} AS contact_no FROM {{contacts}}".replace(
            "{contacts}", house._qualified("customer_contacts")
        )
    )
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[shown_contacts]"


def ingest(house: Installation) -> Run:
    with house.app() as app:
        app.migrate()
        source = InvoiceSource(app.invoice, app.settings.invoice_table)
        try:
            options = ingestion.Options("IN", partition_rows=7)
            return ingestion.ingest(app.main, source, options, Watcher(), ingestion.Cancel())
        finally:
            source.close()


def refused(house: Installation) -> dict[str, list[str]]:
    documents = map(reject_document, house.open_rejects())
    return {document["sourceRecordId"]: document["reasons"] for document in documents}


@pytest.mark.parametrize("key", [int, str])
def test_unreadable_rows_are_rejected_one_by_one(house: Installation, key: type) -> None:
    kind = sa.BigInteger() if key is int else sa.Unicode(40)
    house.write_invoice(rows(1, 9, 10, key=key), key=kind)
    with_view(house)
    run = ingest(house)
    assert (run.counts["fetched"], run.counts["inserted"], run.counts["rejected"]) == (20, 17, 3)
    assert refused(house) == {"1": ["unreadable"], "9": ["unreadable"], "10": ["unreadable"]}
    run = ingest(house)
    assert (run.counts["unchanged"], run.counts["rejected"]) == (17, 3)


def test_an_unreadable_version_leaves_the_last_good_one(house: Installation) -> None:
    house.write_invoice(rows())
    with_view(house)
    ingest(house)
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[customer_contacts]"
    house.update(5, contact_no="broken")
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[shown_contacts]"
    run = ingest(house)
    assert (run.counts["unchanged"], run.counts["rejected"], run.counts["withdrawn"]) == (19, 1, 0)
    assert house.by_record()["5"]["mobileE164"] == "+919820000005"
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[customer_contacts]"
    house.update(5, contact_no="9820000055")
    house.environ["INVOICE_TABLE"] = "[dbo_user_new].[shown_contacts]"
    run = ingest(house)
    assert (run.counts["updated"], run.counts["rejected"]) == (1, 0)
    assert house.by_record()["5"]["mobileE164"] == "+919820000055"
    assert refused(house) == {}


def test_a_row_without_a_key_cannot_be_told_from_others(house: Installation) -> None:
    house.write_invoice(rows(), primary_key=False)
    house.add(contact(None, "Nobody", "broken"), contact(None, "Somebody", "9820011111"))
    with_view(house)
    with pytest.raises(UnreadableValue):
        ingest(house)


def test_a_data_error_is_classified_as_such(house: Installation) -> None:
    house.write_invoice(rows(3))
    with_view(house)
    with house.app() as app:
        source = InvoiceSource(app.invoice, app.settings.invoice_table)
        (first, *_) = source.partitions(100)
        with pytest.raises(UnreadableValue):
            source.fetch(first)
        source.close()
