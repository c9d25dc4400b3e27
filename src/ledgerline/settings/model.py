"""What can be set, and what a setting is when nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from ledgerline.url import DatabaseUrl, Secret

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

SECRETS = frozenset(
    {"DB_PASSWORD", "INVOICE_DB_PASSWORD", "API_KEY", "BACKUP_PASSPHRASE"}
    | {"ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET", "ALERT_MAIL_PASSWORD"}  # such a URL often holds a token
)
PARTS = ("SERVER", "PORT", "NAME", "USE_WINDOWS_AUTH", "USER", "PASSWORD", "TRUST_SERVER_CERTIFICATE")
DAY_MS = 86_400_000


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
