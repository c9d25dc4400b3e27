"""PostgreSQL: psycopg for statements, COPY for loading, ADBC for reading as Arrow."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ledgerline.databases.engines import (
    ChangeKind,
    Limits,
    Load,
    Query,
    plain_text,
    render,
    slices,
    texts,
    time_kind,
    without_secondary_indexes,
)
from ledgerline.databases.engines.arrow import ArrowConnection, SharedDatabase
from ledgerline.databases.staging_tables import PASSING
from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    LedgerlineError,
    LoginRefused,
    PermissionDenied,
    TableMissing,
    TransientFault,
    UnreadableValue,
)
from ledgerline.url import DatabaseUrl, Engine

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE: dict[str, tuple[type[DatabaseError], str]] = {
    "28": (LoginRefused, "Check user and password, and pg_hba.conf on the server."),
    "3D": (DatabaseMissing, "Check the database's name; list them with: psql -l"),
    "42501": (PermissionDenied, "Grant the missing right to this login."),
    "42P01": (TableMissing, "Check schema and table name, and the login's search_path."),
    "3F": (TableMissing, "Check the schema's name."),
    "42703": (ColumnMissing, "Check the column's name."),
    "25006": (
        DatabaseError,
        "It is a standby, or was set to read-only, as when its disk is full: DATABASE_URL names the primary.",
    ),
    "25P": (TransientFault, "The server ends transactions that take long or wait; see its settings."),
    "40": (TransientFault, "Two transactions collided; trying again helps."),
    "55P03": (TransientFault, "A lock was not granted in time; see who holds it in pg_stat_activity."),
    "57014": (TransientFault, "The statement took longer than DB_TIMEOUT."),
    "22": (UnreadableValue, "See which row of the table or view has a value that cannot be converted."),
    "08": (DatabaseUnreachable, "Check that the server runs and that host and port are right."),
    "57P": (DatabaseUnreachable, "The server is starting or shutting down."),
    "53100": (DatabaseError, "Free some space on the disk of the server."),
    "53300": (DatabaseUnreachable, "The server has no free connection; lower DB_CONNECTION_LIMIT."),
}
# Of a server that lets nobody in only these words come, and no code.
_FATAL = re.compile(r"FATAL:\s+(.+)")
_STATE_BY_WORDS = (
    (re.compile(r"too many|connection slots"), "53300"),
    (re.compile(r"starting up|shutting down|recovery mode|not yet accepting"), "57P"),
)


# For a run's set-based statements: with the server's 4 MB their joins and indexes go through files, and with
# its price of a random page, that of a turning disk, they scan a table rather than look a few rows up.
_PLANNED = {"work_mem": "64MB", "random_page_cost": "1.1"}
# They take as long as there are rows, and may wait for what is worked out meanwhile: DB_TIMEOUT limits how
# long they wait for others.
_SET_BASED = (
    *(f"set_config('{name}', '{value}', true)" for name, value in _PLANNED.items()),
    "set_config('maintenance_work_mem', '256MB', true)",
    "set_config('lock_timeout', current_setting('statement_timeout'), true)",
    "set_config('statement_timeout', '0', true)",
    "set_config('idle_in_transaction_session_timeout', '0', true)",
)
_SET_BASED_SINCE_17 = (*_SET_BASED, "set_config('transaction_timeout', '0', true)")


_ROUGH = 10  # of the server's 100: a tenth of the rows is looked at
_TURN = 0x1ED6E211  # the number of our advisory lock in each database

# The server's own time zone (a session of ours is in UTC), and the open transactions: those of this database
# by their virtual numbers, which they have from their first statement on and which any login may see; and all
# that have changed something by now, among them the prepared ones and, on a standby, those of its primary.
_LOCAL = "timezone((SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'), clock_timestamp())"
_OPEN = """concat_ws(' ',
    (SELECT string_agg(held.virtualtransaction, ' ')
       FROM pg_locks AS held JOIN pg_stat_activity AS session ON session.pid = held.pid
      WHERE held.locktype = 'virtualxid' AND held.mode = 'ExclusiveLock' AND held.pid <> pg_backend_pid()
        AND session.datname = current_database() AND session.usesysid IS NOT NULL),
    (SELECT string_agg(CAST(xid AS text), ' ') FROM txid_snapshot_xip(txid_current_snapshot()) AS xid))"""


def libpq(url: DatabaseUrl) -> dict[str, str]:
    """Connection parameters as libpq names them."""
    given = {
        **url.options,
        "host": url.host,
        "port": str(url.effective_port or ""),
        "dbname": url.database,
        "user": url.user,
        "password": url.password.reveal() if url.password else "",
        "sslpassword": url.key_password.reveal() if url.key_password else "",
        "application_name": url.application_name or "ledgerline",
        "connect_timeout": str(url.connect_timeout or 10),
        # By default texts come in the database's own encoding, and Arrow takes them for UTF-8.
        "client_encoding": "UTF8",
    }
    if url.schema:
        given["options"] = f"{given.get('options', '')} -c search_path={url.schema}".strip()
    return {name: value for name, value in given.items() if value}


def _set(calls: Iterable[str]) -> str:
    return f"SELECT {', '.join(calls)}"


def _session(limits: Limits, *, read_only: bool, set_based: bool = False) -> str:
    """One statement that makes a session what it shall be."""
    settings = {
        "statement_timeout": str(limits.statement_ms),
        # A database may give its sessions others.
        "timezone": "UTC",
        "datestyle": "ISO",
        "default_transaction_isolation": "read committed",
    }
    if read_only:
        settings |= {"default_transaction_read_only": "on", "lock_timeout": "5s"}
    if set_based:
        settings |= _PLANNED
    return _set(f"set_config('{name}', '{value}', false)" for name, value in settings.items())


def _arrow_database(url: DatabaseUrl) -> adbc.AdbcDatabase:
    return adbc_driver_postgresql.connect(psycopg.conninfo.make_conninfo(**libpq(url)))


class _ArrowReader:
    """Reads by ADBC. What fails after the first rows comes without the server's code, so it is asked for."""

    def __init__(
        self, url: DatabaseUrl, database: SharedDatabase, limits: Limits, *, set_based: bool
    ) -> None:
        self._url = url
        self._session = _session(limits, read_only=True, set_based=set_based)
        self._connection = ArrowConnection(database)
        self._connection.execute(self._session)

    def read(self, sql: str) -> pl.DataFrame:
        try:
            return self._connection.read(sql)
        except pl.exceptions.ComputeError as error:
            if "canceling statement" in str(error):
                raise psycopg.errors.QueryCanceled(str(error)) from error
            raise self._reason(sql) from error

    def _reason(self, sql: str) -> psycopg.Error:
        """Why the query fails, by asking again in a way that tells; if it does not, it was the connection."""
        try:
            with psycopg.connect(**libpq(self._url), autocommit=True) as connection:  # type: ignore[arg-type]
                connection.execute(self._session)
                with connection.cursor() as cursor:
                    for _ in cursor.stream(sql.encode()):
                        pass
        except psycopg.Error as error:
            return error
        return psycopg.OperationalError("The connection broke while rows were read.")

    def close(self) -> None:
        self._connection.close()


class PostgreSQL:
    engine = Engine.POSTGRESQL
    drivers: tuple[str, ...] = ("adbc_driver", "psycopg")
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    opens_readers_slowly = True
    lends_tables = False
    shares_tables = True
    named_at_once = 100_000  # they are one value

    def __init__(self) -> None:
        self._arrow: WeakKeyDictionary[sa.Engine, SharedDatabase] = WeakKeyDictionary()

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        engine = sa.create_engine(
            "postgresql+psycopg://",
            connect_args=libpq(url),
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.acquire_ms / 1000,
            pool_pre_ping=True,
        )

        @sa.event.listens_for(engine, "connect")
        def _prepare(connection: psycopg.Connection, _record: object) -> None:
            connection.execute(_session(limits, read_only=read_only))
            connection.commit()

        return engine

    def open_reader(
        self,
        url: DatabaseUrl,
        engine: sa.Engine,
        limits: Limits,
        *,
        read_only: bool,
    ) -> _ArrowReader:
        database = self._arrow.setdefault(engine, SharedDatabase(partial(_arrow_database, url)))
        return _ArrowReader(url, database, limits, set_based=not read_only)

    def read_few(self, connection: sa.Connection, query: Query) -> pl.DataFrame:
        return _copied(_driver_of(connection), render(query, self.dialect), query)

    @contextmanager
    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> Iterator[sa.Connection]:
        with engine.begin() as connection:
            driver = _driver_of(connection)
            driver.execute(_set(_SET_BASED if driver.info.server_version < 17_00_00 else _SET_BASED_SINCE_17))
            if loads:
                # A crash may lose the transaction whole: what is loaded in bulk can be loaded again.
                driver.execute("SET LOCAL synchronous_commit = off")
            for table, frame in loads:
                _copy(driver, table, frame)
            yield connection

    @contextmanager
    def begin_loading(self, engine: sa.Engine) -> Iterator[tuple[sa.Connection, _Copying]]:
        with self.begin_loaded(engine, ()) as connection:
            yield connection, _Copying(_driver_of(connection))

    def activity_engine(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits) -> sa.Engine:  # noqa: ARG002
        return engine

    def as_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(column, sa.Text)

    def change_kind(self, column: sa.ColumnElement[Any]) -> ChangeKind | None:
        return time_kind(column)

    def clock(self, *, versions: bool = False) -> sa.Select[Any]:  # noqa: ARG002
        given = {
            "utc": "CAST(timezone('UTC', clock_timestamp()) AS text)",
            "local": f"CAST({_LOCAL} AS text)",
            "version": "CAST(NULL AS text)",
            "open": _OPEN,
        }
        return texts(given)

    def instant(self, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:
        kind = sa.TIMESTAMP(timezone=bool(getattr(column.type, "timezone", False)))
        zone = "+00" if kind.timezone else ""
        return sa.cast(sa.literal(moment.isoformat(" ", "microseconds") + zone, sa.String()), kind)

    def changed_since(self, column: sa.ColumnElement[Any], bound: datetime | str) -> sa.ColumnElement[bool]:
        assert isinstance(bound, datetime)
        return column >= self.instant(column, bound)

    text = staticmethod(plain_text)

    def is_among(self, column: sa.ColumnElement[Any], integers: Sequence[int]) -> sa.ColumnElement[bool]:
        array = sa.literal(f"{{{','.join(map(str, integers))}}}", sa.String())
        return column == sa.any_(sa.cast(array, postgresql.ARRAY(sa.BigInteger)))

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        if isinstance(error, LedgerlineError):
            return error
        driver = getattr(error, "orig", None) or error
        state = getattr(driver, "sqlstate", None) or ""
        text = str(driver)
        for prefix in (state, state[:3], state[:2]):
            if prefix in _BY_SQLSTATE:
                kind, hint = _BY_SQLSTATE[prefix]
                return kind(_first_line(text), hint=hint)
        if "does not exist" in text and "database" in text:
            return DatabaseMissing(f"The database {url.database!r} does not exist.", hint="Check its name.")
        if re.search(r"password|authentication|role .* does not exist|permitted to log in|pg_hba", text):
            return LoginRefused(f"Login failed for user {url.user!r}.", hint="Check user and password.")
        if isinstance(driver, (psycopg.OperationalError, adbc.OperationalError)) and not state:
            return _unreachable(url, text)
        return DatabaseError(_first_line(text))

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:
        name = f'"{schema}"."{table}"' if schema else f'"{table}"'
        query = sa.text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        estimate = connection.execute(query, {"name": name}).scalar()
        return None if estimate is None or estimate < 0 else int(estimate)

    @contextmanager
    def unindexed(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Iterator[None]:
        keys = [table.primary_key for table in tables]
        referring = [
            foreign_key.constraint
            for table in tables[0].metadata.tables.values()
            for foreign_key in table.foreign_keys
            if foreign_key.column.table in tables and foreign_key.constraint is not None
        ]
        with without_secondary_indexes(connection, tables):
            for constraint in (*referring, *keys):
                connection.execute(sa.schema.DropConstraint(constraint))
            yield
            for constraint in (*keys, *referring):
                connection.execute(sa.schema.AddConstraint(constraint, isolate_from_table=False))

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        # Nothing is looked up by long texts, and to sample them is half of the work. All else counts: an undo
        # goes by the runs that wrote rows, and took three times as long when those were not sampled.
        for table in tables:
            if table.info.get(PASSING):  # it is joined as a whole: how large it is will do
                connection.exec_driver_sql(f"SET LOCAL default_statistics_target = {_ROUGH}")
            columns = [f'"{c.name}"' for c in table.columns if not isinstance(c.type, sa.UnicodeText)]
            connection.exec_driver_sql(f"ANALYZE {_quoted(table)} ({', '.join(columns)})")

    def take_turn(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))


class _Copying:
    """Frames are copied into their tables at once."""

    def __init__(self, driver: psycopg.Connection) -> None:
        self._driver = driver

    def put(self, loads: Sequence[Load]) -> None:
        for table, frame in loads:
            _copy(self._driver, table, frame)

    def bring(self) -> None:
        """Nothing to do: `put` has loaded them."""


def _copy(connection: psycopg.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """COPY as CSV: Polars writes it without the interpreter's lock, and quotes an empty text but no null."""
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    statement = f"COPY {_quoted(table)} ({columns}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for part in slices(frame, rows=2_500):  # their text stays in the processor's cache until it is sent
            buffer = io.BytesIO()
            part.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f")
            copy.write(buffer.getbuffer())


def _copied(connection: psycopg.Connection, sql: str, query: Query) -> pl.DataFrame:
    """COPY as CSV, which Polars reads; what is empty is quoted, and what is null is not."""
    buffer = io.BytesIO()
    statement = f"COPY ({sql}) TO STDOUT (FORMAT csv, ENCODING 'utf8')".encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            buffer.write(row)
    names = [column.name for column in query.selected_columns]
    if not buffer.tell():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Null))
    texts = pl.read_csv(buffer.getvalue(), has_header=False, infer_schema=False, new_columns=names)
    return texts.with_columns(
        read(pl.col(name))
        for name, column in zip(names, query.selected_columns, strict=True)
        for kind, read in _FROM_TEXT.items()
        if isinstance(column.type, kind)
    )


_FROM_TEXT: dict[type[sa.types.TypeEngine[Any]], Callable[[pl.Expr], pl.Expr]] = {
    sa.Boolean: lambda text: text == "t",
    sa.Integer: lambda text: text.cast(pl.Int64),
    sa.Float: lambda text: text.cast(pl.Float64),
}
"""How values of a type are read; those of other types stay text."""


def _driver_of(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _quoted(table: sa.Table) -> str:
    return ".".join(f'"{part}"' for part in (table.schema, table.name) if part)


def _unreachable(url: DatabaseUrl, text: str) -> DatabaseUnreachable:
    """Of a server that answers, and lets nobody in, what it says."""
    where = f"Cannot connect to PostgreSQL at {url.host}:{url.effective_port}"
    if (answer := _FATAL.search(text)) is None:
        hint = "Check that the server runs, and that host, port and firewall are right."
        return DatabaseUnreachable(f"{where}.", hint=hint)
    state = next((state for words, state in _STATE_BY_WORDS if words.search(answer[1])), None)
    hint = _BY_SQLSTATE[state][1] if state else "The server said this; its log may say more."
    return DatabaseUnreachable(f"{where}: {answer[1]}.", hint=hint)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "The server gave no reason."


SERVER = PostgreSQL()
