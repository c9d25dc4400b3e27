"""A plan does all of a run but the writing, and the run that follows does exactly what it told."""

from __future__ import annotations

from typing import Any

import pytest
from tests.house import Installation, Watcher, contact

from ledgerline.databases.runs import Run
from ledgerline.databases.schema import metadata
from ledgerline.errors import Cancelled
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.sources.sample_database import write_sample

ASHA = contact(1, "Asha Rao", "+91 98200 12345", "asha.rao@lotus.example")
ASHA_AGAIN = contact(2, "A. Rao", "98200 12345", "asha.rao@lotus.example", designation="Director")
BRAM = contact(3, "Bram de Vries", "+31 6 12345678", "bram@devries.example", added_by="Kim")
CARA = contact(4, "Cara Lind", None, "cara.lind@nordic.example")
UNREACHABLE = contact(5, "Dov Katz", "NA", "none")


def _plan(
    house: Installation, cancel: Cancel | None = None, **wanted: Any
) -> tuple[Run, dict[str, dict[str, Any]]]:
    with house.app() as app:
        app.migrate()
        return app.plan(Watcher(), cancel or Cancel(), **wanted)


def _all_but_runs(house: Installation) -> tuple[set[str], dict[str, Any]]:
    return house.table_names(), house.dump()


def test_a_plan_tells_what_a_first_run_would_do_and_writes_nothing(house: Installation) -> None:
    house.write_invoice([ASHA, ASHA_AGAIN, BRAM, UNREACHABLE])
    planned, told = _plan(house)
    assert (planned.kind, planned.status) == ("plan", "succeeded")
    assert all(not rows for name, rows in house.dump().items())
    assert house.table_names() >= set(metadata.tables)
    assert not [name for name in house.table_names() if name.startswith("staging")]
    assert {name: section["total"] for name, section in told.items()} == {
        "inserted": 2, "merged": 1, "joined": 0, "changed": 0, "rejected": 1, "ended": 0, "suggested": 0,
    }  # fmt: skip
    (merge,) = told["merged"]["samples"]
    assert (merge["source_record_id"], merge["partner"], merge["contact_id"]) == ("2", "1", None)
    assert {row["name"] for row in told["inserted"]["samples"]} == {"Asha Rao", "Bram de Vries"}
    assert list(told["rejected"]["groups"].values()) == [1]
    run = house.ingest()
    assert dict(run.counts) == dict(planned.counts)


def test_a_plan_tells_changes_joins_and_withdrawals(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM, CARA, contact(6, "Bram de Vries", None, "b@elsewhere.example")])
    house.ingest()
    before = _all_but_runs(house)
    house.update(1, designation="Head of Sales")
    house.update(6, contact_no="+31 6 12345678")
    house.delete(4)
    planned, told = _plan(house)
    assert _all_but_runs(house) == before
    assert told["changed"]["groups"]["designation"] == 1
    joined = told["joined"]["samples"]
    assert [(row["name"], row["into_name"]) for row in joined] == [("Bram de Vries", "Bram de Vries")]
    assert [(row["source_record_id"], row["mark"]) for row in told["ended"]["samples"]] == [("4", "vanished")]
    run = house.ingest()
    assert dict(run.counts) == dict(planned.counts)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_run_that_follows_does_exactly_that(
    house: Installation, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the plan holds its records, and makes its contacts all at once, and the run does neither."""
    with house._invoice() as invoice:
        write_sample(invoice, house.settings.invoice_table, 1_500, seed)
    for number in range(2):
        if number:
            _shuffle(house)
        planned, told = _plan(house, partition_rows=400, full=True)
        with monkeypatch.context() as patched:
            for module in ("golden", "first_load"):
                patched.setattr(f"ledgerline.ingest.{module}.CONTACTS_AT_ONCE", 100)
            patched.setattr("ledgerline.ingest.run._FEW_STAGED", -1)
            run = house.ingest(partition_rows=400, wanted=Wanted(full=True))
        assert dict(run.counts) == dict(planned.counts)
        assert told["inserted"]["total"] == run.counts["inserted"]
        joins = {(row["source_record_id"], row["rule"], row["partner"]) for row in told["merged"]["samples"]}
        records = [row for row in house.table("source_records") if row["run_id"] == run.id]
        new = {row["source_record_id"] for row in told["inserted"]["samples"]} | {key for key, *_ in joins}
        assert joins == {
            (row["source_record_id"], row["match_rule"], row["match_partner"])
            for row in records
            if row["match_rule"] is not None and row["source_record_id"] in new
        }
        fields = ("contact_id", "field", "old_value", "new_value")
        assert {tuple(row[name] for name in fields) for row in told["changed"]["samples"]} == {
            tuple(row[name] for name in fields) for row in house.table("changes") if row["run_id"] == run.id
        }
        rejected = {row["source_record_id"] for row in house.rejects_of(run)}
        assert {row["source_record_id"] for row in told["rejected"]["samples"]} == rejected


def _shuffle(house: Installation) -> None:
    house.change(
        "UPDATE {contacts} SET contact_no = '98200 10101', updated_at = CURRENT_TIMESTAMP "
        "WHERE contactid % 50 = 3"
    )
    house.change("DELETE FROM {contacts} WHERE contactid % 40 = 7")


def test_a_cancelled_plan_leaves_nothing_and_a_stopped_run_stays(house: Installation) -> None:
    house.write_invoice([ASHA, BRAM, CARA])
    stopped = Cancel()
    stopped.request()
    with pytest.raises(Cancelled):
        house.ingest(cancel=stopped, partition_rows=1)
    assert [(run.kind, run.status, run.resumable) for run in house.runs()] == [("ingest", "cancelled", True)]
    with pytest.raises(Cancelled):
        _plan(house, cancel=stopped)
    _plan(house)
    assert [run.status for run in house.runs()] == ["cancelled", "cancelled", "succeeded"]
    resumed = house.ingest()
    assert (resumed.id, resumed.status, resumed.resumable) == (house.runs()[0].id, "succeeded", False)
    assert not [name for name in house.table_names() if name.startswith("staging")]
