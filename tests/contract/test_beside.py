"""Many rows, and work beside an open transaction, on every kind of main database."""

from __future__ import annotations

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from tests.contract.test_engines import Place, ids, only

from ledgerline.databases.schema import key_text

MAIN_ENGINES = only("sqlite", "postgresql", "sqlserver")


def test_many_rows_are_read_as_few_are(place: Place) -> None:
    table = place.table(
        sa.Column("name", key_text(20)),
        sa.Column("blank", key_text(20)),
        sa.Column("score", sa.Float),
        sa.Column("is_live", sa.Boolean),
    )
    number = pl.int_range(1, 3_001, dtype=pl.Int64)
    names = ["", "O'Neil", "Zoë", "आरव", '"\\', None]
    frame = pl.select(
        id=number,
        name=pl.lit(pl.Series(names * 500)),
        blank=pl.lit(None, pl.String),
        score=number / 7,
        is_live=number % 2 == 0,
    )
    place.load((table, frame))
    with place.opened() as database:
        query = sa.select(table).order_by(table.c.id)
        many, few = database.read(query), database.read(query.limit(12))
    assert_frame_equal(many.head(12), few)
    assert_frame_equal(many.with_columns(pl.col("is_live").cast(pl.Boolean)), frame)


@MAIN_ENGINES
@pytest.mark.parametrize("rows", [3, 300])  # few and many go different ways on SQL Server
def test_frames_are_loaded_in_the_course_of_a_transaction(place: Place, rows: int) -> None:
    table, other = place.table(sa.Column("name", key_text(9), server_default="x")), place.table()
    place.load((other, ids(*range(1, rows + 1))))
    with place.opened() as database:
        with database.begin_loading() as (connection, loader):
            connection.execute(other.delete().where(other.c.id > 1))
            loader.put([(table, ids(*range(rows))), (other, ids(7_000))])
            loader.put([(table, ids(*range(rows, 2 * rows)))])
            loader.bring()
            counted = sa.select(sa.func.count()).select_from(table).where(table.c.name == "x")
            assert connection.execute(counted).scalar() == 2 * rows
            loader.put([(table, ids(7_000).with_columns(name=pl.lit("Zoë")))])
            loader.bring()
        read = database.read(sa.select(table).where(table.c.id >= 2 * rows - 1).order_by(table.c.id))
        assert read.rows() == [(2 * rows - 1, "x"), (7_000, "Zoë")]
        assert sorted(database.read(sa.select(other))["id"]) == [1, 7_000]


@MAIN_ENGINES
def test_what_was_loaded_goes_with_its_transaction(place: Place) -> None:
    table = place.table()
    with place.opened() as database:
        with pytest.raises(ZeroDivisionError), database.begin_loading() as (_, loader):
            loader.put([(table, ids(*range(300)))])
            loader.bring()
            raise ZeroDivisionError
        assert database.read(sa.select(table)).is_empty()


@MAIN_ENGINES
def test_what_is_not_loaded_can_be_read_meanwhile(place: Place) -> None:
    table, other = place.table(), place.table()
    place.load((other, ids(1, 2)))
    with place.opened() as database, database.begin_loading() as (_, loader):
        loader.put([(table, ids(*range(300)))])
        loader.bring()
        with database.threads(1, "beside") as pool:
            assert pool.submit(database.read, sa.select(other)).result().height == 2


@MAIN_ENGINES
def test_what_is_lent_is_found_by_the_thread_that_reads(place: Place) -> None:
    table, chosen = place.table(), place.table()
    place.load((table, ids(1, 2, 3)), (chosen, ids(1)))
    query = sa.select(table).where(table.c.id.in_(sa.select(chosen.c.id))).order_by(table.c.id)
    prepared: list[int] = []
    with place.opened() as database:
        for lent in ((2, 3), (1,), ()):
            with database.lending((chosen, ids(*lent)), lambda _: prepared.append(1)):
                assert database.read(query)["id"].to_list() == list(lent)
        if not prepared:  # it was written nowhere
            assert database.read(query)["id"].to_list() == [1]


@only("sqlite")
def test_tables_are_lent_while_another_thread_writes(place: Place) -> None:
    table, chosen = place.table(), place.table()
    place.load((table, ids(1, 2)))
    query = sa.select(table).where(table.c.id.in_(sa.select(chosen.c.id)))
    lent = (chosen, ids(2, 3))
    with place.opened() as db, db.begin([(table, ids(3))]), db.lending(lent, lambda _: None):
        assert db.read(query)["id"].to_list() == [2]


@only("sqlite")
def test_no_file_stays_attached(place: Place) -> None:
    table = place.table()
    with place.opened(connections=1) as database:
        with database.begin([(table, ids(1))]):
            pass
        with pytest.raises(ZeroDivisionError), database.begin([(table, ids(2))]):
            raise ZeroDivisionError
        with database.connect() as connection:
            files = connection.exec_driver_sql("PRAGMA database_list").all()
    assert [name for _, name, _ in files] == ["main"]
