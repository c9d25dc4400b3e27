"""The staging tables of a run, as they are described."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.databases.schema import source_records
from ledgerline.databases.staging_tables import Staging
from ledgerline.url import parse_url


def test_one_description_serves_again_after_it_was_indexed(tmp_path: Path) -> None:
    tables = Staging(1, "INVOICE")
    for name in ("one", "other"):
        database = Database(parse_url(f"sqlite:///{(tmp_path / name).as_posix()}.db"))
        with database.begin() as connection:
            staging.create(connection, tables)
            staging.index(connection, tables)
            staging.index(connection, tables)  # as a second attempt of the run does
            staging.drop(connection, tables)
        database.close()


def test_contacts_that_a_run_is_about_are_found_by_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it a large increment to a small database was never matched within DB_TIMEOUT on PostgreSQL."""
    tables = Staging(1, "INVOICE")
    database = Database(parse_url(f"sqlite:///{(tmp_path / 'main').as_posix()}.db"))
    monkeypatch.setattr(database.server, "named_at_once", -1)  # there are always more
    monkeypatch.setattr(database.server, "lends_tables", False)  # as PostgreSQL
    migrate(database)
    with database.begin() as connection:
        staging.create(connection, tables)
    for _ in range(2):  # as a second attempt of the run does
        assert staging.known_records(
            database, tables, staging.partners(database, tables, 1), staging.MATCHED
        ).is_empty()
    (index,) = sa.inspect(database.engine).get_indexes(tables.chosen.name)
    assert index["column_names"] == ["contact_id"]
    database.close()


def test_a_key_that_all_records_share_is_looked_for_once(tmp_path: Path) -> None:
    """'Cash Customer' of one company, many thousand times: pair by pair this takes many minutes."""
    tables, many = Staging(2, "INVOICE"), range(1, 50_001)
    database = Database(parse_url(f"sqlite:///{(tmp_path / 'main').as_posix()}.db"))
    migrate(database)
    same = {"identity_key": 7, "payload_hash": 0, "is_live": True, "source_system": "INVOICE", "run_id": 1}
    records = [{"record_key": n, "source_record_id": str(n), "contact_id": n, **same} for n in many]
    with database.begin() as connection:
        staging.create(connection, tables)
        connection.execute(source_records.insert(), records)
        connection.execute(tables.records.insert(), records)
    assert staging.partners(database, tables, len(many) + 1).to_list() == list(many)
    database.close()
