"""Decides whether a query may run, and what is sent in its place. Pure: no database, no clock.

A caller's text is never executed. It is parsed; every node of its tree, every argument of a node, every
function and every type has to be on an allow-list; and the tree is rendered anew, all names quoted, without
comments. What was rendered is then read once more, by rules that know no trees (`guard_text`).

Whoever parses SQL differently from the server can be tricked: `SELECT 1 SHUTDOWN` is one statement to a
parser, two to SQL Server. Rendering closes that gap: `SELECT 1 AS [SHUTDOWN]` has one meaning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError

from ledgerline.databases.engines.querying import Access
from ledgerline.errors import QueryRefused
from ledgerline.operations import guard_text
from ledgerline.operations.guard_dialects import as_written
from ledgerline.operations.guard_parse import (
    ParameterKey,
    check_characters,
    check_date_names,
    decoded,
    literals,
    parsed,
    with_named_places,
    without_explain,
)
from ledgerline.operations.guard_rules import Rules, mysql, postgresql, sqlite, sqlserver
from ledgerline.operations.guard_tree import Inspection, bare


class Dialect(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    TSQL = "tsql"
    MYSQL = "mysql"


_RULES: Final = {
    Dialect.SQLITE: sqlite.RULES,
    Dialect.POSTGRESQL: postgresql.RULES,
    Dialect.TSQL: sqlserver.RULES,
    Dialect.MYSQL: mysql.RULES,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A query that may run.

    `sql` is what is sent; `parameters` are the keys of the values in the order in which the driver takes
    them (once each where a driver numbers them, else once for each place); `normalised` is the query without
    its literals, and `fingerprint` 16 hexadecimal digits of that.
    """

    dialect: Dialect
    sql: str
    parameters: tuple[ParameterKey, ...]
    normalised: str
    fingerprint: str
    explain: bool


def check(
    text: str | bytes,
    dialect: Dialect,
    secret_tables: Collection[str] = (),
    field_functions: Collection[str] = (),
) -> Checked:
    """What to send in place of `text`. Raises QueryRefused, which names the construct that is not allowed.

    `secret_tables`: tables and views that must not be read, whatever their schema. `field_functions`:
    functions of the database that the reading of a column could call.
    """
    written, secret = decoded(text), frozenset(map(bare, secret_tables))
    look = _check if len(written) <= _REMEMBERED_CHARACTERS else _check.__wrapped__
    return look(written, dialect, secret, frozenset(name.lower() for name in field_functions))


_REMEMBERED_CHARACTERS: Final = 4_000  # so that what is remembered takes a few megabytes at most


@lru_cache(maxsize=1024)
def _check(
    text: str, dialect: Dialect, secret_tables: frozenset[str], field_functions: frozenset[str]
) -> Checked:
    rules = _RULES[dialect]
    check_characters(text)
    try:
        statement, explain = without_explain(text, rules)
        check_date_names(statement, rules)
        named, keys = with_named_places(statement, rules)
        tree = parsed(named, rules)
        Inspection(rules, secret_tables, field_functions, keys).inspect(tree)
        rendered = _rendered(tree, rules)
        guard_text.verify(rendered, rules)
        _require_same_literals(named, rendered, rules)
        normalised = _normalised(rendered, rules)
    except RecursionError:
        raise QueryRefused("The query is nested too deeply.", construct="nesting") from None
    order = _driver_order(rendered, rules)
    by_number = {number: key for key, number in keys.items()}
    return Checked(
        dialect=dialect,
        sql=(rules.explain if explain else "") + guard_text.as_sent(rendered, rules),
        parameters=tuple(by_number[number] for number in order),
        normalised=("EXPLAIN " if explain else "") + normalised,
        fingerprint=hashlib.sha256(normalised.encode()).hexdigest()[:16],
        explain=explain,
    )


@lru_cache
def access(dialect: Dialect, secret_tables: frozenset[str]) -> Access:
    """The same rules for a server that asks about each table and function itself."""
    rules = _RULES[dialect]
    return Access(
        functions=rules.functions | rules.table_functions,
        catalog_tables=frozenset(name for name in rules.catalog_tables if "." not in name),
        hidden_tables=rules.hidden_tables | frozenset(secret_tables),
    )


# -- rendering -----------------------------------------------------------------------------------------


def _rendered(tree: exp.Expr, rules: Rules) -> str:
    try:
        return tree.sql(
            as_written(rules.dialect),
            identify=True,
            comments=False,
            unsupported_level=ErrorLevel.RAISE,
            copy=True,
        )
    except (SqlglotError, ValueError):
        raise QueryRefused(
            f"The query cannot be written anew in {rules.title} without changing it.",
            construct="rendering",
            hint="Say the same in a simpler way.",
        ) from None


def _require_same_literals(text: str, rendered: str, rules: Rules) -> None:
    """No literal may get lost on the way: a parser that takes `INTERVAL '1 day 02:00'` for one day would give
    a wrong answer without a word."""
    known = _squeezed(rendered.replace("''", "'"))
    numbers = {_number(literal) for literal in guard_text.numbers(rendered, rules)}
    for literal in literals(text, rules):
        if _squeezed(literal) not in known and _number(literal) not in numbers:
            raise QueryRefused(
                f"The query cannot be written anew in {rules.title} without changing {literal[:40]!r}.",
                construct="rendering",
                hint="Say the same in a simpler way, or send it as a parameter.",
            )


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text).casefold()


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text).normalize()
    except ArithmeticError:
        return None


def _driver_order(rendered: str, rules: Rules) -> list[int]:
    """The numbers of the parameters as the driver takes their values."""
    used = guard_text.parameters(rendered, rules)
    return sorted(set(used)) if rules.dialect in ("sqlite", "postgres") else used


def _normalised(rendered: str, rules: Rules) -> str:
    """The query without its literals; a list of values is as long as one of them."""
    return re.sub(r"\((?:-?\?, )+-?\?\)", "(?)", guard_text.without_literals(rendered, rules))
