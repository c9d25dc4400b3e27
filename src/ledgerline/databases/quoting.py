"""Names and texts as literals, for statements that take no parameters: DDL, backups, and what people run."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A name in standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def bracketed(name: str) -> str:
    """A name in T-SQL."""
    return "[" + name.replace("]", "]]") + "]"


def literal(text: str) -> str:
    """A text in standard SQL."""
    return "'" + text.replace("'", "''") + "'"


def national_literal(text: str) -> str:
    """A text in T-SQL, whatever its letters."""
    return "N" + literal(text)
