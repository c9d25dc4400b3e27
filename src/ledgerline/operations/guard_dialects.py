"""The parser's dialects where it would make something else of a query.

The parser is made to carry queries from one server to another, and knows most functions as something that
all servers have. Back in the dialect that they came from they need not be what they were: SQLite's
`mod(7.5, 2)` is 1.5, and `7.5 % 2`, which it became, is 1. So a function is taken by its name and written
under it; what the guard has to understand is all that is left to the parser.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sqlglot import TokenType
from sqlglot import expressions as exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.dialects.tsql import TSQL
from sqlglot.generator import Generator
from sqlglot.generators.postgres import PostgresGenerator
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.parsers.sqlite import SQLiteParser
from sqlglot.parsers.tsql import TSQLParser

# What `guard_tree` looks into: how long a series is, how often a text is repeated, what is trimmed.
_UNDERSTOOD: Final = frozenset(
    ("ARRAY", "GENERATE_SERIES", "UNNEST", "REPEAT", "LPAD", "RPAD", "LTRIM", "RTRIM", "BTRIM")
)


def _understood(functions: dict[str, Any]) -> dict[str, Any]:
    return {name: build for name, build in functions.items() if name in _UNDERSTOOD}


class _PostgresParser(PostgresParser):
    FUNCTIONS: ClassVar = _understood(PostgresParser.FUNCTIONS)
    FUNCTION_PARSERS: ClassVar = {
        name: parse for name, parse in PostgresParser.FUNCTION_PARSERS.items() if name != "DATE_PART"
    }
    # `|/ 4 * 9` is the root of 36 to the server, and nine times that of 4 to the parser.
    UNARY_PARSERS: ClassVar = {
        token: parse
        for token, parse in PostgresParser.UNARY_PARSERS.items()
        if token not in (TokenType.PIPE_SLASH, TokenType.DPIPE_SLASH)
    }

    def _parse_parameter(self) -> exp.Parameter:
        if self._prev.text == "@":  # the absolute value of what follows, and no parameter of that number
            self.raise_error("@ is not understood")
        return super()._parse_parameter()

    def _parse_type(
        self, parse_interval: bool = True, fallback_to_identifier: bool = False
    ) -> exp.Expr | None:
        """`DATE '2024-03-31'::text` is a text to the server, and a date to the parser, which takes what
        follows the literal before the type that stands in front of it."""
        begins_with_type = self._curr.token_type in self.TYPE_TOKENS
        parsed = super()._parse_type(parse_interval, fallback_to_identifier)
        return _type_first(parsed) if begins_with_type and isinstance(parsed, exp.Cast) else parsed


def _type_first(cast: exp.Cast) -> exp.Cast:
    literal = cast.this
    while isinstance(literal, exp.Cast):
        literal = literal.this
    if literal is cast.this or not isinstance(literal, exp.Literal):
        return cast
    outer: exp.Cast = cast.this
    literal.replace(exp.Cast(this=literal.copy(), to=cast.args["to"]))
    outer.parent = None
    return outer


class _PostgresGenerator(PostgresGenerator):
    TRANSFORMS: ClassVar = {**PostgresGenerator.TRANSFORMS, exp.CurrentTime: lambda *_: "CURRENT_TIME"}


class PostgresAsWritten(Postgres):
    Parser = _PostgresParser
    Generator = _PostgresGenerator


class _SQLiteParser(SQLiteParser):
    FUNCTIONS: ClassVar = _understood(SQLiteParser.FUNCTIONS)


class _SQLiteGenerator(SQLiteGenerator):
    """To SQLite these types are numbers of any kind: a date that is cast to one is its year."""

    TYPE_MAPPING: ClassVar = {
        **SQLiteGenerator.TYPE_MAPPING,
        **dict.fromkeys(
            (
                exp.DType.BOOLEAN, exp.DType.DECIMAL, exp.DType.DATE, exp.DType.TIME, exp.DType.DATETIME,
                exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPLTZ,
            ),
            "NUMERIC",
        ),
    }  # fmt: skip
    cast_sql = Generator.cast_sql


class SQLiteAsWritten(SQLite):
    Parser = _SQLiteParser
    Generator = _SQLiteGenerator


# Of these dialects only some: other functions take parts of dates, which the parser has to tell from columns.


def _without(functions: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: build for name, build in functions.items() if name not in names}


class _TSQLParser(TSQLParser):
    FUNCTIONS: ClassVar = _without(
        TSQLParser.FUNCTIONS, "FORMAT", "LOG10", "SQUARE", "SYSDATETIME", "EOMONTH"
    )


class TSQLAsWritten(TSQL):
    Parser = _TSQLParser


class _MySQLParser(MySQLParser):
    FUNCTIONS: ClassVar = _without(MySQLParser.FUNCTIONS, "MOD", "LOG10", "LOG2", "UTC_DATE")


class MySQLAsWritten(MySQL):
    Parser = _MySQLParser


_AS_WRITTEN: Final[dict[str, type[Dialect]]] = {
    "postgres": PostgresAsWritten,
    "sqlite": SQLiteAsWritten,
    "tsql": TSQLAsWritten,
    "mysql": MySQLAsWritten,
}


def as_written(dialect: str) -> type[Dialect]:
    """What reads and writes this dialect, by sqlglot's name of it."""
    return _AS_WRITTEN[dialect]
