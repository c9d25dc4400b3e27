"""SQL Server without a server: what the driver is told, and what its errors mean."""

from __future__ import annotations

import mssql_python
import pytest
import sqlalchemy as sa
from mssql_python.connection_string_parser import _ConnectionStringParser

from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.sqlserver import SERVER, _session, connection_string
from ledgerline.errors import (
    ColumnMissing,
    ConnectionStringError,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    DriverMissing,
    LoginRefused,
    PermissionDenied,
    TableMissing,
    TransientFault,
    UnreadableValue,
)
from ledgerline.url import parse_any

URL = parse_any("sqlserver://app:s3cret@db.example:1433;database=main")


def told(url: str) -> dict[str, str]:
    """The keywords as the driver itself reads them; one that it does not know would raise."""
    parser = _ConnectionStringParser(validate_keywords=True)
    given: dict[str, str] = parser._parse(connection_string(parse_any(url)))
    return given


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("db.example", "db.example,1433"),
        ("db.example:1444", "db.example,1444"),
        (r"db.example\SQL2022", r"db.example\SQL2022"),
        (r"db.example\SQL2022:1444", "db.example,1444"),
        ("[2001:db8::1]:1444", "2001:db8::1,1444"),
        (".", "localhost,1433"),
    ],
)
def test_a_server_is_named_as_the_driver_wants_it(server: str, expected: str) -> None:
    assert told(f"sqlserver://{server};database=main;user=app;password=x")["server"] == expected


def test_a_password_may_hold_anything() -> None:
    given = told("sqlserver://db;database={ma;in};user={a}}b};password={p;w=d}}{{ ä}")
    assert (given["database"], given["uid"], given["pwd"]) == ("ma;in", "a}b", "p;w=d}{{ ä")


def test_every_property_reaches_the_driver() -> None:
    given = told(
        "sqlserver://db;database=main;user=app;password=x;encrypt=strict;hostNameInCertificate=sql.example;"
        "serverSpn=MSSQLSvc/db;applicationIntent=ReadOnly;multiSubnetFailover=true;packetSize=8000;"
        "connectRetryCount=2;connectRetryInterval=5;authentication=ActiveDirectoryServicePrincipal"
    )
    assert given == {
        "server": "db,1433",
        "database": "main",
        "uid": "app",
        "pwd": "x",
        "authentication": "ActiveDirectoryServicePrincipal",
        "encrypt": "strict",
        "hostnameincertificate": "sql.example",
        "serverspn": "MSSQLSvc/db",
        "applicationintent": "ReadOnly",
        "multisubnetfailover": "yes",
        "packetsize": "8000",
        "connectretrycount": "2",
        "connectretryinterval": "5",
    }


def test_who_only_reads_says_so_unless_the_url_does() -> None:
    url = "sqlserver://db;database=main;user=app;password=x"
    assert "ApplicationIntent={ReadOnly}" in connection_string(parse_any(url), read_only=True)
    assert "ApplicationIntent" not in connection_string(parse_any(url))
    url += ";applicationIntent=ReadWrite"
    assert "ApplicationIntent={ReadWrite}" in connection_string(parse_any(url), read_only=True)


def test_windows_authentication_sends_no_login() -> None:
    given = told("sqlserver://localhost;database=main;integratedSecurity=true;trustServerCertificate=true")
    assert given == {
        "server": "localhost,1433",
        "database": "main",
        "trusted_connection": "yes",
        "encrypt": "yes",
        "trustservercertificate": "yes",
    }


@pytest.mark.parametrize(("text", "expected"), [("false", "no"), ("true", "yes"), ("strict", "strict")])
def test_encryption_is_said_as_odbc_says_it(text: str, expected: str) -> None:
    assert told(f"sqlserver://db;database=main;user=app;password=x;encrypt={text}")["encrypt"] == expected


def test_a_managed_identity_has_another_name() -> None:
    given = told("sqlserver://db;database=main;authentication=ActiveDirectoryManagedIdentity")
    assert given["authentication"] == "ActiveDirectoryMSI"


@pytest.mark.parametrize(
    "prop", ["trustServerCertificateCA=/etc/ca.pem", "isolationLevel=READ UNCOMMITTED"], ids=["ca", "dirty"]
)
def test_what_the_driver_cannot_be_told_is_an_error(prop: str) -> None:
    url = parse_any(f"sqlserver://db;database=main;user=app;password=s3cret;{prop}")
    with pytest.raises(ConnectionStringError) as refused:
        SERVER.create_engine(url, Limits(), read_only=True)
    assert prop.partition("=")[0] in refused.value.detail
    assert "s3cret" not in f"{refused.value.detail}{refused.value.hint}"


@pytest.mark.parametrize(("read_only", "is_set"), [(True, True), (False, False)])
def test_only_what_reads_has_another_isolation_level(read_only: bool, is_set: bool) -> None:
    url = parse_any("sqlserver://db;database=main;user=app;password=x;isolationLevel=SNAPSHOT")
    said = _session(url, Limits(), read_only=read_only)
    assert ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT" in said) is is_set


def test_what_has_no_effect_is_told(caplog: pytest.LogCaptureFixture) -> None:
    url = parse_any("sqlserver://db;database=main;user=app;password=x;applicationName=crm;workstationID=pc1")
    SERVER.create_engine(url, Limits(), read_only=True).dispose()
    assert [name in caplog.text for name in ("'applicationName'", "'workstationID'")] == [True, True]


# What the driver says, as (driver_error, ddbc_error), and what that means.
SAID: list[tuple[str, str, type[Exception]]] = [
    (
        "Invalid character value for cast specification",
        "Conversion failed when converting the nvarchar value 'x' to data type int.",
        UnreadableValue,
    ),
    (
        "Numeric value out of range",
        "Arithmetic overflow error converting expression to data type int.",
        UnreadableValue,
    ),
    ("Division by zero", "Divide by zero error encountered.", UnreadableValue),
    ("Invalid authorization specification", "Login failed for user 'app'.", LoginRefused),
    (
        "Invalid authorization specification",
        "Login failed. The login is from an untrusted domain and cannot be used with Integrated auth…",
        LoginRefused,
    ),
    (
        "General error",
        "Login failed for user 'app'.  Reason: The password of the account has expired.",
        LoginRefused,
    ),
    (
        "General error",
        "SSPI Provider: No Kerberos credentials available (default cache: FILE:/tmp/x)",
        LoginRefused,
    ),
    (
        "Syntax error or access violation",
        'Cannot open database "nope" requested by the login. The login failed.',
        DatabaseMissing,
    ),
    (
        "Syntax error or access violation",
        'The server principal "app" is not able to access the database "main" under the current context.',
        PermissionDenied,
    ),
    ("Client unable to establish connection", "TCP Provider: Error code 0x274D", DatabaseUnreachable),
    ("Client unable to establish connection", "TCP Provider: Error code 0x274C", DatabaseUnreachable),
    ("Timeout expired", "Login timeout expired", DatabaseUnreachable),
    (
        "Client unable to establish connection",
        "SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]",
        DatabaseUnreachable,
    ),
    ("Communication link failure", "TCP Provider: Error code 0x20", DatabaseUnreachable),
    (
        "Cannot create cursor on closed connection",
        "Cannot create cursor on closed connection",
        DatabaseUnreachable,
    ),
    (
        "General error",
        "Cannot open backup device 'a.bak'. Operating system error 5(Access is denied.).",
        DatabaseError,
    ),
    (
        "Client unable to establish connection",
        "SQL Server Network Interfaces: Error Locating Server/Instance Specified [xFFFFFFFF]. ",
        DatabaseUnreachable,
    ),
    ("Base table or view not found", "Invalid object name 'dbo.certificate deadlock'.", TableMissing),
    ("Column not found", "Invalid column name 'lock timeout'.", ColumnMissing),
    (
        "Syntax error or access violation",
        "The SELECT permission was denied on the object 'customers', database 'invoice', schema 'dbo'.",
        PermissionDenied,
    ),
    (
        "Syntax error or access violation",
        "CREATE TABLE permission denied in database 'invoice'.",
        PermissionDenied,
    ),
    (
        "Serialization failure",
        "Transaction (Process ID 52) was deadlocked on lock resources with another process.",
        TransientFault,
    ),
    ("Syntax error or access violation", "Lock request time out period exceeded.", TransientFault),
    ("Timeout expired", "Query timeout expired", TransientFault),
    ("Bulk copy failed", "Sql Error: 1205: Class 13: State 51: anything in no language", TransientFault),
    ("Bulk copy failed", "Sql Error: 2627: Class 14: State 1: duplicate key", DatabaseError),
    (
        "Bulk copy failed",
        "Failed to connect to SQL Server at app: IO error: failed to lookup address information",
        DatabaseUnreachable,
    ),
    (
        "General error",
        "Database 'main' on server 'db' is not currently available.  Please retry the connection later.",
        DatabaseUnreachable,
    ),
    (
        "General error",
        "The request limit for the database is 60 and has been reached. See 'http://…' for assistance.",
        TransientFault,
    ),
    (
        "General error",
        "Unable to access availability database 'main' because the database replica role is not primary.",
        DatabaseUnreachable,
    ),
    (
        "Invalid authorization specification",
        "Login failed for user 'app'. Reason: Server is in script upgrade mode.",
        DatabaseUnreachable,
    ),
    ("General error", "SQL Server is not ready to accept new client connections.", DatabaseUnreachable),
    (
        "General error",
        "Database 'main' is being recovered. Waiting until recovery is finished.",
        DatabaseUnreachable,
    ),
    (
        "General error",
        "Unable to access database 'main' because the replica is not in the PRIMARY or SECONDARY role.",
        DatabaseUnreachable,
    ),
    (
        "Invalid authorization specification",
        "Cannot open server 'db' … Client with IP address '192.0.2.1' is not allowed to access the server.",
        PermissionDenied,
    ),
    (
        "General error",
        "Snapshot isolation transaction failed in database 'main' because the object … has been modified",
        TransientFault,
    ),
    # Numbers that stand in a row, or are the operating system's, are no numbers of errors.
    (
        "General error",
        "Cannot open backup device 'a.bak'. Operating system error 2(The system cannot find the file…).",
        DatabaseError,
    ),
    (
        "Invalid character value for cast specification",
        "Conversion failed when converting the nvarchar value '(207) 555-1234' to data type int.",
        UnreadableValue,
    ),
    (
        "Integrity constraint violation",
        "Violation of UNIQUE KEY constraint 'uq'. The duplicate key value is (1205).",
        DatabaseError,
    ),
    (
        "String data, right truncated",
        "String data would be truncated. Truncated value: '(208) 555'.",
        DatabaseError,
    ),
    ("Something new", "that nobody has seen", DatabaseError),
]


@pytest.mark.parametrize(("state", "text", "kind"), SAID)
def test_an_error_is_known_by_its_texts(state: str, text: str, kind: type[Exception]) -> None:
    driver = mssql_python.OperationalError(
        state, f"[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{text}"
    )
    for error in (driver, sa.exc.OperationalError("SELECT 1", {}, driver)):
        explained = SERVER.explain(error, URL)
        assert type(explained) is kind
        assert "[Microsoft]" not in explained.detail


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("'main' is accessible for connections when the application intent is set to read only.", "primary"),
        ("It failed because snapshot isolation is not allowed in this database.", "isolationLevel"),
        ("The database 'main' has reached its size quota.", "space"),
    ],
)
def test_what_no_repetition_mends_says_what_does(text: str, remedy: str) -> None:
    fault = mssql_python.OperationalError("General error", f"[Microsoft][SQL Server]{text}")
    error = SERVER.explain(fault, URL)
    assert not error.retryable
    assert remedy in error.hint


@pytest.mark.parametrize("word", ["trustServerCertificate", "SSL_CERT_FILE"])
def test_an_untrusted_certificate_says_what_to_do(word: str) -> None:
    error = mssql_python.OperationalError(
        "Client unable to establish connection",
        "SSL Provider: [certificate verify failed:unable to get issuer]",
    )
    assert word in SERVER.explain(error, URL).hint


def test_a_library_that_is_missing_is_named_with_its_command() -> None:
    text = "Failed to load the driver. Please read the documentation (https://…) to install the dependencies."
    explained = SERVER.explain(mssql_python.OperationalError("Connection operation failed", text), URL)
    assert isinstance(explained, DriverMissing)
    assert "apt-get install libltdl7" in explained.hint


def test_values_of_rows_are_not_repeated() -> None:
    text = "Violation of UNIQUE KEY constraint 'uq'. The duplicate key value is (asha@example.in)."
    explained = SERVER.explain(mssql_python.IntegrityError("Integrity constraint violation", text), URL)
    assert "asha@" not in f"{explained.detail}{explained.hint}"
