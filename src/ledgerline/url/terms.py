"""What connection strings speak of: servers, what is encrypted, secrets."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

MASK: Final = "****"
EMBEDDED: Final = "embedded"


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

    @property
    def has_schemas(self) -> bool:
        """Whether a table of a database has a schema; a schema of MySQL is a database."""
        return self not in (Engine.SQLITE, Engine.MYSQL)


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
