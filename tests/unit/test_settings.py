"""What the settings come to be: layers, forms of values, mistakes, notices."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from ledgerline.errors import SettingsError
from ledgerline.settings import (
    COMPANY_NAME_COLUMNS,
    DEFAULTS,
    CustomersTable,
    Environment,
    InvoiceTable,
    Settings,
    TableName,
    describe,
    load_settings,
    render_env,
)
from ledgerline.url import Engine, Secret

# The block of the guide, to the letter.
GUIDE = """\
# Main Database
DATABASE_URL="sqlserver://localhost:1433;database=main_db;integratedSecurity=true;trustServerCertificate=true"

# Invoice Database (External)
INVOICE_DATABASE_URL="sqlserver://localhost:1433;database=invoice;integratedSecurity=true;trustServerCertificate=true"

# Alternative: Individual parameters
INVOICE_DB_SERVER=localhost
INVOICE_DB_PORT=1433
INVOICE_DB_NAME=invoice
INVOICE_DB_USE_WINDOWS_AUTH=true
INVOICE_DB_USER=sa
INVOICE_DB_PASSWORD=
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def load(folder: Path, **environ: str) -> Settings:
    return load_settings(environ, folder)


def mistakes(folder: Path, **environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(folder, **environ)
    assert refused.value.__context__ is None
    return refused.value.detail


def test_nothing_set_is_an_embedded_development(folder: Path) -> None:
    settings = load(folder)
    assert settings.environment is Environment.DEVELOPMENT
    assert (settings.main.url.engine, settings.main.url.database) == (Engine.SQLITE, "data/main.db")
    assert (settings.invoice.url.engine, settings.invoice.url.database) == (Engine.SQLITE, "data/invoice.db")
    assert (settings.main.connections, settings.main.acquire_ms, settings.main.statement_ms) == (
        10,
        60000,
        60000,
    )
    assert (settings.invoice.retry_attempts, settings.invoice.retry_delay_ms) == (3, 1000)
    assert settings.invoice_table == InvoiceTable(
        table=TableName("dbo_user_new", "customer_contacts"),
        columns={
            "id": "contactid",
            "customer_id": "customerid",
            "name": "contact_person_name",
            "phone": "contact_no",
            "designation": "designation",
            "email": "contact_person_email",
            "added_by": "added_by",
        },
        active=(("del_sts", "N"), ("status", "APP")),
        updated_column=None,
        overlap=timedelta(minutes=10),
        customers=CustomersTable(
            TableName("dbo_user_new", "customers"), False, "customerid", COMPANY_NAME_COLUMNS
        ),
    )
    assert (settings.withdrawal_breaker, settings.reconcile_every) == (0.2, timedelta(hours=24))
    assert (settings.default_country_code, settings.dask_scheduler) == ("IN", None)
    assert (settings.ingest_schedule, settings.backup_schedule, settings.api_key) == (None, None, None)
    assert (settings.host, settings.port, settings.notices) == ("127.0.0.1", 4002, ())


def test_the_guides_block_loads(folder: Path) -> None:
    (folder / ".env").write_text(GUIDE)
    settings = load(folder)
    for url, database in ((settings.main.url, "main_db"), (settings.invoice.url, "invoice")):
        assert (url.engine, url.host, url.port, url.database) == (
            Engine.SQLSERVER,
            "localhost",
            1433,
            database,
        )
        assert (url.windows_auth, url.trust_server_certificate, url.user) == (True, True, "")
    (notice,) = settings.notices
    assert notice.startswith("INVOICE_DATABASE_URL is set: ignored INVOICE_DB_SERVER, INVOICE_DB_PORT,")


def test_the_guides_parts_are_the_same_database(folder: Path) -> None:
    (folder / ".env").write_text(GUIDE)
    by_url = load(folder).invoice.url
    (folder / ".env").write_text(GUIDE.partition("# Alternative: Individual parameters")[2])
    settings = load(folder, INVOICE_DB_PASSWORD="Hunter2")
    assert settings.invoice.url == by_url
    assert settings.notices == (
        "INVOICE_DB_SERVER: Windows authentication is on: the user and password are ignored.",
    )


def test_parts_with_a_login(folder: Path) -> None:
    parts = {"DB_SERVER": "db\\sql", "DB_NAME": "main", "DB_USER": "sa", "DB_PASSWORD": "p;w"}
    settings = load(folder, **parts, DB_TRUST_SERVER_CERTIFICATE="yes")
    assert (
        settings.main.url.render() == "sqlserver://sa:****@db\\sql;database=main;trustServerCertificate=true"
    )
    assert settings.main.url.password == Secret("p;w")
    assert settings.main.url.port is None


def test_parts_without_a_server_are_pointed_out(folder: Path) -> None:
    assert load(folder, DB_NAME="main").notices == ("DB_SERVER is not set: ignored DB_NAME.",)


def test_layers(folder: Path) -> None:
    (folder / ".env").write_text("ENVIRONMENT=production\nPORT=1\nHOST=a\nDB_TIMEOUT=5\n")
    (folder / ".env.production").write_text("ENVIRONMENT=staging\nPORT=2\nHOST=b\n")
    settings = load(folder, PORT="3", HOST="", DB_TIMEOUT="")
    assert settings.environment is Environment.PRODUCTION
    assert (settings.port, settings.host, settings.main.statement_ms) == (3, "b", 5)
    origins = {name: origin for name, _, origin in describe(settings)}
    assert (origins["PORT"], origins["HOST"]) == ("environment", ".env.production")
    assert (origins["DB_TIMEOUT"], origins["API_KEY"]) == (".env", "default")


def test_the_limits_of_a_url_win_for_its_database(folder: Path) -> None:
    url = "sqlserver://h;database=d;user=u;connectionLimit=3;poolTimeout=4;socketTimeout=5"
    settings = load(folder, DATABASE_URL=url, DB_CONNECTION_LIMIT="7")
    assert (settings.main.connections, settings.main.acquire_ms, settings.main.statement_ms) == (
        3,
        4000,
        5000,
    )
    assert (settings.invoice.connections, settings.invoice.statement_ms) == (7, 60000)


@pytest.mark.parametrize(
    ("url", "connections"), [("file:./dev.db?connection_limit=1", 3), ("postgresql://h/d", 1)]
)
def test_an_embedded_database_has_connections_enough(folder: Path, url: str, connections: int) -> None:
    settings = load(folder, DATABASE_URL=url, INVOICE_DATABASE_URL="", DB_CONNECTION_LIMIT="1")
    assert (settings.main.connections, settings.invoice.connections) == (connections, 1)


def test_too_few_connections_to_sql_server(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"DB_CONNECTION_LIMIT: 2 is too small.*connectionLimit"):
        load(folder, DATABASE_URL="sqlserver://h;database=d;user=u;connectionLimit=2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_windows_editors(folder: Path, encoding: str) -> None:
    (folder / ".env").write_bytes("# Größe\r\nPORT=5000\r\nDB_USER='ü'\r\n".encode(encoding))
    assert load(folder).port == 5000


@pytest.mark.parametrize(
    "raw", [b"API_KEY=\xff\xfa-Hunter2-0123456", "API_KEY=Hunter2-012345678".encode("utf-16-le")]
)
def test_other_encodings_are_refused(folder: Path, raw: bytes) -> None:
    (folder / ".env").write_bytes(raw)
    said = mistakes(folder)
    assert ".env: it is not UTF-8" in said
    assert "Hunter2" not in said


def test_lines_that_cannot_be_read(folder: Path) -> None:
    (folder / ".env").write_text("PORT=1\n\n# note\nHOST='never closed\n\nHunter2\n")
    said = mistakes(folder)
    assert ".env: line 4 is not NAME=value" in said
    assert ".env: line 6 is not NAME=value" in said
    assert "Hunter2" not in said


def test_a_folder_named_env_is_no_file(folder: Path) -> None:
    (folder / ".env").mkdir()
    assert load(folder).port == 4002


def test_backslash_in_double_quotes(folder: Path) -> None:
    (folder / ".env").write_text("DB_PASSWORD=\"a\\new\"\nINVOICE_DB_PASSWORD='a\\new'\n")
    said = mistakes(folder)
    assert "DB_PASSWORD: the value in .env holds a control character" in said
    assert "single quotes" in said
    assert "INVOICE_DB_PASSWORD" not in said


def test_a_name_that_stands_twice(folder: Path) -> None:
    (folder / ".env").write_text("PORT=1\nPORT=2\nOTHER=1\nOTHER=2\n")
    settings = load(folder)
    assert settings.port == 2
    assert settings.notices == ("PORT stands more than once in .env: the last one counts.",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a].[b]", TableName("a", "b")),
        ("a.b", TableName("a", "b")),
        ('"a"."b"', TableName("a", "b")),
        ("`a`.`b`", TableName("a", "b")),
        ("b", TableName(None, "b")),
        ("[a.b].[c]]d]", TableName("a.b", "c]d")),
        ("a . [b c]", TableName("a", "b c")),
    ],
)
def test_table_names(folder: Path, text: str, expected: TableName) -> None:
    table = load(folder, INVOICE_TABLE=text).invoice_table.table
    assert table == expected
    assert load(folder, INVOICE_TABLE=table.render()).invoice_table.table == expected


def test_a_table_name_without_schemas() -> None:
    assert TableName("a", "b").render(schema=False) == "[b]"


def test_layout_of_the_invoice_table(folder: Path) -> None:
    table = load(
        folder,
        INVOICE_COLUMNS="Name = full_name , email=[e, mail]",
        INVOICE_ACTIVE='status=APP, "is live"=Y',
        INVOICE_UPDATED_COLUMN="[changed]",
        INVOICE_CUSTOMERS_TABLE="crm.firms",
        INVOICE_CUSTOMERS_COLUMNS="id=firm_id,name=firm",
    ).invoice_table
    assert (table.columns["name"], table.columns["email"]) == ("full_name", "e, mail")
    assert table.columns["phone"] == "contact_no"
    assert table.active == (("status", "APP"), ("is live", "Y"))
    assert table.updated_column == "changed"
    assert table.customers == CustomersTable(TableName("crm", "firms"), True, "firm_id", ("firm",))


def test_an_empty_active_means_all_rows(folder: Path) -> None:
    settings = load(folder, INVOICE_ACTIVE="")
    assert settings.invoice_table.active == ()
    assert "every row" in settings.notices[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("7d", timedelta(days=7)),
        ("2 W", timedelta(14)),
    ],
)
def test_durations(folder: Path, text: str, expected: timedelta) -> None:
    assert load(folder, RECONCILE_EVERY=text).reconcile_every == expected


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes"])
def test_flags(folder: Path, text: str) -> None:
    settings = load(folder, DB_SERVER="h", DB_NAME="n", DB_USE_WINDOWS_AUTH=text)
    assert settings.main.url.windows_auth


def test_other_values(folder: Path) -> None:
    settings = load(
        folder,
        EXECUTOR="dask://cluster:8786",
        INGEST_SCHEDULE="*/15  8-18 * * 1-5",
        BACKUP_SCHEDULE="30 2 1,15 * *",
        DEFAULT_COUNTRY_CODE="us",
        API_KEY="0123456789abcdef",
        WITHDRAWAL_BREAKER="1",
        HOST="::",
    )
    assert settings.dask_scheduler == "tcp://cluster:8786"
    assert settings.ingest_schedule == "*/15 8-18 * * 1-5"
    assert settings.backup_schedule == "30 2 1,15 * *"
    assert settings.default_country_code == "US"
    assert settings.api_key == Secret("0123456789abcdef")
    assert settings.withdrawal_breaker == 1
    assert settings.host == "::"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ENVIRONMENT", "prod", "Did you mean 'production'?"),
        ("DATABASE_URL", "mysql://u:Hunter2@h/d", "MySQL can be the invoice database only."),
        ("DATABASE_URL", "sqlserver://u:Hunter2@h;databse=d", "Did you mean 'database'?"),
        ("INVOICE_DATABASE_URL", "u:Hunter2@h", "There is no scheme."),
        ("INVOICE_TABLE", "a.b.c", "not a table's name"),
        ("INVOICE_TABLE", "[a", "not a table's name"),
        ("INVOICE_COLUMNS", "nmae=x", "Did you mean 'name'?"),
        ("INVOICE_COLUMNS", "name=", "'name' has no column"),
        ("INVOICE_COLUMNS", "name", "not a list of name=value"),
        ("INVOICE_ACTIVE", "status=APP,status=PEN", "'status' is named twice"),
        ("WITHDRAWAL_BREAKER", "20", "Write 0.2 for 20 %."),
        ("WITHDRAWAL_BREAKER", "nan", "not a share"),
        ("RECONCILE_EVERY", "24", "30m, 24h or 7d"),
        ("RECONCILE_EVERY", "0h", "not a time span"),
        ("BACKUP_KEEP_FOR", "999999w", "longer than a hundred years"),
        ("DEFAULT_COUNTRY_CODE", "UK", "Did you mean 'GB'?"),
        ("DEFAULT_COUNTRY_CODE", "+91", "in two letters"),
        ("EXECUTOR", "spark://h:1", "local or dask://host:port"),
        ("INGEST_SCHEDULE", "hourly", "minute, hour, day, month and weekday"),
        ("BACKUP_SCHEDULE", "60 * * * *", "no cron expression"),
        ("BACKUP_SCHEDULE", "* 9-8 * * *", "no cron expression"),
        ("BACKUP_SCHEDULE", "0 0 30 2 *", "a day that never comes"),
        ("BACKUP_SCHEDULE", "0 0 2 * * *", "no cron expression"),
        ("SCHEDULE_TIME_ZONE", "Berlin", "no time zone"),
        ("SCHEDULE_TIME_ZONE", "../../etc/passwd", "no time zone"),
        ("ALERT_WEBHOOK_URL", "ftp://Hunter2.example", "no web address"),
        ("ALERT_WEBHOOK_URL", "https://u:Hunter2@h.example/", "without user or password"),
        ("ALERT_WEBHOOK_SECRET", "Hunter2", "12 characters or more"),
        ("ALERT_MAIL_TO", "ops", "mail addresses"),
        ("ALERT_MAIL_SECURITY", "ssl", "starttls, tls or none"),
        ("ALERT_REPEAT", "4h,1h", "do not grow"),
        ("ALERT_NO_BACKUP", "never", "not a time span"),
        ("DB_CONNECTION_LIMIT", "0", "whole number from 1 to 1000"),
        ("DB_RETRY_ATTEMPTS", "-1", "whole number from 0 to 100"),
        ("DB_TIMEOUT", "60s", "whole number"),
        ("PORT", "65536", "whole number from 1 to 65535"),
        ("HOST", "http://localhost", "no host name"),
        ("API_KEY", "schlüssel-Hunter2", "Use ASCII"),
        ("DB_PASSWORD", "Hunter2\udcff", "not UTF-8"),
    ],
)
def test_mistakes_name_variable_and_remedy(folder: Path, name: str, text: str, said: str) -> None:
    detail = mistakes(folder, **{name: text})
    assert detail.startswith("A setting is wrong:")
    assert f"\n  {name}: " in detail
    assert said in detail
    assert "Hunter2" not in detail


def test_mistakes_in_parts(folder: Path) -> None:
    detail = mistakes(folder, DB_SERVER="np:h", DB_PORT="x", DB_USE_WINDOWS_AUTH="maybe")
    assert detail.startswith("4 settings are wrong:")
    for name in ("DB_SERVER", "DB_PORT", "DB_NAME", "DB_USE_WINDOWS_AUTH"):
        assert f"\n  {name}: " in detail


def test_every_mistake_is_listed_at_once(folder: Path) -> None:
    wrong = dict.fromkeys(
        ["PORT", "DB_TIMEOUT", "WITHDRAWAL_BREAKER", "DATABASE_URL", "RECONCILE_EVERY"], "x"
    )
    detail = mistakes(folder, **wrong)
    assert detail.startswith("5 settings are wrong:")
    assert detail.count("\n") == 5


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("database_url", "DATABASE_URL"),
        ("INVOICE_DB_PASWORD", "INVOICE_DB_PASSWORD"),
        ("INVOICE_DB_HOST", "INVOICE_DB_SERVER"),
        ("DB_PASS", "DB_PASSWORD"),
        ("INVOICE_COLUMN", "INVOICE_COLUMNS"),
        ("DEFAULT_COUNTRY", "DEFAULT_COUNTRY_CODE"),
    ],
)
def test_misspelt_settings_are_pointed_out(folder: Path, name: str, meant: str) -> None:
    assert load(folder, **{name: "Hunter2"}).notices == (f"{name} is not a setting: did you mean {meant}?",)


def test_foreign_variables_are_left_alone(folder: Path) -> None:
    foreign = [
        "PATH",
        "HOME",
        "HOSTNAME",
        "HOSTTYPE",
        "PORTS",
        "OPENAI_API_KEY",
        "NODE_ENV",
        "XDG_DATA_HOME",
        "DB_SSL",
    ]
    assert load(folder, **dict.fromkeys(foreign, "x")).notices == ()


def test_a_short_key_is_pointed_out(folder: Path) -> None:
    assert "16 characters" in load(folder, API_KEY="your-api-key").notices[0]


def test_description_masks_secrets(folder: Path) -> None:
    (folder / ".env").write_text("DATABASE_URL=postgresql://u:Hunter2@h/d\nAPI_KEY=Hunter2-Hunter2-Hunter2\n")
    settings = load(
        folder, INVOICE_DB_SERVER="h", INVOICE_DB_NAME="n", INVOICE_DB_USER="u", INVOICE_DB_PASSWORD="Hunter2"
    )
    rows = {name: (shown, origin) for name, shown, origin in describe(settings)}
    assert list(rows) == list(DEFAULTS)
    assert rows["DATABASE_URL"] == ("postgresql://u:****@h/d", ".env")
    assert rows["INVOICE_DATABASE_URL"] == (
        "sqlserver://u:****@h;database=n",
        "environment (INVOICE_DB_SERVER and its kin)",
    )
    assert rows["API_KEY"] == ("****", ".env")
    assert rows["INVOICE_DB_PASSWORD"] == ("****", "environment")
    assert rows["DB_PASSWORD"] == ("", "default")
    assert "Hunter2" not in f"{settings!r}{rows}"


def test_settings_travel_between_processes(folder: Path) -> None:
    settings = load(folder, API_KEY="0123456789abcdef")
    assert pickle.loads(pickle.dumps(settings)) == settings


NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.text(st.sampled_from("\\'\"#${} =;"))


@given(st.dictionaries(NAMES, VALUES))
def test_a_rendered_env_reads_back(values: dict[str, str]) -> None:
    read = dotenv_values(stream=io.StringIO(render_env(values)), interpolate=False)
    assert read == values


def test_what_no_line_can_hold_is_refused() -> None:
    for values in ({"A": "Hunter2\n"}, {"A": "Hunter2\udcff"}, {"A B": "Hunter2"}):
        with pytest.raises(SettingsError) as refused:
            render_env(values)
        assert "Hunter2" not in refused.value.detail


def test_alerts(folder: Path) -> None:
    mail = {"ALERT_MAIL_TO": "ops@example.org, kim@example.org", "ALERT_MAIL_SERVER": "mail.example.org"}
    settings = load(
        folder,
        ALERT_WEBHOOK_URL="https://chat.example/hooks/Hunter2/",
        ALERT_REPEAT="1h, 2d",
        ALERT_NO_SUCCESS="off",
        PUBLIC_URL="https://ledgerline.example/",
        **mail,
    )
    alerts = settings.alerts
    assert alerts.webhook is not None
    assert alerts.webhook.url == Secret("https://chat.example/hooks/Hunter2/")
    assert alerts.mail is not None
    assert (alerts.mail.to, alerts.mail.sender) == (("ops@example.org", "kim@example.org"), "ops@example.org")
    assert (alerts.repeat, alerts.no_success) == ((timedelta(hours=1), timedelta(days=2)), None)
    assert settings.public_url == "https://ledgerline.example"
    assert "Hunter2" not in repr(settings)


def test_mails_need_a_server(folder: Path) -> None:
    assert "ALERT_MAIL_SERVER: It is missing." in mistakes(folder, ALERT_MAIL_TO="ops@example.org")


def test_a_mail_login_does_not_travel_in_clear(folder: Path) -> None:
    mail = {"ALERT_MAIL_TO": "a@b.example", "ALERT_MAIL_USER": "kim", "ALERT_MAIL_SECURITY": "none"}
    with pytest.raises(SettingsError, match="password in clear"):
        load(folder, ALERT_MAIL_SERVER="mail.example", **mail)
    assert load(folder, ALERT_MAIL_SERVER="localhost", **mail).alerts.mail is not None
