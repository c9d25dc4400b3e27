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

terms         servers, what is encrypted, secrets
properties    which properties there are, for each engine
database_url  the typed parts, and how they are written
reading       what people paste
"""

from __future__ import annotations

from ledgerline.url.database_url import DatabaseUrl
from ledgerline.url.reading import ESCAPE_HINT, from_parts, parse_any, parse_url
from ledgerline.url.terms import MASK, Encrypt, Engine, Secret

__all__ = [
    "ESCAPE_HINT",
    "MASK",
    "DatabaseUrl",
    "Encrypt",
    "Engine",
    "Secret",
    "from_parts",
    "parse_any",
    "parse_url",
]
