"""What is noted of a source goes with each run and comes back with its undo, whatever columns there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa

from ledgerline.databases import runs

STATES = sa.Table(
    "source_states",
    sa.MetaData(),
    sa.Column("source_system", sa.String, primary_key=True),
    sa.Column("last_run", sa.Integer),
    sa.Column("rowversion", sa.LargeBinary),
    sa.Column("updated_at", sa.DateTime),
    sa.Column("overlap", sa.Float),
    sa.Column("is_whole", sa.Boolean),
    sa.Column("cursor_text", sa.String),
)
STATE = {
    "source_system": "INVOICE",
    "last_run": 7,
    "rowversion": b"\x00\xff\x10",
    "updated_at": datetime(2026, 11, 1, 12, 30, 0, 123456),  # noqa: DTZ001
    "overlap": 0.5,
    "is_whole": True,
    "cursor_text": None,
}


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Connection]:
    monkeypatch.setattr(runs, "source_states", STATES)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        STATES.create(connection)
        yield connection
    engine.dispose()


def rows(connection: sa.Connection) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(sa.select(STATES)).mappings()]


def test_every_column_comes_back(connection: sa.Connection) -> None:
    connection.execute(STATES.insert().values(**STATE))
    kept = runs.state_as_json(connection, "INVOICE")
    connection.execute(STATES.update().values(last_run=8, rowversion=None, updated_at=None))
    runs.put_back_state(connection, "INVOICE", kept)
    assert rows(connection) == [STATE]


def test_a_source_that_was_never_read(connection: sa.Connection) -> None:
    kept = runs.state_as_json(connection, "INVOICE")
    connection.execute(STATES.insert().values(**STATE))
    connection.execute(STATES.insert().values(**{**STATE, "source_system": "OTHER"}))
    runs.put_back_state(connection, "INVOICE", kept)
    assert [row["source_system"] for row in rows(connection)] == ["OTHER"]


def test_a_column_that_there_is_no_longer(connection: sa.Connection) -> None:
    runs.put_back_state(connection, "INVOICE", '{"source_system": "INVOICE", "last_run": 1, "gone": "x"}')
    assert rows(connection)[0]["last_run"] == 1
