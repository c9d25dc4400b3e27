"""What each server tells of a connection: how it is protected, and what its login may do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from ledgerline.databases.folders import may
from ledgerline.url import DatabaseUrl, Encrypt, Engine

# What a table is made with, and what is done with it: a table belongs to the owner of its schema.
_ON_SCHEMA: Final = ("ALTER", "SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES")
_RIGHTS: Final = {
    Engine.POSTGRESQL: (
        "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false) AS make,"
        " NOT CAST(current_setting('transaction_read_only') AS boolean) AS change"
    ),
    Engine.SQLSERVER: (
        "SELECT CASE WHEN HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), 'DATABASE', 'CREATE TABLE') = 1"
        + "".join(
            f" AND HAS_PERMS_BY_NAME(QUOTENAME(SCHEMA_NAME()), 'SCHEMA', '{right}') = 1"
            for right in _ON_SCHEMA
        )
        + " THEN 1 ELSE 0 END AS make,"
        " CASE WHEN DATABASEPROPERTYEX(DB_NAME(), 'Updateability') = 'READ_WRITE' THEN 1 ELSE 0 END AS change"
    ),
}
_MAKING: Final = {
    Engine.POSTGRESQL: "GRANT USAGE, CREATE ON SCHEMA public TO … (or the schema of the connection string).",
    Engine.SQLSERVER: (
        f"GRANT CREATE TABLE TO …; GRANT {', '.join(_ON_SCHEMA)} ON SCHEMA::dbo TO …; or make it a db_owner."
    ),
}
_CHANGING: Final = {
    Engine.POSTGRESQL: "Name the primary server: this one is a standby, or its transactions are read-only.",
    Engine.SQLSERVER: "Name the primary replica, or: ALTER DATABASE … SET READ_WRITE.",
}


def missing_rights(connection: sa.Connection, url: DatabaseUrl) -> dict[str, str]:
    """What the login may not do in the main database, and what grants it; empty: it has all it needs."""
    if url.engine is Engine.SQLITE:
        return missing_file_rights(Path(url.database))
    make, change = connection.exec_driver_sql(_RIGHTS[url.engine]).one()
    missing = {}
    if not make:
        missing["make tables"] = _MAKING[url.engine]
    if not change:
        missing["change anything"] = _CHANGING[url.engine]
    return missing


def missing_file_rights(path: Path) -> dict[str, str]:
    """SQLite makes files beside the database while it writes, so the folder counts too."""
    writable = may(path, os.W_OK) and may(path.absolute().parent, os.W_OK | os.X_OK)
    account = "the account that runs Ledgerline"
    return {} if writable else {"write the file": f"Let {account} write to {path} and its folder."}


_databases = sa.table(
    "databases", sa.column("database_id"), sa.column("is_read_committed_snapshot_on"), schema="sys"
)
READS_BESIDE_WRITERS: Final = sa.select(_databases.c.is_read_committed_snapshot_on).where(
    _databases.c.database_id == sa.func.db_id()
)


def readers_wait(connection: sa.Connection) -> bool:
    """On SQL Server: whether who reads waits for who writes, and the other way round."""
    told = connection.execute(READS_BESIDE_WRITERS).scalar()
    return told is not None and not told


def wire(connection: sa.Connection, url: DatabaseUrl) -> str:
    """How what goes over the wire is protected."""
    if url.engine is Engine.SQLSERVER:
        if url.encrypt is Encrypt.OPTIONAL:
            return "Only the login is encrypted (encrypt=false)."
        return _encrypted(checked=not url.trust_server_certificate)
    if not _is_encrypted(connection.connection.driver_connection, url):
        return "The connection is not encrypted."
    mode = url.options.get("sslmode", "").lower()
    return _encrypted(checked=mode in ("verify-ca", "verify-full", "verify_ca", "verify_identity"))


def _encrypted(*, checked: bool) -> str:
    told = "trusted" if checked else "not checked"
    return f"The connection is encrypted; the server's certificate is {told}."


def _is_encrypted(driver: Any, url: DatabaseUrl) -> bool:
    if url.engine is Engine.POSTGRESQL:
        return bool(driver.pgconn.ssl_in_use)
    return url.engine is Engine.MYSQL and getattr(driver, "_secure", False)
