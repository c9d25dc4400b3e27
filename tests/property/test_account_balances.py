"""Whatever a table holds and whatever happens to it between two runs, the account balances.

What must hold after each run is checked by `house.ingest` (see tests.house): every class of the account as
the tables tell it, each live row in exactly one contact or in the rejects, and each active contact saying
what its live records say and nothing else.

A second load need not end with the contacts that a fresh load of the same rows makes: a record stays with
the contact that it once joined, also when what it was matched by has changed. What holds of both is that
the same rows are live, and that the contacts have the same values among them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.house import Installation, contact

# Few values, so that rows meet; one of each kind is no value, and one is an odd text.
NAMES = ("Asha Rao", "A. Rao", "Bram de Vries", "Cara Lind", "test", "", None, "\u202e=1+1\u0301")
PHONES = ("98200 12345", "+919820054321", "98200 12345 / 022 2345 6789", "0000000000", None, "x\x07")
EMAILS = ("asha@rao.example", "bram@devries.example; info@shop.example", "info@shop.example", "none", None)
OTHERS = (None, "Director", "Vendor")

rows = st.fixed_dictionaries(
    {
        "contactid": st.one_of(st.integers(1, 8), st.none()),
        "contact_person_name": st.sampled_from(NAMES),
        "contact_no": st.sampled_from(PHONES),
        "contact_person_email": st.sampled_from(EMAILS),
        "designation": st.sampled_from(OTHERS),
        "added_by": st.sampled_from((None, "Kim", "Lea")),
        "status": st.sampled_from(("APP", "APP", "APP", "PEN")),
        "del_sts": st.sampled_from(("N", "N", "N", "Y", None)),
    }
)
tables = st.lists(rows, max_size=8)
FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory() as folder:
        house = Installation("sqlite", Path(folder))
        house.write_invoice([], primary_key=False)
        yield house


def replace_rows(house: Installation, table: list[dict[str, Any]]) -> None:
    house.change("DELETE FROM {contacts}")
    house.add(*({**contact(None, None), **row} for row in table))


@FEW
@given(first=tables, second=tables, partition_rows=st.integers(1, 5))
def test_any_table_and_any_edit(
    first: list[dict[str, Any]], second: list[dict[str, Any]], partition_rows: int
) -> None:
    with installation() as house:
        for table in (first, second):
            replace_rows(house, table)
            house.ingest(partition_rows=partition_rows)
        before = house.dump()
        run = house.ingest()
        changing = ("inserted", "updated", "merged", "withdrawn", "vanished")
        assert not any(run.counts[name] for name in changing)
        assert house.dump() == before


@FEW
@given(table=tables, taken=st.sets(st.integers(0, 7)))
def test_rows_that_come_in_two_runs_make_the_contacts_of_one(
    table: list[dict[str, Any]], taken: set[int]
) -> None:
    """Of rows that only come, with keys of their own, the same are live and every value is kept."""
    keyed = [{**row, "contactid": number + 1} for number, row in enumerate(table)]
    late = [row for number, row in enumerate(keyed) if number in taken]
    with installation() as twice, installation() as once:
        replace_rows(twice, [row for row in keyed if row not in late])
        twice.ingest()
        replace_rows(twice, keyed)
        twice.ingest()
        replace_rows(once, keyed)
        once.ingest()
        live = {row["source_record_id"] for row in once.table("source_records")}
        assert live == {row["source_record_id"] for row in twice.table("source_records")}
        assert values(once) == values(twice)


def values(house: Installation) -> set[tuple[str, str]]:
    """Every value that any contact has."""
    return {(kind, value) for row in house.contacts() for kind in ("emails", "phones") for value in row[kind]}


@FEW
@given(table=tables)
def test_a_table_that_goes_and_comes_back(table: list[dict[str, Any]]) -> None:
    """Every contact is revived as it was, under its own id."""
    with installation() as house:
        replace_rows(house, table)
        house.ingest()
        contacts, rejects = house.contacts(), len(house.open_rejects())
        replace_rows(house, [])
        house.ingest()
        assert house.contacts() == []
        assert house.open_rejects() == []
        replace_rows(house, table)
        house.ingest()
        assert house.contacts() == contacts
        assert len(house.open_rejects()) == rejects
