"""All that differs between database servers, behind one protocol; one file each.

Everything above speaks SQLAlchemy Core and Polars. What a server does its own way is here: how to
connect, how rows come out as Arrow and go in in bulk, what its errors mean.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias, TypeVar, runtime_checkable

import polars as pl
import sqlalchemy as sa

from ledgerline.errors import DriverMissing, LedgerlineError, TransientFault
from ledgerline.url import DatabaseUrl, Engine

T = TypeVar("T")
Load = tuple[sa.Table, pl.DataFrame]
Query: TypeAlias = sa.Select[Any] | sa.CompoundSelect[Any]

LANDING: Final = "ledgerline_landing_"  # tables of that name are there while rows are loaded


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections, and for how long (milliseconds); how often one that fails is opened again."""

    connections: int = 10
    acquire_ms: int = 60_000
    statement_ms: int = 60_000
    retries: int = 0
    retry_delay_ms: int = 1_000


class ChangeKind(StrEnum):
    """How a column tells that its row was changed."""

    VERSION = "version"  # by a counter of the whole database
    TIME = "time"
    DAY = "day"


class Reader(Protocol):
    """One read-only connection from which query results come as frames."""

    def read(self, sql: str) -> pl.DataFrame: ...

    def close(self) -> None: ...


@runtime_checkable
class Borrower(Reader, Protocol):
    """A reader to which tables can be lent that nobody else sees, and that are written nowhere."""

    def lent(self, load: Load) -> AbstractContextManager[None]:
        """Meanwhile its queries find this frame in this table, instead of what is there."""


class Loader(Protocol):
    """Brings frames into tables inside an open transaction, as they come."""

    def put(self, loads: Sequence[Load]) -> None:
        """Load these frames into these tables, at the latest with the next `bring`.

        A column that a frame does not have gets its default; of a table's frames all have the same columns.
        """

    def bring(self) -> None:
        """Have all that was put in the tables."""


class Server(Protocol):
    """One kind of database server."""

    engine: Engine
    drivers: tuple[str, ...]
    """The packages whose errors `explain` knows, as their names begin."""
    dialect: sa.Dialect
    """For rendering statements that a driver of its own (Arrow) executes."""
    opens_readers_slowly: bool
    """Whether a connection for bulk reading takes long to open, and may be opened beside other work."""
    lends_tables: bool
    """Whether its readers of the main database are `Borrower`s."""
    shares_tables: bool
    """Whether others can write to tables that an open transaction does not touch, and it sees that."""
    named_at_once: int
    """How many integers a statement may name."""

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        """A pool of connections; `read_only`: every session refuses writes as far as the server can."""

    def open_reader(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits, *, read_only: bool) -> Reader:
        """A connection for bulk reading; `engine` and `read_only` as made by `create_engine`."""

    def read_few(self, connection: sa.Connection, query: Query) -> pl.DataFrame:
        """The rows of a query over a connection of the pool, inside its transaction if there is one.

        A column without any value may have no type.
        """

    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> AbstractContextManager[sa.Connection]:
        """A transaction that begins with these frames loaded into these tables.

        Rows and whatever else the transaction does commit together or not at all. A column that the
        frame does not have gets its default.
        """

    def begin_loading(self, engine: sa.Engine) -> AbstractContextManager[tuple[sa.Connection, Loader]]:
        """A transaction, and by what frames are loaded into tables in the course of it."""

    def activity_engine(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits) -> sa.Engine:
        """Where `schema.activity` is: `engine` itself where writers do not exclude each other."""

    def as_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The column read as text, whatever its type, so that no value can fail the reading."""

    def change_kind(self, column: sa.ColumnElement[Any]) -> ChangeKind | None:
        """How this column can tell that a row was changed; None: it cannot."""

    def clock(self, *, versions: bool = False) -> sa.Select[Any]:
        """One row of text: what time it is on the server, and who may still commit something older.

        utc      its time, ISO 8601
        local    the same in the server's own time zone
        version  the counter below which every change is committed; null: there is none, or it cannot be told,
                 or nobody asked for it (`versions`)
        open     names of the transactions that are open, with blanks between them; null: it does not tell
        """

    def instant(self, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:
        """A moment (UTC or local, as the column is) as a value that the column is compared with."""

    def text(self, column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        """A text as a value that the column is compared with, so that an index on the column serves it."""

    def changed_since(self, column: sa.ColumnElement[Any], bound: datetime | str) -> sa.ColumnElement[bool]:
        """That the column is at the bound or behind it: a moment, or a counter as `clock` tells it.

        A value of which it cannot be said counts as behind. An index on the column serves it.
        """

    def is_among(self, column: sa.ColumnElement[Any], integers: Sequence[int]) -> sa.ColumnElement[bool]:
        """That the column is one of these, at most `named_at_once`. An index on the column serves it."""

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        """What a driver's error means, without its text's secrets; what nobody knows is a DatabaseError."""

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:
        """The server's own estimate, without a scan; None where it has none."""

    def unindexed(
        self, connection: sa.Connection, tables: Sequence[sa.Table]
    ) -> AbstractContextManager[None]:
        """Empty tables without their indexes while they are filled: built afterwards they cost a quarter."""

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Tell the planner about tables that were just filled."""

    def take_turn(self, connection: sa.Connection) -> None:
        """Wait, as long as DB_TIMEOUT says, until no other transaction that took its turn is open."""


_MODULES = {
    Engine.SQLITE: "sqlite",
    Engine.POSTGRESQL: "postgresql",
    Engine.SQLSERVER: "sqlserver",
    Engine.MYSQL: "mysql",
}


def server_for(engine: Engine) -> Server:
    """The implementation for an engine. Raises DriverMissing when its driver is not installed."""
    try:
        module = importlib.import_module(f"{__name__}.{_MODULES[engine]}")
    except ModuleNotFoundError as error:
        raise DriverMissing(
            f"The driver for {engine.value} is not installed ({error.name}).",
            hint=f"Install it with: pip install 'ledgerline[{engine.value}]' "
            f"(in a clone: .venv/bin/python -m pip install '.[{engine.value}]')",
        ) from error
    server: Server = module.SERVER
    return server


def explained(server: Server, error: Exception, url: DatabaseUrl) -> LedgerlineError:
    """`Server.explain`, and the mark that its detail may be what the driver or the server said."""
    found = _none_free() if isinstance(error, sa.exc.TimeoutError) else server.explain(error, url)
    found.quotes_server = True
    return found


def _none_free() -> TransientFault:
    return TransientFault(
        "No connection of the pool became free in time.",
        hint="Raise DB_CONNECTION_LIMIT or DB_ACQUIRE_TIMEOUT.",
    )


@contextmanager
def without_secondary_indexes(connection: sa.Connection, tables: Sequence[sa.Table]) -> Iterator[None]:
    """`Server.unindexed` where a primary key cannot, or better not, be taken away."""
    server = connection.dialect.name
    every = (index for table in tables for index in table.indexes if not _is_partial(index, server))
    indexes = sorted(every, key=lambda index: str(index.name))
    for index in indexes:
        index.drop(connection)
    yield
    for index in indexes:
        index.create(connection)


def _is_partial(index: sa.Index, server: str) -> bool:
    """Whether it holds few rows: of those that a first load fills in, none."""
    return index.dialect_options[server].get("where") is not None


def time_kind(column: sa.ColumnElement[Any]) -> ChangeKind | None:
    """`Server.change_kind` of the types that every server has."""
    if isinstance(column.type, sa.DateTime):
        return ChangeKind.TIME
    return ChangeKind.DAY if isinstance(column.type, sa.Date) else None


NAMED_AT_ONCE = 2_000  # SQL Server runs out of resources with many thousands
BOUND_AT_ONCE = 500  # values, twice in a statement: it takes 2,100


def written_out(column: sa.ColumnElement[Any], integers: Sequence[int]) -> sa.ColumnElement[bool]:
    """`Server.is_among`, written out: to bind thousands of values costs more than the query."""
    return column.in_([sa.literal_column(", ".join(map(str, integers)))]) if integers else sa.false()


def plain_text(column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:  # noqa: ARG001
    """`Server.text` of a server that reads it as what the column holds."""
    return sa.literal(value, sa.Unicode())


def in_lots(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at once; at least one lot, be it empty."""
    for first in range(0, max(len(values), 1), size):
        yield values[first : first + size]


def texts(columns: Mapping[str, str]) -> sa.Select[Any]:
    """One row of text: name → the server's own expression."""
    given: list[sa.ColumnElement[Any]] = [
        sa.literal_column(sql, sa.String).label(name) for name, sql in columns.items()
    ]
    return sa.select(*given)


def one_by_one(connection: sa.Connection, query: Query) -> pl.DataFrame:
    """`Server.read_few` where there is no quicker way."""
    result = connection.execute(query)
    names, rows = list(result.keys()), [tuple(row) for row in result]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def decode(values: pl.Series) -> pl.Series:
    """Bytes to text; what is not UTF-8 becomes U+FFFD, never an error.

    Polars refuses a whole column for one bad value, so only a column that has one is decoded value by value.
    """
    if values.dtype != pl.Binary:
        return values
    try:
        return values.cast(pl.String)
    except pl.exceptions.ComputeError:
        texts = [None if value is None else value.decode("utf-8", "replace") for value in values]
        return pl.Series(values.name, texts, dtype=pl.String)


def render(statement: sa.sql.ClauseElement, dialect: sa.Dialect) -> str:
    """A statement as text with its values in place, for drivers that take no SQLAlchemy statement."""
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def decoded(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        [decode(values) for values in frame.iter_columns() if values.dtype == pl.Binary]
    )


def slices(frame: pl.DataFrame, rows: int = 50_000) -> Iterator[pl.DataFrame]:
    yield from frame.iter_slices(rows)
