"""SQL Server: Microsoft's own driver, for statements, for reading as Arrow, and for bulk copy.

Bulk copy runs on a connection of its own, outside any transaction of ours, and is not atomic. So frames
are copied into landing tables that nobody else knows, and one `INSERT … SELECT` moves their rows inside
the caller's transaction. Few rows are inserted there by a statement, without all that.

Never `NOLOCK`, nor an isolation level that means the same: it reads rows twice, not at all, or rows that
never were.
"""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, cast
from weakref import WeakSet

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.sql.sqltypes import _Binary

from ledgerline.databases.engines import (
    LANDING,
    NAMED_AT_ONCE,
    ChangeKind,
    Limits,
    Load,
    one_by_one,
    plain_text,
    texts,
    time_kind,
    without_secondary_indexes,
    written_out,
)
from ledgerline.databases.engines.sqlserver_errors import explain
from ledgerline.databases.engines.sqlserver_statements import prepare, run_to_end, unhurried
from ledgerline.errors import ConnectionStringError, DriverMissing, LedgerlineError
from ledgerline.url import DatabaseUrl, Encrypt, Engine

try:
    import mssql_python
except ModuleNotFoundError:
    raise  # `server_for` says which package to install
except ImportError as error:
    raise DriverMissing(
        "The driver for SQL Server does not fit this Python or this platform.",
        hint="Install it anew with: pip install --force-reinstall 'ledgerline[sqlserver]'",
    ) from error

_log = logging.getLogger(__name__)

_READ_ROWS: Final = 50_000  # a batch of the Arrow reader
_COPY_ROWS: Final = 50_000  # rows that one statement timeout is meant for
FEW_ROWS: Final = 200  # which a statement inserts in the time that a bulk copy takes to connect
# SQL Server 2016; what is rendered without a connection suits it and newer ones.
_OLDEST: Final = (13, 0, 0, 0)

_VARBINARY: Final = mssql.VARBINARY("max")  # type: ignore[no-untyped-call]

_KEYWORDS: Final = {
    "hostNameInCertificate": "HostnameInCertificate",
    "serverCertificate": "ServerCertificate",
    "serverSpn": "ServerSPN",
    "applicationIntent": "ApplicationIntent",
    "packetSize": "PacketSize",
    "connectRetryCount": "ConnectRetryCount",
    "connectRetryInterval": "ConnectRetryInterval",
}
_ENCRYPT: Final = {Encrypt.OPTIONAL: "no", Encrypt.MANDATORY: "yes", Encrypt.STRICT: "strict"}


# -- connecting ----------------------------------------------------------------------------------------


def connection_string(url: DatabaseUrl, *, read_only: bool = False) -> str:
    """The URL in the driver's keywords, passwords included.

    Who only reads says so, and is then sent to a copy where there is one, unless the URL says otherwise.

    Raises ConnectionStringError for a property that the driver cannot be told in any way.
    """
    given = {
        "Server": _server(url),
        "Database": url.database,
        "UID": url.user,
        "PWD": url.password.reveal() if url.password else "",
        "Trusted_Connection": "yes" if url.windows_auth else "",
        "Authentication": _authentication(url),
        "Encrypt": _ENCRYPT[url.encrypt or Encrypt.MANDATORY],
        "TrustServerCertificate": "yes" if url.trust_server_certificate else "",
        "MultiSubnetFailover": "yes" if url.options.get("multiSubnetFailover") == "true" else "",
        **{keyword: url.options.get(name, "") for name, keyword in _KEYWORDS.items()},
    }
    if read_only and not given["ApplicationIntent"]:
        given["ApplicationIntent"] = "ReadOnly"
    _check_options(url)
    return ";".join(f"{keyword}={_braced(value)}" for keyword, value in given.items() if value)


def _server(url: DatabaseUrl) -> str:
    r"""`host`, `host,port` or `host\instance`; of an instance with a port, only the port is needed."""
    if url.instance and url.port is None:
        return f"{url.host}\\{url.instance}"
    return f"{url.host},{url.effective_port}"


def _authentication(url: DatabaseUrl) -> str:
    method = url.options.get("authentication", "")
    return "ActiveDirectoryMSI" if method == "ActiveDirectoryManagedIdentity" else method


def _braced(value: str) -> str:
    return "{" + value.replace("}", "}}") + "}"


def _check_options(url: DatabaseUrl) -> None:
    if "trustServerCertificateCA" in url.options:
        raise ConnectionStringError(
            "SQL Server's driver cannot be given a CA file by the property 'trustServerCertificateCA'.",
            hint="Set the environment variable SSL_CERT_FILE to that file, or name the server's own"
            " certificate in 'serverCertificate'.",
        )
    if url.options.get("isolationLevel") == "READ UNCOMMITTED":
        raise ConnectionStringError(
            "isolationLevel=READ UNCOMMITTED reads rows twice or not at all.",
            hint="Leave it out, or use SNAPSHOT where the database allows it.",
        )


def _tell_ignored(url: DatabaseUrl) -> None:
    ignored = {"applicationName": url.application_name, "workstationID": url.options.get("workstationID")}
    for name in (name for name, value in ignored.items() if value):
        _log.warning(
            "The property '%s' has no effect: SQL Server's driver always calls itself MSSQL-Python.", name
        )


def _session(url: DatabaseUrl, limits: Limits, *, read_only: bool) -> str:
    statements = [
        "SET XACT_ABORT ON",  # an error ends the whole transaction, also where T-SQL would go on
        "SET LANGUAGE us_english",  # messages are classified by their text, dates read as year-month-day
        f"SET LOCK_TIMEOUT {5_000 if read_only else limits.statement_ms}",
    ]
    if read_only:
        statements.append("SET DEADLOCK_PRIORITY LOW")
        # Only of what reads: under SNAPSHOT no transaction makes an index, or sees whose the lease is now.
        if level := url.options.get("isolationLevel"):
            statements.append(f"SET TRANSACTION ISOLATION LEVEL {level}")
    return "; ".join(statements)


def open_connection(
    url: DatabaseUrl, limits: Limits, *, read_only: bool, autocommit: bool
) -> mssql_python.Connection:
    connection = mssql_python.connect(
        connection_string(url, read_only=read_only), autocommit=autocommit, timeout=url.connect_timeout or 10
    )
    try:
        connection.timeout = math.ceil(limits.statement_ms / 1000)
        with connection.cursor() as cursor:
            cursor.execute(_session(url, limits, read_only=read_only))
            _check_schema(cursor, url)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(cursor: mssql_python.Cursor, url: DatabaseUrl) -> None:
    """A session has no search path: unqualified names are looked up in the login's default schema."""
    if not url.schema:
        return
    cursor.execute("SELECT SCHEMA_NAME()")
    (default,) = cursor.fetchone() or ("",)
    if default.casefold() != url.schema.casefold():
        raise ConnectionStringError(
            f"The property 'schema' says {url.schema}, but the login's default schema is {default}.",
            hint=f"Run: ALTER USER … WITH DEFAULT_SCHEMA = [{url.schema}]; or leave the property out.",
        )


# -- reading -------------------------------------------------------------------------------------------


class _ArrowReader:
    """A connection for reading; after a failure the next read opens a new one."""

    def __init__(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> None:
        self._url = url
        self._limits = limits
        self._read_only = read_only
        self._connection: mssql_python.Connection | None = None

    def read(self, sql: str) -> pl.DataFrame:
        if self._connection is None:
            self._connection = open_connection(
                self._url, self._limits, read_only=self._read_only, autocommit=True
            )
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                batches = cursor.arrow_reader(_READ_ROWS)  # without a name it is collected too early
                return pl.DataFrame(batches.read_all())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except mssql_python.Error:
                _log.debug("A connection was broken when it was closed.", exc_info=True)


def _as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """See `Server.as_text`. What is text already stays as it is: a cast would send it as a large object."""
    for kinds, text in _TEXTS:
        if isinstance(column.type, kinds):
            return text(column)
    return _cast(column, None)


def _cast(column: sa.ColumnElement[Any], length: int | None) -> sa.ColumnElement[Any]:
    return sa.cast(column, mssql.NVARCHAR(length))


def _converted(column: sa.ColumnElement[Any], length: int | str, style: int) -> sa.ColumnElement[Any]:
    return sa.func.convert(sa.literal_column(f"nvarchar({length})"), column, sa.literal_column(str(style)))


def _float_as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Whole numbers as such, else all 17 digits: a plain cast keeps six (9.84012e+009 for a phone number)."""
    whole = (column == sa.func.floor(column)) & (sa.func.abs(column) < sa.literal_column("1e15"))
    return sa.case((whole, _cast(sa.cast(column, sa.Numeric(38, 0)), 40)), else_=_converted(column, 40, 3))


# The first that fits counts: a Float is a Numeric too.
_TEXTS: Final[
    tuple[tuple[tuple[type, ...], Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]], ...]
] = (
    ((sa.String,), lambda column: column),
    ((sa.Integer, sa.Boolean, sa.Uuid), lambda column: _cast(column, 36)),
    # As text, money loses two of its four digits.
    ((mssql.MONEY, mssql.SMALLMONEY), lambda column: _cast(sa.cast(column, sa.Numeric(19, 4)), 40)),
    ((sa.Float,), _float_as_text),
    ((sa.Numeric,), lambda column: _cast(column, 41)),
    ((sa.DateTime, sa.Date, sa.Time), lambda column: _converted(column, 40, 126)),  # ISO 8601
    # Style 1 is 0x…; an image can be converted only by way of varbinary.
    ((_Binary,), lambda column: _converted(sa.cast(column, _VARBINARY), "max", 1)),
    ((mssql.SQL_VARIANT,), lambda column: _cast(column, 4000)),
)


# -- what changed --------------------------------------------------------------------------------------

# On a copy that is only read, nothing tells which transactions of its original are open.
_CLOCK: Final = {
    "utc": "CONVERT(varchar(33), SYSUTCDATETIME(), 126)",
    "local": "CONVERT(varchar(33), SYSDATETIME(), 126)",
    "version": "CASE WHEN DATABASEPROPERTYEX(DB_NAME(), 'Updateability') = 'READ_WRITE'"
    " THEN CONVERT(varchar(18), MIN_ACTIVE_ROWVERSION(), 1) END",
    "open": "CAST(NULL AS varchar(1))",
}


# -- loading -------------------------------------------------------------------------------------------


def _landing_for(table: sa.Table, frame: pl.DataFrame) -> sa.Table:
    """A bare table with the columns that the frame has, named so that two loads never meet."""
    columns = [sa.Column(name, table.c[name].type, nullable=True) for name in frame.columns]
    return sa.Table(f"{LANDING}{uuid.uuid4().hex}", sa.MetaData(), *columns)


def _copy(driver: mssql_python.Connection, landing: sa.Table, frame: pl.DataFrame) -> None:
    """Bulk copy. What goes wrong there is no error of the driver's, or (a panic) no Exception at all."""
    patience = driver.timeout * math.ceil(frame.height / _COPY_ROWS)
    with driver.cursor() as cursor:
        try:
            cursor.bulkcopy_arrow(
                landing.name,
                _plain(frame),
                timeout=patience,
                table_lock=True,  # nobody else knows the table, and less is logged so
                column_mappings=frame.columns,
                keep_nulls=True,
            )
        except (KeyboardInterrupt, SystemExit, mssql_python.Error):
            raise
        except BaseException as error:
            raise mssql_python.OperationalError("Bulk copy failed", str(error)) from error


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """In types that bulk copy and statements take."""
    return frame.with_columns(
        pl.selectors.by_dtype(pl.Float32).cast(pl.Float64),
        pl.selectors.categorical().cast(pl.String),
        pl.selectors.enum().cast(pl.String),
        pl.selectors.datetime(time_zone="*").dt.convert_time_zone("UTC").dt.replace_time_zone(None),
    )


def _default_isolation_level(connection: Any) -> Any:  # noqa: ARG001
    """What every session begins with; else SQLAlchemy asks two views for it."""
    return "READ COMMITTED"


def _close(connection: Any) -> None:
    """One that broke cannot be rolled back, which the driver tries; SQLAlchemy would print that."""
    with suppress(mssql_python.Error):
        connection.close()


@contextmanager
def _autocommitting(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


# The lock lasts until the transaction ends.
TAKE_TURN: Final = """DECLARE @turn int, @patience int = @@LOCK_TIMEOUT;
EXEC @turn = sp_getapplock @Resource = N'ledgerline', @LockMode = N'Exclusive', @LockOwner = N'Transaction',
    @LockTimeout = @patience;
IF @turn < 0 RAISERROR(N'Lock request time out period exceeded.', 16, 1)"""


def unconnected_dialect() -> sa.Dialect:
    """For rendering without a connection, in the words of the oldest supported server."""
    dialect: Any = mssql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    dialect.server_version_info = _OLDEST
    dialect._setup_version_attributes()
    return cast("sa.Dialect", dialect)


class SQLServer:
    engine = Engine.SQLSERVER
    drivers: tuple[str, ...] = ("mssql_python",)
    opens_readers_slowly = False
    lends_tables = False
    shares_tables = False
    named_at_once = NAMED_AT_ONCE
    is_among = staticmethod(written_out)
    read_few = staticmethod(one_by_one)

    def __init__(self) -> None:
        self.dialect: sa.Dialect = unconnected_dialect()
        self._swept: WeakSet[sa.Engine] = WeakSet()

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        connection_string(url)  # a property that cannot be served is told now, not at the first connection
        _tell_ignored(url)
        level = url.options.get("isolationLevel") if read_only else None
        engine = sa.create_engine(
            "mssql+mssqlpython://",
            creator=lambda: open_connection(url, limits, read_only=read_only, autocommit=False),
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.acquire_ms / 1000,
            pool_pre_ping=True,
            **({"isolation_level": level} if level else {}),
        )
        prepare(engine)
        engine.dialect.get_default_isolation_level = _default_isolation_level  # type: ignore[assignment]
        engine.dialect.do_close = _close  # type: ignore[assignment]
        return engine

    def open_reader(
        self,
        url: DatabaseUrl,
        engine: sa.Engine,  # noqa: ARG002
        limits: Limits,
        *,
        read_only: bool,
    ) -> _ArrowReader:
        return _ArrowReader(url, limits, read_only=read_only)

    @contextmanager
    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> Iterator[sa.Connection]:
        landed: list[sa.Table | None] = []
        try:
            landed.extend(self._landed(engine, load) for load in loads)
            with engine.begin() as connection, unhurried(connection):
                for load, landing in zip(loads, landed, strict=True):
                    _bring(connection, load, landing)
                yield connection
        finally:
            _drop(engine, landed)

    @contextmanager
    def begin_loading(self, engine: sa.Engine) -> Iterator[tuple[sa.Connection, _Landings]]:
        landed: list[sa.Table | None] = []
        with _autocommitting(engine) as aside:  # inside it would wait for what the transaction alters
            self._sweep(engine, aside)
        try:
            with engine.begin() as connection, unhurried(connection):
                yield connection, _Landings(connection, partial(self._landed, engine), landed)
        finally:
            _drop(engine, landed)

    def _landed(self, engine: sa.Engine, load: Load) -> sa.Table | None:
        """A landing table that the frame was copied into; None: it is small enough for a statement."""
        table, frame = load
        if frame.height <= FEW_ROWS:
            return None
        landing = _landing_for(table, frame)
        with _autocommitting(engine) as connection:
            self._sweep(engine, connection)
            landing.create(connection, checkfirst=False)
            try:
                driver = cast("mssql_python.Connection", connection.connection.driver_connection)
                _copy(driver, landing, frame)
            except BaseException:
                _drop(engine, [landing])
                raise
        return landing

    def _sweep(self, engine: sa.Engine, connection: sa.Connection) -> None:
        """Once a process: drop the landing tables that killed processes left behind."""
        if engine in self._swept:
            return
        self._swept.add(engine)
        old = sa.text(
            "SELECT name FROM sys.tables WHERE schema_id = SCHEMA_ID() AND LEFT(name, :length) = :prefix"
            " AND create_date < DATEADD(day, -1, GETDATE())"
        )
        for name in connection.execute(old, {"length": len(LANDING), "prefix": LANDING}).scalars().all():
            _drop_table(connection, sa.Table(name, sa.MetaData()))

    def activity_engine(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits) -> sa.Engine:  # noqa: ARG002
        return engine  # writers lock rows, and no writing transaction touches a row of these tables

    def as_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return _as_text(column)

    def change_kind(self, column: sa.ColumnElement[Any]) -> ChangeKind | None:
        # `timestamp` is the old name of rowversion, and no time.
        return ChangeKind.VERSION if isinstance(column.type, mssql.TIMESTAMP) else time_kind(column)

    def clock(self, *, versions: bool = False) -> sa.Select[Any]:
        # Not every server that speaks T-SQL has such a counter.
        return texts(_CLOCK if versions else {**_CLOCK, "version": "CAST(NULL AS varchar(18))"})

    def instant(self, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:  # noqa: ARG002
        # To all seven digits; beside a datetimeoffset it is taken as UTC.
        text = moment.isoformat("T", "microseconds") + "0"
        return sa.cast(sa.literal(text, sa.String()), mssql.DATETIME2(7))  # type: ignore[no-untyped-call]

    def text(self, column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[Any]:
        """In the code page of a varchar column: beside nvarchar the column would be converted, row by row."""
        text, kind = plain_text(column, value), column.type
        if not isinstance(kind, sa.VARCHAR | sa.CHAR) or kind.collation is None or kind.length is None:
            return text
        return sa.cast(sa.collate(text, kind.collation), sa.VARCHAR(kind.length))

    def changed_since(self, column: sa.ColumnElement[Any], bound: datetime | str) -> sa.ColumnElement[bool]:
        if isinstance(bound, datetime):
            return column >= self.instant(column, bound)
        # A rowversion is compared as the binary that it is.
        counter = sa.func.convert(
            sa.literal_column("binary(8)"), sa.literal(bound, sa.String()), sa.literal_column("1")
        )
        return sa.type_coerce(column, sa.String()) >= sa.type_coerce(counter, sa.String())

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        return explain(error, url)

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:
        quote = self.dialect.identifier_preparer.quote_identifier
        name = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
        query = sa.text(
            "SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID(:name) AND index_id IN (0, 1)"
        )
        estimate = connection.execute(query, {"name": name}).scalar()
        return None if estimate is None else int(estimate)

    def unindexed(
        self, connection: sa.Connection, tables: Sequence[sa.Table]
    ) -> AbstractContextManager[None]:
        return without_secondary_indexes(connection, tables)  # the rows themselves lie in the primary key

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Nothing to do: SQL Server makes its statistics when a statement first needs them."""

    def take_turn(self, connection: sa.Connection) -> None:
        run_to_end(connection, TAKE_TURN)


class _Landings:
    """Frames land over another connection, as bulk copy does, and are moved at once."""

    def __init__(
        self,
        connection: sa.Connection,
        land: Callable[[Load], sa.Table | None],
        landed: list[sa.Table | None],
    ) -> None:
        self._connection = connection
        self._land = land
        self._landed = landed  # dropped when the transaction has ended, which may have them locked until then

    def put(self, loads: Sequence[Load]) -> None:
        for load in loads:
            self._landed.append(self._land(load))
            _bring(self._connection, load, self._landed[-1])

    def bring(self) -> None:
        """Nothing to do: `put` has loaded them."""


def _bring(connection: sa.Connection, load: Load, landing: sa.Table | None) -> None:
    """The rows of a frame into their table: from where they landed, or one by one."""
    table, frame = load
    if landing is not None:
        rows = sa.select(*[landing.c[name] for name in frame.columns])
        connection.execute(table.insert().from_select(frame.columns, rows))
    elif frame.height:
        connection.execute(table.insert(), _plain(frame).to_dicts())


def _drop(engine: sa.Engine, landed: Sequence[sa.Table | None]) -> None:
    """The rows are moved or rolled back by now, so a failure here must change nothing of that."""
    landings = [landing for landing in landed if landing is not None]
    if not landings:
        return
    try:
        with _autocommitting(engine) as connection:
            for landing in landings:
                _drop_table(connection, landing)
    except (sa.exc.SQLAlchemyError, mssql_python.Error):
        _log.warning("Landing tables were left behind; a later process drops them.", exc_info=True)


def _drop_table(connection: sa.Connection, table: sa.Table) -> None:
    connection.execute(sa.schema.DropTable(table, if_exists=True))


SERVER = SQLServer()
