"""The second wall: what was rendered is read again, character by character, by rules of its own.

It knows nothing of syntax trees. It takes quoted names, quoted texts, numbers, a few operators and, of bare
words, only those of an allow-list. So however the parser understood the caller's text, no word that nobody
allowed, no comment, no second statement and no unclosed quote can be in what is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ledgerline.errors import QueryRefused
from ledgerline.operations.guard_rules import Rules

_NAMES = {
    '"': r'"(?:[^"\0]|"")*"',
    "[": r"\[(?:[^\]\0]|\]\])*\]",
    "`": r"`(?:[^`\0]|``)*`",
}


@cache
def _token_pattern(quote: str) -> re.Pattern[str]:
    brackets = "" if quote == "[" else r"\[\]"
    return re.compile(
        rf"""
        (?P<space>[ ]+)
      | (?P<text>[A-Za-z]?'(?:[^'\0]|'')*')
      | (?P<name>{_NAMES[quote]})
      | (?P<parameter>\?[0-9]+)
      | (?P<number>0x[0-9A-Fa-f]*(?![A-Za-z0-9_])
          |(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator><=>|<>|<=|>=|!=|\|\||<<|>>|\#>>|\#>|->>|->|@>|<@|&&|!~\*|!~|~\*
          |[-+*/%=<>(),.~&|^\#{brackets}])
        """,
        re.VERBOSE,
    )


_COMMENTS = ("--", "/*", "*/")


def verify(sql: str, rules: Rules) -> None:
    """Raises QueryRefused for anything that `rules` does not allow in a rendered query."""
    previous = ""
    for kind, token, following in _tokens(sql, rules):
        if kind == "word":
            _verify_word(token.lower(), following, rules)
        elif kind == "text":
            _verify_text(token, rules)
        elif kind == "operator" and previous + token in _COMMENTS:
            raise _refused(f"{previous}{token}")
        previous = token if kind == "operator" else ""


def _tokens(sql: str, rules: Rules) -> Iterator[tuple[str, str, str]]:
    """(kind, token, the character that follows it)."""
    pattern = _token_pattern(rules.quotes[0])
    position = 0
    while position < len(sql):
        match = pattern.match(sql, position)
        if match is None:
            raise _refused(sql[position])
        position = match.end()
        yield str(match.lastgroup), match[0], sql[position : position + 1]


def _verify_word(word: str, following: str, rules: Rules) -> None:
    if word in rules.words:
        return
    if following == "(" and (word in rules.functions or word in rules.table_functions):
        return
    raise QueryRefused(
        f"{word.upper()} stands where only a keyword, a part of a date or a function may, and is none that is"
        " allowed.",
        construct=word.upper(),
        hint="docs/query.md tells what is allowed.",
    )


def _verify_text(token: str, rules: Rules) -> None:
    prefix = token[: token.index("'")].lower()
    if prefix and prefix not in rules.string_prefixes:
        raise _refused(f"{prefix.upper()}'…'")
    if "\\" in token and not rules.backslash:
        raise QueryRefused(
            "A text with a backslash is not allowed here.",
            construct="backslash",
            hint="Send such a text as a parameter.",
        )


def _refused(what: str) -> QueryRefused:
    return QueryRefused(f"The query holds {what!r}, which is not allowed.", construct=what)


def numbers(sql: str, rules: Rules) -> list[str]:
    return [token for kind, token, _ in _tokens(sql, rules) if kind == "number"]


def without_literals(sql: str, rules: Rules) -> str:
    """Each literal and each parameter as `?`."""
    literals = ("text", "number", "parameter")
    return "".join("?" if kind in literals else token for kind, token, _ in _tokens(sql, rules))


def parameters(sql: str, rules: Rules) -> list[int]:
    """The numbers of the parameters, one for each place, in order."""
    return [int(token[1:]) for kind, token, _ in _tokens(sql, rules) if kind == "parameter"]


def as_sent(sql: str, rules: Rules) -> str:
    """With `?0`, `?1`, … as the server's driver takes parameters, and names that can be nothing else."""
    pieces = []
    for kind, token, _ in _tokens(sql, rules):
        if kind == "parameter":
            pieces.append(_parameter(int(token[1:]), rules.dialect))
        elif kind == "name" and rules.dialect == "sqlite":
            pieces.append(_name(token))
        else:
            pieces.append(token)
    return "".join(pieces)


def _name(quoted: str) -> str:
    """In backticks: to SQLite a name in double quotes that it does not know is a text."""
    return "`" + quoted[1:-1].replace('""', '"').replace("`", "``") + "`"


def _parameter(number: int, dialect: str) -> str:
    return {"sqlite": f"?{number + 1}", "postgres": f"${number + 1}"}.get(dialect, "?")
