"""Runs that read only what changed: nothing is lost, whoever commits when, and nothing more is read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from tests.house import Installation, Watcher, contact
from tests.postgres import PostgresServer

from ledgerline.databases.database import Database
from ledgerline.databases.runs import Run
from ledgerline.errors import DatabaseUnreachable, SettingsError, Stopped, WithdrawalBreaker
from ledgerline.ingest.run import Cancel
from ledgerline.ingest.scope import Wanted
from ledgerline.sources import Reading
from ledgerline.sources.invoice import InvoiceSource

MOMENT = sa.DateTime().with_variant(mssql.DATETIME2(7), "mssql")  # type: ignore[no-untyped-call]
LONG_AGO = datetime.fromisoformat("2020-01-01 12:00:00.123456")
FULL, RECONCILE = Wanted(full=True), Wanted(reconcile=True)


def updated_at() -> sa.Column[Any]:
    return sa.Column("updated_at", MOMENT, index=True)


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def row(contactid: Any, name: str | None = None, **others: Any) -> dict[str, Any]:
    named = name or f"Person {_WORDS[contactid % 26]} Number{_WORDS[contactid // 26]}"
    given = {"email": f"p{contactid}@person{contactid}.example", "updated_at": LONG_AGO, **others}
    return contact(contactid, named, **given)


_WORDS = [chr(97 + n) * 4 for n in range(26)]


def touched(run: Run) -> dict[str, int]:
    """The classes of the account but for what is as it was."""
    return {name: n for name, n in run.counts.items() if n and name not in ("fetched", "unchanged")}


@pytest.fixture
def full_house(house: Installation) -> Iterator[Installation]:
    """Forty contacts that were ingested; quiet ever since."""
    house.write_invoice([row(n) for n in range(1, 41)], further=[updated_at()])
    assert house.ingest().since is None
    yield house


def test_a_run_reads_what_changed(full_house: Installation) -> None:
    house = full_house
    assert house.ingest().counts["unchanged"] == 40  # the overlap: all were written in one moment
    house.update(7, contact_person_name="Petra Novak", updated_at=now())
    house.add(row(50, updated_at=now()))
    run = house.ingest()
    assert run.since is not None
    assert touched(run) == {"updated": 1, "inserted": 1}
    run = house.ingest()
    assert (run.counts["fetched"], run.counts["unchanged"]) == (2, 2)


def test_the_first_contacts_come_when_only_what_changed_is_read(house: Installation) -> None:
    house.write_invoice([row(1, del_sts="Y")], further=[updated_at()])
    assert touched(house.ingest()) == {"inactive": 1}
    house.add(row(2, del_sts="Y", updated_at=now()))
    assert touched(house.ingest())["inactive"] in (1, 2)
    house.add(row(3, updated_at=now()), row(4, "test", email=None, updated_at=now()))
    run = house.ingest()
    assert run.since is not None
    assert {"inserted": 1, "rejected": 1}.items() <= touched(run).items()
    house.add(row(5, updated_at=now()))
    assert touched(house.ingest())["inserted"] == 1


def test_what_has_no_update_time_is_always_read(full_house: Installation) -> None:
    house = full_house
    house.update(7, updated_at=now())
    house.ingest()
    house.add(row(60, updated_at=None))
    assert touched(house.ingest()) == {"inserted": 1}
    house.update(60, contact_person_name="Nora Null")
    assert touched(house.ingest()) == {"updated": 1}


@pytest.mark.parametrize("never", ["0001-01-01", "1900-01-01", "1970-01-01"])
def test_what_was_never_updated_is_always_read(house: Installation, never: str) -> None:
    """Applications write such moments, and databases take them for the default, where NULL is not allowed."""
    placeholder = datetime.fromisoformat(never)
    house.write_invoice([row(1, updated_at=placeholder)], further=[updated_at()])
    assert touched(house.ingest()) == {"inserted": 1}
    house.add(row(2, updated_at=now()))
    assert touched(house.ingest()) == {"inserted": 1}
    house.add(row(3, updated_at=placeholder))
    run = house.ingest()
    assert run.since is not None
    assert touched(run) == {"inserted": 1}


def test_rows_of_the_same_moment_are_not_lost(full_house: Installation) -> None:
    house, moment = full_house, now()
    house.add(row(51, updated_at=moment))
    house.ingest()
    house.add(row(52, updated_at=moment))
    assert touched(house.ingest()) == {"inserted": 1}


def test_a_row_that_becomes_inactive_is_withdrawn(full_house: Installation) -> None:
    house = full_house
    house.update(3, del_sts="Y", updated_at=now())
    assert touched(house.ingest()) == {"withdrawn": 1}
    assert touched(house.ingest()) == {"inactive": 1}  # read again within the overlap


def test_deleted_rows_are_found_by_their_keys(full_house: Installation) -> None:
    house = full_house
    house.delete(3, 4)
    assert touched(house.ingest()) == {}
    run = house.ingest(wanted=RECONCILE)
    assert (run.since is not None, touched(run)) == (True, {"vanished": 2})
    house.delete(5)
    assert touched(house.ingest(wanted=Wanted(reconcile_every=timedelta(0)))) == {"vanished": 1}
    house.delete(6)
    run = house.ingest(wanted=FULL)
    assert (run.since, touched(run)) == (None, {"vanished": 1})


def test_a_reject_of_a_deleted_row_is_settled_by_its_key(full_house: Installation) -> None:
    house = full_house
    house.add(row(70, "test", updated_at=now()))
    assert touched(house.ingest()) == {"rejected": 1}
    house.delete(70)
    house.ingest(wanted=RECONCILE)
    assert house.open_rejects() == []


def test_a_reject_is_mended(full_house: Installation) -> None:
    house = full_house
    house.add(row(70, "test", updated_at=now()))
    house.ingest()
    house.update(70, contact_person_name="Mended Mona", updated_at=now())
    assert touched(house.ingest()) == {"inserted": 1}
    assert house.open_rejects() == []


def test_many_changes_are_read_in_ranges(full_house: Installation) -> None:
    house = full_house
    house.ingest()
    house.change("UPDATE {contacts} SET designation = 'Vendor', updated_at = :now", now=now())
    run = house.ingest(partition_rows=7)
    assert touched(run) == {"updated": 40}
    receipts = [row for row in house.table("partition_receipts") if row["run_id"] == run.id]
    assert len(receipts) == 6


def test_keys_that_were_text_and_are_integers(house: Installation) -> None:
    rows = [row(7, "Asha Rao"), row(8, "Bram de Vries"), row(9, "Cara Lind")]
    for contact_row, key in zip(rows, ("007", "8", "A9"), strict=True):
        contact_row["contactid"] = key
    house.write_invoice(rows, key=sa.Unicode(50), primary_key=False)
    house.ingest()
    house.change("DELETE FROM {contacts} WHERE contactid <> '8'")
    house.change("ALTER TABLE {contacts} ADD key_number INTEGER")
    house.change("UPDATE {contacts} SET key_number = 8")
    run = house.ingest(INVOICE_COLUMNS="id=key_number", check=False)
    assert touched(run) == {"vanished": 2}
    live = [record["source_record_id"] for record in house.table("source_records") if record["is_live"]]
    assert live == ["8"]
    assert len(house.contacts()) == 1
    assert touched(house.ingest(wanted=Wanted(full=True), check=False)) == {}


def test_text_keys(house: Installation) -> None:
    rows = [{**row(n), "contactid": f"K{n}"} for n in range(1, 20)]
    house.write_invoice(rows, key=sa.Unicode(50), further=[updated_at()])
    house.ingest()
    house.update("K3", contact_person_name="Petra Novak", updated_at=now())
    house.delete("K4")
    assert touched(house.ingest(wanted=RECONCILE)) == {"updated": 1, "vanished": 1}


def test_rows_that_share_a_key_are_read_together(house: Installation) -> None:
    house.write_invoice(
        [row(1, "Asha Rao"), row(1, "Bram de Vries"), row(2)], primary_key=False, further=[updated_at()]
    )
    house.ingest()
    first = house.contacts()
    sql = "UPDATE {contacts} SET updated_at = :now WHERE contact_person_name = :name"
    house.change(sql, now=now(), name=json.loads(house.open_rejects()[0]["raw"])["name"])
    run = house.ingest()
    assert run.since is not None
    assert touched(run) == {"rejected": 1}
    assert house.contacts() == first


# -- companies ---------------------------------------------------------------------------------------------


def customers(house: Installation, *, update_time: bool) -> None:
    columns: list[sa.Column[Any]] = [
        sa.Column("customerid", sa.UnicodeText),
        sa.Column("customer_name", sa.UnicodeText),
    ]
    if update_time:
        columns.append(sa.Column("updated_at", MOMENT))
    table = sa.Table("customers", sa.MetaData(schema=house._schema), *columns)
    rows = [{"customerid": str(n), "customer_name": f"Firm {n}"} for n in range(1, 4)]
    with house._invoice() as database, database.begin() as connection:
        table.create(connection)
        connection.execute(
            table.insert(), [{**r, **({"updated_at": LONG_AGO} if update_time else {})} for r in rows]
        )


def rename(house: Installation, before: str, name: str) -> None:
    change = "UPDATE {customers} SET customer_name = :name, updated_at = :now WHERE customer_name = :before"
    house.change(change, before=before, name=name, now=now())


@pytest.mark.parametrize(
    ("kind", "customer"),
    [(sa.Numeric(10, 2), 2), (sa.Double(), 2), (sa.CHAR(5), "2    ")],
    ids=["decimals", "floats", "filled up"],
)
def test_customers_are_found_by_ids_of_another_kind(
    house: Installation, kind: sa.types.TypeEngine[Any], customer: object
) -> None:
    rows = [row(1, customerid=customer), row(10, updated_at=now())]
    house.write_invoice(rows, further=[updated_at()], types={"customerid": kind})
    customers(house, update_time=True)
    house.ingest()
    assert house.by_record()["1"]["companyName"] == "Firm 2"
    rename(house, "Firm 2", "Acme")
    is_compared = isinstance(kind, sa.CHAR) and house.engine != "sqlite"
    assert (house.ingest().since is not None) == is_compared  # else no condition finds its contacts
    assert house.by_record()["1"]["companyName"] == "Acme"
    assert house.ingest().since is not None


def test_of_customers_that_share_an_id_each_may_be_renamed(house: Installation) -> None:
    house.write_invoice([row(1, customerid="2"), row(10, updated_at=now())], further=[updated_at()])
    customers(house, update_time=True)
    house.change("UPDATE {customers} SET customerid = '2', updated_at = :now", now=now())
    house.ingest()
    assert house.by_record()["1"]["companyName"] == "Firm 1"
    rename(house, "Firm 1", "Acme")
    assert house.ingest(check=False).since is not None
    assert house.by_record()["1"]["companyName"] == "Acme"


def test_a_name_that_goes_while_a_run_reads_and_comes_back(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write_invoice([row(1, customerid="2"), row(10, updated_at=now())], further=[updated_at()])
    customers(house, update_time=True)
    house.ingest()
    begin = InvoiceSource.begin

    def renamed_meanwhile(source: InvoiceSource, watermark: str | None) -> Reading:
        reading = begin(source, watermark)
        rename(house, "Firm 2", "Acme")
        return reading

    rename(house, "Firm 2", "Acme")
    house.ingest(check=False)
    rename(house, "Acme", "Firm 2")
    with monkeypatch.context() as patch:
        patch.setattr(InvoiceSource, "begin", renamed_meanwhile)
        house.ingest(check=False)
    rename(house, "Acme", "Firm 2")
    assert house.ingest(check=False).since is not None
    assert house.by_record()["1"]["companyName"] == "Firm 2"


def test_keys_that_are_unique_no_more(house: Installation) -> None:
    house.write_invoice([], further=[updated_at()], primary_key=False)
    house.change("CREATE UNIQUE INDEX ux_contacts ON {contacts} (contactid)")
    house.add(row(1), row(10, updated_at=now()))
    house.ingest()
    on = {"sqlite": "ux_contacts", "sqlserver": "ux_contacts ON {contacts}"}
    house.change("DROP INDEX " + on.get(house.engine, "dbo_user_new.ux_contacts"))
    house.add(row(1, "Cara Lind", updated_at=now()))
    run = house.ingest(check=False)
    assert run.since is not None
    assert [row["reasons"] for row in house.open_rejects()] == ["key_duplicate"]
    before = house.contacts()
    house.ingest(wanted=FULL)
    assert (house.contacts(), len(house.open_rejects())) == (before, 1)


@pytest.mark.parametrize("update_time", [True, False])
def test_a_company_that_is_renamed(house: Installation, update_time: bool) -> None:
    rows = [row(n, customerid=str(n % 3 + 1)) for n in range(1, 10)]
    newest = row(10, updated_at=now())  # so that the others are not read again because they may be as new
    house.write_invoice([*rows, newest], further=[updated_at()])
    customers(house, update_time=update_time)
    house.ingest()
    assert house.ingest().since is not None
    moment = ", updated_at = :now" if update_time else ""
    values = {"now": now()} if update_time else {}
    house.change(
        f"UPDATE {{customers}} SET customer_name = 'Renamed'{moment} WHERE customerid = '2'", **values
    )
    run = house.ingest()
    assert (run.since is not None) == update_time
    assert touched(run) == {"updated": 3}
    assert touched(house.ingest()) == {}
    house.add(row(20, customerid="2", updated_at=now()))
    house.ingest()
    assert house.by_record()["20"]["companyName"] == "Renamed"


# -- when everything is read anew --------------------------------------------------------------------------


def test_another_rule_mapping_or_column_begins_anew(full_house: Installation) -> None:
    house = full_house
    assert house.ingest().since is not None
    assert house.ingest(DEFAULT_COUNTRY_CODE="US").since is None
    assert house.ingest().since is not None
    assert house.ingest(INVOICE_ACTIVE="del_sts=N").since is None
    assert house.ingest().since is not None
    moment = "DATETIME2" if house.engine == "sqlserver" else "TIMESTAMP"  # which is a rowversion there
    house.change(f"ALTER TABLE {{contacts}} ADD other_time {moment}")
    assert house.ingest(INVOICE_UPDATED_COLUMN="other_time").since is None
    assert house.ingest().since is None  # nothing is in that column yet
    assert house.ingest(INVOICE_UPDATED_COLUMN="updated_at").since is None
    assert house.ingest().since is not None


def test_an_update_column_that_is_none(full_house: Installation) -> None:
    with pytest.raises(SettingsError, match="no column nowhere"):
        full_house.ingest(INVOICE_UPDATED_COLUMN="nowhere")
    if full_house.engine != "sqlite":  # where any column may hold text that is a time
        with pytest.raises(SettingsError, match="tells no time"):
            full_house.ingest(INVOICE_UPDATED_COLUMN="designation")


def test_without_an_update_column_everything_is_read(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.ingest()
    assert house.ingest().since is None


def test_a_missing_index_is_told(house: Installation) -> None:
    house.write_invoice([row(1)], further=[sa.Column("updated_at", MOMENT)])
    run = house.ingest()
    assert run.advice is not None
    assert "An index on customer_contacts.updated_at" in run.advice


# -- the breaker -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "inactive"])
def test_the_breaker_stops_a_run_that_would_withdraw_many(full_house: Installation, how: str) -> None:
    house = full_house
    if how == "deleted":
        house.delete(*range(1, 11))
    else:
        house.change(
            "UPDATE {contacts} SET del_sts = 'Y', updated_at = :now WHERE contactid <= 10", now=now()
        )
    wanted = RECONCILE if how == "deleted" else Wanted()
    before = house.dump()
    with pytest.raises(WithdrawalBreaker, match="10 of 40 live records"):
        house.ingest(wanted=wanted)
    assert house.dump() == before
    failed = house.runs()[-1]
    assert (failed.status, failed.error_code) == ("failed", "withdrawal_breaker")
    run = house.ingest(wanted=Wanted(accept_withdrawals=True))
    assert touched(run) == {"vanished" if how == "deleted" else "withdrawn": 10}
    assert sum(not row["is_active"] for row in house.table("contacts")) == 10


def test_after_a_full_run_was_stopped_the_next_is_full_too(full_house: Installation) -> None:
    house = full_house
    house.update(40, updated_at=now())
    house.ingest()
    house.change("UPDATE {contacts} SET status = 'PEN' WHERE contactid <= 20")  # with no update time
    assert touched(house.ingest()) == {}
    with pytest.raises(WithdrawalBreaker):
        house.ingest(wanted=FULL)
    assert touched(house.ingest(wanted=Wanted(accept_withdrawals=True))) == {"withdrawn": 20}


def test_what_was_accepted_holds_for_a_run_that_is_resumed(full_house: Installation) -> None:
    house = full_house
    house.delete(*range(1, 11))
    cancel = Cancel()
    cancel.stop()
    with pytest.raises(Stopped):
        house.ingest(wanted=Wanted(accept_withdrawals=True), cancel=cancel)
    with pytest.raises(Stopped):
        house.ingest(cancel=cancel)
    stopped = house.runs()[-1]
    run = house.ingest()
    assert (run.id, touched(run)) == (stopped.id, {"vanished": 10})


def test_few_rows_do_not_trip_the_breaker(house: Installation) -> None:
    house.write_invoice([row(n) for n in range(1, 10)], further=[updated_at()])
    house.ingest()
    house.delete(*range(1, 10))
    assert touched(house.ingest(wanted=RECONCILE)) == {"vanished": 9}


# -- transactions that stay open ---------------------------------------------------------------------------


@contextmanager
def transaction(house: Installation) -> Iterator[sa.Connection]:
    """A writer of the invoice database whose transaction stays open; it is told when to commit."""
    database = Database(house.settings.invoice.url)
    try:
        with database.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            yield connection
    finally:
        database.close()


_LATE = "UPDATE dbo_user_new.customer_contacts SET contact_person_name = :name, updated_at = :now"


@pytest.mark.parametrize("writes_at", ["once", "the end"])
def test_a_transaction_that_stays_open_over_several_runs(
    tmp_path: Path, postgres: PostgresServer, writes_at: str
) -> None:
    house = Installation("postgresql", tmp_path, postgres, INVOICE_OVERLAP="1s")
    house.write_invoice([row(n, updated_at=now()) for n in range(1, 6)], further=[updated_at()])
    house.ingest()
    write = sa.text(f"{_LATE} WHERE contactid = 1")
    with transaction(house) as late:
        late_values = {"name": "Late Laila", "now": now()}  # as now() gives it: when the transaction began
        if writes_at == "once":
            late.execute(write, late_values)
        for n in range(2, 5):
            time.sleep(0.7)  # longer than the overlap, in all
            house.update(n, contact_person_name=f"Early Emma{_WORDS[n]}", updated_at=now())
            assert touched(house.ingest()) == {"updated": 1}
        if writes_at == "the end":
            late.execute(write, late_values)
        late.commit()
    assert touched(house.ingest()) == {"updated": 1}
    assert house.by_record()["1"]["name"] == "Late Laila"
    time.sleep(1.1)
    house.ingest()
    assert house.ingest().counts["fetched"] == 0


def test_a_first_run_beside_an_open_transaction_is_followed_by_another(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([row(n, updated_at=now()) for n in range(1, 6)], further=[updated_at()])
    with transaction(house):
        run = house.ingest()
        assert "How far updated_at can be trusted is not known" in (run.advice or "")
    assert house.ingest().since is None
    assert house.ingest().since is not None


def test_a_database_that_writes_days_in_another_way(tmp_path: Path, postgres: PostgresServer) -> None:
    house = Installation("postgresql", tmp_path, postgres)
    house.write_invoice([row(n, updated_at=now()) for n in range(1, 6)], further=[updated_at()])
    database = house.settings.invoice.url.database
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{database}\" SET datestyle = 'German'")
    house.ingest()
    house.update(2, contact_person_name="Late Laila", updated_at=now())
    run = house.ingest()
    assert run.since is not None
    assert touched(run) == {"updated": 1}


# -- faults that pass by themselves ------------------------------------------------------------------------


class Cuts(Watcher):
    """Cuts all connections to the invoice database when the first partition is staged."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        super().__init__()
        self._server, self._database, self.cut = server, url.rpartition("/")[2], 0

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        super().progress(stage, done, total, rows)
        if stage == "stage" and done == 1 and not self.cut:
            with psycopg.connect(self._server.url(), autocommit=True) as connection:
                cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                self.cut = len(connection.execute(cut, (self._database,)).fetchall())


def test_a_source_whose_connections_are_cut(tmp_path: Path, postgres: PostgresServer) -> None:
    house = Installation("postgresql", tmp_path, postgres, DB_RETRY_DELAY="10")
    house.write_invoice([row(n) for n in range(1, 61)], further=[updated_at()])
    watcher = Cuts(postgres, house.environ["INVOICE_DATABASE_URL"])
    assert house.ingest(partition_rows=3, watcher=watcher).counts["inserted"] == 60
    assert watcher.cut


def test_without_retries_the_run_ends_and_can_be_gone_on_with(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    house = Installation("postgresql", tmp_path, postgres, DB_RETRY_ATTEMPTS="0")
    house.write_invoice([row(n) for n in range(1, 61)], further=[updated_at()])
    with pytest.raises(DatabaseUnreachable):
        house.ingest(partition_rows=3, watcher=Cuts(postgres, house.environ["INVOICE_DATABASE_URL"]))
    run = house.ingest(partition_rows=3)
    assert (run.id, run.counts["inserted"]) == (1, 60)
