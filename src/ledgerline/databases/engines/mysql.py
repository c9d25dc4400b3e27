"""MySQL and MariaDB, as an invoice database: read by PyMySQL, row by row, as it has no Arrow reader.

Loading is there for samples and tests; settings refuse MySQL as a main database.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime
from typing import Any, Final

import polars as pl
import pymysql
import sqlalchemy as sa
from pymysql.constants import FIELD_TYPE
from pymysql.cursors import SSCursor
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.sqltypes import _Binary

from ledgerline.databases.engines import (
    NAMED_AT_ONCE,
    ChangeKind,
    Limits,
    Load,
    decoded,
    one_by_one,
    plain_text,
    texts,
    time_kind,
    without_secondary_indexes,
    written_out,
)
from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    DriverMissing,
    LedgerlineError,
    LoginRefused,
    PermissionDenied,
    TableMissing,
    TransientFault,
    UnreadableValue,
)
from ledgerline.url import DatabaseUrl, Engine

_READ_ROWS: Final = 20_000  # fetched at a time, and made a frame
_READ_LOCK_SECONDS: Final = 5

# https://dev.mysql.com/doc/mysql-errors/8.4/en/; the numbers from 2000 on are the client's.
_BY_NUMBER: Final[dict[int, tuple[type[DatabaseError], str]]] = {
    **dict.fromkeys(
        (1045, 1130, 1251, 1698, 1820, 1862, 2059, 4151),
        (LoginRefused, "Check user and password, and from which hosts the server lets this user in."),
    ),
    1049: (DatabaseMissing, "Check the database's name."),
    **dict.fromkeys(
        (1044, 1142, 1143, 1227, 1290, 1370, 1792, 1836),
        (PermissionDenied, "Grant the missing right to this user."),
    ),
    **dict.fromkeys((1051, 1146), (TableMissing, "Check the table's name.")),
    1054: (ColumnMissing, "Check the column's name."),
    1205: (
        TransientFault,
        "A lock was not granted in time; see who holds it with: SHOW ENGINE INNODB STATUS",
    ),
    **dict.fromkeys(
        (1264, 1292, 1365, 1366, 1411, 1690, 3141),
        (UnreadableValue, "See which row of the table or view has a value that cannot be converted."),
    ),
    1213: (TransientFault, "Two transactions collided; trying again helps."),
    **dict.fromkeys((1317, 1969, 3024), (TransientFault, "The statement took longer than DB_TIMEOUT.")),
    **dict.fromkeys(
        (1040, 1203, 1226),
        (DatabaseUnreachable, "The server has no free connection; lower DB_CONNECTION_LIMIT."),
    ),
    **dict.fromkeys(
        (1053, 1152, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 4031),
        (DatabaseUnreachable, "Check that the server runs, and that host, port and firewall are right."),
    ),
    2026: (
        DatabaseUnreachable,
        "The server offers no encryption, or its certificate is not trusted: see sslmode and sslcert.",
    ),
}

_DTYPES: Final[dict[int, pl.DataType]] = {
    **dict.fromkeys(
        (
            FIELD_TYPE.TINY,
            FIELD_TYPE.SHORT,
            FIELD_TYPE.INT24,
            FIELD_TYPE.LONG,
            FIELD_TYPE.LONGLONG,
            FIELD_TYPE.YEAR,
        ),
        pl.Int64(),
    ),
    FIELD_TYPE.FLOAT: pl.Float64(),
    FIELD_TYPE.DOUBLE: pl.Float64(),
    FIELD_TYPE.DATE: pl.Date(),
    FIELD_TYPE.DATETIME: pl.Datetime("us"),
    FIELD_TYPE.TIMESTAMP: pl.Datetime("us"),
    FIELD_TYPE.TIME: pl.Duration("us"),
}


# -- connecting ----------------------------------------------------------------------------------------


def open_connection(
    url: DatabaseUrl, limits: Limits, *, read_only: bool, autocommit: bool
) -> pymysql.Connection[Any]:
    try:
        connection = pymysql.connect(
            host=url.host,
            port=url.effective_port or 0,
            unix_socket=url.options.get("socket") or (url.host if url.host.startswith("/") else None),
            user=url.user,
            password=url.password.reveal() if url.password else "",
            database=url.database,
            charset=url.options.get("charset", "utf8mb4"),
            connect_timeout=url.connect_timeout or 10,
            # The server stops a statement that takes too long; this is for one that hangs with its network.
            read_timeout=2 * math.ceil(limits.statement_ms / 1000),
            program_name=url.application_name or "ledgerline",
            autocommit=autocommit,
            **_tls(url),
        )
    except RuntimeError as error:  # PyMySQL's way to ask for a package
        raise DriverMissing(
            "This server's logins need the package 'cryptography', or an encrypted connection.",
            hint="Install it with: pip install 'pymysql[rsa]', or add sslmode=REQUIRED.",
        ) from error
    with connection.cursor() as cursor:
        for statement in _session(_version(connection), limits, read_only=read_only):
            cursor.execute(statement)
    return connection


def _version(connection: pymysql.Connection[Any]) -> str:
    return str(connection.get_server_info())  # type: ignore[no-untyped-call]


def _tls(url: DatabaseUrl) -> dict[str, Any]:
    """A server that offers TLS gets it; what more is asked for is a context that says so."""
    authority, certificate = url.options.get("sslcert"), url.options.get("ssl_cert")
    mode = url.options.get("sslmode") or (
        "VERIFY_CA" if authority else "REQUIRED" if certificate else "PREFERRED"
    )
    if mode in ("DISABLED", "PREFERRED"):
        return {"ssl_disabled": mode == "DISABLED"}
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = mode == "VERIFY_IDENTITY"
    if mode == "REQUIRED":
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        password = url.key_password.reveal() if url.key_password else None
        context.load_cert_chain(certificate, url.options.get("ssl_key"), password)
    return {"ssl": context}


def _session(version: str, limits: Limits, *, read_only: bool) -> list[str]:
    lock_seconds = _READ_LOCK_SECONDS if read_only else math.ceil(limits.statement_ms / 1000)
    statements = [
        "SET SESSION time_zone = '+00:00'",
        f"SET SESSION innodb_lock_wait_timeout = {lock_seconds}",
        f"SET SESSION lock_wait_timeout = {lock_seconds}",
    ]
    if "MariaDB" in version:
        statements.append(f"SET SESSION max_statement_time = {limits.statement_ms / 1000}")
    else:
        statements.append(f"SET SESSION max_execution_time = {limits.statement_ms}")
    if read_only:
        statements.append("SET SESSION TRANSACTION READ ONLY")
    return statements


# -- reading -------------------------------------------------------------------------------------------


class _RowReader:
    """Streams rows and makes frames of them; after a failure the next read opens a new connection."""

    def __init__(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> None:
        self._url = url
        self._limits = limits
        self._read_only = read_only
        self._connection: pymysql.Connection[Any] | None = None

    def read(self, sql: str) -> pl.DataFrame:
        if self._connection is None:
            self._connection = open_connection(
                self._url, self._limits, read_only=self._read_only, autocommit=True
            )
        try:
            with self._connection.cursor(SSCursor) as cursor:
                cursor.execute(sql)
                frames = [_frame(cursor.description, [])]
                while rows := cursor.fetchmany(_READ_ROWS):
                    frames.append(_frame(cursor.description, rows))
        except BaseException:
            self.close()
            raise
        return decoded(pl.concat(frames, how="vertical_relaxed"))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()


def _frame(description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else [()] * len(description)
    return pl.DataFrame(
        [_series(column, values) for column, values in zip(description, columns, strict=True)]
    )


def _series(column: Sequence[Any], values: Sequence[Any]) -> pl.Series:
    name, code, scale = column[0], column[1], column[5]
    if code in (FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL):
        return pl.Series(name, values, pl.Decimal(38, scale))
    if code in _DTYPES:
        return pl.Series(name, values, _DTYPES[code])
    inferred = pl.Series(name, values)  # text or bytes: the code does not tell which
    return inferred.cast(pl.String) if inferred.dtype == pl.Null else inferred


# The first that fits counts; what is left is cast.
_TEXTS: Final[
    tuple[tuple[tuple[type, ...], Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]], ...]
] = (
    ((sa.String,), lambda column: column),
    ((mysql.BIT,), lambda column: sa.cast(sa.cast(column, sa.Integer), sa.CHAR)),
    ((_Binary,), lambda column: sa.func.concat("0x", sa.func.hex(column))),
)


class _Inserting:
    """Frames are inserted into their tables at once."""

    def __init__(self, connection: sa.Connection, dialect: sa.Dialect) -> None:
        self._connection = connection
        self._quote = dialect.identifier_preparer.quote_identifier

    def put(self, loads: Sequence[Load]) -> None:
        for table, frame in loads:
            with closing(self._connection.connection.cursor()) as cursor:
                cursor.executemany(self._insert(table, frame), frame.rows())

    def bring(self) -> None:
        """Nothing to do: `put` has loaded them."""

    def _insert(self, table: sa.Table, frame: pl.DataFrame) -> str:
        columns = ", ".join(self._quote(name) for name in frame.columns)
        places = ", ".join(["%s"] * frame.width)
        return f"INSERT INTO {self._quote(table.name)} ({columns}) VALUES ({places})"  # noqa: S608


class MySQL:
    engine = Engine.MYSQL
    drivers: tuple[str, ...] = ("pymysql",)
    dialect: sa.Dialect = mysql.dialect(paramstyle="named")
    opens_readers_slowly = False
    lends_tables = False
    shares_tables = False
    named_at_once = NAMED_AT_ONCE
    is_among = staticmethod(written_out)
    read_few = staticmethod(one_by_one)
    text = staticmethod(plain_text)

    def create_engine(self, url: DatabaseUrl, limits: Limits, *, read_only: bool) -> sa.Engine:
        return sa.create_engine(
            "mysql+pymysql://",
            creator=lambda: open_connection(url, limits, read_only=read_only, autocommit=False),
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.acquire_ms / 1000,
            pool_pre_ping=True,
        )

    def open_reader(
        self,
        url: DatabaseUrl,
        engine: sa.Engine,  # noqa: ARG002
        limits: Limits,
        *,
        read_only: bool,
    ) -> _RowReader:
        return _RowReader(url, limits, read_only=read_only)

    @contextmanager
    def begin_loaded(self, engine: sa.Engine, loads: Sequence[Load]) -> Iterator[sa.Connection]:
        with self.begin_loading(engine) as (connection, inserting):
            inserting.put(loads)
            yield connection

    @contextmanager
    def begin_loading(self, engine: sa.Engine) -> Iterator[tuple[sa.Connection, _Inserting]]:
        with engine.begin() as connection:
            yield connection, _Inserting(connection, self.dialect)

    def activity_engine(self, url: DatabaseUrl, engine: sa.Engine, limits: Limits) -> sa.Engine:  # noqa: ARG002
        return engine

    def as_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        for kinds, text in _TEXTS:
            if isinstance(column.type, kinds):
                return text(column)
        return sa.cast(column, sa.CHAR)

    def change_kind(self, column: sa.ColumnElement[Any]) -> ChangeKind | None:
        return time_kind(column)

    def clock(self, *, versions: bool = False) -> sa.Select[Any]:  # noqa: ARG002
        now = "UTC_TIMESTAMP(6)"
        local = f"CONVERT_TZ({now}, '+00:00', @@GLOBAL.time_zone)"  # null where the zone is not installed
        given = {
            "utc": f"CAST({now} AS CHAR)",
            "local": f"CAST(COALESCE({local}, {now}) AS CHAR)",
            "version": "CAST(NULL AS CHAR)",
            "open": "CAST(NULL AS CHAR)",  # told only to who may see other users' sessions
        }
        return texts(given)

    def instant(self, column: sa.ColumnElement[Any], moment: datetime) -> sa.ColumnElement[Any]:  # noqa: ARG002
        text = moment.isoformat(" ", "microseconds")
        return sa.cast(sa.literal(text, sa.String()), mysql.DATETIME(fsp=6))

    def changed_since(self, column: sa.ColumnElement[Any], bound: datetime | str) -> sa.ColumnElement[bool]:
        assert isinstance(bound, datetime)
        return column >= self.instant(column, bound)

    def explain(self, error: Exception, url: DatabaseUrl) -> LedgerlineError:
        if isinstance(error, LedgerlineError):
            return error
        driver = getattr(error, "orig", None) or error
        number, text = (*driver.args, "")[:2] if driver.args else (0, "")
        kind, hint = _BY_NUMBER.get(number, (DatabaseError, ""))
        if kind is DatabaseUnreachable:
            return kind(f"Cannot connect to MySQL at {url.host}:{url.effective_port}.", hint=hint)
        return kind(str(text).strip() or "The server gave no reason.", hint=hint)

    def estimate_rows(self, connection: sa.Connection, table: str, schema: str | None) -> int | None:
        query = sa.text(
            "SELECT table_rows FROM information_schema.tables"
            " WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :table"
        )
        estimate = connection.execute(query, {"schema": schema, "table": table}).scalar()
        return None if estimate is None else int(estimate)

    def unindexed(
        self, connection: sa.Connection, tables: Sequence[sa.Table]
    ) -> AbstractContextManager[None]:
        return without_secondary_indexes(connection, tables)

    def analyze(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Nothing to do: InnoDB renews its statistics by itself."""

    def take_turn(self, connection: sa.Connection) -> None:  # noqa: ARG002
        raise AssertionError("A source only is never changed.")


SERVER = MySQL()
