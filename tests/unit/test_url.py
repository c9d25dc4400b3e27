"""The forms of connection strings that are accepted, and what is said of those that are not."""

from __future__ import annotations

import pickle
import traceback

import pytest

from ledgerline.errors import ConnectionStringError
from ledgerline.url import DatabaseUrl, Encrypt, Engine, Secret, from_parts, parse_any, parse_url

SQLSERVER = {"engine": Engine.SQLSERVER, "database": "main"}
LOGIN = {"user": "sa", "password": Secret("pw")}


def url(**fields: object) -> DatabaseUrl:
    return DatabaseUrl(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (  # the guide's two forms
            "sqlserver://localhost:1433;database=main;integratedSecurity=true;trustServerCertificate=true",
            url(**SQLSERVER, host="localhost", port=1433, windows_auth=True, trust_server_certificate=True),
        ),
        (
            "sqlserver://sa:pw@server:1433;database=main;trustServerCertificate=true",
            url(**SQLSERVER, **LOGIN, host="server", port=1433, trust_server_certificate=True),
        ),
        (
            "jdbc:sqlserver://h;DatabaseName=main;USERNAME=sa;Pwd=pw;",
            url(**SQLSERVER, **LOGIN, host="h"),
        ),
        (
            "sqlserver://;serverName=h\\sql2022;portNumber=1500;initial catalog=main;userId=sa;password=pw",
            url(**SQLSERVER, **LOGIN, host="h", instance="sql2022", port=1500),
        ),
        (
            "sqlserver://h\\sql2022;database=main;user=sa;password={a;b}}c={d}",
            url(**SQLSERVER, host="h", instance="sql2022", user="sa", password=Secret("a;b}c={d")),
        ),
        (
            "sqlserver://DOMAIN%5Csa:p%40%3A%2f%3b@[fe80::1%25eth0]:1433;database=main",
            url(**SQLSERVER, host="fe80::1%eth0", port=1433, user="DOMAIN\\sa", password=Secret("p@:/;")),
        ),
        (
            "sqlserver://h;database=main;user=sa@tenant;password=p@w;encrypt=strict;loginTimeout=0;schema=app",
            url(
                **SQLSERVER,
                host="h",
                user="sa@tenant",
                password=Secret("p@w"),
                encrypt=Encrypt.STRICT,
                connect_timeout=0,
                schema="app",
            ),
        ),
        (
            (
                "sqlserver://h;database=main;multiSubnetFailover=yes;applicationIntent=readonly"
                ";applicationName={My App};hostNameInCertificate=*.example.com;connectionLimit=5"
            ),
            url(
                **SQLSERVER,
                host="h",
                application_name="My App",
                connection_limit=5,
                options={
                    "applicationIntent": "ReadOnly",
                    "multiSubnetFailover": "true",
                    "hostNameInCertificate": "*.example.com",
                },
            ),
        ),
        (
            "sqlserver://h;database=main;authentication=ActiveDirectoryMSI;encrypt=mandatory",
            url(
                **SQLSERVER,
                host="h",
                encrypt=Encrypt.MANDATORY,
                options={"authentication": "ActiveDirectoryMSI"},
            ),
        ),
        (
            "postgres://sa:pw@db.example.com/main?sslmode=verify-full&schema=app&connection_limit=3",
            url(
                engine=Engine.POSTGRESQL,
                **LOGIN,
                host="db.example.com",
                database="main",
                schema="app",
                connection_limit=3,
                options={"sslmode": "verify-full"},
            ),
        ),
        (  # Prisma's way to name a socket, and its word for a checked certificate
            "postgresql://sa:@localhost/main?host=/run/pg&options=-c%20geqo%3Doff&sslaccept=strict",
            url(
                engine=Engine.POSTGRESQL,
                user="sa",
                host="/run/pg",
                database="main",
                options={"options": "-c geqo=off", "sslmode": "verify-full"},
            ),
        ),
        (
            "mariadb://sa:a%b#c@h:3307/main?sslaccept=strict&sslcert=ca.pem",
            url(
                engine=Engine.MYSQL,
                user="sa",
                password=Secret("a%b#c"),
                host="h",
                port=3307,
                database="main",
                options={"sslmode": "VERIFY_IDENTITY", "sslcert": "ca.pem"},
            ),
        ),
        ("sqlite:///data/main.db", url(engine=Engine.SQLITE, database="data/main.db")),
        ("sqlite:////srv/main.db", url(engine=Engine.SQLITE, database="/srv/main.db")),
        ("sqlite:///C:/x/y.db", url(engine=Engine.SQLITE, database="C:/x/y.db")),
        (
            "'file:./dev.db?connection_limit=1' ",
            url(engine=Engine.SQLITE, database="./dev.db", connection_limit=1),
        ),
        ("file:///srv/dev.db", url(engine=Engine.SQLITE, database="/srv/dev.db")),
        ("file:///C:/dev.db", url(engine=Engine.SQLITE, database="C:/dev.db")),
    ],
)
def test_forms_of_url(text: str, expected: DatabaseUrl) -> None:
    assert parse_url(text) == expected
    assert parse_url(expected.render(mask=False)) == expected
    assert parse_any(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Driver={ODBC Driver 18 for SQL Server};Server=tcp:h,1433;Database=main;UID=sa;PWD={p;w}",
            url(
                **SQLSERVER,
                host="h",
                port=1433,
                user="sa",
                password=Secret("p;w"),
            ),
        ),
        (
            'Driver=FreeTDS;Server=.;Database=main;UID=sa;PWD="quoted"',
            url(**SQLSERVER, host="localhost", user="sa", password=Secret('"quoted"')),
        ),
        (
            "Server=h;Database=main;Trusted_Connection=yes;TrustServerCertificate=yes",
            url(**SQLSERVER, host="h", windows_auth=True, trust_server_certificate=True),
        ),
        (
            "Data Source=(local)\\SQLEXPRESS;Initial Catalog=main;Integrated Security=SSPI",
            url(**SQLSERVER, host="localhost", instance="SQLEXPRESS", windows_auth=True),
        ),
        (
            'Server = h ; Initial Catalog = main; User Id = sa; Password = "a;""b\'"; Connect Timeout=30',
            url(**SQLSERVER, host="h", user="sa", password=Secret("a;\"b'"), connect_timeout=30),
        ),
        (
            "Server=h;Database=main;User Id=sa;Password='it''s;'",
            url(**SQLSERVER, host="h", user="sa", password=Secret("it's;")),
        ),
        (
            "Host=h;Port=5433;Username=sa;Password=pw;Database=main",
            url(engine=Engine.POSTGRESQL, **LOGIN, host="h", port=5433, database="main"),
        ),
        (
            "Driver={MySQL ODBC 8.0 Unicode Driver};Server=h;Port=3306;Database=main;User=sa;Password=pw",
            url(engine=Engine.MYSQL, **LOGIN, host="h", port=3306, database="main"),
        ),
        (
            "jdbc:postgresql://h/main?user=sa&password=pw&currentSchema=app&ApplicationName=x",
            url(
                engine=Engine.POSTGRESQL,
                **LOGIN,
                host="h",
                database="main",
                schema="app",
                application_name="x",
            ),
        ),
        ("Data Source=file.db;Version=3", url(engine=Engine.SQLITE, database="file.db")),
        ("Data Source=C:\\app data\\erp.db;", url(engine=Engine.SQLITE, database="C:\\app data\\erp.db")),
        ("Filename=./erp;Mode=ReadOnly", url(engine=Engine.SQLITE, database="./erp")),
        (
            "Driver=SQLite3 ODBC Driver;Database=erp.db;LongNames=0",
            url(engine=Engine.SQLITE, database="erp.db"),
        ),
        ("jdbc:sqlite:data/erp.db", url(engine=Engine.SQLITE, database="data/erp.db")),
        (
            "Server=h;Port=3306;Database=main;Uid=sa;Pwd=pw;SslMode=Required",
            url(
                engine=Engine.MYSQL,
                **LOGIN,
                host="h",
                port=3306,
                database="main",
                options={"sslmode": "REQUIRED"},
            ),
        ),
        (
            "jdbc:mysql://h/main?user=sa&password=pw",
            url(engine=Engine.MYSQL, **LOGIN, host="h", database="main"),
        ),
        (
            "jdbc:mysql://h/main?user=sa&password=pw&connectTimeout=4500&socketTimeout=60000",
            url(
                engine=Engine.MYSQL, **LOGIN, host="h", database="main", connect_timeout=5, socket_timeout=60
            ),
        ),
        (
            "jdbc:sqlserver://h;database=main;user=sa;password=pw;loginTimeout=30;socketTimeout=60000",
            url(
                engine=Engine.SQLSERVER,
                **LOGIN,
                host="h",
                database="main",
                connect_timeout=30,
                socket_timeout=60,
            ),
        ),
    ],
)
def test_pasted_strings(text: str, expected: DatabaseUrl) -> None:
    assert parse_any(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sqlserver://h;databse=main", "no property 'databse'. Did you mean 'database'?"),
        ("sqlserver://sa:pw@h;database=main;nonsense=1", "no property 'nonsense'"),
        ("sqlserver://h;user=sa;password=pw;databse=main", "Did you mean 'database'?"),
        ("postgresql://sa:pw@h/main?sslmod=require", "Did you mean 'sslmode'?"),
        ("sqlserver://h;database=a;initial catalog=b", "'database' is given twice"),
        ("sqlserver://h:1433;database=a;portNumber=1434", "'portNumber' is given twice"),
        ("sqlserver://sa:pw@h;database=a;password=other", "'password' is given twice"),
        ("sqlserver://h;database=a;integratedSecurity=true;authentication=SqlPassword", "'authentication'"),
        ("sqlserver://h;database=a;trustServerCertificate=true;trustServerCertificateCA=x", "contradict"),
        ("sqlserver://h;database=a;encrypt=maybe", "'encrypt' is not true, false or strict"),
        ("sqlserver://h;database=a;integratedSecurity=perhaps", "'integratedSecurity' is not"),
        ("sqlserver://h:0;database=a", "'portNumber' is not a number from 1 to 65535"),
        ("sqlserver://h:65536;database=a", "'portNumber' is not a number from 1 to 65535"),
        ("sqlserver://h:1433", "'database' is missing"),
        ("sqlserver://;database=a", "names no server"),
        ("sqlserver://h;database=a;user", "no '='"),
        ("sqlserver://h;database={a", "begins with '{'"),
        ("sqlserver://[::g];database=a", "no IPv6 address"),
        ("sqlserver://fe80::1;database=a", "not host:port"),
        ("postgresql://a:1,b:2/main", "several servers"),
        ("postgresql://h/main?sslmode", "no '='"),
        ("mysql://sa:%ff@h/main", "percent-encoded"),
        ("mssql://h/main", "scheme 'mssql' is unknown"),
        ("sqlite://data/main.db", "names no server"),
        ("sqlite:///:memory:", "no database file"),
        ("sqlite:///", "no database file"),
        ("file:x?mode=memory", "no database file"),
        ("file://server/x", "names no server"),
        ("sqlserver://HOST\name;database=a", "control character"),
        ("sqlserver://h;database=a;user=\udcff", "not UTF-8"),
        ("localhost", "no scheme"),
        ("''", "empty"),
    ],
)
def test_refusals_name_the_property(text: str, said: str) -> None:
    with pytest.raises(ConnectionStringError) as refused:
        parse_url(text)
    assert said in refused.value.detail


def test_refusals_of_pasted_strings() -> None:
    for text, said in (
        ("DSN=invoice;UID=sa;PWD=pw", "A DSN"),
        ("Server=np:h;Database=main", "without TCP"),
        ("localhost", "neither a URL"),
        ("Data Source=:memory:;Version=3", "no database file"),
        ("Data Source=erp.db;Version=3;Password=pw", "encrypted files"),
    ):
        with pytest.raises(ConnectionStringError, match=said):
            parse_any(text)


def test_hint_for_an_unknown_scheme() -> None:
    for scheme, meant in (
        ("mssql", "sqlserver"),
        ("postgresql+psycopg", "postgresql"),
        ("sqlite3", "sqlite"),
    ):
        with pytest.raises(ConnectionStringError) as refused:
            parse_url(f"{scheme}://h/main")
        assert refused.value.hint == f"Did you mean {meant}://?"


@pytest.mark.parametrize(
    "text",
    [
        "sqlserver://sa:Hunter2@h;databse=main",
        "sqlserver://sa:Hunter2/x@h:bad;database=main",
        "sqlserver://sa:Hunter2;database=main",  # read as host:port
        "sqlserver://sa:1;Hunter2=x@h:1433;database=main",  # ';' in the password, cut there
        "sqlserver://sa:1;Hunter2@h:1433;database=main",
        "sqlserver://h;database=main;user=sa;password=ab;Hunter2=cd",
        "sqlserver://h;database=main;user=sa;password=ab;Hunter2",
        "sqlserver://h;database=main;user=sa;password={Hunter2",
        "sqlserver://h;user=sa;password=Hunter2;port=Hunter2",
        "postgresql://sa:Hunter2/x@h/main",
        "postgresql://sa:1/Hunter2@h/main",
        "postgresql://sa:1?Hunter2=x@h/main",
        "postgresql://sa:x@1/Hunter2@h",
        "postgresql://sa:Hunter2%ff@h/main",
        "postgresql://sa@h/main?password=a&Hunter2=b",
        "Hunter2://sa",
        "sa:Hunter2@h",
    ],
)
def test_errors_never_hold_a_password(text: str) -> None:
    with pytest.raises(ConnectionStringError) as refused:
        parse_url(text)
    error = refused.value
    shown = "".join(traceback.format_exception(error, chain=True)) + repr(error) + error.hint
    shown = shown.replace(text, "")  # the line of this test
    if not text.startswith("Hunter2"):  # a scheme is quoted
        assert "Hunter2" not in shown
    assert error.__cause__ is None
    assert error.__context__ is None


def test_windows_authentication_ignores_the_login() -> None:
    parsed = parse_url("sqlserver://sa:pw@h;database=main;integratedSecurity=true")
    assert (parsed.windows_auth, parsed.user, parsed.password) == (True, "", None)
    assert parsed.notices == ("Windows authentication is on: the user and password are ignored.",)


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("sqlserver://h;database=main", "no login"),
        ("sqlserver://sa:pw@h\\i:1433;database=main", "instance is not looked up"),
        ("sqlserver://sa:pw@h;database=main;encrypt=strict;trustServerCertificate=1", "no effect"),
        ("sqlserver://sa:pw@h;database=main;selectMethod=cursor", "'selectMethod' has no effect"),
        ("postgresql://sa:pw@h/main?sslcert=ca.pem", "sslrootcert"),
    ],
)
def test_notices(text: str, notice: str) -> None:
    (given,) = parse_url(text).notices
    assert notice in given


def test_secrets_never_show() -> None:
    parsed = parse_url("postgresql://sa:Hunter2@h/main?sslkey=k&sslcert=c&sslpassword=Hunter2")
    for shown in (str(parsed), repr(parsed), f"{parsed.password}", f"{parsed.password!r}", parsed.render()):
        assert "Hunter2" not in shown
        assert "****" in shown
    assert parsed.password is not None
    assert parsed.password.reveal() == "Hunter2"
    assert parsed.render() == "postgresql://sa:****@h/main?sslpassword=****&sslcert=c&sslkey=k"


def test_labels() -> None:
    def labels(text: str) -> tuple[str, str]:
        parsed = parse_url(text)
        return parsed.server_label, parsed.port_label

    assert labels("sqlserver://h;database=main") == ("h", "1433")
    assert labels("sqlserver://h\\i;database=main") == ("h\\i", "")
    assert labels("sqlserver://h\\i:1500;database=main") == ("h\\i", "1500")
    assert labels("postgresql://h/main") == ("h", "5432")
    assert labels("postgresql:///main?host=/run/pg") == ("/run/pg", "")
    assert labels("mysql://h/main") == ("h", "3306")
    assert labels("sqlite:///main.db") == ("embedded", "")


def test_parts_trust_the_certificate_of_this_machine_only() -> None:
    local = from_parts("localhost", port=1433, database="invoice", windows_auth=True)
    assert local == url(
        engine=Engine.SQLSERVER,
        host="localhost",
        port=1433,
        database="invoice",
        windows_auth=True,
        trust_server_certificate=True,
    )
    assert not from_parts("server", database="invoice").trust_server_certificate
    assert from_parts("server", database="invoice", trust_server_certificate=True).trust_server_certificate
    assert from_parts("tcp:server\\i,1500", database="invoice").port == 1500
    with pytest.raises(ConnectionStringError, match="'database' is missing"):
        from_parts("server", database="")


def test_urls_travel_between_processes() -> None:
    parsed = parse_url("postgresql://sa:pw@h/main?sslmode=require")
    assert pickle.loads(pickle.dumps(parsed)) == parsed
    assert hash(parsed) == hash(parse_url("postgres://sa:pw@h/main?sslmode=require"))
