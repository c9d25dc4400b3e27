"""A migrated main database has the tables that `schema` describes, to the last constraint."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.house import Installation, contact
from tests.sqlserver import is_babelfish

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate, newest_revision, require_newest, revision
from ledgerline.databases.schema import activity, contacts, metadata
from ledgerline.errors import TablesNewer
from ledgerline.url import Engine

_BESIDE = {"alembic_version", *activity.tables}  # not of `schema.metadata`


@pytest.fixture
def migrated(house: Installation) -> Iterator[Database]:
    with house.main() as main:
        migrate(main)
        yield main


def described(main: Database) -> dict[str, Any]:
    """Everything that the server tells of the tables."""
    with main.connect() as connection:
        inspector = sa.inspect(connection)
        return {
            name: {
                "columns": [
                    {**column, "type": column["type"].compile(dialect=connection.dialect)}
                    for column in inspector.get_columns(name)
                ],
                "primary key": inspector.get_pk_constraint(name),
                "foreign keys": sorted(inspector.get_foreign_keys(name), key=repr),
                "unique": sorted(_if_told(inspector.get_unique_constraints, name), key=repr),
                "checks": sorted(_if_told(inspector.get_check_constraints, name), key=repr),
                "indexes": sorted(map(_with_texts, inspector.get_indexes(name)), key=repr),
                "options": _if_told(inspector.get_table_options, name),
            }
            for name in inspector.get_table_names()
            if name not in _BESIDE
        }


def _with_texts(index: Any) -> dict[str, Any]:
    """An index with its condition as text, so that it can be compared."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def _if_told(ask: Callable[[str], Any], name: str) -> Any:
    """SQLAlchemy does not ask SQL Server for these; what is unique is among the indexes there."""
    try:
        return ask(name)
    except NotImplementedError:
        return []


def fresh(main: Database) -> dict[str, Any]:
    """The same of tables that are made from `schema` at once; the migrated ones go."""
    with main.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    return described(main)


def differences(main: Database) -> list[Any]:
    """Skips where the server describes types and indexes by other names than they were given."""
    if main.url.engine is Engine.SQLSERVER and is_babelfish(main):
        pytest.skip("Babelfish tells other names than those of SQL Server")
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name not in _BESIDE,
    }
    with main.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_migrated_tables_are_those_of_the_schema(migrated: Database) -> None:
    after_migration = described(migrated)
    assert set(after_migration) == set(metadata.tables)
    assert after_migration == fresh(migrated)


def test_alembic_finds_nothing_to_migrate(migrated: Database) -> None:
    assert differences(migrated) == []


def test_alembic_would_find_a_difference(migrated: Database) -> None:
    (index,) = (index for index in contacts.indexes if index.name == "ix_contacts_email")
    add = "ADD" if migrated.url.engine is Engine.SQLSERVER else "ADD COLUMN"
    with migrated.begin() as connection:
        connection.execute(sa.schema.DropIndex(index))
        connection.exec_driver_sql(f"ALTER TABLE templates {add} colour VARCHAR(9)")
    assert {difference[0] for difference in differences(migrated)} == {"add_index", "remove_column"}


def test_a_first_load_leaves_the_tables_as_they_were(house: Installation) -> None:
    """It takes indexes and keys away to be quicker, and brings them back."""
    house.write_invoice([contact(1, "Asha Rao", "98200 12345, 98200 54321", added_by="Kim"), contact(2, "")])
    with house.main() as main:
        migrate(main)
        before = described(main)
    assert house.ingest().counts["inserted"] == 1
    with house.main() as main:
        assert described(main) == before
        assert differences(main) == []


def test_a_first_load_that_fails_leaves_the_tables_as_they_were(
    house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    with house.main() as main:
        migrate(main)
        before = described(main)
    monkeypatch.setattr("ledgerline.databases.runs.remember_source", _out_of_luck)
    with pytest.raises(ZeroDivisionError):
        house.ingest()
    with house.main() as main:
        assert described(main) == before
    (run,) = house.runs()
    assert (run.status, run.error_code) == ("failed", "internal_error")
    monkeypatch.undo()
    assert house.ingest().counts["inserted"] == 1


def _out_of_luck(*_: Any) -> None:
    raise ZeroDivisionError


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    before = described(migrated)
    assert migrate(migrated) == (newest_revision(), newest_revision())
    assert revision(migrated) == newest_revision()
    assert described(migrated) == before


def test_tables_of_a_later_version_are_left_alone(migrated: Database) -> None:
    with migrated.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for refused in (migrate, require_newest):
        with pytest.raises(TablesNewer, match="revision 9999, which this version does not know"):
            refused(migrated)
    assert revision(migrated) == "9999"


def test_of_two_processes_one_migrates_and_the_other_waits(house: Installation, tmp_path: Path) -> None:
    with house.main() as main:
        with main.begin() as connection:
            main.server.take_turn(connection)
            both = [_migrating(house, tmp_path) for _ in range(2)]
            _until_they_wait(main, both)
        told = [process.communicate(timeout=60) for process in both]
        assert [process.returncode for process in both] == [0, 0], told
        newest = newest_revision()
        assert sorted(out for out, _ in told) == [
            f"The main database is now at revision {newest} (was: empty).\n",
            f"The main database is up to date (revision {newest}).\n",
        ]
        assert revision(main) == newest
        assert len(house.table("installation")) == 1


def _migrating(house: Installation, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ledgerline", "migrate"],
        cwd=folder,
        env={**os.environ, **house.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def _until_they_wait(main: Database, processes: Sequence[subprocess.Popen[str]]) -> None:
    """Where it can be seen: on PostgreSQL. Elsewhere they are only started while the turn is another's."""
    if main.url.engine is not Engine.POSTGRESQL:
        return
    for _ in range(1200):
        with main.engine.connect() as connection:
            if connection.exec_driver_sql(_WAITING).scalar() == len(processes):
                return
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    raise AssertionError("They do not wait.")
