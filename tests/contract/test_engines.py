"""What every kind of database server does alike, on every server that is there to be tried."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from sqlalchemy.dialects import mysql
from tests.servers import INVOICE_ENGINES, MAIN_ENGINES

from ledgerline.databases.database import Database
from ledgerline.databases.engines import Limits, Load
from ledgerline.databases.schema import BigInt, Text, Timestamp, activity, key_text, run_progress, words
from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    LoginRefused,
    TableMissing,
    TransientFault,
)
from ledgerline.settings import load_settings
from ledgerline.sources.invoice import InvoiceSource
from ledgerline.url import DatabaseUrl, Engine, Secret

LONG_TEXT = Text.with_variant(mysql.LONGTEXT(), "mysql")
MOMENT = Timestamp.with_variant(mysql.DATETIME(fsp=6), "mysql")

IN_BULK = "-bulk"  # SQL Server again, with every load a bulk copy, however few its rows are
ENGINES = (*INVOICE_ENGINES, *(f"{engine}{IN_BULK}" for engine in INVOICE_ENGINES if engine == "sqlserver"))

_serial = itertools.count()


@dataclass(frozen=True)
class Place:
    """An empty database; whoever opens it closes it."""

    url: DatabaseUrl

    @property
    def engine(self) -> str:
        return self.url.engine.value

    @contextmanager
    def opened(self, *, read_only: bool = False, **limits: int) -> Iterator[Database]:
        database = Database(self.url, Limits(**limits), read_only=read_only)
        try:
            yield database
        finally:
            database.close()

    def table(self, *columns: sa.Column[Any], primary_key: bool = True) -> sa.Table:
        """A new table with an integer key `id` and these columns."""
        key = sa.Column("id", BigInt, primary_key=primary_key, autoincrement=False)
        table = sa.Table(f"t{next(_serial)}", sa.MetaData(), key, *columns)
        with self.opened() as database, database.begin() as connection:
            table.create(connection)
        return table

    def load(self, *loads: Load) -> None:
        with self.opened() as database, database.begin(loads):
            pass

    def rows(self, query: sa.Select[Any] | sa.Table, *, read_only: bool = True) -> pl.DataFrame:
        select = sa.select(query).order_by(query.c.id) if isinstance(query, sa.Table) else query
        with self.opened(read_only=read_only) as database:
            return database.read(select)

    def table_names(self) -> set[str]:
        with self.opened() as database, database.connect() as connection:
            return set(sa.inspect(connection).get_table_names())


def only(*engines: str) -> pytest.MarkDecorator:
    """Run on these engines, where they are there."""
    tried = [name for name in ENGINES if name.removesuffix(IN_BULK) in engines]
    return pytest.mark.parametrize("place", tried, indirect=True)


def ids(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"id": list(values)}, schema={"id": pl.Int64})


def test_a_statement_does_not_wait_for_the_rows_of_another(place: Place) -> None:
    table = place.table()
    place.load((table, ids(1, 2, 3)))
    with place.opened(read_only=True) as database, database.connect() as connection:
        rows = connection.execute(sa.select(table.c.id).order_by(table.c.id))
        found = [(row.id, connection.execute(sa.select(sa.func.count(table.c.id))).scalar()) for row in rows]
    assert found == [(1, 3), (2, 3), (3, 3)]


# -- describing ----------------------------------------------------------------------------------------


def test_a_table_is_found_and_described(place: Place) -> None:
    table = place.table(sa.Column("name", key_text(50)), sa.Column("Mixed Case", BigInt))
    with place.opened(read_only=True) as database:
        assert database.has_table(table.name)
        assert not database.has_table("no_such_table")
        names = [name.casefold() for name in database.columns(table.name)]  # some servers fold them
        assert names == ["id", "name", "mixed case"]
        assert isinstance(database.columns(table.name)["id"]["type"], sa.Integer)


@only("sqlite", "postgresql", "mysql")
def test_types_and_indexes_that_nobody_knows_are_described_without_a_word(place: Place) -> None:
    table = place.table(sa.Column("name", key_text(50)))
    index = "UPPER(name)" if place.engine != "mysql" else "name"
    with place.opened() as database, database.connect() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD place point")
        connection.exec_driver_sql(f"CREATE INDEX by_name ON {table.name} ({index})")
    with place.opened(read_only=True) as database:
        assert list(database.columns(table.name)) == ["id", "name", "place"]
        assert (("id",), True) in database.indexes(table.name)


def test_a_schema_is_looked_into(place: Place) -> None:
    if place.url.engine in (Engine.SQLITE, Engine.MYSQL):
        assert place.table().schema is None  # they have none; the invoice source drops the schema's name
        return
    table = sa.Table("t", sa.MetaData(schema="dbo_user_new"), sa.Column("id", BigInt, primary_key=True))
    with place.opened() as database, database.begin() as connection:
        connection.execute(sa.schema.CreateSchema("dbo_user_new"))
        table.create(connection)
    with place.opened(read_only=True) as database:
        assert database.has_table("t", "dbo_user_new")
        assert not database.has_table("t")
        assert list(database.columns("t", "dbo_user_new")) == ["id"]
        assert database.columns("t") == {}


def test_rows_are_estimated_without_a_scan(place: Place) -> None:
    table = place.table()
    place.load((table, ids(*range(1000))))
    with place.opened() as database, database.connect() as connection:
        database.server.analyze(connection, [table])
        estimate = database.server.estimate_rows(connection, table.name, None)
        assert database.server.estimate_rows(connection, "no_such_table", None) is None
    exact = {"sqlite": None, "postgresql": 1000}
    assert estimate == exact.get(place.engine, estimate)
    assert estimate is None or 0 <= estimate <= 2000


# -- loading -------------------------------------------------------------------------------------------


def test_what_is_loaded_and_what_is_executed_commit_together(place: Place) -> None:
    first, second = place.table(), place.table()
    with place.opened() as database:
        with database.begin([(first, ids(1, 2)), (second, ids(3))]) as connection:
            connection.execute(second.insert().values(id=4))
        assert database.read(sa.select(first).order_by(first.c.id))["id"].to_list() == [1, 2]
        assert database.read(sa.select(second).order_by(second.c.id))["id"].to_list() == [3, 4]


def test_nothing_stays_of_a_transaction_that_fails(place: Place) -> None:
    table = place.table()
    before = place.table_names()
    with place.opened() as database:
        with pytest.raises(ZeroDivisionError), database.begin([(table, ids(1, 2))]) as connection:
            connection.execute(table.insert().values(id=3))
            raise ZeroDivisionError
        assert database.read(sa.select(table)).is_empty()
    assert place.table_names() == before


@pytest.mark.parametrize("bad", [ids(7, 7), pl.DataFrame({"id": [8], "name": [None]})], ids=["key", "null"])
def test_nothing_stays_of_a_load_that_is_refused(place: Place, bad: pl.DataFrame) -> None:
    good, strict = (
        place.table(),
        place.table(sa.Column("name", key_text(9), nullable=False, server_default="x")),
    )
    before = place.table_names()
    with place.opened() as database:
        with pytest.raises(DatabaseError), database.begin([(good, ids(1)), (strict, bad)]):
            raise AssertionError("The load was not refused.")
        assert database.read(sa.select(good)).is_empty()
        assert database.read(sa.select(strict)).is_empty()
        with database.begin([(good, ids(2))]):
            pass
        assert database.read(sa.select(good))["id"].to_list() == [2]
    assert place.table_names() == before


def test_columns_are_matched_by_name_and_missing_ones_get_their_default(place: Place) -> None:
    table = place.table(
        sa.Column("one", BigInt),
        sa.Column("two", key_text(9)),
        sa.Column("three", key_text(9), server_default="x"),
    )
    place.load((table, pl.DataFrame({"two": ["b"], "id": [1], "one": [5]})))
    assert place.rows(table).row(0, named=True) == {"id": 1, "one": 5, "two": "b", "three": "x"}


def test_a_frame_without_rows_loads_nothing(place: Place) -> None:
    table = place.table(sa.Column("name", key_text(9)))
    place.load((table, pl.DataFrame(schema={"id": pl.Int64, "name": pl.String})))
    assert place.rows(table).is_empty()


def test_a_primary_key_and_indexes_are_back_after_filling(place: Place) -> None:
    table = sa.Table(
        f"indexed_{next(_serial)}",
        sa.MetaData(),
        sa.Column("id", BigInt, autoincrement=False),
        sa.Column("name", key_text(50), index=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{next(_serial)}"),
    )
    with place.opened() as database:
        with database.begin() as connection:
            table.create(connection)
            with database.server.unindexed(connection, [table]):
                connection.execute(table.insert(), [{"id": 2, "name": "b"}, {"id": 1, "name": "a"}])
        with database.connect() as connection:
            assert [i["column_names"] for i in sa.inspect(connection).get_indexes(table.name)] == [["name"]]
        with pytest.raises(DatabaseError), database.begin() as connection:
            connection.execute(table.insert().values(id=1))


# -- values --------------------------------------------------------------------------------------------

TEXTS = [
    "",
    " ",
    "NULL",
    "\\N",
    "line\nbreak\r\nand\ttab",
    "comma, \"double\" and 'single' quotes; back\\slash % _ :name ? $1 {brace}",
    "O’Brien · Müller · Ångström · Łódź · İstanbul ı",
    "आर्यन शर्मा · தமிழ் · বাংলা · 王小明 · עברית · العربية · ไทย · 한국어",
    "👩‍👩‍👧‍👦 𝒜𝓁𝒾𝒸𝑒 e\u0301 \u200b\ufeff",
    "=1+1",
    "x" * 1_000_000,
]


def test_texts_come_back_as_they_were(place: Place) -> None:
    table = place.table(sa.Column("text", LONG_TEXT), sa.Column("other", LONG_TEXT))
    frame = pl.DataFrame(
        {"id": range(len(TEXTS) + 1), "text": [*TEXTS, None], "other": [None, *reversed(TEXTS)]},
        schema={"id": pl.Int64, "text": pl.String, "other": pl.String},
    )
    place.load((table, frame))
    for read_only in (True, False):
        assert_frame_equal(place.rows(table, read_only=read_only), frame)


def test_many_rows_are_changed_in_any_script(place: Place) -> None:
    """Each by itself: SQL Server's driver would take the type of the longest text for all of a column."""
    if place.engine not in MAIN_ENGINES:
        return
    names = ["Ramesh Kumar", "रमेश", "😀😀😀", None, "x"]
    table = place.table(sa.Column("name", words(20)))
    place.load((table, pl.DataFrame({"id": range(len(names)), "name": ["-"] * len(names)})))
    change = table.update().where(table.c.id == sa.bindparam("of")).values(name=sa.bindparam("new"))
    with place.opened() as database, database.begin() as connection:
        connection.execute(change, [{"of": at, "new": name} for at, name in enumerate(names)])
    assert place.rows(table)["name"].to_list() == names


def test_names_fill_their_columns_in_any_script(place: Place) -> None:
    table = place.table(sa.Column("name", words(200)))
    place.load((table, pl.DataFrame({"id": [1, 2], "name": ["क" * 200, "𝒜" * 200]})))
    assert place.rows(table)["name"].str.len_chars().to_list() == [200, 200]


def test_keys_differ_by_case_and_accent(place: Place) -> None:
    if place.engine not in MAIN_ENGINES:
        assert place.url.engine is Engine.MYSQL  # only read: it compares as its owner wants
        return
    table = place.table(sa.Column("key", key_text(20), unique=True))
    place.load((table, pl.DataFrame({"id": [1, 2, 3], "key": ["jose", "Jose", "josé"]})))
    assert place.rows(sa.select(table.c.id).where(table.c.key == "Jose"))["id"].to_list() == [2]


def test_numbers_and_moments_come_back_as_they_were(place: Place) -> None:
    columns = (
        sa.Column("big", BigInt),
        sa.Column("small", sa.SmallInteger),
        sa.Column("flag", sa.Boolean),
        sa.Column("score", sa.Float(53)),
        sa.Column("day", sa.Date),
        sa.Column("moment", MOMENT),
        sa.Column("blank", key_text(9)),
    )
    moment = datetime.fromisoformat
    values: dict[str, list[Any]] = {
        "id": [1, 2, 3],
        "big": [-(2**63), 2**63 - 1, None],
        "small": [-(2**15), 2**15 - 1, None],
        "flag": [True, False, None],
        "score": [0.1, -1e300, None],
        "day": [date(1900, 1, 1), date(9999, 12, 31), None],
        "moment": [moment("1900-01-01"), moment("9999-12-31 23:59:59.999999"), None],
        "blank": [None, None, None],
    }
    frame = pl.DataFrame(values).with_columns(pl.col("small").cast(pl.Int16))
    assert frame.schema["blank"] == pl.Null
    table = place.table(*columns)
    place.load((table, frame))
    with place.opened() as database, database.connect() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings().all()
    assert [dict(row) for row in rows] == [{n: values[n][i] for n in ("id", *values)} for i in range(3)]


def test_a_range_of_keys_is_read_in_known_types(place: Place) -> None:
    table = place.table(sa.Column("name", key_text(20)), sa.Column("flag", sa.Boolean))
    frame = pl.DataFrame({"id": range(100), "name": [f"n{i}" for i in range(100)], "flag": [True] * 100})
    place.load((table, frame))
    for bounds, count in (((10, 20), 10), ((500, 600), 0)):
        read = place.rows(sa.select(table).where(table.c.id > bounds[0], table.c.id <= bounds[1]))
        assert (read.height, read.columns) == (count, ["id", "name", "flag"])
        assert read["id"].cast(pl.Int64).to_list() == list(range(11, 11 + count))
        assert read["flag"].cast(pl.Boolean).to_list() == [True] * count
        if count:
            assert read.schema["id"].is_integer()
            assert read.schema["name"] == pl.String


@only("mysql")
def test_keys_of_any_size_are_cut_into_ranges(place: Place) -> None:
    layout = load_settings({}, Path()).invoice_table
    columns = ", ".join(f"{name} varchar(50)" for name in {*layout.columns.values(), "del_sts", "status"})
    columns = columns.replace("contactid varchar(50)", "contactid bigint unsigned PRIMARY KEY")
    with place.opened() as database, database.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE customer_contacts ({columns})")
    for first, are_integers in ((2**63 - 10, True), (2**63, False), (2**64 - 10, False)):
        with place.opened() as database, database.connect() as connection:
            values = ", ".join(f"({first + number})" for number in range(10))
            connection.exec_driver_sql(f"INSERT INTO customer_contacts (contactid) VALUES {values}")
        with closing(InvoiceSource(Database(place.url, read_only=True), layout)) as source:
            assert source.integer_keys is are_integers
            ranges = [source.fetch(partition) for partition in source.partitions(4)]
        assert max(some.height for some in ranges) == 4
        found = pl.concat(ranges)["source_record_id"]
        assert found.n_unique() == found.len()
        assert str(first + 9) in found


# -- any type as text ----------------------------------------------------------------------------------

# (type, literal, text): as the server says it, but for blanks for a T, and zeros at the end of a fraction.
_SHARED = [
    ("smallint", "-32768", "-32768"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("decimal(38, 10)", "1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"),
    ("varchar(20)", "'a''b'", "a'b"),
    ("date", "'9999-12-31'", "9999-12-31"),
]
AS_TEXT = {
    "sqlite": [
        ("INTEGER", "-9223372036854775808", "-9223372036854775808"),
        ("TEXT", "'é王'", "é王"),
        ("TEXT", "CAST(x'41FF42' AS TEXT)", "A\ufffdB"),
        ("TEXT", "9840123456", "9840123456"),
        ("INTEGER", "'N/A'", "N/A"),
        ("BLOB", "x'FF41'", "\ufffdA"),
        ("REAL", "0.1", "0.1"),
        ("NUMERIC(10, 2)", "12.5", "12.5"),
        ("BOOLEAN", "1", "1"),
        ("DATETIME", "'9999-12-31 23:59:59.123456'", "9999-12-31 23:59:59.123456"),
    ],
    "postgresql": [
        *_SHARED,
        ("double precision", "9840123456", "9840123456"),
        ("double precision", "0.1", "0.1"),
        ("money", "'12.50'", "$12.5"),
        ("boolean", "true", "true"),
        ("char(4)", "'ab'", "ab"),
        ("text", "'é王'", "é王"),
        ("uuid", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("bytea", r"'\x01ff'", r"\x01ff"),
        ("timestamp", "'9999-12-31 23:59:59.123456'", "9999-12-31 23:59:59.123456"),
        ("timestamptz", "'2024-01-02 03:04:05+05:30'", "2024-01-01 21:34:05+00"),
        ("time", "'03:04:05.5'", "03:04:05.5"),
        ("jsonb", """'{"a": 1}'""", '{"a": 1}'),
        ("int[]", "'{1,2}'", "{1,2}"),
        ("inet", "'10.0.0.1'", "10.0.0.1/32"),
    ],
    "sqlserver": [
        *_SHARED,
        ("tinyint", "255", "255"),
        ("float", "9840123456", "9840123456"),
        ("real", "12345", "12345"),
        ("money", "922337203685477.5807", "922337203685477.5807"),
        ("smallmoney", "-1.2345", "-1.2345"),
        ("bit", "1", "1"),
        ("nchar(4)", "N'é王'", "é王"),
        ("nvarchar(max)", "N'é王'", "é王"),
        ("ntext", "N'é王'", "é王"),
        (
            "uniqueidentifier",
            "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
            "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        ),
        ("datetime", "'2024-01-02T03:04:05.500'", "2024-01-02 03:04:05.5"),
        ("datetime2(7)", "'9999-12-31T23:59:59.123456'", "9999-12-31 23:59:59.123456"),
        ("time(6)", "'03:04:05.5'", "03:04:05.5"),
        ("xml", "'<a>1</a>'", "<a>1</a>"),
        ("sql_variant", "CAST(N'é' AS nvarchar(9))", "é"),
    ],
    "mysql": [
        *_SHARED,
        ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
        ("double", "9840123456", "9840123456"),
        ("double", "0.1", "0.1"),
        ("bit(3)", "b'101'", "5"),
        ("char(4)", "'ab'", "ab"),
        ("text", "'é王'", "é王"),
        ("json", """'{"a": 1}'""", '{"a": 1}'),
        ("enum('a', 'b')", "'b'", "b"),
        ("datetime(6)", "'9999-12-31 23:59:59.123456'", "9999-12-31 23:59:59.123456"),
        ("time(6)", "'03:04:05.5'", "03:04:05.5"),
        ("year", "2024", "2024"),
        ("varbinary(4)", "x'01FF'", "0x01FF"),
        ("blob", "x'01FF'", "0x01FF"),
    ],
}


def test_every_type_reads_as_text(place: Place) -> None:
    cases = AS_TEXT[place.engine]
    assert [_plain(text) for text in _texts(place, cases)] == [text for _, _, text in cases]


@only("sqlserver")
def test_a_binary_value_reads_as_hexadecimal(place: Place) -> None:
    assert _texts(place, [("varbinary(4)", "0x01FF")]) == [
        _server_says(place, "CONVERT(varchar(9), 0x01FF, 1)")
    ]


@only("sqlserver")
def test_a_float_reads_with_all_its_digits(place: Place) -> None:
    (text,) = _texts(place, [("float", "0.1")])
    assert float(text) == 0.1


def _texts(place: Place, cases: Sequence[tuple[str, ...]]) -> list[str]:
    """The first row of a table of such columns, through `as_text`; a second row holds only nulls."""
    name = f"typed_{next(_serial)}"
    with place.opened() as database, database.connect() as connection:
        columns = ", ".join(f"c{i} {case[0]} NULL" for i, case in enumerate(cases))
        connection.exec_driver_sql(f"CREATE TABLE {name} (id int, {columns})")
        literals = ", ".join(case[1] for case in cases).replace("%", "%%")
        connection.exec_driver_sql(f"INSERT INTO {name} VALUES (1, {literals})")
        connection.exec_driver_sql(f"INSERT INTO {name} (id) VALUES (2)")
    with place.opened(read_only=True) as database:
        described = database.columns(name)
        table = sa.table(name, *[sa.column(c, d["type"]) for c, d in described.items()])
        key, *others = table.columns
        frame = database.read(
            sa.select(*[database.server.as_text(c).label(c.name) for c in others]).order_by(key)
        )
    assert set(frame.dtypes) == {pl.String}
    first, second = frame.rows()
    assert second == (None,) * len(cases)
    return list(first)


def _plain(text: str) -> str:
    text = text.replace("T", " ") if text[4:5] == "-" and text[10:11] == "T" else text
    has_fraction = "." in text and text[-1].isdigit() and "/" not in text
    return text.rstrip() if not has_fraction else text.rstrip("0").rstrip(".")


def _server_says(place: Place, expression: str) -> Any:
    with place.opened() as database, database.connect() as connection:
        return connection.exec_driver_sql(f"SELECT {expression}").scalar()


# -- refusing, and saying why --------------------------------------------------------------------------


def test_a_read_only_database_refuses_writes(place: Place) -> None:
    table = place.table()
    with place.opened(read_only=True) as database:
        with pytest.raises(AssertionError), database.begin():
            pass
        assert not database.has_table("no_such_table")  # the session stays read-only after other statements
        if place.url.engine is not Engine.SQLSERVER:  # which has no such session: its login's rights decide
            with pytest.raises(DatabaseError), database.connect() as connection:
                connection.execute(table.insert().values(id=1))
    assert place.rows(table).is_empty()


def test_a_missing_table_or_column_is_named_as_such(place: Place) -> None:
    table = place.table()
    nowhere = sa.table("no_such_table", sa.column("id"))
    unknown: sa.ColumnClause[Any] = sa.column("no_such_column")
    with place.opened(read_only=True) as database:
        for query, kind in (
            (sa.select(nowhere), TableMissing),
            (sa.select(unknown).select_from(table), ColumnMissing),
        ):
            with pytest.raises(kind), database.connect() as connection:
                connection.execute(query)
            with pytest.raises(kind):
                database.read(query)
            assert database.read(sa.select(table)).is_empty()  # a failed read spoils no later one


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refused(url: DatabaseUrl, kind: type[DatabaseError], detail: str = "", hint: str = "") -> None:
    """Both ways in, statements and bulk reading, say the same, and no password."""
    for use in ("connect", "read"):
        database = Database(url, read_only=True)
        try:
            with pytest.raises(DatabaseError) as refused:
                if use == "read":
                    database.read(sa.select(sa.literal(1).label("one")))
                with database.connect():
                    pass
            assert type(refused.value) is kind, refused.value
            assert refused.value.hint
            assert detail in refused.value.detail and hint in refused.value.hint
            assert "wrong-secret" not in f"{refused.value.detail}{refused.value.hint}"
        finally:
            database.close()


@only("postgresql", "sqlserver", "mysql")
def test_a_wrong_login_is_refused(place: Place) -> None:
    user = "nobody_of_that_name" if place.engine == "postgresql" else place.url.user
    _refused(replace(place.url, user=user, password=Secret("wrong-secret")), LoginRefused)


def test_a_wrong_database_is_missing(place: Place) -> None:
    _refused(replace(place.url, database=f"{place.url.database}_not"), DatabaseMissing)


@only("postgresql", "sqlserver", "mysql")
def test_a_port_where_nothing_listens_is_unreachable(place: Place) -> None:
    _refused(replace(place.url, port=_closed_port(), connect_timeout=2), DatabaseUnreachable)


@only("sqlite")
def test_a_full_disk_may_be_that_of_temporary_files(place: Place) -> None:
    with place.opened() as database:
        for said in ("database or disk is full", "INTERNAL: cannot rollback - no transaction is active"):
            error = database.server.explain(sqlite3.OperationalError(said), place.url)
            assert "disk" in error.hint
            assert place.url.database in error.hint
            assert tempfile.gettempdir() in error.hint


@only("sqlite")
def test_what_killed_processes_left_in_the_temporary_folder_is_deleted(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, new, other = (tmp_path / f"ledgerline-{name}" for name in ("a.passing", "b.passing", "c"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    table = place.table()
    place.load((table, ids(1)))
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


@only("postgresql")
def test_a_server_that_lets_a_login_not_in_says_why(place: Place) -> None:
    with place.opened() as database, database.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE is_not_let_in LOGIN CONNECTION LIMIT 0")
        try:
            limited = replace(place.url, user="is_not_let_in")
            _refused(limited, DatabaseUnreachable, "too many connections for role", "DB_CONNECTION_LIMIT")
            connection.exec_driver_sql("ALTER ROLE is_not_let_in NOLOGIN")
            _refused(limited, LoginRefused)
        finally:
            connection.exec_driver_sql("DROP ROLE is_not_let_in")


@only("postgresql")
def test_what_a_database_gives_its_sessions_hinders_no_run(place: Place) -> None:
    patience = {"idle_in_transaction_session_timeout": "50ms", "transaction_timeout": "150ms"}
    with (
        _sessions_given(place, **patience, default_transaction_isolation="serializable"),
        place.opened() as database,
        database.begin() as connection,
    ):
        time.sleep(0.2)
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


@only("postgresql")
def test_a_server_that_takes_no_changes_is_named_as_such(place: Place) -> None:
    table = place.table()
    with (
        _sessions_given(place, default_transaction_read_only="on"),
        pytest.raises(DatabaseError, match="read-only") as refused,
    ):
        place.load((table, ids(1)))
    assert "standby" in refused.value.hint


@contextmanager
def _sessions_given(place: Place, **settings: str) -> Iterator[None]:
    """Meanwhile the database gives these settings to its sessions."""
    of_it = f'ALTER DATABASE "{place.url.database}"'
    with place.opened() as database, database.connect() as connection:
        for name, value in settings.items():
            connection.exec_driver_sql(f"{of_it} SET {name} = '{value}'")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"{of_it} RESET ALL")


def test_a_lock_that_is_not_granted_is_transient(place: Place) -> None:
    table = place.table(sa.Column("n", BigInt))
    place.load((table, pl.DataFrame({"id": [1], "n": [0]})))
    with place.opened() as holder, place.opened(acquire_ms=200, statement_ms=500) as waiter:
        with holder.begin() as connection:
            connection.execute(table.update().values(n=1))
            with pytest.raises(TransientFault), waiter.begin() as other:
                other.execute(table.update().values(n=2))
        assert holder.read(sa.select(table))["n"].to_list() == [1]


# -- several at a time ---------------------------------------------------------------------------------


@only(*MAIN_ENGINES)
def test_progress_is_written_while_a_transaction_writes(place: Place) -> None:
    table = place.table()
    progress = {
        "stage": "write",
        "done": 0,
        "total": 1,
        "rows": 0,
        "beat_at": datetime.fromisoformat("2024-01-01"),
    }
    with place.opened(acquire_ms=20_000, statement_ms=20_000) as database:
        with database.begin_activity() as connection:
            activity.create_all(connection)
        with database.begin([(table, ids(1))]) as writing:
            writing.execute(table.insert().values(id=2))
            with database.begin_activity() as connection:
                connection.execute(run_progress.insert().values(run_id=1, **progress))
            with database.begin_activity() as connection:
                assert connection.execute(sa.select(run_progress.c.stage)).scalar_one() == "write"
            writing.rollback()
        with database.begin_activity() as connection:
            assert connection.execute(sa.select(run_progress.c.run_id)).scalar_one() == 1


def test_threads_read_and_load_side_by_side(place: Place) -> None:
    table = place.table()
    failures: list[BaseException] = []

    def work(database: Database, number: int) -> None:
        try:
            own = range(number * 100, number * 100 + 100)
            with database.begin([(table, ids(*own))]):
                pass
            query = sa.select(table.c.id).where(table.c.id.between(own[0], own[-1]))
            assert sorted(database.read(query)["id"].to_list()) == list(own)
        except BaseException as error:  # noqa: BLE001  (told by the thread that waits)
            failures.append(error)

    with place.opened() as database:
        threads = [threading.Thread(target=work, args=(database, number)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
    assert place.rows(table).height == 300


def test_what_was_opened_ahead_is_read_from_or_closed(place: Place) -> None:
    place.table()  # so that there is a file
    with place.opened(read_only=True) as database:
        database.expect_reading()
        assert database.read(sa.select(sa.literal(1).label("one"))).rows() == [(1,)]
    with place.opened(read_only=True) as database:
        database.expect_reading()  # and never read


def test_what_threads_read_over_is_closed_with_them(place: Place) -> None:
    table = place.table()
    place.load((table, ids(1)))
    query = sa.select(table.c.id)
    with place.opened(connections=3, acquire_ms=2_000) as database:
        for _ in range(4):
            with database.threads(2, "reading") as pool:
                assert [frame.rows() for frame in pool.map(database.read, [query] * 4)] == [[(1,)]] * 4
        assert database.read(query).rows() == [(1,)]


def test_of_readers_in_several_threads_the_last_closes_what_they_share(place: Place) -> None:
    place.table()
    query = sa.select(sa.literal(1).label("one"))
    with place.opened(read_only=True) as database, ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            assert [frame.rows() for frame in pool.map(database.read, [query] * 6)] == [[(1,)]] * 6
            database.close()


def test_few_rows_are_read_over_the_pool_as_they_are_in_bulk(place: Place) -> None:
    columns = sa.Column("said", Text), sa.Column("is_so", sa.Boolean), sa.Column("share", sa.Double)
    table = place.table(*columns)
    kinds = pl.Schema({"id": pl.Int64, "said": pl.String, "is_so": pl.Boolean, "share": pl.Float64})
    told = [
        (-(2**62), None, None, None),
        (0, "", False, 0.1),
        (1, 'a "quoted", line\r\nand another', True, -2.5),
        (2, "null", True, 1e300),
        (3, "\\N", False, 3.0),
        (4, " నమస్తే 🙂 ", None, None),
    ]
    rows = pl.DataFrame(told, schema=kinds, orient="row")
    place.load((table, rows))
    query = sa.select(table).order_by(table.c.id)
    none = query.where(table.c.id > 4)
    with place.opened() as database:
        with database.connect() as connection:
            inside = database.server.read_few(connection, query).cast(kinds)
            nothing = database.server.read_few(connection, none)
        readings = (database.read, database.read_few, database.reading_few().read)
        for frame in (inside, *(read(query).cast(kinds) for read in readings)):
            assert_frame_equal(frame, rows)
        assert nothing.cast(kinds).equals(rows.clear())
        alone = sa.select(sa.func.max(table.c.said).label("said")).where(table.c.id > 4)
        assert database.read_few(alone).rows() == [(None,)]
        for read in readings:
            assert pl.concat(read(some)["id", "said", "share"] for some in (none, query)).height == len(told)


@only("postgresql", "sqlserver", "mysql")
def test_what_could_not_be_opened_ahead_tells_when_it_is_needed(place: Place) -> None:
    database = Database(replace(place.url, port=_closed_port(), connect_timeout=2), read_only=True)
    database.expect_reading()
    with pytest.raises(DatabaseUnreachable):
        database.read(sa.select(sa.literal(1)))
    database.close()


@pytest.mark.parametrize("integers", [[], [3], [2, 3, -4, 2**62]])
def test_integers_can_be_named(place: Place, integers: list[int]) -> None:
    table = place.table()
    place.load((table, pl.DataFrame({"id": [-4, 1, 3, 2**62]})))
    with place.opened() as database:
        is_among = database.server.is_among(table.c.id, integers)
        rows = database.read(sa.select(table.c.id).where(is_among).order_by(table.c.id))
    assert rows["id"].to_list() == sorted({-4, 1, 3, 2**62} & set(integers))
