"""What becomes of a source row: every class of the account, run after run, on every kind of server.

`house.ingest` itself checks each run's account against the tables (see tests.house).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from tests.house import Installation, Watcher, contact

from ledgerline.databases.runs import Run
from ledgerline.errors import Cancelled
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted

ASHA = contact(1, "Asha Rao", "+91 98200 12345", "asha.rao@lotus.example")
ASHA_AGAIN = contact(2, "Asha Rao", "98200 12345, 98200 54321", "asha@rao.example", designation="Director")
BRAM = contact(3, "Bram de Vries", "+31 6 12345678", "bram@devries.example", added_by="Kim")
CARA = contact(4, "Cara Lind", None, "cara.lind@nordic.example")
UNREACHABLE = contact(5, "Dov Katz", "NA", "none")


def classes(run: Run) -> Mapping[str, int]:
    """The classes that are not empty."""
    return {name: count for name, count in run.counts.items() if count and name != "fetched"}


def ids(house: Installation) -> dict[str, int]:
    """Source record → the contact that it belongs to, live or not."""
    return {row["source_record_id"]: row["contact_id"] for row in house.table("source_records")}


# -- first load, and nothing new -------------------------------------------------------------------------


def test_a_first_load_and_a_second_run_that_writes_nothing(house: Installation) -> None:
    deleted = contact(6, "Eva Berg", None, "eva@berg.example", del_sts="Y")
    pending = contact(7, "Finn Dahl", None, "finn@dahl.example", status="PEN")
    house.write_invoice([ASHA, ASHA_AGAIN, BRAM, CARA, UNREACHABLE, deleted, pending])
    run = house.ingest()
    assert run.counts["fetched"] == 7
    assert classes(run) == {"inserted": 3, "merged": 1, "rejected": 1, "inactive": 2}
    assert [row["name"] for row in house.contacts()] == ["Asha Rao", "Bram de Vries", "Cara Lind"]
    before = house.dump()
    again = house.ingest()
    assert classes(again) == {"unchanged": 4, "rejected": 1, "inactive": 2}
    assert house.dump() == before


def test_an_empty_source(house: Installation) -> None:
    house.write_invoice([])
    run = house.ingest()
    assert (run.counts["fetched"], classes(run)) == (0, {})
    house.add(ASHA)
    assert classes(house.ingest()) == {"inserted": 1}


def test_a_first_load_that_only_rejects(house: Installation) -> None:
    """Nothing in the contacts, but the second run is no first load: it knows the reject."""
    house.write_invoice([UNREACHABLE])
    assert classes(house.ingest()) == {"rejected": 1}
    assert classes(house.ingest()) == {"rejected": 1}
    assert len(house.table("rejects")) == 1
    house.update(5, contact_no="98200 12345")
    assert classes(house.ingest()) == {"inserted": 1}
    assert house.open_rejects() == []


def test_many_small_partitions_make_the_same_contacts(house: Installation) -> None:
    rows = [ASHA, ASHA_AGAIN, BRAM, CARA, UNREACHABLE]
    house.write_invoice(rows)
    run = house.ingest(partition_rows=1)
    assert classes(run) == {"inserted": 3, "merged": 1, "rejected": 1}
    assert classes(house.ingest(partition_rows=2)) == {"unchanged": 4, "rejected": 1}


@pytest.mark.parametrize("connections", [1, 3])
def test_few_connections_are_enough(house: Installation, connections: int) -> None:
    """As few as docs/configuration.md asks for, and as few as a run needs to do several things at once."""
    fewest = "3" if house.engine == "sqlserver" else str(connections)
    house.environ |= {"DB_CONNECTION_LIMIT": fewest, "DB_ACQUIRE_TIMEOUT": "20000"}
    house.write_invoice([ASHA, ASHA_AGAIN, BRAM])
    assert classes(house.ingest(partition_rows=1)) == {"inserted": 2, "merged": 1}
    house.add(CARA)
    house.update(1, contact_person_name="Asha Devi Menon")
    assert classes(house.ingest(partition_rows=1)) == {"inserted": 1, "updated": 1, "unchanged": 2}


def test_a_column_that_is_empty_for_thousands_of_rows(house: Installation) -> None:
    """A driver that takes a column's type from its first rows must not fail at the first value."""
    house.write_invoice(
        contact(
            key, f"Asha Rao{key}", None, f"a{key}@rao.example", designation="Chief" if key > 3000 else None
        )
        for key in range(3010)
    )
    assert classes(house.ingest()) == {"inserted": 3010}
    assert sum(row["designation"] == "Chief" for row in house.contacts()) == 9


# -- changes -----------------------------------------------------------------------------------------------


def test_a_changed_row_updates_its_contact_and_says_why(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    house.update(3, contact_no="+31 6 87654321", designation="Supplier", added_by="Lea")
    run = house.ingest()
    assert classes(run) == {"updated": 1, "unchanged": 1}
    (bram,) = [row for row in house.contacts() if row["name"] == "Bram de Vries"]
    assert (bram["mobileE164"], bram["relationshipType"]) == ("+31687654321", "VENDOR")
    changes = {row["field"]: row for row in house.table("changes")}
    assert {name: (row["old_value"], row["new_value"]) for name, row in changes.items()} == {
        "mobile_e164": ("+31612345678", "+31687654321"),
        "designation": (None, "Supplier"),
        "relationship_type": ("CLIENT", "VENDOR"),
        "data_quality_score": ("85", "90"),
        "owners": ("Kim", "Lea"),
    }
    assert {row["run_id"] for row in changes.values()} == {run.id}
    assert {row["contact_id"] for row in changes.values()} == {bram["id"]}
    assert {row["rule"] for row in changes.values()} == {"survivorship"}
    of_record = {name for name, row in changes.items() if row["source_record_id"] == "3"}
    assert of_record == {"mobile_e164", "designation", "relationship_type", "owners"}
    (version,) = house.table("source_record_versions")
    assert (version["replaced_by_run"], version["phone"], version["owner"]) == (run.id, "+31612345678", "Kim")


def test_a_value_that_was_taken_away_is_gone(house: Installation) -> None:
    house.write_invoice([{**ASHA, "added_by": "Kim", "contact_no": "98200 12345 / 98200 54321"}])
    house.ingest()
    house.update(1, added_by=None, contact_no=None)
    assert classes(house.ingest()) == {"updated": 1}
    (asha,) = house.contacts()
    assert (asha["mobileE164"], asha["phones"]) == (None, [])
    (row,) = house.table("contacts")
    assert row["owner_id"] is None


def test_a_change_that_cleaning_takes_away_again_is_none(house: Installation) -> None:
    house.write_invoice([{**CARA, "contact_no": None}])
    house.ingest()
    contacts = house.table("contacts")
    house.update(4, contact_no="")
    assert classes(house.ingest()) == {"unchanged": 1}
    assert house.table("contacts") == contacts
    assert house.table("changes") == []


def test_blanks_at_the_end_are_a_change_of_the_row_alone(house: Installation) -> None:
    house.write_invoice([{**CARA, "contact_no": "98200 12345 "}])
    house.ingest()
    house.update(4, contact_no="98200 12345  ")
    assert classes(house.ingest()) == {"updated": 1}
    assert [row["raw_phone"] for row in house.table("source_records")] == ["98200 12345  "]
    assert house.table("changes") == []


def test_another_default_country_cleans_everything_again(house: Installation) -> None:
    house.write_invoice(
        [
            contact(1, "Asha Rao", "98200 12345"),  # only in India
            contact(2, "Ben Cole", "202-555-0143", "ben@cole.example"),  # valid in both, not the same number
            contact(3, "Cara Lind", "+46 70 123 45 67"),
            contact(4, "Dan Hill", "212 555 0187"),
            contact(5, "Eva Berg", "000"),
        ]
    )
    first = house.ingest(DEFAULT_COUNTRY_CODE="IN")
    indian = {key: row["mobileE164"] for key, row in house.by_record().items()}
    second = house.ingest(DEFAULT_COUNTRY_CODE="US")
    american = {key: row["mobileE164"] for key, row in house.by_record().items()}
    assert indian["1"] == "+919820012345"
    assert american["2"] == "+12025550143"
    assert american["3"] == indian["3"] == "+46701234567"
    assert american["4"] == "+12125550187"
    assert first.counts["rejected"] == 5 - len(indian)
    assert second.counts["unchanged"] == 1
    assert "1" in american, "a known good row keeps its last good values"
    assert {row["source_record_id"] for row in house.open_rejects()} == {"1", "5"}
    assert classes(house.ingest()) == {"unchanged": 3, "rejected": 2}


# -- merging -------------------------------------------------------------------------------------------------


def test_a_new_row_joins_a_known_contact(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    house.add(ASHA_AGAIN)
    run = house.ingest()
    assert classes(run) == {"merged": 1, "unchanged": 2}
    asha = house.by_record()["2"]
    assert asha["id"] == ids(house)["1"]
    assert asha["sourceRecordIds"] == ["1", "2"]
    assert set(asha["phones"]) == {"+919820012345", "+919820054321"}
    assert set(asha["emails"]) == {"asha.rao@lotus.example", "asha@rao.example"}
    assert asha["designation"] == "Director"
    joined = {row["source_record_id"]: row for row in house.table("source_records")}["2"]
    assert (joined["match_rule"], joined["match_partner"]) == ("phone", "1")
    assert joined["match_score"] >= 8
    changed = {row["field"]: row for row in house.table("changes")}
    assert changed["designation"]["new_value"] == "Director"
    assert changed["designation"]["source_record_id"] == "2"


def test_a_row_that_joined_stays_when_nothing_but_itself_speaks_for_it(house: Installation) -> None:
    """A record's own identity comes first: what it was matched by may change later."""
    house.write_invoice([ASHA, ASHA_AGAIN])
    house.ingest()
    house.update(2, contact_no="98200 54321")
    assert classes(house.ingest()) == {"updated": 1, "unchanged": 1}
    joined = {row["source_record_id"]: row for row in house.table("source_records")}["2"]
    assert (joined["contact_id"], joined["match_rule"], joined["match_partner"]) == (1, "phone", "1")


BRIDGE = contact(9, "Asha Rao", "98200 12345", "asha@rao.example")
BRIDGED = contact(
    2, "Asha Rao", "98200 54321, 98200 54322", "asha@rao.example", designation="Director", added_by="Kim"
)


def test_a_bridge_makes_one_contact_of_two(house: Installation) -> None:
    house.write_invoice([ASHA, BRIDGED])
    assert classes(house.ingest()) == {"inserted": 2}
    older, younger = ids(house)["1"], ids(house)["2"]
    house.add(BRIDGE)
    run = house.ingest()
    assert classes(run) == {"merged": 1, "unchanged": 2}
    (asha,) = house.contacts()
    assert (asha["id"], asha["sourceRecordIds"]) == (older, ["1", "2", "9"])
    assert len(asha["phones"]) == 3
    rows = {row["id"]: row for row in house.table("contacts")}
    assert (rows[younger]["merged_into"], bool(rows[younger]["is_active"])) == (older, False)
    assert {row["contact_id"] for row in house.table("contact_points")} == {older}
    assert set(ids(house).values()) == {older}
    rules = {row["source_record_id"]: row["match_rule"] for row in house.table("source_records")}
    assert rules["1"] is None
    assert rules["2"] == "email"
    assert rules["9"] in ("email", "phone")
    before = house.dump()
    assert classes(house.ingest()) == {"unchanged": 3}
    assert house.dump() == before


def test_redirects_always_point_to_the_last(house: Installation) -> None:
    """Three contacts, joined one after the other, the youngest first."""
    middle = contact(2, "Asha Rao", "98200 54321", "asha@rao.example")
    youngest = contact(3, "Asha Rao", "98200 99999", "rao@asha.example")
    house.write_invoice([ASHA, middle, youngest])
    house.ingest()
    house.add(contact(8, "Asha Rao", "98200 99999", "asha@rao.example"))
    assert classes(house.ingest()) == {"merged": 1, "unchanged": 3}
    house.add(contact(9, "Asha Rao", "98200 12345", "asha@rao.example"))
    assert classes(house.ingest()) == {"merged": 1, "unchanged": 4}
    rows = {row["id"]: row["merged_into"] for row in house.table("contacts")}
    assert rows == {1: None, 2: 1, 3: 1}


def test_a_withdrawn_row_moves_with_its_contact_and_comes_back_there(house: Installation) -> None:
    house.write_invoice([ASHA, BRIDGED, contact(3, "Asha Rao", "98200 54321", "rao@asha.example")])
    house.ingest()
    house.update(3, del_sts="Y")
    house.ingest()
    house.add(BRIDGE)
    house.ingest()
    house.update(3, del_sts="N")
    assert classes(house.ingest()) == {"updated": 1, "unchanged": 3}
    (asha,) = house.contacts()
    assert asha["sourceRecordIds"] == ["1", "2", "3", "9"]


def test_a_row_withdrawn_in_the_run_that_merges_its_contact(house: Installation) -> None:
    house.write_invoice([ASHA, BRIDGED, contact(3, "Asha Rao", "98200 54321", "rao@asha.example")])
    house.ingest()
    house.update(3, del_sts="Y")
    house.add(BRIDGE)
    assert classes(house.ingest()) == {"withdrawn": 1, "merged": 1, "unchanged": 2}
    (asha,) = house.contacts()
    assert asha["sourceRecordIds"] == ["1", "2", "9"]
    house.update(3, del_sts="N")
    assert classes(house.ingest()) == {"updated": 1, "unchanged": 3}
    assert house.contacts()[0]["sourceRecordIds"] == ["1", "2", "3", "9"]


# -- leaving and coming back -----------------------------------------------------------------------------


def test_inactive_rows_are_withdrawn_and_revived(house: Installation) -> None:
    rich = {**BRAM, "contact_no": "+31 6 12345678, +31 6 87654321"}
    house.write_invoice([ASHA, ASHA_AGAIN, rich])
    house.ingest()
    asha, bram = ids(house)["1"], ids(house)["3"]
    house.update(2, status="PEN")
    house.update(3, del_sts="Y")
    run = house.ingest()
    assert classes(run) == {"withdrawn": 2, "unchanged": 1}
    assert [row["id"] for row in house.contacts()] == [asha]
    assert house.contacts()[0]["phones"] == ["+919820012345"]
    gone = {row["id"]: row for row in house.contacts(inactive=True)}[bram]
    assert gone["phones"] == ["+31612345678", "+31687654321"], "what was known of it is kept"
    (change,) = [row for row in house.table("changes") if row["contact_id"] == bram]
    assert (change["field"], change["old_value"], change["new_value"]) == ("is_active", "true", "false")
    assert change["rule"] == "live_sources"
    before = house.dump()
    assert classes(house.ingest()) == {"inactive": 2, "unchanged": 1}
    assert house.dump() == before
    house.update(3, del_sts="N")
    assert classes(house.ingest()) == {"updated": 1, "inactive": 1, "unchanged": 1}
    assert house.by_record()["3"]["id"] == bram


def test_deleted_rows_vanish_and_are_counted_apart(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM, CARA, UNREACHABLE])
    house.ingest()
    house.delete(1, 4, 5)
    run = house.ingest()
    assert (run.counts["fetched"], classes(run)) == (1, {"unchanged": 1, "vanished": 2})
    assert [row["name"] for row in house.contacts()] == ["Bram de Vries"]
    assert house.open_rejects() == []
    before = house.dump()
    assert classes(house.ingest()) == {"unchanged": 1}
    assert house.dump() == before
    house.delete(3)
    assert classes(house.ingest()) == {"vanished": 1}
    house.add(ASHA)
    assert classes(house.ingest()) == {"updated": 1}
    assert house.by_record()["1"]["id"] == 1


def test_rows_before_between_and_behind_all_others_come_and_go(house: Installation) -> None:
    house.write_invoice(
        contact(key, f"Asha{key} Rao", None, f"a{key}@rao.example") for key in range(10, 40, 2)
    )
    house.ingest(partition_rows=4)
    house.delete(10, 20, 38)
    house.add(*(contact(key, f"Bram{key} Rao", None, f"b{key}@rao.example") for key in (-5, 21, 99)))
    run = house.ingest(partition_rows=4)
    assert classes(run) == {"inserted": 3, "unchanged": 12, "vanished": 3}


# -- rejects ---------------------------------------------------------------------------------------------


def test_a_reject_that_is_mended_becomes_a_contact(house: Installation) -> None:
    house.write_invoice([BRAM, UNREACHABLE])
    first = house.ingest()
    (reject,) = house.rejects(first)
    assert (reject["sourceRecordId"], reject["resolvedRun"]) == ("5", None)
    assert reject["reasons"] == ["no_email_or_phone", "phone_placeholder", "email_placeholder"]
    assert reject["raw"]["phone"] == "NA"
    house.update(5, contact_person_email="dov@katz.example")
    second = house.ingest()
    assert classes(second) == {"inserted": 1, "unchanged": 1}
    assert house.rejects(first)[0]["resolvedRun"] == second.id
    assert house.by_record()["5"]["name"] == "Dov Katz"


def test_a_reject_that_changes_but_gets_no_better(house: Installation) -> None:
    house.write_invoice([UNREACHABLE])
    first = house.ingest()
    house.update(5, contact_no="0000000000")
    second = house.ingest()
    assert classes(second) == {"rejected": 1}
    assert house.rejects(first)[0]["resolvedRun"] == second.id
    assert house.rejects(second)[0]["raw"]["phone"] == "0000000000"
    assert classes(house.ingest()) == {"rejected": 1}
    assert len(house.table("rejects")) == 2


def test_a_reject_that_becomes_inactive_or_is_deleted_is_settled(house: Installation) -> None:
    house.write_invoice([UNREACHABLE, {**UNREACHABLE, "contactid": 6}])
    house.ingest()
    house.update(5, del_sts="Y")
    house.delete(6)
    assert classes(house.ingest()) == {"inactive": 1}
    assert house.open_rejects() == []


def test_a_known_row_keeps_its_last_good_values_when_its_new_version_is_rejected(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    house.update(3, contact_no="NA", contact_person_email="none")
    run = house.ingest()
    assert classes(run) == {"rejected": 1, "unchanged": 1}
    assert house.by_record()["3"]["email"] == "bram@devries.example"
    (reject,) = house.rejects(run)
    assert (reject["sourceRecordId"], reject["raw"]["email"]) == ("3", "none")
    before = house.dump()
    assert classes(house.ingest()) == {"rejected": 1, "unchanged": 1}
    assert house.dump() == before
    house.update(3, contact_no=BRAM["contact_no"], contact_person_email=BRAM["contact_person_email"])
    assert classes(house.ingest()) == {"unchanged": 2}
    assert house.open_rejects() == []


def test_a_record_whose_reject_is_settled_still_counts_for_its_contact(house: Installation) -> None:
    """It goes back to its good version in the same run in which its contact's other record changes."""
    house.write_invoice([ASHA, ASHA_AGAIN])
    house.ingest()
    house.update(2, contact_no="NA", contact_person_email="none")
    house.ingest()
    house.update(
        2, contact_no=ASHA_AGAIN["contact_no"], contact_person_email=ASHA_AGAIN["contact_person_email"]
    )
    house.update(1, designation="Chairwoman")
    assert classes(house.ingest()) == {"updated": 1, "unchanged": 1}
    (asha,) = house.contacts()
    assert asha["sourceRecordIds"] == ["1", "2"]
    assert "asha@rao.example" in asha["emails"]


def test_a_rejected_version_that_is_then_withdrawn_or_deleted(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    for key in (1, 3):
        house.update(key, contact_no=None, contact_person_email=None)
    assert classes(house.ingest()) == {"rejected": 2}
    house.update(1, del_sts="Y")
    house.delete(3)
    assert classes(house.ingest()) == {"withdrawn": 1, "vanished": 1}
    assert (house.open_rejects(), house.contacts()) == ([], [])


# -- keys ------------------------------------------------------------------------------------------------


def test_rows_without_a_key_of_their_own(house: Installation) -> None:
    rows = [
        ASHA,
        {**BRAM, "contactid": 1},
        {**CARA, "contactid": 1},
        contact(2, "Dev Anand", "9811122233"),  # like none of those that share the key 1
        {**BRAM, "contactid": None},
        {**CARA, "contactid": None},
        {**CARA, "contactid": None, "del_sts": "Y"},
    ]
    house.write_invoice(rows, primary_key=False)
    run = house.ingest(partition_rows=1)
    assert classes(run) == {"inserted": 2, "rejected": 4, "inactive": 1}
    reasons = sorted((row["sourceRecordId"] or "", row["reasons"][0]) for row in house.rejects(run))
    assert reasons == [
        ("", "key_missing"),
        ("", "key_missing"),
        ("1", "key_duplicate"),
        ("1", "key_duplicate"),
    ]
    before = house.dump()
    assert classes(house.ingest(partition_rows=2)) == {"unchanged": 2, "rejected": 4, "inactive": 1}
    assert house.dump() == before
    house.change("DELETE FROM {contacts} WHERE contactid IS NULL")
    assert classes(house.ingest()) == {"unchanged": 2, "rejected": 2}
    assert {row["source_record_id"] for row in house.open_rejects()} == {"1"}
    house.change(
        "UPDATE {contacts} SET contactid = 7 WHERE contactid = 1 AND contact_person_name = 'Cara Lind'"
    )
    house.change("UPDATE {contacts} SET del_sts = 'Y' WHERE contactid = 1")
    run = house.ingest()
    assert run.counts["fetched"] == 4
    assert run.counts["inactive"] + run.counts["withdrawn"] == 2


def test_a_deleted_row_does_not_stand_before_an_active_one_with_its_key(house: Installation) -> None:
    """Some installations keep old versions under the same key, marked as deleted."""
    rows = []
    for key in range(8):
        live = contact(key, f"Asha{key} Rao", None, f"asha{key}@rao.example")
        old = {**live, "contact_person_email": f"old{key}@rao.example", "del_sts": "Y"}
        rows += [old, live, {**old, "contact_no": "NA"}]
    house.write_invoice(rows, primary_key=False)
    assert classes(house.ingest()) == {"inserted": 8, "inactive": 16}
    assert classes(house.ingest()) == {"unchanged": 8, "inactive": 16}


def test_a_duplicate_and_its_original_that_are_rejected_alike(house: Installation) -> None:
    """Same key, same values: two rejects that must not be taken for one another."""
    house.write_invoice([UNREACHABLE, {**UNREACHABLE, "status": "app"}], primary_key=False)
    assert classes(house.ingest()) == {"rejected": 2}
    assert classes(house.ingest()) == {"rejected": 2}
    assert len(house.table("rejects")) == 2
    mend_one = "UPDATE {contacts} SET contact_person_email = 'dov@katz.example' WHERE status = '%s'"
    house.change(mend_one % "app")
    house.ingest()
    assert sorted(bool(row["key_fault"]) for row in house.open_rejects())[-1]
    house.change(mend_one % "APP")
    run = house.ingest()
    assert run.counts["rejected"] == 1
    assert [bool(row["key_fault"]) for row in house.open_rejects()] == [True]
    assert classes(house.ingest()) == {"unchanged": 1, "rejected": 1}


ODD_KEYS = (
    "550e8400-e29b-41d4-a716-446655440000",
    "A",
    "a",
    "a'b",
    'a"b',
    "DOMAIN\\user",
    "100%",
    "a:b ?",
    "",
    " ",
    "7",
    "007",
    "ß",
    "日本",
    "🙂",
    "x" * 200,
)


def test_text_keys(house: Installation) -> None:
    bytewise = mssql.NVARCHAR(400, collation="Latin1_General_BIN2")  # else A is a there
    keys = [key for key in ODD_KEYS if key != " " or house.engine != "sqlserver"]  # and always '' and ' '
    rows = [contact(key, f"Asha Rao{n}", None, f"a{n}@rao.example") for n, key in enumerate(keys)]
    house.write_invoice(rows, key=sa.Unicode(400).with_variant(bytewise, "mssql"))
    run = house.ingest(partition_rows=3)
    assert classes(run) == {"inserted": len(rows)}
    assert set(house.by_record()) == set(keys)
    before = house.dump()
    assert classes(house.ingest(partition_rows=2)) == {"unchanged": len(rows)}
    assert house.dump() == before
    house.delete("A", "🙂")
    house.update("a", designation="Director")
    house.update("7", del_sts="Y")
    house.update("007", contact_person_email="none")
    house.add(
        contact("b", "Bram Rao", None, "b@rao.example"), contact("y" * 201, "Cara Rao", None, "c@rao.example")
    )
    expected = {
        "inserted": 1,
        "updated": 1,
        "unchanged": len(rows) - 5,
        "rejected": 2,
        "withdrawn": 1,
        "vanished": 2,
    }
    run = house.ingest(partition_rows=3)
    assert classes(run) == expected
    assert {tuple(row["reasons"][:1]) for row in house.rejects(run)} == {
        ("no_email_or_phone",),
        ("key_too_long",),
    }
    settled = {**expected, "inactive": 1, "unchanged": len(rows) - 3}
    settled = {
        name: count for name, count in settled.items() if name in ("inactive", "rejected", "unchanged")
    }
    assert classes(house.ingest(partition_rows=3)) == settled
    house.delete("007", "y" * 201)
    assert classes(house.ingest()) == {"inactive": 1, "unchanged": len(rows) - 3, "vanished": 1}
    assert house.open_rejects() == []
    house.add(contact("A", "Asha Rao1", None, "a1@rao.example"))
    assert classes(house.ingest()) == {"inactive": 1, "unchanged": len(rows) - 3, "updated": 1}


@pytest.mark.parametrize("kind", ["uuid", "decimal"])
def test_keys_that_are_neither_integers_nor_text(house: Installation, kind: str) -> None:
    """Their order is the server's own, not that of their text."""
    numbers = (3, 20, 100, 1000, 7, 5)
    keys: list[Any] = [UUID(int=n << 64) for n in numbers] if kind == "uuid" else list(numbers)
    rows = [contact(key, f"Asha Rao{n}", None, f"a{n}@rao.example") for n, key in enumerate(keys)]
    house.write_invoice(rows, key=sa.Uuid() if kind == "uuid" else sa.Numeric(18, 0))
    assert classes(house.ingest(partition_rows=2)) == {"inserted": 6}
    assert classes(house.ingest(partition_rows=4)) == {"unchanged": 6}
    house.change("DELETE FROM {contacts} WHERE contact_person_email IN ('a1@rao.example', 'a3@rao.example')")
    assert classes(house.ingest(partition_rows=2)) == {"unchanged": 4, "vanished": 2}


# -- layouts ---------------------------------------------------------------------------------------------

OTHER_NAMES = {
    "contactid": "Id",
    "customerid": "firm",
    "contact_person_name": "full name",
    "contact_no": "phone",
    "contact_person_email": "e-mail, work",
}


def test_other_column_names(house: Installation) -> None:
    house.environ |= {
        "INVOICE_TABLE": "[dbo_user_new].[people]" if house.engine != "sqlite" else "people",
        "INVOICE_COLUMNS": "id=id,customer_id=firm,name=full name,phone=phone,email=[e-mail, work]",
        "INVOICE_CUSTOMERS_COLUMNS": "name=customer_name",
    }
    house.write_invoice([{**ASHA, "customerid": "8"}, BRAM], {8: "Lotus Textiles"}, names=OTHER_NAMES)
    assert classes(house.ingest()) == {"inserted": 2}
    assert house.by_record()["1"]["companyName"] == "Lotus Textiles"
    assert classes(house.ingest()) == {"unchanged": 2}


def test_companies_come_from_the_customers(house: Installation) -> None:
    house.write_invoice(
        [{**ASHA, "customerid": "1"}, {**BRAM, "customerid": "2"}, {**CARA, "customerid": "3"}],
        {1: "Lotus Textiles", 2: "NA"},
    )
    house.ingest()
    assert {key: row["companyName"] for key, row in house.by_record().items()} == {
        "1": "Lotus Textiles",
        "3": None,
        "4": None,
    }
    house.change("UPDATE {customers} SET customer_name = 'Lotus Mills' WHERE customerid = '1'")
    assert classes(house.ingest()) == {"updated": 1, "unchanged": 2}
    assert house.by_record()["1"]["companyName"] == "Lotus Mills"


def test_of_customers_that_share_an_id_one_with_a_name_counts(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345", customerid="7")], {"7": "Lotus Ltd"})
    house.change("INSERT INTO {customers} (customerid, customer_name) VALUES ('7', NULL)")
    house.ingest()
    assert house.contacts()[0]["companyName"] == "Lotus Ltd"


_ASHA_AND_RAO = (
    ("Ash Rao", "022 2345 6789", "rao@home.example", None, "Director"),
    ("Rao Asha", None, "rao@home.example", "1", None),
    ("Asha K. Rao", "98200 12345 / 98200 11111", None, None, None),
    ("A. Rao", "98200 12346", "info@shop.example", None, None),
    ("Asha Rao", "98200 12346", "d.singh@x.example", "2", "Director"),
)


def test_who_comes_first_does_not_decide_who_is_who(tmp_path: Path) -> None:
    found = []
    for order in ((0, 1, 2, 3, 4), (1, 0, 2, 3, 4), (4, 3, 2, 1, 0), (1, 2, 3, 4, 0), (4, 0, 1, 2, 3)):
        folder = tmp_path / "".join(map(str, order))
        folder.mkdir()
        house = Installation("sqlite", folder)
        rows = [
            contact(
                key, *_ASHA_AND_RAO[of][:3], customerid=_ASHA_AND_RAO[of][3], designation=_ASHA_AND_RAO[of][4]
            )
            for key, of in enumerate(order)
        ]
        house.write_invoice(rows, {"1": "Lotus Ltd", "2": "Banyan"})
        house.ingest()
        found.append(
            {frozenset(order[int(key)] for key in person["sourceRecordIds"]) for person in house.contacts()}
        )
    assert [people for people in found if people != found[0]] == []


def test_a_condition_without_a_value_holds_where_there_is_none(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345"), contact(2, "Bram Vos", "+31 6 12345678")])
    house.update(1, designation=None)
    house.update(2, designation="Director")
    assert classes(house.ingest(INVOICE_ACTIVE="designation=")) == {"inserted": 1, "inactive": 1}


def test_no_customers_table_and_no_notion_of_active(house: Installation) -> None:
    house.write_invoice([{**ASHA, "del_sts": "Y", "status": None}, BRAM])
    run = house.ingest(INVOICE_ACTIVE="")
    assert classes(run) == {"inserted": 2}
    assert [row["companyName"] for row in house.contacts()] == [None, None]
    assert classes(house.ingest(INVOICE_ACTIVE="del_sts=N")) == {"withdrawn": 1, "unchanged": 1}


# -- stopping and going on ---------------------------------------------------------------------------------


class StopsAt(Watcher):
    """Asks a run to stop when it reports a stage."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.cancel = Cancel()
        self._stage = stage

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        if stage == self._stage and (stage != "stage" or done):
            self.cancel.request()


@pytest.mark.parametrize(
    ("key", "stage"),
    [
        (sa.BigInteger(), "stage"),
        (sa.BigInteger(), "match"),
        (sa.BigInteger(), "merge"),
        (sa.Unicode(40), "stage"),
        (sa.Unicode(40), "merge"),
    ],
    ids=["integers-stage", "integers-match", "integers-merge", "texts-stage", "texts-merge"],
)
def test_a_run_goes_on_where_it_was_stopped(
    house: Installation, stage: str, key: sa.types.TypeEngine[Any]
) -> None:
    text = isinstance(key, sa.Unicode)
    rows = [ASHA, BRIDGED, BRAM, CARA, UNREACHABLE, contact(6, "Eva Berg", None, "eva@berg.example")]
    house.write_invoice(
        [{**row, "contactid": str(row["contactid"])} if text else row for row in rows], key=key
    )
    house.ingest()
    before = house.contacts()
    house.add(*({**row, "contactid": str(row["contactid"])} if text else row for row in [BRIDGE]))
    house.delete(*(("4", "5") if text else (4, 5)))
    house.update("3" if text else 3, designation="Vendor")
    watcher = StopsAt(stage)
    with pytest.raises(Cancelled):
        house.ingest(partition_rows=1, watcher=watcher, cancel=watcher.cancel)
    assert house.contacts() == before
    run = house.ingest(partition_rows=1)
    assert run.id == 2
    assert classes(run) == {"merged": 1, "updated": 1, "unchanged": 3, "vanished": 1}
    assert len(house.contacts()) == 3


@pytest.mark.parametrize("key", [None, 7])
def test_equal_rows_that_are_rejected_for_their_key_come_and_go(house: Installation, key: int | None) -> None:
    row = contact(key, "Asha Rao", email="asha@lotus.example")
    house.write_invoice([row] * 3, primary_key=False)
    for there in (3, 3, 1, 1, 4, 0, 2):
        house.change("DELETE FROM {contacts}")
        house.add(*[row] * there)
        run = house.ingest(wanted=Wanted(full=True, accept_withdrawals=True))
        faults = max(there - 1, 0) if key else there  # of rows that share a key the first keeps it
        assert (run.counts["rejected"], len(house.open_rejects())) == (faults, faults)
