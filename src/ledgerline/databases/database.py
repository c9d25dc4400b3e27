"""One database: its pool, its readers, its transactions. Main and invoice are two instances."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from typing import Any, TypeVar

import polars as pl
import sqlalchemy as sa

from ledgerline.databases.engines import (
    Borrower,
    Limits,
    Load,
    Loader,
    Query,
    Reader,
    explained,
    render,
    server_for,
)
from ledgerline.databases.retry import patiently
from ledgerline.errors import LedgerlineError
from ledgerline.url import DatabaseUrl, Engine

T = TypeVar("T")
_CONNECTIONS_ASIDE = 3  # the transaction's, that of threads beside it in turn, and a run's heartbeat's


class Database:
    """A database and how to reach it. Threads may share it; connections are made when first needed.

    Every method raises errors of `ledgerline.errors`, never a driver's own.
    """

    def __init__(self, url: DatabaseUrl, limits: Limits | None = None, *, read_only: bool = False) -> None:
        self.url = url
        self.limits = limits or Limits()
        self.read_only = read_only
        self.server = server_for(url.engine)
        self.engine = self.server.create_engine(url, self.limits, read_only=read_only)
        self.before_writing: Callable[[], None] | None = None  # may refuse, by raising
        self._reads_few = False
        self._readers = threading.local()
        self._open_readers: list[Reader] = []
        self._ahead: list[Future[Reader]] = []  # connections for reading that are being opened
        # SQLite's writers wait by sleeping for milliseconds; threads of one process need not.
        self._activity_turn = threading.Lock() if url.engine is Engine.SQLITE else nullcontext()

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection whose statements commit one by one."""
        with self._explained(), self._opened(self.engine) as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def begin(self, loads: Sequence[Load] = ()) -> Iterator[sa.Connection]:
        """A transaction, at whose beginning these frames are loaded into these tables."""
        self._ask_to_write()
        self._reach(self.engine)
        with self._explained(), self.server.begin_loaded(self.engine, loads) as connection:
            yield connection

    @contextmanager
    def begin_loading(self) -> Iterator[tuple[sa.Connection, Loader]]:
        """A transaction, and by what frames are loaded into tables in the course of it."""
        self._ask_to_write()
        self._reach(self.engine)
        with self._explained(), self.server.begin_loading(self.engine) as loading:
            yield loading

    @property
    def works_beside(self) -> bool:
        """Whether there are connections enough to read, and to tell of progress, beside a transaction."""
        return self.limits.connections >= _CONNECTIONS_ASIDE

    @contextmanager
    def begin_activity(self) -> Iterator[sa.Connection]:
        """A short transaction on the tables of `schema.activity`, possible while a long one writes.

        SQLite has one writer a file, so there these tables have a file beside the main one.
        """
        self._ask_to_write()
        engine = self.server.activity_engine(self.url, self.engine, self.limits)
        self._reach(engine)
        with self._activity_turn, self._explained(), engine.begin() as connection:
            yield connection

    def _ask_to_write(self) -> None:
        if self.read_only:
            raise AssertionError("The invoice database is never written.")
        if self.before_writing is not None:
            self.before_writing()

    def _opened(self, engine: sa.Engine) -> sa.Connection:
        return self._patiently(engine.connect)

    def _reach(self, engine: sa.Engine) -> None:
        """Have a connection in the pool, so that what follows need not open one."""
        if isinstance(engine.pool, sa.QueuePool) and engine.pool.checkedin() == 0:
            self._opened(engine).close()

    def _patiently(self, open_one: Callable[[], T]) -> T:
        def explained() -> T:
            with self._explained():
                return open_one()

        return patiently(explained, self.limits.retries, self.limits.retry_delay_ms)

    def read(self, query: Query) -> pl.DataFrame:
        """The rows of a query as a frame, over this thread's own bulk-reading connection."""
        if not isinstance(query, sa.SelectBase):
            raise TypeError("Only queries are read.")
        if self._reads_few:
            return self.read_few(query)
        reader = self._reader()
        try:
            with self._explained():
                return _with_types(reader.read(render(query, self.server.dialect)), query)
        except LedgerlineError as error:
            if error.retryable:  # its connection may be broken; the next read opens another
                self._give_up(reader)
            raise

    def read_few(self, query: Query) -> pl.DataFrame:
        """The same for some thousand rows at most, without waiting for a connection for bulk reading."""
        if not self.server.opens_readers_slowly:
            return self.read(query)
        with self.connect() if self.read_only else self.begin() as connection:
            return _with_types(self.server.read_few(connection, query), query)

    def reading_few(self) -> Database:
        """This database for whoever reads some thousand rows at most: `read` is `read_few`.

        That is over connections of the pool; one too small for several at once is left to transactions.
        """
        few = copy(self)
        few._reads_few = self.server.opens_readers_slowly and self.works_beside
        return few

    @contextmanager
    def lending(self, load: Load, prepare: Callable[[sa.Connection], None]) -> Iterator[None]:
        """Meanwhile this thread's `read` finds this frame in this table, which nobody else needs.

        Where it is written there for that, it stays, and is prepared.
        """
        if self.server.lends_tables:
            reader = self._reader()
            assert isinstance(reader, Borrower)
            with self._explained(), reader.lent(load):
                yield
            return
        with self.begin() as connection:
            connection.execute(load[0].delete())
        with self.begin([load]) as connection:
            prepare(connection)
        yield

    def expect_reading(self) -> None:
        """Begin to open a connection for bulk reading, where that takes long; the first `read` takes it."""
        if self.server.opens_readers_slowly:
            pool = ThreadPoolExecutor(1, thread_name_prefix="reader")
            self._ahead.append(pool.submit(self._new_reader))
            pool.shutdown(wait=False)

    def _opened_ahead(self) -> Reader | None:
        try:
            ahead = self._ahead.pop()
        except IndexError:
            return None
        return None if ahead.exception() else ahead.result()  # whoever opens another is told why it fails

    def _reader(self) -> Reader:
        reader: Reader | None = getattr(self._readers, "reader", None)
        if reader is None:
            reader = self._opened_ahead() or self._patiently(self._new_reader)
            self._readers.reader = reader
            self._open_readers.append(reader)
            getattr(self._readers, "of_threads", []).append(reader)
        return reader

    def _new_reader(self) -> Reader:
        return self.server.open_reader(self.url, self.engine, self.limits, read_only=self.read_only)

    def _give_up(self, reader: Reader) -> None:
        self._readers.reader = None
        self._drop(reader)

    def _drop(self, reader: Reader) -> None:
        if reader in self._open_readers:
            self._open_readers.remove(reader)
            with suppress(Exception):  # it is of no use any more
                reader.close()

    @contextmanager
    def threads(self, count: int, name: str) -> Iterator[ThreadPoolExecutor]:
        """Threads for work beside this one; the connections that they read over are closed with them."""
        readers: list[Reader] = []

        def begin() -> None:
            self._readers.of_threads = readers

        try:
            with ThreadPoolExecutor(count, thread_name_prefix=name, initializer=begin) as pool:
                yield pool
        finally:
            for reader in readers:
                self._drop(reader)

    def has_table(self, name: str, schema: str | None = None) -> bool:
        with self.connect() as connection:
            return sa.inspect(connection).has_table(name, schema=schema)

    def columns(self, name: str, schema: str | None = None) -> dict[str, Any]:
        """The columns of a table: name → SQLAlchemy's description of it; of no table, none."""
        with self.connect() as connection, _unwarned():
            try:
                described = sa.inspect(connection).get_columns(name, schema=schema)
            except sa.exc.NoSuchTableError:
                return {}
            return {column["name"]: column for column in described}

    def indexes(self, name: str, schema: str | None = None) -> list[tuple[tuple[str, ...], bool]]:
        """The keys and indexes of a table: (its columns, whether it is unique)."""
        with self.connect() as connection, _unwarned():
            inspector = sa.inspect(connection)
            if self.url.engine is Engine.SQLITE:  # it finds a table whatever the case, its catalogue does not
                names = [*inspector.get_table_names(), *inspector.get_view_names()]
                name = next((each for each in names if each.casefold() == name.casefold()), name)
            key = inspector.get_pk_constraint(name, schema=schema)["constrained_columns"]
            if not key and self.url.engine is Engine.SQLSERVER:
                key = _declared_key(connection, name, schema)
            found = [
                (tuple(column or "" for column in index["column_names"]), bool(index["unique"]))
                for index in inspector.get_indexes(name, schema=schema)
                if not any("where" in option for option in index.get("dialect_options", {}))
            ]
            try:
                unique = inspector.get_unique_constraints(name, schema=schema)
            except NotImplementedError:  # SQL Server: they are among the indexes
                unique = []
        return [
            *([(tuple(key), True)] if key else []),
            *found,
            *((tuple(constraint["column_names"]), True) for constraint in unique),
        ]

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        while self._ahead:
            if (unused := self._opened_ahead()) is not None:
                unused.close()
        while self._open_readers:
            self._open_readers.pop().close()
        self._readers = threading.local()
        self.engine.dispose()
        if not self.read_only:
            self.server.activity_engine(self.url, self.engine, self.limits).dispose()

    def connections(self) -> tuple[int, int]:
        """How many connections of the pool are idle, and how many are used."""
        pools = [engine.pool for engine in self._engines()]
        return sum(pool.checkedin() for pool in pools), sum(pool.checkedout() for pool in pools)  # type: ignore[attr-defined]

    def close_pool(self) -> None:
        """Close what is idle in the pool; what is used closes when it is given back."""
        for engine in self._engines():
            engine.dispose()

    def _engines(self) -> set[sa.Engine]:
        if self.read_only:
            return {self.engine}
        return {self.engine, self.server.activity_engine(self.url, self.engine, self.limits)}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise explained(self.server, error, self.url) from error
        except Exception as error:
            if type(error).__module__.startswith(self.server.drivers):
                raise explained(self.server, error, self.url) from error
            raise


@contextmanager
def _unwarned() -> Iterator[None]:
    """Types and indexes that SQLAlchemy does not know may be there: it would tell each user of each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        yield


def _declared_key(connection: sa.Connection, name: str, schema: str | None) -> list[str]:
    """The columns of a primary key by the standard's catalogue.

    Of the servers that speak T-SQL not every one fills SQL Server's own.
    """
    query = sa.text(
        "SELECT k.COLUMN_NAME FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS c"
        " JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE k ON k.CONSTRAINT_NAME = c.CONSTRAINT_NAME"
        " AND k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME"
        " WHERE c.CONSTRAINT_TYPE = 'PRIMARY KEY' AND c.TABLE_NAME = :name"
        " AND c.TABLE_SCHEMA = COALESCE(:schema, SCHEMA_NAME()) ORDER BY k.ORDINAL_POSITION"
    )
    return list(connection.execute(query, {"name": name, "schema": schema}).scalars())


_DTYPES: tuple[tuple[type[sa.types.TypeEngine[Any]], type[pl.DataType]], ...] = (
    (sa.Integer, pl.Int64),
    (sa.Float, pl.Float64),
    (sa.Boolean, pl.Boolean),
    (sa.String, pl.String),
)


def _with_types(frame: pl.DataFrame, query: sa.SelectBase) -> pl.DataFrame:
    """A column without any value has no type of its own on SQLite; it gets that of the statement."""
    typeless = [
        pl.col(name).cast(dtype)
        for name, column in zip(frame.columns, query.selected_columns, strict=True)
        if frame.schema[name] == pl.Null
        for kind, dtype in _DTYPES
        if isinstance(column.type, kind)
    ]
    return frame.with_columns(typeless)
