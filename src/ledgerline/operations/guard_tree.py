"""A parsed query, looked at node by node: everything in it has to be on an allow-list."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from sqlglot import expressions as exp

from ledgerline.errors import QueryRefused
from ledgerline.operations.guard_parse import PLACE, ParameterKey
from ledgerline.operations.guard_rules import FUNCTIONS, NODES, TYPES, Rules

MAX_DEPTH: Final = 250  # of the tree; a chain of AND is as deep as it is long
MAX_NAME: Final = 128
MAX_REPEAT: Final = 1_000
MAX_SERIES: Final = 1_000_000


# Letters that are no others with an accent to Unicode, and are to some collations.
_STRUCK_THROUGH: Final = str.maketrans("ıøłđħŧĸɨʉƀǥƶ", "ioldhtqiubgz")


def bare(name: str) -> str:
    """A name as the most forgiving of collations sees it: no case, accents, width, nor what is invisible.

    SQL Server finds `api_keys` under `ÁPI_KEYS` where the database's collation says so.
    """
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_STRUCK_THROUGH)
    return re.sub(r"[^a-z0-9_#@$]", "", plain) or name


_ROOTS: Final = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)


class Inspection:
    """One look at a whole tree; the nodes are checked and made ready to be rendered."""

    def __init__(
        self,
        rules: Rules,
        secret_tables: frozenset[str],
        field_functions: frozenset[str],
        keys: dict[ParameterKey, int],
    ) -> None:
        self._rules = rules
        self._secret = secret_tables
        self._field_functions = field_functions
        self._nodes = {**NODES, **rules.nodes}
        self._keys = keys  # PostgreSQL's `$1` comes to them here

    def inspect(self, tree: exp.Expr) -> None:
        """Raises QueryRefused. Afterwards the tree holds each parameter as `?` and its number in the keys."""
        if not isinstance(tree, _ROOTS):
            raise _refused(tree)
        nodes = list(_walk(tree))
        for node in nodes:
            self._check_node(node)
        if self._rules.dialect == "postgres":
            _check_fields(nodes, self._field_functions)
        for node in nodes:
            if isinstance(node, exp.Placeholder | exp.Parameter):
                _swap(node, exp.Var(this=f"?{self._number_of(node)}"))
            elif isinstance(node, exp.Identifier):
                _quote(node, folds=self._rules.folds)

    def _check_node(self, node: exp.Expr) -> None:
        kind = type(node)
        if kind in self._nodes:
            _check_arguments(node, self._nodes[kind])
        elif kind is exp.Anonymous:
            self._check_named_function(node)
        elif kind not in FUNCTIONS and not self._is_function(node):
            raise _refused(node)
        special = _SPECIAL.get(kind)
        if special:
            special(self, node)

    def _is_function(self, node: exp.Expr) -> bool:
        """By the name that the parser knows it by; the name it is rendered with is looked at afterwards."""
        return not self._rules.functions.isdisjoint(_names_of(node))

    # Each of these is called for its kind of node.

    def _check_named_function(self, node: exp.Expr) -> None:
        written = node.args["this"]
        is_quoted = isinstance(written, exp.Identifier)
        name = written.name if is_quoted else written
        known = self._rules.functions
        if isinstance(node.parent, exp.Table | exp.Lateral):
            known = self._rules.table_functions
        node.set("this", name)  # a quoted one is sent as any other
        if (name if is_quoted and self._rules.folds else name.lower()) not in known:
            raise QueryRefused(
                f"The function {name[:80]} is not allowed.",
                construct=f"function {name[:80]}",
                hint="docs/query.md lists the functions that are.",
            )

    def _check_table(self, table: exp.Expr) -> None:
        this = table.args.get("this")
        if isinstance(this, exp.Func):
            if table.args.get("db"):
                raise QueryRefused(
                    "A function is named without its schema.", construct="function in a schema"
                )
            self._check_table_function(this)
            return
        if not isinstance(this, exp.Identifier):
            raise _refused(table)
        self._check_table_name(this.name, table.text("db"))

    def _check_lateral(self, lateral: exp.Expr) -> None:
        this = lateral.args.get("this")
        if isinstance(this, exp.Func) and not isinstance(this, exp.Anonymous):
            self._check_table_function(this)
        elif not isinstance(this, exp.Subquery | exp.Anonymous):
            raise _refused(lateral)

    def _check_table_function(self, function: exp.Expr) -> None:
        if isinstance(function, exp.Anonymous):
            return  # as every named function
        if self._rules.table_functions.isdisjoint(_names_of(function) | {"generate_series", "unnest"}) or (
            not isinstance(function, exp.GenerateSeries | exp.ExplodingGenerateSeries | exp.Unnest)
        ):
            raise _refused(function)

    def _check_table_name(self, table: str, schema: str) -> None:
        rules = self._rules
        name, owner = bare(table), bare(schema) if schema else ""
        full = f"{owner}.{name}" if schema else name
        if full in rules.catalog_tables:
            return
        hidden = (
            name in self._secret
            or name in rules.hidden_tables
            or name.startswith(rules.hidden_prefixes)
            or owner in rules.hidden_schemas
            or (rules.schemas is not None and bool(schema) and owner not in rules.schemas)
            or (rules.schemas is not None and owner == "information_schema")
        )
        if hidden:
            shown = f"{schema}.{table}" if schema else table
            raise QueryRefused(f"The table {shown[:200]} may not be read.", construct=f"table {shown[:200]}")

    def _check_type(self, node: exp.Expr) -> None:
        name = str(
            node.args["this"].value if hasattr(node.args["this"], "value") else node.args["this"]
        ).lower()
        if name not in TYPES and name not in self._rules.types:
            raise QueryRefused(f"The type {name} is not allowed.", construct=f"type {name}")

    def _check_identifier(self, node: exp.Expr) -> None:
        name = node.name
        if not name or len(name) > MAX_NAME or re.search(r"[\x00-\x1f\x7f]", name):
            raise QueryRefused(
                f"A name is empty, longer than {MAX_NAME} characters, or holds a control character.",
                construct="name",
            )
        if not node.args.get("quoted") and name.lower() in self._rules.reserved:
            quoted = self._rules.quotes[0] + name + self._rules.quotes[1]
            raise QueryRefused(
                f"{name.upper()} is a reserved word of {self._rules.title} and no name as it stands.",
                construct=f"reserved word {name.upper()}",
                hint=f"If it is a name, write {quoted}. Only one statement is allowed.",
            )

    def _check_parameter(self, node: exp.Expr) -> None:
        is_assigned = isinstance(node.parent, exp.EQ) and isinstance(node.parent.parent, exp.Select)
        is_number = isinstance(node.this, exp.Literal) and node.name.isdigit() and 0 < int(node.name) <= 1_000
        if is_assigned or not (
            node.name.startswith(PLACE) or (isinstance(node, exp.Parameter) and is_number)
        ):
            raise QueryRefused(
                "Variables are not allowed.", construct="variable", hint="Write a parameter as ? or :name."
            )

    def _number_of(self, node: exp.Expr) -> int:
        if node.name.startswith(PLACE):
            return int(node.name.removeprefix(PLACE))
        if any(isinstance(key, str) for key in self._keys):
            raise QueryRefused("Parameters are either all named or all by position.", construct="parameters")
        return self._keys.setdefault(int(node.name) - 1, len(self._keys))


def _names_of(node: exp.Expr) -> set[str]:
    """The names that a function has in SQL; none if it is no function."""
    if isinstance(node, exp.Anonymous):
        return {node.name.lower()}
    return {name.lower() for name in node.sql_names()} if isinstance(node, exp.Func) else set()


def _walk(tree: exp.Expr) -> Iterator[exp.Expr]:
    """All nodes; a tree that is too deep is refused before anything recurses into it."""
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise QueryRefused(
                "The query is nested too deeply, or a chain in it is too long.", construct="nesting"
            )
        yield node
        waiting += [(child, depth + 1) for child in node.iter_expressions(reverse=True)]


def _check_arguments(node: exp.Expr, allowed: frozenset[str]) -> None:
    for name, value in node.args.items():
        if name not in allowed and value not in (None, False, "", []):
            construct = _ARGUMENTS.get(name, name.rstrip("_").upper())
            raise QueryRefused(
                f"{construct} is not allowed in a query.",
                construct=construct,
                hint="Only reading is allowed.",
            )


_ARGUMENTS: Final = {
    "into": "SELECT INTO",
    "locks": "FOR UPDATE",
    "hints": "table hint",
    "hint": "hint",
    "for_": "FOR XML / FOR JSON",
    "options": "OPTION",
    "catalog": "another database",
    "sample": "TABLESAMPLE",
    "rows_from": "ROWS FROM",
    "operation_modifiers": "modifier of SELECT",
    "version": "FOR SYSTEM_TIME",
    "indexed": "INDEXED BY",
    "pivots": "PIVOT",
}


def _check_trim(_: Inspection, node: exp.Expr) -> None:
    characters = node.args.get("expression")
    if characters is not None and not (isinstance(characters, exp.Literal) and len(characters.name) <= 50):
        raise QueryRefused("What is trimmed has to be a literal of at most 50 characters.", construct="TRIM")


def _check_repetition(_: Inspection, node: exp.Expr) -> None:
    """A single call could fill the server's memory."""
    times = node.args.get("times") or node.args.get("expression") or node.args.get("this")
    if not (isinstance(times, exp.Literal) and times.name.isdigit() and int(times.name) <= MAX_REPEAT):
        raise QueryRefused(
            f"A text is repeated at most {MAX_REPEAT} times, and the number has to be a literal.",
            construct=type(node).__name__.upper(),
        )
    if any(other is not node for other in node.find_all(exp.Repeat, exp.Pad, exp.Space)):
        raise QueryRefused(
            "What is repeated cannot be repeated again.", construct=type(node).__name__.upper()
        )


def _check_series(_: Inspection, node: exp.Expr) -> None:
    """A series is made whole before its first row is read, so it has to be short."""
    bounds = [node.args.get(name) for name in ("start", "end")]
    step = node.args.get("step")
    if all(_integer(bound) is not None for bound in bounds) and (step is None or _integer(step)):
        length = abs((_integer(bounds[1]) or 0) - (_integer(bounds[0]) or 0)) // abs(_integer(step) or 1)
        fits = length <= MAX_SERIES
    else:
        unit = step.text("unit").upper() if isinstance(step, exp.Interval) else ""
        number = step.this.name if isinstance(step, exp.Interval) and step.this else ""
        fits = (
            unit.rstrip("S") in ("HOUR", "DAY", "WEEK", "MONTH", "YEAR")
            and number.isdigit()
            and int(number) > 0
        )
    if not fits:
        raise QueryRefused(
            f"A series has at most {MAX_SERIES:,} literal numbers, or dates an hour or more apart.",
            construct="GENERATE_SERIES",
        )


def _integer(node: exp.Expr | None) -> int | None:
    if isinstance(node, exp.Neg):
        inner = _integer(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        return int(node.name)
    return None


def _check_variable_word(_: Inspection, node: exp.Expr) -> None:
    if not re.fullmatch(r"[A-Za-z_]+", node.name):
        raise _refused(node)


_SPECIAL: Final[dict[type[exp.Expr], Callable[[Inspection, exp.Expr], None]]] = {
    exp.Table: Inspection._check_table,
    exp.Lateral: Inspection._check_lateral,
    exp.DataType: Inspection._check_type,
    exp.Identifier: Inspection._check_identifier,
    exp.Placeholder: Inspection._check_parameter,
    exp.Parameter: Inspection._check_parameter,
    exp.Var: _check_variable_word,
    exp.Trim: _check_trim,
    exp.Repeat: _check_repetition,
    exp.Pad: _check_repetition,
    exp.Space: _check_repetition,
    exp.GenerateSeries: _check_series,
    exp.ExplodingGenerateSeries: _check_series,
}


def _check_fields(nodes: list[exp.Expr], functions: frozenset[str]) -> None:
    """PostgreSQL calls `f(s)` where it reads `s.f` and `s` is the alias of a function in FROM.

    `SELECT s.pg_sleep FROM generate_series(10, 10) AS s` sleeps. So only its columns may be read.
    """
    columns: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, exp.Table | exp.Lateral) and isinstance(node.this, exp.Func):
            _add_columns(columns, node.this, node.args.get("alias"))
        elif isinstance(node, exp.Unnest):
            _add_columns(columns, node, node.args.get("alias"))
    for node in nodes:
        if not isinstance(node, exp.Column) or not node.table or isinstance(node.this, exp.Star):
            continue
        name, known = node.name.lower(), columns.get(node.table.lower())
        if name in functions or (known is not None and name not in known):
            raise QueryRefused(
                f"{node.text('table')}.{node.name} could call a function.",
                construct="field of a function",
                hint="Name the function's columns in its alias: generate_series(1, 9) AS s(n).",
            )


def _add_columns(columns: dict[str, set[str]], function: exp.Expr, alias: exp.Expr | None) -> None:
    """Under an alias that is used twice, only what both of them have."""
    names = (
        [alias.name.lower()] if alias is not None and alias.name else sorted(_names_of(function) | _UNNAMED)
    )
    given = (
        {column.name.lower() for column in alias.args.get("columns") or ()} if alias is not None else set()
    )
    for name in names:
        known = {name, *given, "key", "value", "ordinality"}
        columns[name] = columns.get(name, known) & known


_UNNAMED: Final = {"generate_series", "unnest"}


def _swap(node: exp.Expr, other: exp.Expr) -> None:
    """As `node.replace`, which takes a time in proportion to the list that the node stands in."""
    assert node.parent is not None and node.arg_key is not None
    if node.index is None:
        node.parent.args[node.arg_key] = other
    else:
        node.parent.args[node.arg_key][node.index] = other
    other.parent, other.arg_key, other.index = node.parent, node.arg_key, node.index


def _quote(node: exp.Identifier, *, folds: bool) -> None:
    if not node.args.get("quoted"):
        if folds:
            node.set("this", node.name.lower())
        node.set("quoted", True)


def _refused(node: exp.Expr) -> QueryRefused:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).upper()
    shown = f"{name} {node.name}".strip()[:80] if isinstance(node, exp.Command) else name
    return QueryRefused(
        f"{shown} is not allowed in a query.", construct=shown, hint="docs/query.md tells what is allowed."
    )
