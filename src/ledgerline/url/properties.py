"""Which properties each server's connection strings may have, what their values may be, and which part of a
`DatabaseUrl` they fill."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from ledgerline.url.terms import Encrypt, Engine, Secret

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a property's value may be. `read` answers None to a text that does not fit."""

    expects: str
    read: Callable[[str], object]
    write: Callable[[Any], str] = str


class Property(NamedTuple):
    name: str  # as rendered; the key in `options` when it fills no field
    kind: Kind
    field: str = ""
    synonyms: str = ""  # lower case, a word each


def _read_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _read_port(text: str) -> int | None:
    number = _read_number(text)
    return number if number and number <= 65535 else None


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _read_flag(text: str) -> bool | None:
    return _WORDS.get(text.lower())


def _write_flag(flag: bool) -> str:
    return "true" if flag else "false"


_ENCRYPT_WORDS = {
    **{word: Encrypt.MANDATORY if flag else Encrypt.OPTIONAL for word, flag in _WORDS.items()},
    **{level.value: level for level in Encrypt},
}


def _write_encrypt(level: Encrypt) -> str:
    return {Encrypt.OPTIONAL: "false", Encrypt.MANDATORY: "true"}.get(level, level.value)


def _read_host(text: str) -> str | None:
    if text.lower() in {".", "(local)"}:
        return "localhost"
    if re.fullmatch(r"[\w.-]+|\(localdb\)|/[^\x00-\x1f]*", text, re.IGNORECASE) or is_ipv6(text):
        return text
    return None


def is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _choice(values: str) -> Kind:
    known = {value.lower(): value for value in values.split(", ")}
    return Kind(f"one of {values}", lambda text: known.get(text.lower()))


_TEXT = Kind("text without control characters", lambda text: None if CONTROL.search(text) else text)
_NUMBER = Kind("a whole number", _read_number)
_PORT = Kind("a number from 1 to 65535", _read_port)
_FLAG = Kind("true or false", _read_flag, _write_flag)
_INTEGRATED = Kind(
    "true, false or SSPI", lambda text: text.lower() == "sspi" or _read_flag(text), _write_flag
)
_ENCRYPT = Kind("true, false or strict", lambda text: _ENCRYPT_WORDS.get(text.lower()), _write_encrypt)
_HOST = Kind("a host name or address", _read_host)
SECRET = Kind("text", Secret, Secret.reveal)
_AUTHENTICATION = _choice(
    "SqlPassword, ActiveDirectoryPassword, ActiveDirectoryIntegrated, ActiveDirectoryInteractive,"
    " ActiveDirectoryServicePrincipal, ActiveDirectoryManagedIdentity, ActiveDirectoryMSI,"
    " ActiveDirectoryDefault, NotSpecified"
)
_ISOLATION = _choice("READ UNCOMMITTED, READ COMMITTED, REPEATABLE READ, SNAPSHOT, SERIALIZABLE")
_SSLMODE = _choice("disable, allow, prefer, require, verify-ca, verify-full")
_SSLMODE_MYSQL = _choice("DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY")
_SESSION = _choice("any, read-write, read-only, primary, standby, prefer-standby")

_SQLSERVER = (
    Property("serverName", _HOST, "host", "server datasource address addr networkaddress"),
    Property("portNumber", _PORT, "port", "port"),
    Property("instanceName", _TEXT, "instance", "instance"),
    Property("database", _TEXT, "database", "databasename initialcatalog"),
    Property("user", _TEXT, "user", "username userid uid"),
    Property("password", SECRET, "password", "pwd"),
    Property("integratedSecurity", _INTEGRATED, "windows_auth", "trusted_connection"),
    Property("encrypt", _ENCRYPT, "encrypt"),
    Property("trustServerCertificate", _FLAG, "trust_server_certificate", "trust_server_certificate"),
    Property("schema", _TEXT, "schema"),
    Property("applicationName", _TEXT, "application_name", "app"),
    Property("loginTimeout", _NUMBER, "connect_timeout", "connecttimeout connectiontimeout timeout"),
    Property("connectionLimit", _NUMBER, "connection_limit", "connection_limit maxpoolsize"),
    Property("poolTimeout", _NUMBER, "pool_timeout", "pool_timeout"),
    Property("socketTimeout", _NUMBER, "socket_timeout", "socket_timeout commandtimeout"),
    Property("authentication", _AUTHENTICATION),
    Property("hostNameInCertificate", _TEXT),
    Property("serverCertificate", _TEXT),
    Property("trustServerCertificateCA", _TEXT),
    Property("serverSpn", _TEXT),
    Property("applicationIntent", _choice("ReadOnly, ReadWrite")),
    Property("multiSubnetFailover", _FLAG),
    Property("workstationID", _TEXT, synonyms="wsid"),
    Property("packetSize", _NUMBER),
    Property("connectRetryCount", _NUMBER),
    Property("connectRetryInterval", _NUMBER),
    Property("isolationLevel", _ISOLATION),
)
_POOL = (
    Property("connect_timeout", _NUMBER, "connect_timeout", "connecttimeout logintimeout timeout"),
    Property("connection_limit", _NUMBER, "connection_limit", "maxpoolsize maximumpoolsize"),
    Property("pool_timeout", _NUMBER, "pool_timeout"),
    Property("socket_timeout", _NUMBER, "socket_timeout", "sockettimeout commandtimeout"),
)
_SERVER = (
    Property("host", _HOST, "host", "server"),
    Property("port", _PORT, "port"),
    Property("dbname", _TEXT, "database", "database"),
    Property("user", _TEXT, "user", "username uid userid"),
    Property("password", SECRET, "password", "pwd"),
    *_POOL,
    Property("sslpassword", SECRET, "key_password"),
    Property("sslaccept", _choice("strict, accept_invalid_certs")),
)
_POSTGRESQL = (
    *_SERVER,
    Property("schema", _TEXT, "schema", "currentschema search_path searchpath"),
    Property("application_name", _TEXT, "application_name", "applicationname"),
    Property("sslmode", _SSLMODE),
    Property("sslrootcert", _TEXT),
    Property("sslcert", _TEXT),
    Property("sslkey", _TEXT),
    Property("sslcrl", _TEXT),
    Property("sslnegotiation", _choice("postgres, direct")),
    Property("channel_binding", _choice("disable, prefer, require"), synonyms="channelbinding"),
    Property("gssencmode", _choice("disable, prefer, require")),
    Property("krbsrvname", _TEXT),
    Property("options", _TEXT),
    Property("target_session_attrs", _SESSION),
    Property("keepalives", _NUMBER),
    Property("keepalives_idle", _NUMBER),
    Property("keepalives_interval", _NUMBER),
    Property("keepalives_count", _NUMBER),
    Property("tcp_user_timeout", _NUMBER),
)
_MYSQL = (
    *_SERVER,
    Property("socket", _TEXT, synonyms="unix_socket"),
    Property("charset", _TEXT),
    Property("sslmode", _SSLMODE_MYSQL, synonyms="ssl-mode ssl_mode"),
    Property("sslcert", _TEXT, synonyms="ssl_ca sslca"),  # the server's CA: Prisma's name for it
    Property("ssl_cert", _TEXT),
    Property("ssl_key", _TEXT, synonyms="sslkey"),
)

AUTHORITY = frozenset({"host", "port", "instance", "database", "user", "password"})
PROPERTIES: Mapping[Engine, tuple[Property, ...]] = {
    Engine.SQLSERVER: _SQLSERVER,
    Engine.POSTGRESQL: _POSTGRESQL,
    Engine.MYSQL: _MYSQL,
    Engine.SQLITE: _POOL,
}
BY_NAME: Mapping[Engine, Mapping[str, Property]] = {
    engine: {name: prop for prop in table for name in (prop.name.lower(), *prop.synonyms.split())}
    for engine, table in PROPERTIES.items()
}

# Known to other drivers, without a meaning for this service: accepted with a notice.
IGNORED = re.compile(
    "provider|persistsecurityinfo|multipleactiveresultsets|mars_connection|pooling|minpoolsize|minimumpoolsize"
    "|connectionlifetime|enlist|columnencryption|autotranslate|quotedid|ansinpw|sendstringparametersasunicode"
    "|selectmethod|responsebuffering|lastupdatecount|preparethreshold|rewritebatchedinserts|stringtype"
    "|defaultrowfetchsize|tcpkeepalive|useunicode|characterencoding|servertimezone|autoreconnect"
    "|zerodatetimebehavior|allowpublickeyretrieval|sslidentity|pgbouncer|statement_cache_size"
)


def fold(name: str) -> str:
    return "".join(name.split()).lower()
