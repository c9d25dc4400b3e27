"""What can be wrong with a connection, and at which layer.

The doctor's codes are those of `errors.py`, and finer ones where one error has several causes: that a server
cannot be reached is a name, a port, a firewall or a certificate. What the driver says tells which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from ledgerline.errors import (
    ColumnMissing,
    ConnectionStringError,
    DatabaseError,
    DatabaseMissing,
    DatabaseUnreachable,
    DriverMissing,
    LedgerlineError,
    LoginRefused,
    PermissionDenied,
    SettingsError,
    TableMissing,
    TablesNewer,
    TransientFault,
)


class Layer(StrEnum):
    """What a connection consists of, each standing on the one before."""

    SETTINGS = "settings"
    DRIVER = "driver"
    NAME = "name"
    TCP = "tcp"
    TLS = "tls"
    LOGIN = "login"
    DATABASE = "database"
    PERMISSION = "permission"
    TABLE = "table"
    COLUMNS = "columns"
    SPEED = "speed"


class Fault(StrEnum):
    """docs/troubleshooting.md explains every one."""

    SETTINGS_INVALID = SettingsError.code
    CONNECTION_STRING_INVALID = ConnectionStringError.code
    DRIVER_MISSING = DriverMissing.code
    NAME_NOT_RESOLVED = "name_not_resolved"
    INSTANCE_NOT_FOUND = "instance_not_found"
    PORT_REFUSED = "port_refused"
    TIMEOUT = "timeout"
    CANNOT_CONNECT = DatabaseUnreachable.code
    TOO_MANY_CONNECTIONS = "too_many_connections"
    ENCRYPTION_UNAVAILABLE = "encryption_unavailable"
    ENCRYPTION_REQUIRED = "encryption_required"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    KERBEROS_TICKET_MISSING = "kerberos_ticket_missing"
    LOGIN_FAILED = LoginRefused.code
    DATABASE_MISSING = DatabaseMissing.code
    PERMISSION_DENIED = PermissionDenied.code
    TABLE_MISSING = TableMissing.code
    COLUMN_MISSING = ColumnMissing.code
    MIGRATION_NEEDED = "migration_needed"
    TABLES_NEWER = TablesNewer.code
    INDEX_MISSING = "index_missing"
    TRANSIENT_FAULT = TransientFault.code
    DATABASE_ERROR = DatabaseError.code


EXIT_CODES: Final[Mapping[Fault, int]] = {
    **dict.fromkeys((Fault.SETTINGS_INVALID, Fault.CONNECTION_STRING_INVALID, Fault.DRIVER_MISSING), 2),
    **dict.fromkeys(
        (
            Fault.PERMISSION_DENIED,
            Fault.TABLE_MISSING,
            Fault.COLUMN_MISSING,
            Fault.MIGRATION_NEEDED,
            Fault.TABLES_NEWER,
            Fault.TRANSIENT_FAULT,
            Fault.DATABASE_ERROR,
        ),
        1,
    ),
    Fault.INDEX_MISSING: 0,  # it works, and slowly
}
"""Of the command that finds it; what is not here is a database that cannot be reached: 3."""

# What the drivers say, without the names in it. The order matters: a port that refuses is told by SQL
# Server's driver as a timeout too.
_SAID: Final = tuple(
    (re.compile(words, re.IGNORECASE | re.DOTALL), fault)
    for words, fault in (
        (r"no pg_hba\.conf entry.*no encryption|insecure transport", Fault.ENCRYPTION_REQUIRED),
        (
            r"(does not|doesn't) support (it|SSL|encryption)|encryption not supported",
            Fault.ENCRYPTION_UNAVAILABLE,
        ),
        # Another kind of server listens there, or one too old for today's encryption.
        (
            r"error in TDS stream|wrong version number|unsupported protocol|handshake failure",
            Fault.CANNOT_CONNECT,
        ),
        (
            r"certificate|self.signed|hostname mismatch|SSL Provider|TLS handshake",
            Fault.CERTIFICATE_UNTRUSTED,
        ),
        (r"SSPI|Kerberos|GSSAPI|GSS failure|krb5", Fault.KERBEROS_TICKET_MISSING),
        (r"Error Locating Server/Instance|SQL Browser", Fault.INSTANCE_NOT_FOUND),
        (r"too many (clients|connections)|connection slots", Fault.TOO_MANY_CONNECTIONS),
        (r"permission denied for database", Fault.PERMISSION_DENIED),
    )
)
_SAID_OF_THE_NETWORK: Final = tuple(
    (re.compile(words, re.IGNORECASE), fault)
    for words, fault in (
        (
            r"0x2af9|\b11001\b|translate host name|resolve host|name or service|getaddrinfo",
            Fault.NAME_NOT_RESOLVED,
        ),
        (r"0x274d|\b10061\b|connection refused|actively refused", Fault.PORT_REFUSED),
        (r"0x274c|\b10060\b|time ?out|timed out", Fault.TIMEOUT),
    )
)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")

_LAYERS: Final[Mapping[Fault, Layer]] = {
    Fault.SETTINGS_INVALID: Layer.SETTINGS,
    Fault.CONNECTION_STRING_INVALID: Layer.SETTINGS,
    Fault.DRIVER_MISSING: Layer.DRIVER,
    Fault.NAME_NOT_RESOLVED: Layer.NAME,
    Fault.INSTANCE_NOT_FOUND: Layer.NAME,
    Fault.PORT_REFUSED: Layer.TCP,
    Fault.ENCRYPTION_REQUIRED: Layer.TLS,
    Fault.ENCRYPTION_UNAVAILABLE: Layer.TLS,
    Fault.CERTIFICATE_UNTRUSTED: Layer.TLS,
    Fault.TIMEOUT: Layer.TLS,  # the port is open by then, and nothing comes from it
    Fault.CANNOT_CONNECT: Layer.TLS,
    Fault.KERBEROS_TICKET_MISSING: Layer.LOGIN,
    Fault.LOGIN_FAILED: Layer.LOGIN,
    Fault.TOO_MANY_CONNECTIONS: Layer.LOGIN,
}


def connecting_fault(error: LedgerlineError) -> tuple[Layer, Fault]:
    """Why a driver could not connect, although the port is open: at which layer, and what it is."""
    fault = fault_of(error)
    return _LAYERS.get(fault, Layer.DATABASE), fault


def fault_of(error: LedgerlineError) -> Fault:
    """What an error means, as exactly as the driver's own words behind it tell."""
    words = _QUOTED.sub("", " ".join(_texts(error)))
    said = _SAID if not isinstance(error, DriverMissing | SettingsError) else ()
    if isinstance(error, DatabaseUnreachable | TransientFault):
        said = (*said, *_SAID_OF_THE_NETWORK)
    for pattern, fault in said:
        if pattern.search(words):
            return fault
    return Fault(error.code) if error.code in set(Fault) else Fault.DATABASE_ERROR


def _texts(error: BaseException | None) -> Iterator[str]:
    """What the error, its causes and their drivers say."""
    while error is not None:
        for part in (error, getattr(error, "orig", None)):
            if part is not None:
                yield " ".join(str(argument) for argument in part.args)
                yield from (str(getattr(part, name, "")) for name in ("driver_error", "ddbc_error"))
        error = error.__cause__
