"""A caller's text is read: characters and nesting are checked, parameters numbered, then it is parsed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot import TokenType
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError

from ledgerline.errors import QueryRefused
from ledgerline.operations.guard_dialects import as_written
from ledgerline.operations.guard_rules import Rules

MAX_CHARACTERS: Final = 100_000
MAX_TOKENS: Final = 10_000
MAX_PARENTHESES: Final = 60
MAX_BRACKETS: Final = 4

ParameterKey = int | str
"""A position, from 0, or a name."""

# The parser's warnings hold the text that it could not read, and that is a caller's own.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def decoded(text: str | bytes) -> str:
    try:
        if isinstance(text, bytes):
            return text.decode("utf-8")
        text.encode("utf-8")
    except UnicodeError:
        raise QueryRefused("The query is not valid UTF-8.", construct="encoding") from None
    return text


def check_characters(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise QueryRefused(f"The query is longer than {MAX_CHARACTERS:,} characters.", construct="length")
    if found := re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f]", text):
        raise QueryRefused(
            f"The query holds the control character U+{ord(found[0]):04X}.", construct="control character"
        )
    if not text.strip():
        raise QueryRefused("The query is empty.", construct="nothing")


def _tokens(text: str, rules: Rules) -> list[sqlglot.Token]:
    try:
        tokens = sqlglot.tokenize(text, read=rules.dialect)
    except SqlglotError:
        raise QueryRefused(
            "The query cannot be read: a quote or a comment is not closed.", construct="quotes"
        ) from None
    if len(tokens) > MAX_TOKENS:
        raise QueryRefused(f"The query has more than {MAX_TOKENS:,} words.", construct="length")
    return tokens


_BEGINNINGS: Final = frozenset(("SELECT", "WITH", "VALUES", "TABLE", "("))


_LEADING: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*")
_EXPLAIN: Final = re.compile(r"EXPLAIN\b", re.IGNORECASE)
_EXPLAIN_PLAN: Final = re.compile(r"EXPLAIN\s+(QUERY\s+PLAN\b)?", re.IGNORECASE)


def without_explain(text: str, rules: Rules) -> tuple[str, bool]:
    """The statement itself, and whether it is only to be explained.

    A parser takes all that follows EXPLAIN for one opaque text, so it is taken off beforehand.
    """
    start = _after(_LEADING, text, 0)
    explain = _EXPLAIN.match(text, start) is not None
    if explain:
        start = _after(_EXPLAIN_PLAN if rules.dialect == "sqlite" else _EXPLAIN, text, start)
        start = _after(_LEADING, text, start)
    statement = text[start:]
    word = re.match(r"\(|\w+", statement)
    beginning = word[0].upper() if word else ""
    if beginning not in _BEGINNINGS or (explain and beginning == "("):
        construct = f"EXPLAIN {beginning}".strip() if explain else beginning[:40] or "nothing"
        raise QueryRefused(
            f"Only queries are allowed, and this one begins with {construct}.",
            construct=construct,
            hint="Begin with SELECT, WITH, VALUES or EXPLAIN SELECT. Nothing can be written here.",
        )
    _check_nesting(_tokens(statement, rules))
    return statement, explain


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _check_nesting(tokens: list[sqlglot.Token]) -> None:
    """Before it is parsed: a parser that descends is as deep as the text is nested."""
    depth = brackets = cases = prefixes = 0
    for token in tokens:
        word = token.text.upper()
        is_word = token.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)
        if is_word:
            depth += (word in _OPENING) - (word in _CLOSING)
            brackets += (word in _OPENING[1:]) - (word in _CLOSING[1:])
            cases += (word == "CASE") - (word == "END")
        prefixes = prefixes + 1 if is_word and word in ("NOT", "-", "+", "~", "@", "EXISTS", "|/") else 0
        # The parser takes twice as long for each level of brackets.
        if max(depth, cases, prefixes) > MAX_PARENTHESES or brackets > MAX_BRACKETS:
            raise QueryRefused(
                f"The query is nested more than {MAX_PARENTHESES} levels deep (brackets: {MAX_BRACKETS}).",
                construct="nesting",
            )


_OPENING: Final = ("(", "[", "{")
_CLOSING: Final = (")", "]", "}")


PLACE: Final = "ledgerline_place_"


def with_named_places(text: str, rules: Rules) -> tuple[str, dict[ParameterKey, int]]:
    """Each parameter renamed to the number of its key: `?`, `:name` and, in T-SQL and SQLite, `@name`.

    Rendering may change the order of what is in a query, and a name may be a word that a parser stumbles on.
    """
    keys: dict[ParameterKey, int] = {}
    pieces, end, positional = [], 0, 0
    for start, stop, name in _places(text, rules):
        key: ParameterKey = positional if name is None else name
        positional += name is None
        pieces += [text[end:start], f" :{PLACE}{keys.setdefault(key, len(keys))} "]
        end = stop
    if len({type(key) for key in keys}) > 1:
        raise QueryRefused("Parameters are either all named or all by position.", construct="parameters")
    return "".join([*pieces, text[end:]]), keys


def _places(text: str, rules: Rules) -> Iterator[tuple[int, int, str | None]]:
    """(start, end, name) of each parameter; None where it has only a position."""
    signs = ":@" if rules.dialect in ("tsql", "sqlite") else ":"
    tokens = _tokens(text, rules)
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.text in ("?", "?::") and token.token_type is not TokenType.STRING:
            yield token.start, token.start + 1, None
        elif (
            token.text in tuple(signs)
            and after is not None
            and text[token.start : token.end + 1] == token.text
        ):
            is_doubled = before is not None and before.end + 1 == token.start and before.text == token.text
            name = text[after.start : after.end + 1]
            if (
                not is_doubled
                and token.end + 1 == after.start
                and re.fullmatch(r"[A-Za-z_]\w{0,63}", name, re.ASCII)
            ):
                yield token.start, after.end + 1, name


_NAMED: Final = ("month", "mm", "weekday", "dw")


def check_date_names(text: str, rules: Rules) -> None:
    """The parser takes DATENAME for FORMAT: of names that is the same, of `quarter` or `hour` it is not."""
    if rules.dialect != "tsql":
        return
    tokens = _tokens(text, rules)
    for function, _, part in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if function.text.upper() == "DATENAME" and part.text.lower() not in _NAMED:
            raise QueryRefused(
                f"DATENAME of {part.text[:40]!r} cannot be written anew without changing it.",
                construct="DATENAME",
                hint="Use DATEPART; DATENAME gives the names of month and weekday.",
            )


def literals(text: str, rules: Rules) -> list[str]:
    """The content of each literal in a caller's text; the number of a parameter is none."""
    tokens = _tokens(text, rules)
    return [
        token.text
        for before, token in zip([None, *tokens], tokens, strict=False)
        if token.token_type in _LITERALS and not (before and before.token_type is TokenType.PARAMETER)
    ]


_LITERALS: Final = frozenset(
    (
        TokenType.STRING,
        TokenType.NATIONAL_STRING,
        TokenType.HEREDOC_STRING,
        TokenType.RAW_STRING,
        TokenType.NUMBER,
    )
)


def parsed(text: str, rules: Rules) -> exp.Expr:
    try:
        statements = sqlglot.parse(text, read=as_written(rules.dialect), error_level=ErrorLevel.IMMEDIATE)
    except (SqlglotError, *_STUMBLED) as error:
        raise QueryRefused(
            f"The query cannot be read as {rules.title}{_place_of(error)}.",
            construct="syntax",
            hint="Check its spelling. Some of the dialect's rarer forms are not understood.",
        ) from None
    found = [statement for statement in statements if statement is not None]
    if len(found) != 1:
        raise QueryRefused(
            "Only one statement is allowed.", construct="several statements", hint="Send them one by one."
        )
    return found[0]


# Over arguments that it did not expect the parser stumbles, as over MySQL's `date_add(x, 1)`.
_STUMBLED: Final = (ValueError, TypeError, AttributeError, LookupError)


def _place_of(error: Exception) -> str:
    places = getattr(error, "errors", None)
    if not places or places[0].get("line") is None:
        return ""
    return f" (line {places[0]['line']}, column {places[0]['col']})"
