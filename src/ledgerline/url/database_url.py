"""Where a database is, as typed parts, and how they are written as a connection string."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from ledgerline.url.properties import AUTHORITY, PROPERTIES, SECRET, Kind
from ledgerline.url.terms import EMBEDDED, MASK, Encrypt, Engine, Secret


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


# --- writing -----------------------------------------------------------------------------------


def _encode(text: str) -> str:
    return quote(text, safe="")


def _properties_of(url: DatabaseUrl, mask: bool) -> Iterator[tuple[str, str]]:
    """The properties that are set and do not stand before them in the URL."""
    for prop in PROPERTIES[url.engine]:
        if prop.field in AUTHORITY:
            continue
        if not prop.field:
            text = url.options.get(prop.name)
        else:
            text = _text_of(prop.kind, getattr(url, prop.field), mask)
        if text:
            yield prop.name, text


def _text_of(kind: Kind, value: object, mask: bool) -> str:
    if value is None or value is False or value == "":
        return ""
    return MASK if mask and kind is SECRET else kind.write(value)


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
