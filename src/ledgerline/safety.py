"""What production must not run with: keys to guess, connections to listen to, one database in both roles.

Values in, risks out; of the machine only paths are looked at. `settings` refuses production with any;
`ledgerline config check` lists them.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ledgerline.url import DatabaseUrl, Encrypt, Engine

KEY_LENGTH: Final = 32
_KEY_VARIETY = 12  # different characters
_WELL_KNOWN = re.compile(
    r"change|secret|passw|example|your|default|sample|test|demo|12345|abcdef|qwert|admin|ledgerline|of-your-own",
    re.IGNORECASE,
)
_READABLE = {
    Engine.POSTGRESQL: ("", "disable", "allow", "prefer"),  # libpq prefers, and goes on without
    Engine.MYSQL: ("", "DISABLED", "PREFERRED"),
}
_REMEDY = {
    Engine.SQLSERVER: "Write encrypt=true, or encrypt=strict.",
    Engine.POSTGRESQL: "Write sslmode=verify-full (or require, where no certificate can be checked).",
    Engine.MYSQL: "Write sslmode=VERIFY_IDENTITY (or REQUIRED, where no certificate can be checked).",
}


class Risk(NamedTuple):
    setting: str
    detail: str
    remedy: str


def risks(main: DatabaseUrl, invoice: DatabaseUrl, api_key: str) -> list[Risk]:
    """What is too risky for production. `api_key`: empty where there is none."""
    return [
        *_key(api_key),
        *_connection("DATABASE_URL", main),
        *_connection("INVOICE_DATABASE_URL", invoice),
        *same_database(main, invoice),
    ]


def _key(key: str) -> Iterator[Risk]:
    remedy = "Make one with: openssl rand -hex 24; or leave it empty and use: ledgerline keys create"
    if key and len(key) < KEY_LENGTH:
        yield Risk("API_KEY", f"It is too short for production: {KEY_LENGTH} characters or more.", remedy)
    elif key and (len(set(key)) < _KEY_VARIETY or _WELL_KNOWN.search(key) or _is_repeated(key)):
        yield Risk("API_KEY", "It is too simple for production: it can be guessed.", remedy)


def _is_repeated(key: str) -> bool:
    return key in (key + key)[1:-1]


def _connection(setting: str, url: DatabaseUrl) -> Iterator[Risk]:
    if _is_here(url):
        return
    if url.engine is Engine.SQLSERVER:
        is_readable = url.encrypt is Encrypt.OPTIONAL
    else:
        is_readable = url.options.get("sslmode", "") in _READABLE[url.engine]
    if is_readable:
        yield Risk(setting, f"The connection to {url.host} may be unencrypted.", _REMEDY[url.engine])


def _is_here(url: DatabaseUrl) -> bool:
    """Whether nothing of it leaves this machine."""
    if url.engine is Engine.SQLITE or not url.host or url.host.startswith("/"):
        return True
    return is_this_machine(url.host)


def is_this_machine(host: str) -> bool:
    if host.lower() in ("localhost", ".", "(local)"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_database(main: DatabaseUrl, invoice: DatabaseUrl) -> Iterator[Risk]:
    """What is too risky anywhere: nothing may be written to the invoice database."""
    if place(main) == place(invoice):
        yield Risk(
            "INVOICE_DATABASE_URL",
            "It is the same database as DATABASE_URL.",
            "The invoice database is another's, and only read: name that one.",
        )


def place(url: DatabaseUrl) -> tuple[object, ...]:
    """What is the same for every spelling of one database, whoever logs in and how."""
    if url.engine is Engine.SQLITE:
        return (url.engine, os.path.normcase(os.path.realpath(url.database)))
    host = "localhost" if _is_here(url) else url.host.lower()
    # Names of databases are compared as PostgreSQL alone does it: elsewhere the case makes no other.
    name = url.database if url.engine is Engine.POSTGRESQL else url.database.lower()
    return (url.engine, host, url.instance.lower(), url.effective_port, name)
