"""What the doctor makes of the words of drivers, and that all it can say is explained."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa
import sqlglot
from sqlglot import exp

from ledgerline.databases import folders
from ledgerline.databases.engines import Server, explained, mysql, sqlserver
from ledgerline.databases.engines.sqlite import SQLite
from ledgerline.databases.engines.sqlserver import unconnected_dialect
from ledgerline.databases.engines.sqlserver_query import MAY_WRITE
from ledgerline.errors import LedgerlineError
from ledgerline.operations.doctor import reading_advice
from ledgerline.operations.doctor_faults import Fault, Layer, connecting_fault
from ledgerline.operations.doctor_remedies import remedy
from ledgerline.operations.doctor_rights import _RIGHTS, READS_BESIDE_WRITERS, readers_wait
from ledgerline.url import DatabaseUrl, Engine, parse_url

PAGE = (Path(__file__).parents[2] / "docs/troubleshooting.md").read_text(encoding="utf-8")
SQLSERVER = parse_url("sqlserver://app:pa55@db.example:1433;database=invoice")
WINDOWS = parse_url("sqlserver://db.example:1433;database=invoice;integratedSecurity=true")
MYSQL = parse_url("mysql://app:pa55@db.example/invoice")
URLS = (
    SQLSERVER,
    WINDOWS,
    MYSQL,
    parse_url("postgresql://app:pa55@db.example/invoice"),
    parse_url("sqlite:///data/invoice.db"),
)
OF_SERVERS = set(Fault) - {
    Fault.SETTINGS_INVALID,
    Fault.CONNECTION_STRING_INVALID,
    Fault.DRIVER_MISSING,
    Fault.PERMISSION_DENIED,  # these five know their steps only when they are found
    Fault.COLUMN_MISSING,
    Fault.INDEX_MISSING,
    Fault.TRANSIENT_FAULT,
    Fault.DATABASE_ERROR,
}


class DriverError(Exception):
    """As SQL Server's driver gives it: two texts, no number."""

    def __init__(self, driver_error: str, ddbc_error: str) -> None:
        super().__init__(f"Driver Error: {driver_error}; DDBC Error: {ddbc_error}")
        self.driver_error = driver_error
        self.ddbc_error = ddbc_error


_MS = "[Microsoft][ODBC Driver 18 for SQL Server]"


@pytest.mark.parametrize(
    ("state", "text", "layer", "fault"),
    [
        (
            "Invalid authorization specification",
            f"{_MS}[SQL Server]Login failed for user 'app'. (18456)",
            Layer.LOGIN,
            Fault.LOGIN_FAILED,
        ),
        (
            "Invalid authorization specification",
            f"{_MS}[SQL Server]Login failed. The login is from an untrusted domain. (18452)",
            Layer.LOGIN,
            Fault.LOGIN_FAILED,
        ),
        (
            "General error",
            f"{_MS}SSPI Provider: No Kerberos credentials available (default cache: FILE:/tmp/krb5cc_0)",
            Layer.LOGIN,
            Fault.KERBEROS_TICKET_MISSING,
        ),
        (
            "General error",
            f'{_MS}[SQL Server]Cannot open database "invoice" requested by the login. (4060)',
            Layer.DATABASE,
            Fault.DATABASE_MISSING,
        ),
        (
            "General error",
            f'{_MS}[SQL Server]The principal "app" is not able to access the database "invoice". (916)',
            Layer.DATABASE,
            Fault.PERMISSION_DENIED,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}TCP Provider: Error code 0x274D\nLogin timeout expired",
            Layer.TCP,
            Fault.PORT_REFUSED,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}TCP Provider: Error code 0x274C (10060)",
            Layer.TLS,
            Fault.TIMEOUT,
        ),
        ("Timeout expired", f"{_MS}Login timeout expired", Layer.TLS, Fault.TIMEOUT),
        ("General error", f"{_MS}Protocol error in TDS stream", Layer.TLS, Fault.CANNOT_CONNECT),
        (
            "Client unable to establish connection",
            f"{_MS}SSL Provider: [error:0A000102:SSL routines::unsupported protocol]",
            Layer.TLS,
            Fault.CANNOT_CONNECT,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}TCP Provider: Error code 0x2AF9",
            Layer.NAME,
            Fault.NAME_NOT_RESOLVED,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}SQL Server Network Interfaces: Error Locating Server/Instance Specified [xFFFFFFFF]. (-1)",
            Layer.NAME,
            Fault.INSTANCE_NOT_FOUND,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}SSL Provider: [error:0A000086:SSL routines::certificate verify failed]",
            Layer.TLS,
            Fault.CERTIFICATE_UNTRUSTED,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}A network-related or instance-specific error has occurred. [53]",
            Layer.TLS,
            Fault.CANNOT_CONNECT,
        ),
        (
            "Client unable to establish connection",
            f"{_MS}Encryption not supported on the client; the server does not support it",
            Layer.TLS,
            Fault.ENCRYPTION_UNAVAILABLE,
        ),
    ],
)
def test_what_sql_server_s_driver_says(state: str, text: str, layer: Layer, fault: Fault) -> None:
    explained = _explained(sqlserver.SERVER, DriverError(state, text), SQLSERVER)
    assert connecting_fault(explained) == (layer, fault)


def _explained(server: Server, error: Exception, url: DatabaseUrl) -> LedgerlineError:
    """As a database raises it: the driver's error is its cause."""
    explained = server.explain(error, url)
    explained.__cause__ = error
    return explained


@pytest.mark.parametrize(
    ("name", "is_allowed", "detail", "remedy"),
    [
        ("nowhere/main.db", True, "There is no file", "Check the path"),
        ("main.db", True, "There is no file", "Check the path"),
        ("main.db", False, "this process may not make one in", "write to that folder"),
        ("known.db", True, "SQLite cannot open", "write to it and to"),
        ("known.db", False, "This process may not read", "read it"),
    ],
)
def test_why_sqlite_opens_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_allowed: bool, detail: str, remedy: str
) -> None:
    monkeypatch.setattr(folders, "may", lambda path, mode: is_allowed)
    (tmp_path / "known.db").touch()
    url = parse_url(f"sqlite:///{(tmp_path / name).as_posix()}")
    told = SQLite().explain(sqlite3.OperationalError("unable to open database file"), url)
    assert (told.code, told.exit_code) == ("database_missing", 3)
    assert detail in told.detail
    assert name in told.detail
    assert remedy in told.hint


@pytest.mark.parametrize(
    ("number", "text", "layer", "fault"),
    [
        (
            1045,
            "Access denied for user 'app'@'localhost' (using password: YES)",
            Layer.LOGIN,
            Fault.LOGIN_FAILED,
        ),
        (1049, "Unknown database 'invoice'", Layer.DATABASE, Fault.DATABASE_MISSING),
        (1044, "Access denied for user 'app' to database 'invoice'", Layer.DATABASE, Fault.PERMISSION_DENIED),
        (1040, "Too many connections", Layer.LOGIN, Fault.TOO_MANY_CONNECTIONS),
        (
            2003,
            "Can't connect to MySQL server on 'h' ([Errno 111] Connection refused)",
            Layer.TCP,
            Fault.PORT_REFUSED,
        ),
        (2003, "Can't connect to MySQL server on 'h' (timed out)", Layer.TLS, Fault.TIMEOUT),
        (
            2026,
            "SSL connection error: SSL is required but the server doesn't support it",
            Layer.TLS,
            Fault.ENCRYPTION_UNAVAILABLE,
        ),
        (
            2003,
            "Can't connect to MySQL server on 'h' ([SSL: VERIFY_FAILED] certificate unknown)",
            Layer.TLS,
            Fault.CERTIFICATE_UNTRUSTED,
        ),
        (3159, "Connections using insecure transport are prohibited", Layer.TLS, Fault.ENCRYPTION_REQUIRED),
    ],
)
def test_what_mysql_s_driver_says(number: int, text: str, layer: Layer, fault: Fault) -> None:
    explained = _explained(mysql.SERVER, pymysql.err.OperationalError(number, text), MYSQL)
    assert connecting_fault(explained) == (layer, fault)


def test_a_name_in_a_message_is_not_taken_for_its_cause() -> None:
    error = DriverError("General error", f"{_MS}[SQL Server]Login failed for user 'certificate timeout'.")
    assert connecting_fault(_explained(sqlserver.SERVER, error, SQLSERVER))[1] is Fault.LOGIN_FAILED


@pytest.mark.parametrize("fault", sorted(Fault))
def test_every_code_is_documented(fault: Fault) -> None:
    assert f"| `{fault.value}` |" in PAGE


@pytest.mark.parametrize("layer", sorted(Layer))
def test_every_layer_is_documented(layer: Layer) -> None:
    assert f"| `{layer.value}` |" in PAGE


@pytest.mark.parametrize("fault", sorted(OF_SERVERS))
def test_every_fault_has_steps(fault: Fault) -> None:
    assert any(remedy(fault, url, "DATABASE_URL") for url in URLS)


@pytest.mark.parametrize("url", URLS, ids=lambda url: url.engine.value)
def test_steps_name_what_is_meant_and_no_secret(url: DatabaseUrl) -> None:
    for fault in Fault:
        for step in remedy(fault, url, "INVOICE_DATABASE_URL"):
            assert "pa55" not in step
            assert "{" not in step


def test_windows_authentication_has_steps_of_its_own() -> None:
    by_password = remedy(Fault.LOGIN_FAILED, SQLSERVER, "DATABASE_URL")
    by_windows = remedy(Fault.LOGIN_FAILED, WINDOWS, "DATABASE_URL")
    assert "SQL authentication is enabled" in " ".join(by_password)
    assert "Test Windows authentication" in by_windows[0]
    assert any("kinit" in step for step in by_windows)


@pytest.mark.parametrize(("engine", "dialect"), [(Engine.SQLSERVER, "tsql"), (Engine.POSTGRESQL, "postgres")])
def test_the_questions_for_rights_parse(engine: Engine, dialect: str) -> None:
    query = sqlglot.parse_one(_RIGHTS[engine], dialect=dialect)
    assert isinstance(query, exp.Select)
    assert query.named_selects == ["make", "change"]


def test_the_question_whether_a_login_may_write_parses() -> None:
    query = sqlglot.parse_one(MAY_WRITE, dialect="tsql")
    assert isinstance(query, exp.Select)
    assert [table.name for table in query.find_all(exp.Table)] == ["objects"]


def test_the_question_whether_readers_wait_parses() -> None:
    text = str(READS_BESIDE_WRITERS.compile(dialect=unconnected_dialect()))
    query = sqlglot.parse_one(text, dialect="tsql")
    assert isinstance(query, exp.Select)
    assert query.named_selects == ["is_read_committed_snapshot_on"]
    assert "sys.databases" in text and "db_id()" in text


@pytest.mark.parametrize(("kept", "waits"), [([0], True), ([1], False), ([None], False), ([], False)])
def test_whether_readers_wait(kept: list[int | None], waits: bool) -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.create_function("db_id", 0, lambda: 5)
        driver.executescript(
            "ATTACH ':memory:' AS sys;"
            " CREATE TABLE sys.databases (database_id, is_read_committed_snapshot_on)"
        )
        driver.executemany("INSERT INTO sys.databases VALUES (5, ?)", [(value,) for value in kept])
        driver.execute("INSERT INTO sys.databases VALUES (1, 0)")
        assert readers_wait(connection) is waits


def test_the_advice_for_readers_is_no_fault() -> None:
    check = reading_advice("in]voice")
    assert (check.ok, check.hinders, check.code) == (True, False, None)
    statement = check.remedy[0].partition(": ")[2]
    assert statement == "ALTER DATABASE [in]]voice] SET READ_COMMITTED_SNAPSHOT ON"


def test_what_a_server_said_stays_behind() -> None:
    error = DriverError("General error", f"{_MS}[SQL Server]Something about row 17: 98765.")
    assert "98765" not in explained(sqlserver.SERVER, error, SQLSERVER).public_detail
