"""What people decide outlives every run: values they enter, and contacts they split."""

from __future__ import annotations

from typing import Any

import pytest
from tests.house import Installation, contact

from ledgerline.databases.runs import Run
from ledgerline.errors import UsageError
from ledgerline.ingest.history import contact_history

ASHA = contact(1, "Asha Rao", "+91 98200 12345", "asha.rao@lotus.example", added_by="Kim")
ASHA_AGAIN = contact(2, "Asha Rao", "98200 12345, 98200 54321", "asha@rao.example", designation="Director")
BRAM = contact(3, "Bram de Vries", "+31 6 12345678", "bram@devries.example")
OTHER_ASHA = contact(6, "Asha Rao", None, "asha@rao.example")
BRIDGE = contact(9, "Asha Rao", "98200 12345", "asha@rao.example")


def edit(house: Installation, contact_id: int, **values: str | None) -> None:
    with house.app() as app:
        app.edit(contact_id, values, by="Kim")


def row(house: Installation, contact_id: int) -> dict[str, Any]:
    return next(row for row in house.table("contacts") if row["id"] == contact_id)


def suggestions(house: Installation) -> list[tuple[int, str, str | None]]:
    return [(row["contact_id"], row["field"], row["value"]) for row in house.table("value_suggestions")]


def test_an_edited_field_is_never_overwritten(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM])
    house.ingest()
    edit(house, 1, name="Dr Asha Rao-Mehta", designation="Owner")
    house.update(1, designation="Director", contact_no="98200 54321")
    house.ingest(check=False)
    assert (row(house, 1)["name"], row(house, 1)["designation"]) == ("Dr Asha Rao-Mehta", "Owner")
    assert row(house, 1)["mobile_e164"] == "+919820054321"
    assert suggestions(house) == [(1, "designation", "Director")]
    assert {row["field"] for row in house.table("changes")} == {"mobile_e164", "data_quality_score"}
    house.update(1, designation="Owner")
    house.ingest(check=False)
    assert suggestions(house) == []


def test_an_edited_address_stands_first_and_the_source_s_stays(house: Installation) -> None:
    house.write_invoice([ASHA, ASHA_AGAIN])
    house.ingest()
    edit(house, 1, email="ASHA@home.example", mobile_e164="98200 54321")
    emails = ["asha@home.example", "asha@rao.example", "asha.rao@lotus.example"]
    phones = ["+919820054321", "+919820012345"]
    (asha,) = house.contacts()
    assert (asha["emails"], asha["phones"]) == (emails, phones)
    house.update(2, designation="Owner")
    house.ingest(check=False)
    (asha,) = house.contacts()
    assert (asha["emails"], asha["phones"], asha["designation"]) == (emails, phones, "Owner")


def test_a_withdrawn_edit_gives_the_field_back(house: Installation) -> None:
    house.write_invoice([ASHA])
    house.ingest()
    before = house.contacts()
    edit(house, 1, name="Asha Mehta", email="asha@home.example")
    house.update(1, designation="Director")
    house.ingest(check=False)
    with house.app() as app:
        app.withdraw(1, ["name", "email"], by="Lea")
    (asha,) = house.contacts()
    assert asha == {**before[0], "designation": "Director", "dataQualityScore": asha["dataQualityScore"]}
    house.update(1, contact_person_name="Asha R Mehta")
    house.ingest()
    assert row(house, 1)["name"] == "Asha R Mehta"


def test_the_survivor_of_a_merge_keeps_the_edits_of_both(house: Installation) -> None:
    house.write_invoice([ASHA, OTHER_ASHA])
    house.ingest()
    edit(house, 1, name="Asha Mehta")
    edit(house, 2, name="A. Rao", designation="Owner")
    house.add(BRIDGE)
    run = house.ingest(check=False)
    assert row(house, 2)["merged_into"] == 1
    assert (row(house, 1)["name"], row(house, 1)["designation"]) == ("Asha Mehta", "Owner")
    changed = {row["field"]: row for row in house.table("changes")}
    assert (changed["designation"]["new_value"], changed["designation"]["rule"]) == ("Owner", "edit")
    house.undo(run)
    assert (row(house, 1)["name"], row(house, 1)["designation"]) == ("Asha Mehta", None)
    assert (row(house, 2)["name"], row(house, 2)["designation"]) == ("A. Rao", "Owner")
    assert row(house, 2)["merged_into"] is None


@pytest.mark.parametrize("few", [0, 50_000])  # whether the writing has begun by then, where it can
def test_an_edit_while_a_run_is_about_to_write(
    house: Installation, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run sees it in its writing transaction, and makes its contacts once more."""
    from ledgerline.ingest import golden

    house.write_invoice([ASHA])
    house.ingest()
    house.update(1, designation="Director")
    make_golden, made = golden.make_golden, list[int]()

    def slowly(*of: Any) -> int:
        mark = make_golden(*of)
        if not made:
            edit(house, 1, designation="Owner")
        made.append(mark)
        return mark

    for module in ("run", "beside"):
        monkeypatch.setattr(f"ledgerline.ingest.{module}.make_golden", slowly)
    monkeypatch.setattr("ledgerline.ingest.run._FEW_STAGED", few)
    house.ingest(check=False)
    assert made == [0, 1]
    assert row(house, 1)["designation"] == "Owner"
    assert suggestions(house) == [(1, "designation", "Director")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "asha"), ("mobile_e164", "12"), ("name", " "), ("relationship_type", "FRIEND"), ("id", "2")],
)
def test_what_a_person_cannot_enter(house: Installation, field: str, value: str) -> None:
    house.write_invoice([ASHA])
    house.ingest()
    before = house.dump()
    with pytest.raises(UsageError):
        edit(house, 1, **{"designation": "Owner", field: value})
    assert house.dump() == before


# -- splits ------------------------------------------------------------------------------------------------


def test_a_split_contact_never_merges_again(house: Installation) -> None:
    house.write_invoice([ASHA, OTHER_ASHA, BRAM])
    house.ingest()
    house.add(BRIDGE, ASHA_AGAIN)
    house.ingest()
    merged = house.contacts()
    assert len(merged) == 2
    with house.app() as app:
        split = app.unmerge(1)
    assert split.contacts["1"] == 1
    assert split.contacts["6"] == 3, "a contact that had joined comes back"
    assert len(set(split.contacts.values())) == 4
    assert {row["sourceRecordIds"][0]: row["id"] for row in house.contacts() if row["id"] != 2} == dict(
        split.contacts
    )
    house.update(2, designation="Owner")
    house.update(9, designation="Owner")
    house.ingest()
    assert len(house.contacts()) == 5
    house.add(contact(10, "Asha Rao", "98200 12345", "asha@rao.example"))
    assert house.ingest().counts["merged"] == 1
    assert len(house.contacts()) == 5
    assert [row for row in house.table("match_suggestions") if row["status"] == "OPEN"] == []


def test_a_split_is_remembered_when_all_is_loaded_again(house: Installation) -> None:
    house.write_invoice([ASHA, ASHA_AGAIN])
    run = house.ingest()
    with house.app() as app:
        app.unmerge(1)
    house.undo(run)
    house.delete(1, 2)
    house.ingest(resume=True)
    house.add(ASHA, ASHA_AGAIN)
    house.ingest()
    assert len(house.contacts()) == 2


def test_an_undone_split(house: Installation) -> None:
    house.write_invoice([ASHA, ASHA_AGAIN])
    house.ingest()
    before = house.contacts()
    with house.app() as app:
        split = app.unmerge(1)
    after = house.contacts()
    undone = house.undo(split.run)
    assert house.contacts() == before
    house.undo(undone.run)
    assert house.contacts() == after
    house.update(2, designation="Owner")
    house.ingest()
    assert len(house.contacts()) == 2


def test_a_contact_of_many_records_is_split_some_at_a_time(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledgerline.ingest.unmerge.BOUND_AT_ONCE", 2)
    house.write_invoice([contact(key, "Asha Rao", "98200 12345") for key in range(1, 6)])
    house.ingest()
    before = house.contacts()
    with house.app() as app:
        split = app.unmerge(1)
    after = house.contacts()
    assert len(after) == 5
    assert len(house.table("split_pairs")) == 10
    house.undo(split.run)
    assert house.contacts() == before
    with house.app() as app:
        app.unmerge(1)
    assert [row["sourceRecordIds"] for row in house.contacts()] == [row["sourceRecordIds"] for row in after]
    in_force = [pair for pair in house.table("split_pairs") if pair["lifted_run"] is None]
    assert len(in_force) == 10


def test_what_cannot_be_split(house: Installation) -> None:
    house.write_invoice([ASHA, OTHER_ASHA])
    house.ingest()
    with pytest.raises(UsageError, match="nothing to split"), house.app() as app:
        app.unmerge(1)
    with pytest.raises(UsageError, match="no contact 9"), house.app() as app:
        app.unmerge(9)
    house.add(BRIDGE)
    house.ingest()
    with pytest.raises(UsageError, match="one with contact 1"), house.app() as app:
        app.unmerge(2)


def test_one_record_leaves_the_others_stay_together(house: Installation) -> None:
    house.write_invoice([ASHA, OTHER_ASHA])
    house.ingest()
    house.add(BRIDGE)
    house.ingest()
    before = house.contacts()
    with house.app() as app:
        split = app.unmerge(1, ["6"])
    assert split.contacts == {"1": 1, "6": 2, "9": 1}
    assert {(row["left_record_id"], row["right_record_id"]) for row in house.table("split_pairs")} == {
        ("1", "6"),
        ("6", "9"),
    }
    for key in (1, 6, 9):
        house.update(key, designation="Owner")
    house.ingest()
    assert [row["sourceRecordIds"] for row in house.contacts()] == [["1", "9"], ["6"]]
    house.undo(split.run)
    assert [row["sourceRecordIds"] for row in house.contacts()] == [row["sourceRecordIds"] for row in before]


@pytest.mark.parametrize(
    ("named", "words"), [(["7"], "no source record 7"), (["1", "6", "9"], "has to stay")]
)
def test_what_cannot_leave(house: Installation, named: list[str], words: str) -> None:
    house.write_invoice([ASHA, OTHER_ASHA, BRIDGE])
    house.ingest()
    with pytest.raises(UsageError, match=words), house.app() as app:
        app.unmerge(1, named)
    assert [run.kind for run in house.runs()] == ["ingest"]


# -- histories in which one decision meets another -----------------------------------------------------------

RAO = contact(1, "Asha Rao", "98200 12345")
JOINED = contact(2, "Asha Rao", email="asha@rao.example", designation="Director")
BOTH = contact(3, "Asha Rao", "98200 12345", "asha@rao.example")


def unmerge(house: Installation, contact_id: int, *record_ids: str) -> Run:
    with house.app() as app:
        return app.unmerge(contact_id, list(record_ids)).run


def further(house: Installation, contact_id: int) -> list[str]:
    return [row["value"] for row in house.table("contact_points") if row["contact_id"] == contact_id]


def test_a_split_that_is_brought_again_holds(house: Installation) -> None:
    same = [contact(key, "Asha Rao", email="asha@rao.example") for key in (1, 2)]
    house.write_invoice(same)
    house.ingest()
    first = house.undo(unmerge(house, 1)).run
    house.undo(unmerge(house, 1))  # another split of the same two
    house.undo(first)
    house.update(2, designation="Director")
    house.ingest()
    assert {row["source_record_id"]: row["contact_id"] for row in house.table("source_records")} == {
        "1": 1,
        "2": 2,
    }


def test_what_was_suggested_to_another_person_goes_with_them(house: Installation) -> None:
    house.write_invoice([RAO, JOINED])
    house.ingest()
    edit(house, 2, email="boss@rao.example")
    house.add(BOTH)
    house.ingest(check=False)
    house.update(2, contact_person_email="new@rao.example")
    house.update(3, contact_person_email="new@rao.example")
    house.ingest(check=False)
    unmerge(house, 1, "2", "3")
    assert (1, "email", "new@rao.example") not in suggestions(house)
    edit(house, 1, email="x@rao.example")
    assert further(house, 1) == []


def test_an_edit_of_a_contact_that_joined_can_be_withdrawn(house: Installation) -> None:
    house.write_invoice([RAO, JOINED])
    house.ingest()
    edit(house, 2, designation="Boss", email="boss@rao.example")
    house.add(BOTH)
    house.ingest(check=False)
    assert row(house, 1)["designation"] == "Boss"
    with house.app() as app:
        app.withdraw(1, ["designation", "email"], by="me")
    assert (row(house, 1)["designation"], row(house, 1)["email"]) == ("Director", "asha@rao.example")
    edit(house, 1, email="new@rao.example")
    assert further(house, 1) == ["asha@rao.example"]
    house.update(3, added_by="Kim")
    house.ingest(check=False)
    assert suggestions(house) == []


def test_what_the_source_says_by_now_stands_behind_a_second_edit(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", email="a@rao.example")])
    house.ingest()
    edit(house, 1, email="b@rao.example")
    house.update(1, contact_person_email="b@rao.example")
    house.ingest(check=False)
    edit(house, 1, email="c@rao.example")
    assert further(house, 1) == ["b@rao.example"]
    house.update(1, added_by="Kim")
    house.ingest(check=False)
    assert (further(house, 1), suggestions(house)) == (["b@rao.example"], [])


def test_who_edited_last_is_told_of_a_joined_contact(house: Installation) -> None:
    house.write_invoice([RAO, JOINED, contact(4, "Asha Rao", email="b@rao.example")])
    house.ingest()
    with house.app() as app:
        for contact_id, by, designation in ((3, "Tom", "First"), (2, "Sue", "Second"), (3, "Tom", "Third")):
            app.edit(contact_id, {"designation": designation}, by=by)
    house.add(contact(9, "Asha Rao", "98200 12345", "asha@rao.example; b@rao.example"))
    house.ingest(check=False)
    with house.main() as main:
        told = next(field for field in contact_history(main, 1).fields if field.name == "designation")
    assert (told.value, told.edited_by) == ("Third", "Tom")


def test_an_undo_takes_back_what_its_run_suggested(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", email="a@rao.example", designation="Director"), BRAM])
    house.ingest()
    edit(house, 1, designation="Boss")
    house.update(1, del_sts="Y")
    house.ingest(check=False)
    before = suggestions(house)
    house.update(1, del_sts="N", designation="Vendor")
    revived = house.ingest(check=False)
    assert (1, "designation", "Vendor") in suggestions(house)
    house.undo(revived, strict=True)
    assert suggestions(house) == before
