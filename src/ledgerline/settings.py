"""The settings: the only reader of the environment and of .env files.

`.env` is read first, then `.env.<environment>`; real environment variables win over both. Everything
is checked at once, and one SettingsError lists every mistake with its remedy. What is odd but works is
a notice. Neither ever holds a secret.
"""

from __future__ import annotations

import codecs
import difflib
import io
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from dotenv.parser import parse_stream
from phonenumbers import SUPPORTED_REGIONS

from ledgerline import safety
from ledgerline.errors import SettingsError
from ledgerline.url import ESCAPE_HINT, MASK, DatabaseUrl, Engine, Secret, from_parts, parse_url

T = TypeVar("T")

INVOICE_COLUMNS: Final[Mapping[str, str]] = {
    "id": "contactid",
    "customer_id": "customerid",
    "name": "contact_person_name",
    "phone": "contact_no",
    "designation": "designation",
    "email": "contact_person_email",
    "added_by": "added_by",
}
COMPANY_NAME_COLUMNS: Final = ("customer_name", "company_name", "name", "company")
"""Where a company's name is looked for, in this order, when no column is configured."""

DEFAULTS: Final[Mapping[str, str]] = {
    "ENVIRONMENT": "development",
    "DATABASE_URL": "sqlite:///data/main.db",
    "DB_SERVER": "",
    "DB_PORT": "",
    "DB_NAME": "",
    "DB_USE_WINDOWS_AUTH": "false",
    "DB_USER": "",
    "DB_PASSWORD": "",
    "DB_TRUST_SERVER_CERTIFICATE": "",
    "INVOICE_DATABASE_URL": "sqlite:///data/invoice.db",
    "INVOICE_DB_SERVER": "",
    "INVOICE_DB_PORT": "",
    "INVOICE_DB_NAME": "",
    "INVOICE_DB_USE_WINDOWS_AUTH": "false",
    "INVOICE_DB_USER": "",
    "INVOICE_DB_PASSWORD": "",
    "INVOICE_DB_TRUST_SERVER_CERTIFICATE": "",
    "INVOICE_TABLE": "[dbo_user_new].[customer_contacts]",
    "INVOICE_COLUMNS": ",".join(f"{role}={column}" for role, column in INVOICE_COLUMNS.items()),
    "INVOICE_ACTIVE": "del_sts=N,status=APP",
    "INVOICE_UPDATED_COLUMN": "",
    "INVOICE_OVERLAP": "10m",
    "INVOICE_CUSTOMERS_TABLE": "[dbo_user_new].[customers]",
    "INVOICE_CUSTOMERS_COLUMNS": "id=customerid",
    "WITHDRAWAL_BREAKER": "0.2",
    "RECONCILE_EVERY": "24h",
    "DEFAULT_COUNTRY_CODE": "IN",
    "EXECUTOR": "local",
    "INGEST_SCHEDULE": "",
    "BACKUP_SCHEDULE": "",
    "SCHEDULE_TIME_ZONE": "UTC",
    "SCHEDULE_CATCH_UP": "24h",
    "BACKUP_URL": "data/backups",
    "BACKUP_PASSPHRASE": "",
    "BACKUP_KEEP": "14",
    "BACKUP_KEEP_FOR": "90d",
    "DB_CONNECTION_LIMIT": "10",
    "DB_ACQUIRE_TIMEOUT": "60000",
    "DB_TIMEOUT": "60000",
    "DB_RETRY_ATTEMPTS": "3",
    "DB_RETRY_DELAY": "1000",
    "HOST": "127.0.0.1",
    "PORT": "4002",
    "API_KEY": "",
    "ALLOWED_HOSTS": "",
    "ALLOWED_ORIGINS": "",
    "TRUSTED_PROXIES": "",
    "MAX_BODY_BYTES": "1048576",
    "REQUEST_TIMEOUT": "150000",
    "SHUTDOWN_TIMEOUT": "10000",
    "PROBE_INTERVAL": "5000",
    "PROBE_TIMEOUT": "2000",
    "PROBE_SLOW": "500",
    "PROBE_RISE": "2",
    "PROBE_FALL": "2",
    "ALERT_WEBHOOK_URL": "",
    "ALERT_WEBHOOK_SECRET": "",
    "ALERT_MAIL_TO": "",
    "ALERT_MAIL_FROM": "",
    "ALERT_MAIL_SERVER": "",
    "ALERT_MAIL_PORT": "587",
    "ALERT_MAIL_SECURITY": "starttls",
    "ALERT_MAIL_USER": "",
    "ALERT_MAIL_PASSWORD": "",
    "ALERT_REJECT_SHARE": "0.1",
    "ALERT_STUCK_AFTER": "30m",
    "ALERT_NO_SUCCESS": "24h",
    "ALERT_NO_BACKUP": "7d",
    "ALERT_REPEAT": "1h,4h,12h,24h",
    "ALERT_OUTBOX": "data/alerts.db",
    "PUBLIC_URL": "",
}
"""Every setting with its default as text; empty where there is none."""

_SECRETS = frozenset(
    {"DB_PASSWORD", "INVOICE_DB_PASSWORD", "API_KEY", "BACKUP_PASSPHRASE"}
    | {"ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET", "ALERT_MAIL_PASSWORD"}  # such a URL often holds a token
)
_PARTS = ("SERVER", "PORT", "NAME", "USE_WINDOWS_AUTH", "USER", "PASSWORD", "TRUST_SERVER_CERTIFICATE")
_DAY_MS = 86_400_000


class Environment(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class TableName:
    schema: str | None
    name: str

    def render(self, *, schema: bool = True) -> str:
        """`[schema].[name]`, or `[name]` where a database has no schemas."""
        parts = [self.schema, self.name] if schema and self.schema else [self.name]
        return ".".join(f"[{part.replace(']', ']]')}]" for part in parts)

    def __str__(self) -> str:
        return self.render()


@dataclass(frozen=True, slots=True)
class CustomersTable:
    """Where the names of companies are."""

    table: TableName
    required: bool  # False: the default, which an installation may not have
    id_column: str
    name_columns: tuple[str, ...]  # candidates, the first that exists counts


@dataclass(frozen=True, slots=True)
class InvoiceTable:
    """Where the contacts are, and how their table is laid out."""

    table: TableName
    columns: Mapping[str, str]  # every role of INVOICE_COLUMNS → its column
    active: tuple[tuple[str, str], ...]  # (column, value): a row is live where all agree; empty: all are
    updated_column: str | None  # None: recognised from the table
    overlap: timedelta  # how far before the last run an incremental run begins again
    customers: CustomersTable


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One database and how it is used. Times are in milliseconds."""

    url: DatabaseUrl
    connections: int
    acquire_ms: int
    statement_ms: int
    retry_attempts: int
    retry_delay_ms: int


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How a database is watched. Times are in milliseconds."""

    interval_ms: int
    timeout_ms: int
    slow_ms: int  # an answer that takes longer is degraded
    rise: int  # equal answers in a row until it is called better
    fall: int  # … or worse


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The edges of the API. Times are in milliseconds."""

    hosts: tuple[str, ...]  # names it answers to; empty: see docs/configuration.md
    origins: tuple[str, ...]  # web pages of other origins that may ask
    proxies: tuple[str, ...]  # addresses and networks whose word counts on who asks
    body_bytes: int
    request_ms: int
    shutdown_ms: int
    probe: ProbeSettings


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Where backups go, and which of them stay."""

    url: str  # a folder, or a URL that fsspec knows
    passphrase: Secret | None  # None: they are not encrypted
    keep: int
    keep_for: timedelta


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    url: Secret
    secret: Secret | None  # None: what is sent is not signed


@dataclass(frozen=True, slots=True)
class MailSettings:
    to: tuple[str, ...]
    sender: str
    server: str
    port: int
    security: str  # starttls, tls or none
    user: str
    password: Secret | None


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What is alerted, how often, and where to. None: never."""

    webhook: WebhookSettings | None
    mail: MailSettings | None
    reject_share: float  # of the fetched rows, 0 to 1
    stuck_after: timedelta
    no_success: timedelta | None
    no_backup: timedelta | None
    repeat: tuple[timedelta, ...]  # the last one goes on
    outbox: str  # a file for when the main database is down


@dataclass(frozen=True, slots=True)
class Settings:
    environment: Environment
    main: DatabaseSettings
    invoice: DatabaseSettings
    invoice_table: InvoiceTable
    withdrawal_breaker: float  # share of the known records, 0 to 1
    reconcile_every: timedelta
    default_country_code: str  # a region of phonenumbers
    dask_scheduler: str | None  # `tcp://host:port`; None: partitions are executed here
    ingest_schedule: str | None  # cron expressions
    backup_schedule: str | None
    time_zone: str  # of both
    catch_up: timedelta  # how late a missed time is made up
    backups: BackupSettings
    host: str
    port: int
    api_key: Secret | None
    service: ServiceSettings
    alerts: AlertSettings
    public_url: str  # of the API, as others reach it; empty where nobody said
    notices: tuple[str, ...]
    described: tuple[tuple[str, str, str], ...]  # see `describe`


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings of this process: its environment and the .env files of `folder` (its own by default).

    Raises SettingsError, whose detail lists every mistake.
    """
    mistakes: list[str] = []
    notices: list[str] = []
    given = _gather(os.environ if environ is None else environ, folder or Path.cwd(), mistakes, notices)
    settings = _build(_Reader(given, mistakes, notices))
    if mistakes:
        count = "A setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
        listed = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise SettingsError(
            f"{count} wrong:{listed}",
            hint="docs/configuration.md explains every setting.",
            mistakes=tuple(mistakes),
        )
    return settings


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value with secrets masked, where it came from) for every setting."""
    return list(settings.described)


def given_values(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> dict[str, str]:
    """Every setting that is given, as text, secrets included: for a file that is encrypted at once."""
    given = _gather(os.environ if environ is None else environ, folder or Path.cwd(), [], [])
    return {name: given[name].text for name in DEFAULTS if name in given}


def render_env(values: Mapping[str, str]) -> str:
    """The text of a .env file that reads back as `values`. SettingsError: no line can hold one."""
    return "".join(f"{_checked_name(name)}={_quoted(name, value)}\n" for name, value in values.items())


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SettingsError("A variable's name holds more than letters, digits and '_'.")
    return name


def _quoted(name: str, value: str) -> str:
    if _unprintable(value):
        raise SettingsError(f"{name}: the value holds a control character or is not UTF-8.")
    if re.fullmatch(r"[A-Za-z0-9_./:,@%+=-]+", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- gathering ---------------------------------------------------------------------------------


class _Given(NamedTuple):
    text: str
    origin: str


def _gather(
    environ: Mapping[str, str], folder: Path, mistakes: list[str], notices: list[str]
) -> dict[str, _Given]:
    """The values of all layers, the strongest of each name; only names that are settings."""
    dotenv = dict(_read_file(folder / ".env", mistakes, notices))
    environment = environ.get("ENVIRONMENT") or dotenv.get("ENVIRONMENT") or DEFAULTS["ENVIRONMENT"]
    layers = {".env": dotenv}
    if environment in set(Environment):
        specific = dict(_read_file(folder / f".env.{environment}", mistakes, notices))
        specific.pop("ENVIRONMENT", None)  # what chose the file cannot be changed in it
        layers[f".env.{environment}"] = specific
    layers["environment"] = dict(environ)
    notices += _misspelt({name for layer in layers.values() for name in layer})
    return {
        name: _Given(text, origin)
        for origin, layer in layers.items()
        for name, text in layer.items()
        if name in DEFAULTS and (text or name == "INVOICE_ACTIVE") and _is_text(name, text, origin, mistakes)
    }


def _unprintable(text: str) -> bool:
    return re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text) is not None


def _is_text(name: str, text: str, origin: str, mistakes: list[str]) -> bool:
    if _unprintable(text):
        mistakes.append(
            f"{name}: the value in {origin} holds a control character or is not UTF-8. {ESCAPE_HINT}"
        )
        return False
    return True


def _read_file(path: Path, mistakes: list[str], notices: list[str]) -> Iterator[tuple[str, str]]:
    text = _text_of_file(path, mistakes)
    seen: set[str] = set()
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        line = binding.original.line + len(original[: len(original) - len(original.lstrip())].splitlines())
        if binding.error or (binding.key and binding.value is None):
            mistakes.append(f"{path.name}: line {line} is not NAME=value, or a quote in it is not closed.")
        elif binding.key:
            if binding.key in seen and binding.key in DEFAULTS:
                notices.append(f"{binding.key} stands more than once in {path.name}: the last one counts.")
            seen.add(binding.key)
            yield binding.key, binding.value or ""


_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _text_of_file(path: Path, mistakes: list[str]) -> str:
    """Empty where there is no such file. Windows' editors write UTF-16 and byte order marks."""
    if not path.is_file():  # a folder named .env is somebody's virtual environment
        return ""
    try:
        raw = path.read_bytes()
        encoding = next((e for mark, e in _BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")
        text = raw.decode(encoding)
    except OSError as error:
        mistakes.append(f"{path.name}: it cannot be read ({error.strerror}). Check its permissions.")
        return ""
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # so does UTF-16 without a mark look like
        mistakes.append(f"{path.name}: it is not UTF-8. Save it with that encoding.")
        return ""
    return text


_OTHER_WORDS = {
    "HOST": "SERVER",
    "DATABASE": "NAME",
    "USERNAME": "USER",
    "PASS": "PASSWORD",
    "PWD": "PASSWORD",
}


def _misspelt(names: Iterable[str]) -> list[str]:
    meant = ((name, _meant(name)) for name in sorted(names) if name not in DEFAULTS)
    return [f"{name} is not a setting: did you mean {setting}?" for name, setting in meant if setting]


def _meant(name: str) -> str | None:
    """The setting that a name looks like; in our families of names the likeness may be weaker."""
    upper = name.upper()
    part = re.fullmatch(r"((?:INVOICE_)?DB_)(\w+)", upper)
    if part and part[2] in _OTHER_WORDS:
        return part[1] + _OTHER_WORDS[part[2]]
    is_family = upper.startswith(("DB_", "INVOICE_"))
    candidates = [setting for setting in DEFAULTS if len(setting) >= 7 or setting == upper]
    near = difflib.get_close_matches(upper, candidates, n=1, cutoff=0.75 if is_family else 0.85)
    return near[0] if near else None


# --- reading -----------------------------------------------------------------------------------


class _Reader:
    """Reads settings one by one and collects the mistakes instead of stopping at the first."""

    def __init__(self, given: Mapping[str, _Given], mistakes: list[str], notices: list[str]) -> None:
        self.given = given
        self.mistakes = mistakes
        self.notices = notices

    def text(self, name: str) -> str:
        return self.given[name].text if name in self.given else DEFAULTS[name]

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The parsed value, or None where it is not set or is wrong."""
        text = self.text(name)
        try:
            return parse(text) if text else None
        except SettingsError as error:
            self.refuse(name, error)
        return None

    def read(self, name: str, parse: Callable[[str], T]) -> T:
        """The parsed value; where it is wrong, that of the default, so that the reading can go on."""
        try:
            return parse(self.text(name))
        except SettingsError as error:
            self.refuse(name, error)
        return parse(DEFAULTS[name])

    def refuse(self, name: str, error: SettingsError) -> None:
        self.mistakes.append(f"{name}: {error.detail} {error.hint}".rstrip())


def _build(reader: _Reader) -> Settings:
    environment = reader.read("ENVIRONMENT", _environment)
    main, invoice = _databases(reader)
    if environment is Environment.PRODUCTION:
        risks = safety.risks(main.url, invoice.url, reader.text("API_KEY"))
        reader.mistakes += [f"{risk.setting}: {risk.detail} {risk.remedy}" for risk in risks]
    return Settings(
        environment=environment,
        main=main,
        invoice=invoice,
        invoice_table=_invoice_table(reader),
        withdrawal_breaker=reader.read("WITHDRAWAL_BREAKER", _share),
        reconcile_every=reader.read("RECONCILE_EVERY", _duration),
        default_country_code=reader.read("DEFAULT_COUNTRY_CODE", _region),
        dask_scheduler=reader.read("EXECUTOR", _scheduler),
        ingest_schedule=reader.optional("INGEST_SCHEDULE", _cron),
        backup_schedule=reader.optional("BACKUP_SCHEDULE", _cron),
        time_zone=reader.read("SCHEDULE_TIME_ZONE", _time_zone),
        catch_up=reader.read("SCHEDULE_CATCH_UP", _duration),
        backups=BackupSettings(
            reader.read("BACKUP_URL", _folder),
            reader.optional("BACKUP_PASSPHRASE", _passphrase),
            reader.read("BACKUP_KEEP", _whole(1, 10_000)),
            reader.read("BACKUP_KEEP_FOR", _duration),
        ),
        host=reader.read("HOST", _host),
        port=reader.read("PORT", _whole(1, 65535)),
        api_key=_api_key(reader),
        service=_service(reader),
        alerts=_alerts(reader),
        public_url=(reader.optional("PUBLIC_URL", _web_address) or "").rstrip("/"),
        notices=tuple(reader.notices),
        described=tuple(_described(reader, {"": main.url, "INVOICE_": invoice.url})),
    )


def _described(reader: _Reader, urls: Mapping[str, DatabaseUrl]) -> Iterator[tuple[str, str, str]]:
    shown_urls = {f"{prefix}DATABASE_URL": url.render() for prefix, url in urls.items()}
    by_parts = {f"{prefix}DATABASE_URL": f"{prefix}DB_SERVER" for prefix in urls}
    for name in DEFAULTS:
        text = shown_urls.get(name) or reader.text(name)
        origin = reader.given[name].origin if name in reader.given else "default"
        if origin == "default" and by_parts.get(name) in reader.given:
            origin = f"{reader.given[by_parts[name]].origin} ({by_parts[name]} and its kin)"
        yield name, MASK if name in _SECRETS and text else text, origin


def _api_key(reader: _Reader) -> Secret | None:
    key = reader.optional("API_KEY", _key)
    if key is not None and len(key.reveal()) < 16:
        reader.notices.append("API_KEY is short and can be guessed: use 16 characters or more.")
    return key


def _service(reader: _Reader) -> ServiceSettings:
    return ServiceSettings(
        hosts=reader.optional("ALLOWED_HOSTS", _listed(_HOST, "host names, with commas between them")) or (),
        origins=reader.optional("ALLOWED_ORIGINS", _listed(_ORIGIN, "origins such as https://app.example"))
        or (),
        proxies=reader.optional("TRUSTED_PROXIES", _networks) or (),
        body_bytes=reader.read("MAX_BODY_BYTES", _whole(1_000, 100_000_000)),
        request_ms=reader.read("REQUEST_TIMEOUT", _whole(100, _DAY_MS)),
        shutdown_ms=reader.read("SHUTDOWN_TIMEOUT", _whole(100, 3_600_000)),
        probe=ProbeSettings(
            interval_ms=reader.read("PROBE_INTERVAL", _whole(100, 3_600_000)),
            timeout_ms=reader.read("PROBE_TIMEOUT", _whole(10, 3_600_000)),
            slow_ms=reader.read("PROBE_SLOW", _whole(1, 3_600_000)),
            rise=reader.read("PROBE_RISE", _whole(1, 100)),
            fall=reader.read("PROBE_FALL", _whole(1, 100)),
        ),
    )


def _alerts(reader: _Reader) -> AlertSettings:
    url = reader.optional("ALERT_WEBHOOK_URL", _web_address)
    secret = reader.optional("ALERT_WEBHOOK_SECRET", _passphrase)
    return AlertSettings(
        webhook=WebhookSettings(Secret(url), secret) if url else None,
        mail=_mail(reader),
        reject_share=reader.read("ALERT_REJECT_SHARE", _share),
        stuck_after=reader.read("ALERT_STUCK_AFTER", _duration),
        no_success=reader.read("ALERT_NO_SUCCESS", _duration_or_off),
        no_backup=reader.read("ALERT_NO_BACKUP", _duration_or_off),
        repeat=reader.read("ALERT_REPEAT", _durations),
        outbox=reader.text("ALERT_OUTBOX"),
    )


def _mail(reader: _Reader) -> MailSettings | None:
    to = reader.optional("ALERT_MAIL_TO", _listed(_MAILBOX, "mail addresses, with commas between them"))
    sender = reader.optional("ALERT_MAIL_FROM", _listed(_MAILBOX, "one mail address"))
    server = reader.optional("ALERT_MAIL_SERVER", _host)
    password = reader.text("ALERT_MAIL_PASSWORD")
    mail = MailSettings(
        to=to or (),
        sender=(sender or to or ("",))[0],
        server=server or "",
        port=reader.read("ALERT_MAIL_PORT", _whole(1, 65535)),
        security=reader.read("ALERT_MAIL_SECURITY", _mail_security),
        user=reader.text("ALERT_MAIL_USER"),
        password=Secret(password) if password else None,
    )
    if not to:
        return None
    if server is None:
        reader.refuse("ALERT_MAIL_SERVER", SettingsError("It is missing.", hint="Name the mail server."))
    if mail.security == "none" and mail.user and not safety.is_this_machine(mail.server):
        unsafe = SettingsError("It would send a password in clear.", hint="Write starttls or tls.")
        reader.refuse("ALERT_MAIL_SECURITY", unsafe)
    return mail


# --- databases ---------------------------------------------------------------------------------


def _databases(reader: _Reader) -> tuple[DatabaseSettings, DatabaseSettings]:
    """Main and invoice: the same settings, unless a URL has its own."""
    main = DatabaseSettings(
        url=_database_url(reader, ""),
        connections=reader.read("DB_CONNECTION_LIMIT", _whole(1, 1000)),
        acquire_ms=reader.read("DB_ACQUIRE_TIMEOUT", _whole(1, _DAY_MS)),
        statement_ms=reader.read("DB_TIMEOUT", _whole(1, _DAY_MS)),
        retry_attempts=reader.read("DB_RETRY_ATTEMPTS", _whole(0, 100)),
        retry_delay_ms=reader.read("DB_RETRY_DELAY", _whole(0, _DAY_MS)),
    )
    invoice = replace(main, url=_database_url(reader, "INVOICE_"))
    return _with_own_limits(main), _with_own_limits(invoice)


def _with_own_limits(database: DatabaseSettings) -> DatabaseSettings:
    url = database.url
    return replace(
        database,
        connections=url.connection_limit or database.connections,
        acquire_ms=_milliseconds(url.pool_timeout) or database.acquire_ms,
        statement_ms=_milliseconds(url.socket_timeout) or database.statement_ms,
    )


def _milliseconds(seconds: int | None) -> int | None:
    return seconds * 1000 if seconds else None


def _database_url(reader: _Reader, prefix: str) -> DatabaseUrl:
    name = f"{prefix}DATABASE_URL"
    parts = [f"{prefix}DB_{part}" for part in _PARTS if f"{prefix}DB_{part}" in reader.given]
    if name not in reader.given and f"{prefix}DB_SERVER" in parts:
        return _from_parts(reader, prefix)
    if parts:
        cause = f"{name} is set" if name in reader.given else f"{prefix}DB_SERVER is not set"
        reader.notices.append(f"{cause}: ignored {', '.join(parts)}.")
    url = reader.read(name, _invoice_url if prefix else _main_url)
    reader.notices += [f"{name}: {notice}" for notice in url.notices]
    return url


def _invoice_url(text: str) -> DatabaseUrl:
    return parse_url(text)


def _main_url(text: str) -> DatabaseUrl:
    url = parse_url(text)
    if url.engine is Engine.MYSQL:
        raise SettingsError(
            "MySQL can be the invoice database only.", hint="Use SQLite, PostgreSQL or SQL Server."
        )
    return url


def _from_parts(reader: _Reader, prefix: str) -> DatabaseUrl:
    """A SQL Server database by `…DB_SERVER` and its kin."""

    def part(name: str) -> str:
        return reader.text(f"{prefix}DB_{name}")

    port = reader.optional(f"{prefix}DB_PORT", _whole(1, 65535))
    windows_auth = reader.read(f"{prefix}DB_USE_WINDOWS_AUTH", _flag)
    trust = reader.optional(f"{prefix}DB_TRUST_SERVER_CERTIFICATE", _flag)
    if not part("NAME"):
        missing = SettingsError("It is missing.", hint=f"Name the database on {prefix}DB_SERVER.")
        reader.refuse(f"{prefix}DB_NAME", missing)
    try:
        url = from_parts(
            part("SERVER"),
            port=port,
            database=part("NAME") or "missing",  # so that the other parts are checked too
            user=part("USER"),
            password=part("PASSWORD"),
            windows_auth=windows_auth,
            trust_server_certificate=trust,
        )
    except SettingsError as error:
        reader.refuse(f"{prefix}DB_SERVER", error)
        return parse_url(DEFAULTS[f"{prefix}DATABASE_URL"])
    reader.notices += [f"{prefix}DB_SERVER: {notice}" for notice in url.notices]
    return url


# --- the invoice table -------------------------------------------------------------------------

_NAME = r"""\[(?:[^\]]|\]\])+\]|"(?:[^"]|"")+"|`(?:[^`]|``)+`"""
_TABLE_NAME = re.compile(rf"(?:(?P<schema>{_NAME}|[^.\[\]\"`]+)\s*\.\s*)?(?P<name>{_NAME}|[^.\[\]\"`]+)")
_PAIR = re.compile(rf"\s*(?P<key>{_NAME}|[^,=\[\"`]+?)\s*=\s*(?P<value>{_NAME}|[^,]*?)\s*(?:,|$)")


def _unquoted(text: str) -> str:
    text = text.strip()
    end = {"[": "]", '"': '"', "`": "`"}.get(text[:1])
    return text[1:-1].replace(end * 2, end) if end else text


def _table_name(text: str) -> TableName:
    match = _TABLE_NAME.fullmatch(text.strip())
    if match is None or not _unquoted(match["name"]):
        raise SettingsError(
            "It is not a table's name.", hint="Write [schema].[table], schema.table or table."
        )
    return TableName(_unquoted(match["schema"]) if match["schema"] else None, _unquoted(match["name"]))


def _pairs(text: str) -> dict[str, str]:
    """`a=b,[c d]=e` → {a: b, c d: e}."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text.rstrip(", ")):
        match = _PAIR.match(text, position)
        if match is None:
            raise SettingsError("It is not a list of name=value.", hint="Separate them by commas.")
        key = _unquoted(match["key"])
        if key in pairs:
            raise SettingsError(f"'{key}' is named twice.", hint="Name it once.")
        pairs[key] = _unquoted(match["value"])
        position = match.end()
    return pairs


def _columns(roles: Iterable[str]) -> Callable[[str], dict[str, str]]:
    """Parses `role=column,…`, where only these roles may be and no column may be empty."""
    known = tuple(roles)

    def parse(text: str) -> dict[str, str]:
        pairs = {role.lower(): column for role, column in _pairs(text).items()}
        for role, column in pairs.items():
            if role not in known:
                raise SettingsError(
                    f"'{role}' is unknown.{_did_you_mean(role, known)}", hint=f"Known: {', '.join(known)}."
                )
            if not column:
                raise SettingsError(f"'{role}' has no column.", hint="Name one, or leave the pair out.")
        return pairs

    return parse


def _invoice_table(reader: _Reader) -> InvoiceTable:
    customers = reader.read("INVOICE_CUSTOMERS_COLUMNS", _columns(["id", "name"]))
    active = reader.read("INVOICE_ACTIVE", _pairs)
    if not active:
        reader.notices.append("INVOICE_ACTIVE is empty: every row of the invoice table counts as live.")
    return InvoiceTable(
        table=reader.read("INVOICE_TABLE", _table_name),
        columns={**INVOICE_COLUMNS, **reader.read("INVOICE_COLUMNS", _columns(INVOICE_COLUMNS))},
        active=tuple(active.items()),
        updated_column=reader.optional("INVOICE_UPDATED_COLUMN", _unquoted),
        overlap=reader.read("INVOICE_OVERLAP", _duration),
        customers=CustomersTable(
            table=reader.read("INVOICE_CUSTOMERS_TABLE", _table_name),
            required="INVOICE_CUSTOMERS_TABLE" in reader.given,
            id_column=customers.get("id", "customerid"),
            name_columns=(customers["name"],) if "name" in customers else COMPANY_NAME_COLUMNS,
        ),
    )


# --- values ------------------------------------------------------------------------------------


def _did_you_mean(text: str, known: Iterable[str]) -> str:
    words = list(known)
    near = [word for word in words if text and word.startswith(text.lower())]
    near += difflib.get_close_matches(text.lower(), words, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _environment(text: str) -> Environment:
    if text not in set(Environment):
        known = [environment.value for environment in Environment]
        raise SettingsError(f"It is unknown.{_did_you_mean(text, known)}", hint=f"Write {', '.join(known)}.")
    return Environment(text)


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _flag(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise SettingsError("It is neither true nor false.", hint="Write true or false.")
    return _WORDS[text.lower()]


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
        if not least <= number <= most:
            raise SettingsError(f"It is not a whole number from {least} to {most}.")
        return number

    return parse


def _share(text: str) -> float:
    share = float(text) if re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}", text) else -1.0
    if not 0 <= share <= 1:
        raise SettingsError("It is not a share from 0 to 1.", hint="Write 0.2 for 20 %.")
    return share


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,5})\s*([smhdw])", text.lower())
    if match is None:
        raise SettingsError("It is not a time span.", hint="Write a number and a unit: 30m, 24h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _region(text: str) -> str:
    region = text.upper()
    if region not in SUPPORTED_REGIONS:
        meant = " Did you mean 'GB'?" if region == "UK" else ""
        raise SettingsError(
            f"It is no region that phone numbers are known for.{meant}",
            hint="Write the ISO code of the country in two letters: IN, US, GB.",
        )
    return region


def _scheduler(text: str) -> str | None:
    if text.lower() == "local":
        return None
    match = re.fullmatch(r"dask://((?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):[0-9]{1,5})", text)
    if match is None:
        raise SettingsError("It is unknown.", hint="Write local or dask://host:port.")
    return f"tcp://{match[1]}"


def _cron(text: str) -> str:
    if len(text.split()) != 5 or not _ever_comes(text):  # the library takes seconds too
        raise SettingsError(
            "It is no cron expression, or names a day that never comes.",
            hint="Write minute, hour, day, month and weekday: '30 2 * * *' is nightly at 2:30.",
        )
    return " ".join(text.split())


def _ever_comes(cron: str) -> bool:
    try:
        return next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)), None) is not None
    except CronSimError:
        return False


def _time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            "It is no time zone.",
            hint="Write a name of the IANA database: Europe/Berlin, Asia/Kolkata, UTC.",
        ) from error


def _duration_or_off(text: str) -> timedelta | None:
    return None if text.lower() == "off" else _duration(text)


def _durations(text: str) -> tuple[timedelta, ...]:
    spans = tuple(_duration(span.strip()) for span in text.split(","))
    if sorted(spans) != list(spans):
        raise SettingsError("The time spans do not grow.", hint="Write them in order: 1h,4h,24h.")
    return spans


def _mail_security(text: str) -> str:
    if text.lower() not in ("starttls", "tls", "none"):
        raise SettingsError("It is unknown.", hint="Write starttls, tls or none.")
    return text.lower()


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@\\]+(?:/[\x21-\x7e]*)?", text):
        raise SettingsError(
            "It is no web address.", hint="Write https://host/path, without user or password."
        )
    return text


def _folder(text: str) -> str:
    if re.match(r"[\w+.-]+://[^/@]*:.*@", text):
        raise SettingsError(
            "It holds a password.", hint="Give the storage's credentials as its own tools take them."
        )
    return text


def _passphrase(text: str) -> Secret:
    if len(text) < 12:
        raise SettingsError("It is short and can be guessed.", hint="Write 12 characters or more.")
    return Secret(text)


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text):
        raise SettingsError(
            "It is no host name or address.", hint="Write 127.0.0.1, 0.0.0.0 or a name, without a port."
        )
    return text


_HOST = r"\*|[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]"
_MAILBOX = r"[^\s@<>,;\"]+@[A-Za-z0-9.-]+"
_ORIGIN = r"https?://(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"


def _listed(pattern: str, what: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        items = tuple(item.strip().lower() for item in text.split(",") if item.strip())
        for item in items:
            if not re.fullmatch(pattern, item):
                raise SettingsError(f"'{item}' does not belong into it.", hint=f"Write {what}.")
        return items

    return parse


def _networks(text: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise SettingsError(
                f"'{item}' is no address and no network.",
                hint="Write such as 10.0.0.7,10.1.0.0/16.",
            ) from None
    return items


def _key(text: str) -> Secret:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise SettingsError(
            "It holds characters that an HTTP header cannot carry.", hint="Use ASCII without blanks."
        )
    return Secret(text)
