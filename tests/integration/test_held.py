"""What a small run holds in memory is what the tables have."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from tests.house import Installation, contact

from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.errors import Cancelled, LedgerlineError
from ledgerline.ingest import beside, held
from ledgerline.ingest.held import Held
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.ingest.staged import InTable

NAMES = ["Ravi Kumar", "Kumar Ravi", "R. Kumar", "Asha Patel", "Bram Stoker", "test"]
EMAILS = [*(f"m{number}@ex.example" for number in range(6)), "m1@ex.example; m2@ex.example", None]
PHONES = [*(f"982001{number:04d}" for number in range(6)), "9820010001 / 9820010002", None]

on_postgresql = pytest.mark.parametrize("house", ["postgresql"], indirect=True)


def drawn(chance: random.Random) -> dict[str, Any]:
    return {
        "contact_person_name": chance.choice(NAMES),
        "contact_no": chance.choice(PHONES),
        "contact_person_email": chance.choice(EMAILS),
        "added_by": chance.choice("AB"),
    }


def alike(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    names = sorted(one.columns)
    return one.select(names).sort(names).equals(other.select(names).sort(names))


def about_to_be_updated(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.ingest()
    house.update(1, designation="Chief")


def is_as_before(house: Installation) -> None:
    """And the next run does what that one did not."""
    assert house.contacts()[0]["designation"] is None
    assert house.ingest().counts["updated"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_records_held_are_those_in_the_tables(
    house: Installation, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through changes, joins, withdrawals, deletions and undo, each run compares both."""
    compared: list[int] = []
    members = Held.members

    def checked(self: Held, main: Database) -> pl.DataFrame:
        found, tables = members(self, main), self.job.tables
        assert alike(self.known(), InTable(self.job, main).known())
        with main.begin() as connection:
            staging.gather_members(connection, tables, first_load=self.job.first_load)
        assert alike(found, staging.gathered(main, tables, -1, 1 << 62))
        with main.begin() as connection:
            staging.clear(connection, [tables.members])
        compared.append(found.height)
        return found

    monkeypatch.setattr(Held, "members", checked)
    chance = random.Random(seed)
    keys = list(range(12))
    house.write_invoice(contact(key, None, **drawn(chance)) for key in keys)
    runs = [house.ingest()]
    for step in range(4):
        house.add(contact(100 + step, None, **drawn(chance)))
        for key in chance.sample(keys, 3):
            house.update(key, **drawn(chance))
        house.update(chance.choice(keys), del_sts="Y")
        house.delete(keys.pop())
        runs.append(house.ingest(wanted=Wanted(accept_withdrawals=True, reconcile=True)))
    house.undo(runs[-1])
    house.ingest(wanted=Wanted(accept_withdrawals=True, full=True), resume=True)
    assert len(compared) >= 5
    assert max(compared) > 2


def test_a_run_that_shares_keys_with_too_many_reads_its_tables(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_CONTACTS_HELD", 0)
    house.write_invoice([contact(1, "Asha Rao", "98200 12345"), contact(2, "Ravi Kumar", "98200 12346")])
    house.ingest()
    house.update(1, contact_no="98200 12346", contact_person_name="Ravi Kumar")
    assert house.ingest().counts["updated"] == 1
    assert house.by_record()["1"] == house.by_record()["2"]


@on_postgresql
def test_contacts_of_which_a_record_ended_are_not_among_those_seen_early(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share no key with anything that changed. They are read, and no other once more."""
    read: list[list[int]] = []
    current_among = staging.current_among

    def noted(main: Database, ids: pl.Series) -> staging.Current:
        read.append(ids.to_list())
        return current_among(main, ids)

    monkeypatch.setattr(staging, "current_among", noted)
    house.write_invoice(
        contact(key, name, f"98200 1234{key}") for key, name in enumerate(NAMES[:1] + NAMES[3:5], start=1)
    )
    house.ingest()
    changed, ended = (house.by_record()[key]["id"] for key in "13")
    house.update(1, designation="Chief")
    house.update(3, del_sts="Y")
    house.ingest(wanted=Wanted(accept_withdrawals=True))
    assert read == [[changed], [ended]]
    assert {row["id"] for row in house.table("contacts") if not row["is_active"]} == {ended}


@pytest.mark.parametrize("step", ["hold", "see", "join_records", "make_golden"])
@on_postgresql
def test_what_fails_beside_the_transaction_fails_the_run(
    house: Installation, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about_to_be_updated(house)

    def fail(*of: Any) -> None:
        raise LedgerlineError("It fails.", hint="")

    with monkeypatch.context() as patched, pytest.raises(LedgerlineError, match="It fails"):
        patched.setattr(beside, step, fail)
        house.ingest()
    is_as_before(house)


@pytest.mark.parametrize("step", ["join_records", "make_golden"])
@on_postgresql
def test_a_run_that_is_stopped_beside_its_transaction_writes_nothing(
    house: Installation, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about_to_be_updated(house)
    cancel, do = Cancel(), getattr(beside, step)

    def stopped(*of: Any) -> Any:
        result = do(*of)
        cancel.request()
        return result

    with monkeypatch.context() as patched, pytest.raises(Cancelled):
        patched.setattr(beside, step, stopped)
        house.ingest(cancel=cancel)
    is_as_before(house)
