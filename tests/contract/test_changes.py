"""How every kind of server tells what changed, and that a connection that only reads cannot write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
import sqlglot
from sqlalchemy.dialects import mssql, mysql
from sqlglot import expressions as exp
from tests.contract.test_engines import Place, only

from ledgerline.databases.engines import ChangeKind, Server, render, server_for
from ledgerline.errors import LedgerlineError
from ledgerline.sources.changes import FIRST_MOMENT
from ledgerline.sources.watermark import Clock, moment
from ledgerline.url import Engine

MOMENT = sa.DateTime().with_variant(mssql.DATETIME2(7), "mssql").with_variant(mysql.DATETIME(fsp=6), "mysql")  # type: ignore[no-untyped-call]
NOON = datetime.fromisoformat("2026-03-01 12:00:00.123456")
TICK = timedelta(microseconds=1)


def clock(place: Place) -> Clock:
    with place.opened(read_only=True) as database:
        told = database.read(database.server.clock())
    return Clock.of(told.cast(pl.String).row(0, named=True))


# -- the clock -------------------------------------------------------------------------------------------


def test_the_clock_is_right(place: Place) -> None:
    place.table()  # so that there is a file
    told = clock(place)
    assert abs(told.utc - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    assert abs(told.local - told.utc) <= timedelta(hours=14)


@only("postgresql")
def test_open_transactions_are_told_from_their_first_statement_on(place: Place) -> None:
    before = clock(place)
    assert before.open is not None
    with place.opened() as database, database.engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        during = clock(place)
        assert during.open is not None
        assert len(during.open - before.open) == 1
        assert not clock(place).is_quiet_since(during.open)
        connection.rollback()
        assert clock(place).is_quiet_since(during.open)


# -- what changed ----------------------------------------------------------------------------------------


def described(place: Place, table: sa.Table) -> sa.TableClause:
    """The table as a source sees it: with the types that its server tells."""
    with place.opened(read_only=True) as database:
        columns = database.columns(table.name)
    return sa.table(table.name, *(sa.column(name, told["type"]) for name, told in columns.items()))


def since(place: Place, table: sa.TableClause, bound: datetime) -> list[int]:
    with place.opened(read_only=True) as database:
        changed = database.server.changed_since(table.c.at, bound)
        return sorted(database.read(sa.select(table.c.id).where(changed))["id"].to_list())


def test_times_are_compared_to_the_microsecond(place: Place) -> None:
    table = place.table(sa.Column("at", MOMENT))
    rows = [(1, NOON - TICK), (2, NOON), (3, NOON + TICK), (4, None)]
    with place.opened() as database, database.begin() as connection:
        connection.execute(table.insert(), [{"id": key, "at": at} for key, at in rows])
    assert since(place, described(place, table), NOON) == [2, 3]


def test_days_are_compared_with_moments(place: Place) -> None:
    table = place.table(sa.Column("at", sa.Date))
    with place.opened() as database, database.begin() as connection:
        connection.execute(table.insert(), [{"id": day, "at": date(2026, 3, day)} for day in (1, 2, 3)])
    assert since(place, described(place, table), NOON) == [2, 3]


@only("postgresql")
def test_times_with_a_zone_are_compared_in_utc(place: Place) -> None:
    table = place.table(sa.Column("at", sa.DateTime(timezone=True)))
    rows = [(1, NOON - TICK), (2, NOON)]
    with place.opened() as database, database.begin() as connection:
        connection.execute(table.insert(), [{"id": k, "at": at.replace(tzinfo=UTC)} for k, at in rows])
    seen = described(place, table)
    assert since(place, seen, NOON) == [2]
    with place.opened(read_only=True) as database:
        text = database.server.as_text(sa.func.max(seen.c.at, type_=seen.c.at.type))
        assert moment(database.read(sa.select(text.label("newest"))).item()) == NOON


@only("mysql")
def test_zero_is_before_the_first_moment(place: Place) -> None:
    kinds = {"timestamp": sa.TIMESTAMP, "datetime": sa.DATETIME, "date": sa.DATE}
    table = place.table(*(sa.Column(name, kind, nullable=False) for name, kind in kinds.items()))
    with place.opened() as database, database.begin() as connection:
        connection.exec_driver_sql("SET SESSION sql_mode = ''")
        connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES (1, 0, 0, 0)")
        connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES (2, NOW(), NOW(), NOW())")
    with place.opened(read_only=True) as database:
        seen = described(place, table)
        for name in kinds:
            before = seen.c[name] < database.server.instant(seen.c[name], FIRST_MOMENT)
            assert database.read(sa.select(seen.c.id).where(before))["id"].to_list() == [1]


@only("sqlite")
def test_what_sqlite_cannot_order_counts_as_changed(place: Place) -> None:
    table = place.table(sa.Column("at", sa.DateTime))
    values = ["2026-03-01T11:00:00", "2026-02-28 23:59:59", 1_772_366_400, 2.5, "01/03/2026", None]
    values += ["11/24/2026", "20.2.2026", "1.3.2026", "2-3-2026", "1999-12-31"]
    values += ["2026-03-01 05:00:00-07:30", "2026-03-01T02:00:00-1000", "2026-02-28 23:00:00-12:00"]
    with place.opened() as database, database.begin() as connection:
        for key, value in enumerate(values):
            connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES (?, ?)", (key, value))
    assert since(place, described(place, table), NOON) == [
        *(0, 2, 3, 4),  # of the first, the day alone counts
        *(6, 7, 8, 9),
        *(11, 12),  # with a zone behind UTC, so that it may be after noon there
    ]


def test_columns_that_tell_of_changes(place: Place) -> None:
    table = place.table(sa.Column("at", MOMENT), sa.Column("day", sa.Date), sa.Column("n", sa.Integer))
    with place.opened() as database:
        kinds = {c.name: database.server.change_kind(c) for c in described(place, table).columns}
    assert kinds == {"id": None, "at": ChangeKind.TIME, "day": ChangeKind.DAY, "n": None}


# -- SQL Server without a server -------------------------------------------------------------------------


@pytest.fixture
def sqlserver() -> Server:
    return server_for(Engine.SQLSERVER)


def parsed(statement: Any, server: Server) -> str:
    sql = render(statement, server.dialect)
    (tree,) = sqlglot.parse(sql, read="tsql")
    assert isinstance(tree, exp.Select)
    assert tree.find(exp.Command) is None
    return sql


ROWVERSION: Any = mssql.TIMESTAMP()  # type: ignore[no-untyped-call]
ROWS = sa.table(
    "contacts", sa.column("id", sa.Integer), sa.column("rv", ROWVERSION), sa.column("at", sa.DateTime)
)


def test_a_rowversion_is_compared_as_binary(sqlserver: Server) -> None:
    assert sqlserver.change_kind(ROWS.c.rv) is ChangeKind.VERSION
    query = sa.select(ROWS.c.id).where(sqlserver.changed_since(ROWS.c.rv, "0x00000000000007D1"))
    sql = parsed(query, sqlserver)
    assert "contacts.rv >= convert(binary(8), '0x00000000000007D1', 1)" in sql


def test_a_time_is_compared_to_seven_digits(sqlserver: Server) -> None:
    assert sqlserver.change_kind(ROWS.c.at) is ChangeKind.TIME
    sql = parsed(sa.select(ROWS.c.id).where(sqlserver.changed_since(ROWS.c.at, NOON)), sqlserver)
    assert "contacts.at >= CAST('2026-03-01T12:00:00.1234560' AS DATETIME2(7))" in sql.replace("[at]", "at")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (sa.VARCHAR(20, "Greek_CI_AS"), "CAST(N'é''1' COLLATE Greek_CI_AS AS VARCHAR(20))"),
        (sa.CHAR(8, "Greek_CI_AS"), "CAST(N'é''1' COLLATE Greek_CI_AS AS VARCHAR(8))"),
        (sa.NVARCHAR(20, "Greek_CI_AS"), "N'é''1'"),
        (sa.Numeric(20), "N'é''1'"),
    ],
)
def test_a_text_is_compared_in_the_code_page_of_its_column(
    sqlserver: Server, kind: sa.types.TypeEngine[Any], expected: str
) -> None:
    """The index of a varchar column serves no nvarchar, in collations of old."""
    column = sa.column("code", kind)
    sql = parsed(sa.select(column).where(column > sqlserver.text(column, "é'1")), sqlserver)
    assert sql.endswith(f"WHERE code > {expected}")


def test_the_clock_of_sql_server(sqlserver: Server) -> None:
    sql = parsed(sqlserver.clock(versions=True), sqlserver)
    assert "MIN_ACTIVE_ROWVERSION()" in sql
    assert "Updateability" in sql  # on a copy that is only read, it would tell of the copy


# -- reading only ----------------------------------------------------------------------------------------

WRITES = (
    "INSERT INTO {table} (id) VALUES (7)",
    "UPDATE {table} SET id = 8",
    "DELETE FROM {table}",
    "DROP TABLE {table}",
    "CREATE TABLE {table}_too (id INTEGER)",
)


@only("sqlite", "postgresql", "mysql")
@pytest.mark.parametrize("write", WRITES)
def test_the_server_refuses_every_write_of_the_invoice_connection(place: Place, write: str) -> None:
    """By statements and by the bulk reader; SQL Server has no session that only reads: see the next test."""
    table = place.table()
    with place.opened() as database, database.begin() as connection:
        connection.execute(table.insert().values(id=1))
    sql = write.format(table=table.name)
    with place.opened(read_only=True) as database:
        with pytest.raises(LedgerlineError), database.connect() as connection:
            connection.exec_driver_sql(sql)
        reader = database._new_reader()
        try:
            with pytest.raises(Exception, match=r"(?i)read.?only"):
                reader.read(sql)
        finally:
            reader.close()
    assert place.rows(table)["id"].to_list() == [1]


def test_the_invoice_connection_has_no_way_to_write(place: Place) -> None:
    with place.opened(read_only=True) as database:
        with pytest.raises(AssertionError, match="never written"), database.begin_loading():
            pass
        with pytest.raises(AssertionError, match="never written"), database.begin():
            pass
        with pytest.raises(TypeError, match="Only queries"):
            database.read(sa.text("SELECT 1"))  # type: ignore[arg-type]
