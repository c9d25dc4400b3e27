"""The two databases: a URL, or its parts one by one."""

from __future__ import annotations

from dataclasses import replace

from ledgerline.errors import SettingsError
from ledgerline.settings import values
from ledgerline.settings.model import DAY_MS, DEFAULTS, PARTS, DatabaseSettings
from ledgerline.settings.reader import Reader
from ledgerline.url import DatabaseUrl, Engine, from_parts, parse_url

# A run's transaction, what it reads meanwhile, and what tells of its progress; PostgreSQL does these in turn.
_LEAST_CONNECTIONS = 3


def databases(reader: Reader) -> tuple[DatabaseSettings, DatabaseSettings]:
    """Main and invoice: the same settings, unless a URL has its own."""
    main = DatabaseSettings(
        url=_database_url(reader, ""),
        connections=reader.read("DB_CONNECTION_LIMIT", values.whole(1, 1000)),
        acquire_ms=reader.read("DB_ACQUIRE_TIMEOUT", values.whole(1, DAY_MS)),
        statement_ms=reader.read("DB_TIMEOUT", values.whole(1, DAY_MS)),
        retry_attempts=reader.read("DB_RETRY_ATTEMPTS", values.whole(0, 100)),
        retry_delay_ms=reader.read("DB_RETRY_DELAY", values.whole(0, DAY_MS)),
    )
    invoice = replace(main, url=_database_url(reader, "INVOICE_"))
    return _with_room(reader, _with_own_limits(main)), _with_own_limits(invoice)


def _with_room(reader: Reader, main: DatabaseSettings) -> DatabaseSettings:
    """With connections enough for a run; those of an embedded database are no load to any server."""
    if main.connections >= _LEAST_CONNECTIONS or main.url.engine is Engine.POSTGRESQL:
        return main
    if main.url.engine is Engine.SQLSERVER:
        few = SettingsError(
            f"{main.connections} is too small for a main database on SQL Server.",
            hint=f"Allow {_LEAST_CONNECTIONS} or more, here or as connectionLimit of the connection string.",
        )
        reader.refuse("DB_CONNECTION_LIMIT", few)
    else:
        reader.notices.append(
            f"DB_CONNECTION_LIMIT: {_LEAST_CONNECTIONS}, which an embedded main database has at least."
        )
    return replace(main, connections=_LEAST_CONNECTIONS)


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


def _database_url(reader: Reader, prefix: str) -> DatabaseUrl:
    name = f"{prefix}DATABASE_URL"
    parts = [f"{prefix}DB_{part}" for part in PARTS if f"{prefix}DB_{part}" in reader.given]
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


def _from_parts(reader: Reader, prefix: str) -> DatabaseUrl:
    """A SQL Server database by `…DB_SERVER` and its kin."""

    def part(name: str) -> str:
        return reader.text(f"{prefix}DB_{name}")

    port = reader.optional(f"{prefix}DB_PORT", values.whole(1, 65535))
    windows_auth = reader.read(f"{prefix}DB_USE_WINDOWS_AUTH", values.flag)
    trust = reader.optional(f"{prefix}DB_TRUST_SERVER_CERTIFICATE", values.flag)
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
