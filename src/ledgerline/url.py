r"""Connection strings: text → typed parts, and back with the secrets masked.

Each syntax is cut into (property, text) pairs; one table for each engine says which properties there
are, what their values may be, and which part of a `DatabaseUrl` they fill. Rendering goes through the
same table the other way.

An error names properties and the scheme and quotes nothing else: in a mangled string every other
piece may belong to the password. Accepted:

    sqlserver://server:1433;database=main;integratedSecurity=true        JDBC, Prisma
    sqlserver://user:password@server\instance;database=main;encrypt=strict
    postgresql://user:password@server:5432/main?sslmode=verify-full      also postgres://
    mysql://user:password@server:3306/invoice                            also mariadb://
    sqlite:///data/main.db   sqlite:////srv/main.db   sqlite:///C:/data/main.db   file:./main.db
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from ledgerline.errors import ConnectionStringError

MASK: Final = "****"
EMBEDDED: Final = "embedded"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENCODE_HINT = (
    "In the part before '@', write the characters : / ? # @ ; % of a user or password percent-encoded"
    " (%3A %2F %3F %23 %40 %3B %25)."
)
ESCAPE_HINT: Final = "In a .env file a backslash in double quotes begins an escape: use single quotes."
_BRACES_HINT = "A value that holds ';' is written in braces: password={…;…}, with } doubled."


class Engine(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    SQLSERVER = "sqlserver"
    MYSQL = "mysql"

    @property
    def product(self) -> str:
        return _PRODUCTS[self]

    @property
    def default_port(self) -> int | None:
        return _DEFAULT_PORTS.get(self)


_PRODUCTS = {
    Engine.SQLITE: "SQLite",
    Engine.POSTGRESQL: "PostgreSQL",
    Engine.SQLSERVER: "SQL Server",
    Engine.MYSQL: "MySQL",
}
_DEFAULT_PORTS = {Engine.POSTGRESQL: 5432, Engine.SQLSERVER: 1433, Engine.MYSQL: 3306}


class Encrypt(StrEnum):
    """SQL Server: what is encrypted. The values are the keywords of its own drivers."""

    OPTIONAL = "optional"  # the login only, unless the server insists
    MANDATORY = "mandatory"
    STRICT = "strict"  # TLS before anything else (TDS 8)


class Secret:
    """A text that shows itself as `****` however it is printed; only `reveal()` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    r"""Where a database is and how to log in. Made by `parse_url`, `parse_any` and `from_parts`.

    Empty text and None mean "not given". `options` holds further recognised properties under the
    names their engine documents, with checked and normalised values (flags are `true` or `false`).
    """

    engine: Engine
    host: str = ""  # without brackets; a path for a Unix socket
    port: int | None = None
    instance: str = ""  # SQL Server's `server\instance`
    database: str = ""  # SQLite: the path as written; a relative one starts at the process's folder
    user: str = ""
    password: Secret | None = None
    windows_auth: bool = False
    encrypt: Encrypt | None = None
    trust_server_certificate: bool = False
    schema: str = ""  # PostgreSQL: the search path
    application_name: str = ""
    connect_timeout: int | None = None  # seconds, as are the two timeouts below
    connection_limit: int | None = None
    pool_timeout: int | None = None
    socket_timeout: int | None = None
    key_password: Secret | None = None  # of the client certificate's key
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    notices: tuple[str, ...] = field(default=(), compare=False)

    @property
    def effective_port(self) -> int | None:
        """The port to connect to; None for a file, a socket, or an instance that is looked up by name."""
        if self.port is None and (self.instance or self.host.startswith("/")):
            return None
        return self.port or self.engine.default_port

    @property
    def server_label(self) -> str:
        if self.engine is Engine.SQLITE:
            return EMBEDDED
        return f"{self.host}\\{self.instance}" if self.instance else self.host

    @property
    def port_label(self) -> str:
        return str(self.effective_port or "")

    def render(self, mask: bool = True) -> str:
        """The connection string; `parse_url(url.render(mask=False)) == url`."""
        return _RENDERERS[self.engine](self, mask)

    def __str__(self) -> str:
        return self.render()


def parse_url(text: str) -> DatabaseUrl:
    """Reads a connection URL. Raises ConnectionStringError, which never holds a part of a password."""
    text = _checked(text)
    if text[:5].lower() == "jdbc:":
        text = text[5:]
    if text[:5].lower() == "file:":
        return _parse_file_url(text[5:])
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise _error("There is no scheme.", "Begin with sqlserver://, postgresql:// or sqlite:///.")
    parse = _PARSERS.get(scheme.lower())
    if parse is None:
        raise _error(f"The scheme '{scheme}' is unknown.", _scheme_hint(scheme.lower()))
    return parse(rest)


def parse_any(text: str) -> DatabaseUrl:
    """Reads a URL, or an ODBC or ADO.NET connection string (`Server=…;Database=…`), as pasted by a person.

    Raises ConnectionStringError, as `parse_url` does.
    """
    text = _checked(text)
    if "://" in text.partition("=")[0] or re.match(r"(?:jdbc|file):", text, re.IGNORECASE):
        return parse_url(text)
    if "=" not in text:
        raise _error(
            "This is neither a URL nor a list of properties.",
            "Paste something like sqlserver://server;database=name or Server=server;Database=name.",
        )
    return _parse_keywords(text)


def from_parts(
    server: str,
    *,
    database: str,
    port: int | None = None,
    user: str = "",
    password: str = "",
    windows_auth: bool = False,
    trust_server_certificate: bool | None = None,
) -> DatabaseUrl:
    r"""A SQL Server database by parts; `server` may be `host\instance`, `host,port` or `tcp:host`.

    Unless told otherwise, the certificate of a server on this very machine is trusted: nobody can
    stand in between, and a local SQL Server has only the certificate it made for itself.
    Raises ConnectionStringError.
    """
    pairs = [
        *_server_pairs(_checked(server)),
        _Pair("portNumber", str(port or "")),
        _Pair("database", database),
        _Pair("user", user),
        _Pair("password", password),
        _Pair("integratedSecurity", str(windows_auth)),
    ]
    url = _assemble(Engine.SQLSERVER, pairs)
    if trust_server_certificate is None:
        trust_server_certificate = url.host.lower() in {"localhost", "127.0.0.1", "::1"}
    return replace(url, trust_server_certificate=trust_server_certificate)


# --- properties --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a property's value may be. `read` answers None to a text that does not fit."""

    expects: str
    read: Callable[[str], object]
    write: Callable[[Any], str] = str


class _Property(NamedTuple):
    name: str  # as rendered; the key in `options` when it fills no field
    kind: _Kind
    field: str = ""
    synonyms: str = ""  # lower case, a word each


class _Pair(NamedTuple):
    name: str
    text: str
    delimited: bool = True  # False: the text ends at a separator that may have been a part of it


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
    if re.fullmatch(r"[\w.-]+|\(localdb\)|/[^\x00-\x1f]*", text, re.IGNORECASE) or _is_ipv6(text):
        return text
    return None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _choice(values: str) -> _Kind:
    known = {value.lower(): value for value in values.split(", ")}
    return _Kind(f"one of {values}", lambda text: known.get(text.lower()))


_TEXT = _Kind("text without control characters", lambda text: None if _CONTROL.search(text) else text)
_NUMBER = _Kind("a whole number", _read_number)
_PORT = _Kind("a number from 1 to 65535", _read_port)
_FLAG = _Kind("true or false", _read_flag, _write_flag)
_INTEGRATED = _Kind(
    "true, false or SSPI", lambda text: text.lower() == "sspi" or _read_flag(text), _write_flag
)
_ENCRYPT = _Kind("true, false or strict", lambda text: _ENCRYPT_WORDS.get(text.lower()), _write_encrypt)
_HOST = _Kind("a host name or address", _read_host)
_SECRET = _Kind("text", Secret, Secret.reveal)
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
    _Property("serverName", _HOST, "host", "server datasource address addr networkaddress"),
    _Property("portNumber", _PORT, "port", "port"),
    _Property("instanceName", _TEXT, "instance", "instance"),
    _Property("database", _TEXT, "database", "databasename initialcatalog"),
    _Property("user", _TEXT, "user", "username userid uid"),
    _Property("password", _SECRET, "password", "pwd"),
    _Property("integratedSecurity", _INTEGRATED, "windows_auth", "trusted_connection"),
    _Property("encrypt", _ENCRYPT, "encrypt"),
    _Property("trustServerCertificate", _FLAG, "trust_server_certificate", "trust_server_certificate"),
    _Property("schema", _TEXT, "schema"),
    _Property("applicationName", _TEXT, "application_name", "app"),
    _Property("loginTimeout", _NUMBER, "connect_timeout", "connecttimeout connectiontimeout timeout"),
    _Property("connectionLimit", _NUMBER, "connection_limit", "connection_limit maxpoolsize"),
    _Property("poolTimeout", _NUMBER, "pool_timeout", "pool_timeout"),
    _Property("socketTimeout", _NUMBER, "socket_timeout", "socket_timeout commandtimeout"),
    _Property("authentication", _AUTHENTICATION),
    _Property("hostNameInCertificate", _TEXT),
    _Property("serverCertificate", _TEXT),
    _Property("trustServerCertificateCA", _TEXT),
    _Property("serverSpn", _TEXT),
    _Property("applicationIntent", _choice("ReadOnly, ReadWrite")),
    _Property("multiSubnetFailover", _FLAG),
    _Property("workstationID", _TEXT, synonyms="wsid"),
    _Property("packetSize", _NUMBER),
    _Property("connectRetryCount", _NUMBER),
    _Property("connectRetryInterval", _NUMBER),
    _Property("isolationLevel", _ISOLATION),
)
_POOL = (
    _Property("connect_timeout", _NUMBER, "connect_timeout", "connecttimeout logintimeout timeout"),
    _Property("connection_limit", _NUMBER, "connection_limit", "maxpoolsize maximumpoolsize"),
    _Property("pool_timeout", _NUMBER, "pool_timeout"),
    _Property("socket_timeout", _NUMBER, "socket_timeout", "sockettimeout commandtimeout"),
)
_SERVER = (
    _Property("host", _HOST, "host", "server"),
    _Property("port", _PORT, "port"),
    _Property("dbname", _TEXT, "database", "database"),
    _Property("user", _TEXT, "user", "username uid userid"),
    _Property("password", _SECRET, "password", "pwd"),
    *_POOL,
    _Property("sslpassword", _SECRET, "key_password"),
    _Property("sslaccept", _choice("strict, accept_invalid_certs")),
)
_POSTGRESQL = (
    *_SERVER,
    _Property("schema", _TEXT, "schema", "currentschema search_path searchpath"),
    _Property("application_name", _TEXT, "application_name", "applicationname"),
    _Property("sslmode", _SSLMODE),
    _Property("sslrootcert", _TEXT),
    _Property("sslcert", _TEXT),
    _Property("sslkey", _TEXT),
    _Property("sslcrl", _TEXT),
    _Property("sslnegotiation", _choice("postgres, direct")),
    _Property("channel_binding", _choice("disable, prefer, require"), synonyms="channelbinding"),
    _Property("gssencmode", _choice("disable, prefer, require")),
    _Property("krbsrvname", _TEXT),
    _Property("options", _TEXT),
    _Property("target_session_attrs", _SESSION),
    _Property("keepalives", _NUMBER),
    _Property("keepalives_idle", _NUMBER),
    _Property("keepalives_interval", _NUMBER),
    _Property("keepalives_count", _NUMBER),
    _Property("tcp_user_timeout", _NUMBER),
)
_MYSQL = (
    *_SERVER,
    _Property("socket", _TEXT, synonyms="unix_socket"),
    _Property("charset", _TEXT),
    _Property("sslmode", _SSLMODE_MYSQL, synonyms="ssl-mode ssl_mode"),
    _Property("sslcert", _TEXT, synonyms="ssl_ca sslca"),  # the server's CA: Prisma's name for it
    _Property("ssl_cert", _TEXT),
    _Property("ssl_key", _TEXT, synonyms="sslkey"),
)

_AUTHORITY = frozenset({"host", "port", "instance", "database", "user", "password"})
_PROPERTIES: Mapping[Engine, tuple[_Property, ...]] = {
    Engine.SQLSERVER: _SQLSERVER,
    Engine.POSTGRESQL: _POSTGRESQL,
    Engine.MYSQL: _MYSQL,
    Engine.SQLITE: _POOL,
}
_BY_NAME: Mapping[Engine, Mapping[str, _Property]] = {
    engine: {name: prop for prop in table for name in (prop.name.lower(), *prop.synonyms.split())}
    for engine, table in _PROPERTIES.items()
}

# Known to other drivers, without a meaning for this service: accepted with a notice.
_IGNORED = re.compile(
    "provider|persistsecurityinfo|multipleactiveresultsets|mars_connection|pooling|minpoolsize|minimumpoolsize"
    "|connectionlifetime|enlist|columnencryption|autotranslate|quotedid|ansinpw|sendstringparametersasunicode"
    "|selectmethod|responsebuffering|lastupdatecount|preparethreshold|rewritebatchedinserts|stringtype"
    "|defaultrowfetchsize|tcpkeepalive|useunicode|characterencoding|servertimezone|autoreconnect"
    "|zerodatetimebehavior|allowpublickeyretrieval|sslidentity|pgbouncer|statement_cache_size"
)


def _fold(name: str) -> str:
    return "".join(name.split()).lower()


def _assemble(engine: Engine, pairs: Iterable[_Pair]) -> DatabaseUrl:
    """Recognises the properties, checks their values, and that no two contradict."""
    found: dict[_Property, object] = {}
    notices: list[str] = []
    for pair in _known(engine, list(pairs)):
        prop = _BY_NAME[engine].get(_fold(pair.name))
        if prop is None:
            notices.append(f"The property '{pair.name}' has no effect here and is ignored.")
        elif pair.text:
            _add(found, prop, pair.text)
    filled: dict[str, Any] = {prop.field: value for prop, value in found.items() if prop.field}
    options = {prop.name: prop.kind.write(value) for prop, value in found.items() if not prop.field}
    return _settled(DatabaseUrl(engine, **filled, options=options), notices)


def _add(found: dict[_Property, object], prop: _Property, text: str) -> None:
    value = prop.kind.read(text)
    if value is None:
        hint = _ENCODE_HINT if prop.field in {"host", "port"} else ""
        raise _error(f"The value of the property '{prop.name}' is not {prop.kind.expects}.", hint)
    if found.setdefault(prop, value) != value:
        raise _error(f"The property '{prop.name}' is given twice with different values.", "Keep one of them.")


def _known(engine: Engine, pairs: list[_Pair]) -> list[_Pair]:
    """The same pairs, none of them unknown. An error names the first that is, where it cannot be a secret.

    A name is no name but a piece of a password where it follows an unquoted one, or where a '@' shows
    that the string was cut in the wrong place; unless it is almost a property's.
    """
    table = _BY_NAME[engine]
    unknown = [p for p in pairs if _fold(p.name) not in table and not _IGNORED.fullmatch(_fold(p.name))]
    if not unknown:
        return pairs
    name = unknown[0].name
    before = pairs[max(pairs.index(unknown[0]) - 1, 0)]
    near = difflib.get_close_matches(_fold(name), table, n=1, cutoff=0.75)
    after_open_secret = not before.delimited and _fold(before.name) in {"password", "pwd", "sslpassword"}
    if not near and (after_open_secret or any("@" in p.name + p.text for p in unknown)):
        raise _error("A part of the password seems to be cut off.", f"{_ENCODE_HINT} {_BRACES_HINT}")
    if not re.fullmatch(r"\w[\w .-]{0,40}", name):
        raise _error("A property has a name that no property has.", _BRACES_HINT)
    meant = f" Did you mean '{table[near[0]].name}'?" if near else ""
    raise _error(f"{engine.product} has no property '{name}'.{meant}", "docs/configuration.md lists them.")


def _settled(url: DatabaseUrl, notices: list[str]) -> DatabaseUrl:
    """The same URL after the checks that need more than one property."""
    if url.engine is Engine.SQLITE:
        return replace(url, notices=tuple(notices))
    if not url.host and "socket" not in url.options:
        raise _error("The connection string names no server.", f"Begin with {url.engine}://server.")
    if not url.database:
        where = ";database=name" if url.engine is Engine.SQLSERVER else "/name after the server"
        raise _error("The property 'database' is missing.", f"Add {where}.")
    settle = _settled_sqlserver if url.engine is Engine.SQLSERVER else _settled_certificates
    return replace(settle(url, notices), notices=tuple(notices))


def _settled_sqlserver(url: DatabaseUrl, notices: list[str]) -> DatabaseUrl:
    options = {name: text for name, text in url.options.items() if text != "NotSpecified"}
    if url.windows_auth and "authentication" in options:
        raise _error("The properties 'integratedSecurity' and 'authentication' contradict.", "Keep one.")
    if url.trust_server_certificate and "trustServerCertificateCA" in options:
        raise _error("'trustServerCertificate' and 'trustServerCertificateCA' contradict.", "Keep one.")
    if url.windows_auth and (url.user or url.password):
        notices.append("Windows authentication is on: the user and password are ignored.")
        url = replace(url, user="", password=None)
    elif not (url.windows_auth or url.user or "authentication" in options):
        notices.append("There is no login: add a user and password, or integratedSecurity=true.")
    if url.instance and url.port:
        notices.append("A port and an instance are given: the port is used, the instance is not looked up.")
    if url.encrypt is Encrypt.STRICT and url.trust_server_certificate:
        notices.append("encrypt=strict always checks the certificate: trustServerCertificate has no effect.")
    return replace(url, options=options)


def _settled_certificates(url: DatabaseUrl, notices: list[str]) -> DatabaseUrl:
    """Prisma's `sslaccept` said in the server's own terms."""
    options = dict(url.options)
    if options.pop("sslaccept", "") == "strict":
        options["sslmode"] = "verify-full" if url.engine is Engine.POSTGRESQL else "VERIFY_IDENTITY"
    if url.engine is Engine.POSTGRESQL and "sslcert" in options and "sslkey" not in options:
        notices.append("sslcert, the client's certificate, wants sslkey; a server's CA goes in sslrootcert.")
    return replace(url, options=options)


# --- reading -----------------------------------------------------------------------------------


def _error(detail: str, hint: str = "") -> ConnectionStringError:
    return ConnectionStringError(detail, hint=hint)


def _checked(text: str) -> str:
    """The text without the blanks and quotes around it, which some tools leave there."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if not text:
        raise _error("The connection string is empty.")
    if _CONTROL.search(text):
        raise _error("The connection string holds a control character.", ESCAPE_HINT)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _error("The connection string is not UTF-8.", "Write it in UTF-8, or percent-encoded.")
    return text


def _decode(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        pass  # raised below, outside: that error, with the text, would be the context of this one
    raise _error("A '%' does not begin a percent-encoded UTF-8 character.", "Write a plain % as %25.")


def _scheme_hint(scheme: str) -> str:
    aliases = {"mssql": "sqlserver", "pgsql": "postgresql", "psql": "postgresql", "sqlite3": "sqlite"}
    base = scheme.partition("+")[0]  # SQLAlchemy's dialect+driver
    near = difflib.get_close_matches(aliases.get(base, base), _PARSERS, n=1)
    return f"Did you mean {near[0]}://?" if near else f"Known are {', '.join(_PARSERS)}."


def _split_host(text: str) -> tuple[str, str]:
    r"""`host[\instance]:port` → the host with its instance, port; an IPv6 address stands in brackets."""
    match = re.fullmatch(r"(?:\[([^\]]*)\])?([^:]*)(?::([^:]*))?", text)
    if match is None:
        raise _error("The server is not host:port.", f"IPv6 addresses stand in brackets. {_ENCODE_HINT}")
    address, host, port = (_decode(part or "") for part in match.groups())
    if match[1] is not None and not _is_ipv6(address):
        raise _error("The brackets hold no IPv6 address.")
    return address + host, port


def _login_pairs(userinfo: str) -> list[_Pair]:
    user, _, password = userinfo.partition(":")
    return [_Pair("user", _decode(user)), _Pair("password", _decode(password))]


def _parse_sqlserver(rest: str) -> DatabaseUrl:
    authority, _, properties = rest.partition(";")
    userinfo, _, server = authority.rpartition("@")
    host, port = _split_host(server.rstrip("/"))
    pairs = [*_login_pairs(userinfo), *_server_pairs(host), _Pair("portNumber", port)]
    return _assemble(Engine.SQLSERVER, [*pairs, *_with_servers_split(_split_properties(properties))])


def _server_pairs(text: str) -> list[_Pair]:
    r"""SQL Server's own form of a server: `[tcp:]host[\instance][,port]`."""
    if re.match(r"(np|lpc|admin):", text, re.IGNORECASE):
        raise _error("The server is to be reached without TCP.", "Write it as host, host,port or tcp:host.")
    name, _, port = re.sub(r"^tcp:", "", text, flags=re.IGNORECASE).partition(",")
    host, _, instance = name.strip().partition("\\")
    server = _Pair("serverName", host.strip("[]"))
    return [server, _Pair("instanceName", instance), _Pair("portNumber", port.strip())]


def _with_servers_split(pairs: Iterable[_Pair]) -> Iterator[_Pair]:
    for pair in pairs:
        prop = _BY_NAME[Engine.SQLSERVER].get(_fold(pair.name))
        if prop is not None and prop.field == "host":
            yield from _server_pairs(pair.text)
        else:
            yield pair


_BRACED = r"\{(?P<braced>(?:[^}]|\}\})*)\}"
_QUOTED = r"""|"(?P<double>(?:[^"]|"")*)"|'(?P<single>(?:[^']|'')*)'"""


def _property_pattern(delimited: str) -> re.Pattern[str]:
    return re.compile(rf"([^=;]*)=\s*(?:(?:{delimited})\s*(?=;|$)|(?P<bare>[^;]*))(?:;|$)")


_PROPERTY = _property_pattern(_BRACED)
_PROPERTY_ADO = _property_pattern(_BRACED + _QUOTED)


def _split_properties(text: str, pattern: re.Pattern[str] = _PROPERTY) -> Iterator[_Pair]:
    """`name=value;…`, where a value in braces (with ADO.NET: or quotes) may hold anything."""
    text = text.strip(" ;")
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise _error("A property has no '='.", _BRACES_HINT)
        position = match.end()
        yield _property_pair(match)


def _property_pair(match: re.Match[str]) -> _Pair:
    name, bare = match[1].strip(), match["bare"]
    if bare is None:
        kind = match.lastgroup or ""
        end = {"braced": "}", "double": '"', "single": "'"}[kind]
        return _Pair(name, match[kind].replace(end * 2, end))
    if bare.startswith("{"):
        raise _error("A value begins with '{', and no single '}' ends it.", _BRACES_HINT)
    return _Pair(name, bare.strip(), delimited=False)


def _parse_server_url(engine: Engine, rest: str) -> DatabaseUrl:
    before_query, _, query = rest.partition("?")
    authority, _, path = before_query.partition("/")
    userinfo, _, server = authority.rpartition("@")
    if "/" in path or "@" in path:
        raise _error("The database name holds '/' or '@'.", f"Write them as %2F and %40. {_ENCODE_HINT}")
    if "," in server:
        raise _error("The connection string names several servers.", "Name one.")
    host, port = _split_host(server)
    properties = list(_query_pairs(query))
    if any(_fold(pair.name) == "host" and pair.text.startswith("/") for pair in properties):
        host = ""  # a socket: Prisma wants a host in the authority, and ignores it
    place = [_Pair("host", host), _Pair("port", port), _Pair("dbname", _decode(path))]
    return _assemble(engine, [*_login_pairs(userinfo), *place, *properties])


def _query_pairs(query: str) -> Iterator[_Pair]:
    for part in filter(None, query.split("&")):
        name, equals, text = part.partition("=")
        if not equals:
            raise _error("A property after '?' has no '='.", _ENCODE_HINT)
        yield _Pair(_decode(name), _decode(text), delimited=False)


def _parse_sqlite_url(rest: str) -> DatabaseUrl:
    if not rest.startswith("/"):
        raise _error("A SQLite URL names no server.", "Write sqlite:///relative or sqlite:////absolute.")
    return _parse_sqlite(rest[1:])


def _parse_file_url(rest: str) -> DatabaseUrl:
    if rest.startswith("//") and not rest.startswith("///"):
        raise _error("A file: URL names no server.", "Write file:./relative or file:///absolute.")
    return _parse_sqlite(re.sub(r"^///(?=[A-Za-z]:)|^//(?=/)", "", rest))


def _parse_sqlite(path_and_query: str) -> DatabaseUrl:
    path, _, query = path_and_query.partition("?")
    if path in {"", ":memory:"} or "mode=memory" in query:
        raise _error(
            "The connection string names no database file.",
            "One in memory would be lost with the process and is not shared by its connections: name a file.",
        )
    return replace(_assemble(Engine.SQLITE, _query_pairs(query)), database=path)


def _parse_keywords(text: str) -> DatabaseUrl:
    """ODBC or ADO.NET. Only ADO.NET quotes values; to ODBC (it names a driver) a quote is a character."""
    is_odbc = re.search(r"(?:^|;)\s*driver\s*=", text, re.IGNORECASE) is not None
    pairs = list(_split_properties(text, _PROPERTY if is_odbc else _PROPERTY_ADO))
    named = {_fold(pair.name): pair.text for pair in pairs}
    if "dsn" in named:
        raise _error("A DSN stands in a file that is not read here.", "Name the server and the database.")
    engine = _engine_of(named)
    if engine is Engine.SQLSERVER:
        pairs = list(_with_servers_split(pairs))
    return _assemble(engine, (pair for pair in pairs if _fold(pair.name) != "driver"))


def _engine_of(named: Mapping[str, str]) -> Engine:
    driver = named.get("driver", "")
    if "host" in named or re.search("postgres|psql", driver, re.IGNORECASE):
        return Engine.POSTGRESQL
    return Engine.MYSQL if re.search("mysql|mariadb", driver, re.IGNORECASE) else Engine.SQLSERVER


_PARSERS: Mapping[str, Callable[[str], DatabaseUrl]] = {
    "sqlserver": _parse_sqlserver,
    "postgresql": partial(_parse_server_url, Engine.POSTGRESQL),
    "postgres": partial(_parse_server_url, Engine.POSTGRESQL),
    "mysql": partial(_parse_server_url, Engine.MYSQL),
    "mariadb": partial(_parse_server_url, Engine.MYSQL),
    "sqlite": _parse_sqlite_url,
}


# --- writing -----------------------------------------------------------------------------------


def _encode(text: str) -> str:
    return quote(text, safe="")


def _properties_of(url: DatabaseUrl, mask: bool) -> Iterator[tuple[str, str]]:
    """The properties that are set and do not stand before them in the URL."""
    for prop in _PROPERTIES[url.engine]:
        if prop.field in _AUTHORITY:
            continue
        if not prop.field:
            text = url.options.get(prop.name)
        else:
            text = _text_of(prop.kind, getattr(url, prop.field), mask)
        if text:
            yield prop.name, text


def _text_of(kind: _Kind, value: object, mask: bool) -> str:
    if value is None or value is False or value == "":
        return ""
    return MASK if mask and kind is _SECRET else kind.write(value)


def _authority(url: DatabaseUrl, mask: bool) -> str:
    login = _encode(url.user)
    if url.password is not None:
        login += ":" + (MASK if mask else _encode(url.password.reveal()))
    host = "" if url.host.startswith("/") else _encode(url.host)
    if ":" in url.host and host:
        host = f"[{quote(url.host, safe=':')}]"
    if url.instance:
        host += "\\" + _encode(url.instance)
    return (f"{login}@" if login else "") + host + (f":{url.port}" if url.port else "")


def _render_sqlserver(url: DatabaseUrl, mask: bool) -> str:
    properties = [("database", url.database), *_properties_of(url, mask)]
    return f"sqlserver://{_authority(url, mask)}" + "".join(
        f";{name}={_braced(text)}" for name, text in properties
    )


def _braced(text: str) -> str:
    return text if re.fullmatch(r"[\w.-]+", text) else "{" + text.replace("}", "}}") + "}"


def _render_server_url(url: DatabaseUrl, mask: bool) -> str:
    socket = [("host", url.host)] if url.host.startswith("/") else []
    place = f"{url.engine}://{_authority(url, mask)}/{_encode(url.database)}"
    return place + _query([*socket, *_properties_of(url, mask)])


def _render_sqlite(url: DatabaseUrl, mask: bool) -> str:
    return f"sqlite:///{url.database}" + _query(_properties_of(url, mask))


def _query(properties: Iterable[tuple[str, str]]) -> str:
    text = "&".join(f"{name}={quote(value, safe='/*')}" for name, value in properties)
    return f"?{text}" if text else ""


_RENDERERS: Mapping[Engine, Callable[[DatabaseUrl, bool], str]] = {
    Engine.SQLSERVER: _render_sqlserver,
    Engine.POSTGRESQL: _render_server_url,
    Engine.MYSQL: _render_server_url,
    Engine.SQLITE: _render_sqlite,
}
