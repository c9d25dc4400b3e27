"""Many rows, and work beside an open transaction, on every kind of main database."""

from __future__ import annotations

import threading

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from tests.contract.test_engines import Place, ids, only

from ledgerline.databases.schema import BigInt, key_text

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
def test_what_is_put_aside_is_in_the_tables_of_an_open_transaction(place: Place) -> None:
    slow, quick = place.table(), place.table(sa.Column("name", key_text(9), server_default="x"))
    with place.opened() as database, database.aside() as aside:
        if aside is None:
            return  # there, nothing goes on beside a transaction
        landing = aside.landing()
        puts = [
            lambda: landing.put([(quick, ids(1)), (slow, ids())]),
            lambda: landing.put([(quick, ids(2, 3))]),
        ]
        with database.begin([(slow, ids(7))]) as connection:
            for put in puts:
                thread = threading.Thread(target=put)
                thread.start()
                thread.join()
            landing.bring(connection)
            assert connection.execute(sa.select(sa.func.count()).select_from(quick)).scalar() == 3
        with database.begin() as connection:  # of the same connection, most likely
            connection.execute(slow.delete())
        assert sorted(database.read(sa.select(quick)).rows()) == [(1, "x"), (2, "x"), (3, "x")]


@MAIN_ENGINES
def test_an_excerpt_is_what_was_there_before_and_what_landed(place: Place) -> None:
    table, links = place.table(sa.Column("owner", BigInt)), place.table()
    place.load((table, pl.DataFrame({"id": [1, 2, 3, 4], "owner": [30, 10, 20, 20]})))
    query = sa.select(table).where(table.c.id.in_(sa.select(links.c.id)))
    with place.opened() as database, database.aside() as aside:
        if aside is None:
            return
        landed = aside.landing()
        landed.put([(links, ids(1, 3, 4))])
        with database.begin() as connection:
            connection.execute(table.delete())
            landed.bring(connection)
            with landed.excerpt(query, "owner") as excerpt:
                if excerpt is None:
                    return  # it is to be gathered in a table
                assert excerpt(0, 20).rows() == [(3, 20), (4, 20)]
                assert excerpt(20, 30).rows() == [(1, 30)]


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
