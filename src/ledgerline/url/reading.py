"""Connection strings as people paste them: cut into (property, text) pairs, recognised, and checked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from ledgerline.errors import ConnectionStringError
from ledgerline.url.database_url import DatabaseUrl
from ledgerline.url.properties import BY_NAME, CONTROL, IGNORED, Property, fold, is_ipv6
from ledgerline.url.terms import Encrypt, Engine

_ENCODE_HINT = (
    "In the part before '@', write the characters : / ? # @ ; % of a user or password percent-encoded"
    " (%3A %2F %3F %23 %40 %3B %25)."
)
ESCAPE_HINT: Final = "In a .env file a backslash in double quotes begins an escape: use single quotes."
_BRACES_HINT = "A value that holds ';' is written in braces: password={…;…}, with } doubled."


def parse_url(text: str) -> DatabaseUrl:
    """Reads a connection URL. Raises ConnectionStringError, which never holds a part of a password."""
    text = _checked(text)
    if re.match(r"jdbc:sqlite:(?!//)", text, re.IGNORECASE):
        return _parse_sqlite(text[12:])
    if text[:5].lower() == "jdbc:":
        return _in_seconds(parse_url(text[5:]))
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


# Of JDBC's drivers these count in milliseconds; all that is not named here counts in seconds everywhere.
_MILLISECONDS: Final = {
    Engine.SQLSERVER: ("socket_timeout",),
    Engine.MYSQL: ("socket_timeout", "connect_timeout"),
}


def _in_seconds(url: DatabaseUrl) -> DatabaseUrl:
    given = {field: getattr(url, field) for field in _MILLISECONDS.get(url.engine, ())}
    seconds: dict[str, Any] = {field: -(-value // 1000) for field, value in given.items() if value}
    return replace(url, **seconds)


# --- recognising -------------------------------------------------------------------------------


class _Pair(NamedTuple):
    name: str
    text: str
    delimited: bool = True  # False: the text ends at a separator that may have been a part of it


def _assemble(engine: Engine, pairs: Iterable[_Pair]) -> DatabaseUrl:
    """Recognises the properties, checks their values, and that no two contradict."""
    found: dict[Property, object] = {}
    notices: list[str] = []
    for pair in _known(engine, list(pairs)):
        prop = BY_NAME[engine].get(fold(pair.name))
        if prop is None:
            notices.append(f"The property '{pair.name}' has no effect here and is ignored.")
        elif pair.text:
            _add(found, prop, pair.text)
    filled: dict[str, Any] = {prop.field: value for prop, value in found.items() if prop.field}
    options = {prop.name: prop.kind.write(value) for prop, value in found.items() if not prop.field}
    return _settled(DatabaseUrl(engine, **filled, options=options), notices)


def _add(found: dict[Property, object], prop: Property, text: str) -> None:
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
    table = BY_NAME[engine]
    unknown = [p for p in pairs if fold(p.name) not in table and not IGNORED.fullmatch(fold(p.name))]
    if not unknown:
        return pairs
    name = unknown[0].name
    before = pairs[max(pairs.index(unknown[0]) - 1, 0)]
    near = difflib.get_close_matches(fold(name), table, n=1, cutoff=0.75)
    after_open_secret = not before.delimited and fold(before.name) in {"password", "pwd", "sslpassword"}
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
        notices.append("There is no login: add a user and password, or Windows authentication.")
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
    if CONTROL.search(text):
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
    if match[1] is not None and not is_ipv6(address):
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
        prop = BY_NAME[Engine.SQLSERVER].get(fold(pair.name))
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
    if any(fold(pair.name) == "host" and pair.text.startswith("/") for pair in properties):
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
    named = {fold(pair.name): pair.text for pair in pairs}
    if "dsn" in named:
        raise _error("A DSN stands in a file that is not read here.", "Name the server and the database.")
    engine = _engine_of(named)
    if engine is Engine.SQLITE:
        return _parse_sqlite_keywords(named)
    if engine is Engine.SQLSERVER:
        pairs = list(_with_servers_split(pairs))
    return _assemble(engine, (pair for pair in pairs if fold(pair.name) != "driver"))


def _engine_of(named: Mapping[str, str]) -> Engine:
    driver = named.get("driver", "").lower()
    file = named.get("datasource", "")
    if "sqlite" in driver or "filename" in named or ("version" in named and file) or _FILE.fullmatch(file):
        return Engine.SQLITE
    if "host" in named or re.search("postgres|psql", driver) or named.get("port") == "5432":
        return Engine.POSTGRESQL
    is_mysql = re.search("mysql|mariadb", driver) or named.get("port") == "3306"
    return Engine.MYSQL if is_mysql else Engine.SQLSERVER


_FILE: Final = re.compile(r".*\.(?:db3?|sqlite3?|s3db)|:memory:", re.IGNORECASE)


def _parse_sqlite_keywords(named: Mapping[str, str]) -> DatabaseUrl:
    """SQLite's own ADO.NET or ODBC string: all that counts here is which file it is."""
    paths = [named[name] for name in ("datasource", "filename", "database") if named.get(name)]
    if named.get("password"):
        raise _error("The connection string has a password: SQLite's encrypted files cannot be read here.")
    return _parse_sqlite(paths[0] if paths else "")


_PARSERS: Mapping[str, Callable[[str], DatabaseUrl]] = {
    "sqlserver": _parse_sqlserver,
    "postgresql": partial(_parse_server_url, Engine.POSTGRESQL),
    "postgres": partial(_parse_server_url, Engine.POSTGRESQL),
    "mysql": partial(_parse_server_url, Engine.MYSQL),
    "mariadb": partial(_parse_server_url, Engine.MYSQL),
    "sqlite": _parse_sqlite_url,
}
