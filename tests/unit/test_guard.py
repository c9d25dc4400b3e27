"""What the guard lets through, what it refuses, and what it makes of what it lets through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.mssql.base import RESERVED_WORDS as TSQL_WORDS
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS as POSTGRESQL_WORDS
from tests.guard_attacks import ATTACKS
from tests.guard_queries import LEGITIMATE

from ledgerline.errors import QueryRefused
from ledgerline.operations import guard_text
from ledgerline.operations.guard import _RULES, Checked, Dialect, check
from ledgerline.operations.guard_parse import MAX_CHARACTERS
from ledgerline.operations.guard_rules import words

SECRET = {"api_keys", "query_log"}
SQLGLOT = {
    Dialect.SQLITE: "sqlite",
    Dialect.POSTGRESQL: "postgres",
    Dialect.TSQL: "tsql",
    Dialect.MYSQL: "mysql",
}


def cases(table: dict[str, list[str]]) -> Iterator[object]:
    for dialect, queries in table.items():
        for query in queries:
            yield pytest.param(Dialect(dialect), query, id=f"{dialect}-{ascii(query)[1:60]}")


@pytest.mark.parametrize(("dialect", "query"), list(cases(LEGITIMATE)))
def test_what_people_ask_is_allowed(dialect: Dialect, query: str) -> None:
    checked = check(query, dialect, SECRET)
    sent = re.sub(r"\?[0-9]+", "?", checked.sql.removeprefix("EXPLAIN ").removeprefix("QUERY PLAN "))
    assert sqlglot.parse_one(sent, read=SQLGLOT[dialect]) is not None


@pytest.mark.parametrize(
    ("dialect", "query", "sent"),
    [
        ("sqlite", "SELECT mod(7.5, 2), log10(x)", "SELECT MOD(7.5, 2), LOG10(`x`)"),
        ("sqlite", "SELECT 'x' || like('a', 'b')", "SELECT 'x' || LIKE('a', 'b')"),
        ("sqlite", "SELECT cast(9007199254740993 AS numeric)", "SELECT CAST(9007199254740993 AS NUMERIC)"),
        *(
            ("sqlite", f"SELECT cast(x AS {kind})", "SELECT CAST(`x` AS NUMERIC)")
            for kind in ("boolean", "date", "datetime", "timestamp", "time")
        ),
        ("mysql", "SELECT utc_date(), log10(x)", "SELECT UTC_DATE(), LOG10(`x`)"),
        ("mysql", "SELECT mod(x, 2 in (y)), x mod 2", "SELECT MOD(`x`, 2 IN (`y`)), `x` % 2"),
        ("tsql", "SELECT format(x, y), log10(x)", "SELECT FORMAT([x], [y]), LOG10([x])"),
        ("tsql", "SELECT square(x), sysdatetime()", "SELECT SQUARE([x]), SYSDATETIME()"),
        ("tsql", "SELECT eomonth(x, 1)", "SELECT EOMONTH([x], 1)"),
        ("postgresql", "SELECT log10(x), char_length(x)", 'SELECT LOG10("x"), CHAR_LENGTH("x")'),
        ("postgresql", "SELECT regexp_like(x, 'a' || y)", """SELECT REGEXP_LIKE("x", 'a' || "y")"""),
        ("postgresql", "SELECT date_part(x, now())", 'SELECT DATE_PART("x", NOW())'),
        ("postgresql", "SELECT current_time, localtime", "SELECT CURRENT_TIME, LOCALTIME"),
        ("postgresql", 'SELECT "lower"(x)', 'SELECT LOWER("x")'),
        ("sqlite", 'SELECT "Lower"(x)', "SELECT LOWER(`x`)"),
        ("postgresql", "SELECT date_part('', x)", """SELECT DATE_PART('', "x")"""),
        ("postgresql", "SELECT to_char(x, 'MON')", """SELECT TO_CHAR("x", 'MON')"""),
        (
            "postgresql",
            "SELECT timestamp '2024-02-29 13:45'::date::text",
            "SELECT CAST(CAST(CAST('2024-02-29 13:45' AS TIMESTAMP) AS DATE) AS TEXT)",
        ),
        (
            "postgresql",
            "SELECT cast('2024-02-29'::date AS timestamp)",
            "SELECT CAST(CAST('2024-02-29' AS DATE) AS TIMESTAMP)",
        ),
    ],
)  # fmt: skip
def test_what_is_sent_means_what_was_asked(dialect: str, query: str, sent: str) -> None:
    assert check(query, Dialect(dialect)).sql == sent


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("postgresql", "SELECT |/ 4 * 9"),
        ("postgresql", "SELECT ||/ 27"),
        ("postgresql", "SELECT @ 1, $1"),
        ("mysql", "SELECT date_add(x, 1)"),
    ],
)
def test_what_the_parser_stumbles_over_is_refused(dialect: str, query: str) -> None:
    with pytest.raises(QueryRefused, match="cannot be read as"):
        check(query, Dialect(dialect))


@pytest.mark.parametrize(("dialect", "query"), list(cases(ATTACKS)))
def test_attacks_are_refused(dialect: Dialect, query: str) -> None:
    with pytest.raises(QueryRefused) as refusal:
        check(query, dialect, SECRET)
    assert refusal.value.construct
    assert refusal.value.exit_code == 5


def bare_words(sql: str) -> set[str]:
    """The words outside of all quotes. Not the guard's own reading, on purpose."""
    rest = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[(?:[^\]]|\]\])*\]|`(?:[^`]|``)*`", " ", sql)
    return {word.upper() for word in re.findall(r"[A-Za-z_@#$][\w@#$]*", rest)}


TEMPLATES = (
    "SELECT 1 {}",
    "SELECT 1 AS {}",
    "SELECT a {} FROM t",
    "SELECT * FROM t {}",
    "SELECT * FROM t AS {}",
    "SELECT 1 AS x {}",
    "SELECT 1 AS x {} t",
    "SELECT * FROM t {} t",
    "SELECT * FROM t WHERE a = 1 {}",
    "SELECT * FROM t WHERE a = 1 {} t",
    "SELECT a FROM t ORDER BY a {}",
    "SELECT {} FROM t",
    "SELECT {}() FROM t",
    "SELECT {}(1)",
    "SELECT * FROM {}",
    "SELECT * FROM {}(1)",
    "SELECT (SELECT 1 {}) AS x",
    "WITH {} AS (SELECT 1 AS a) SELECT * FROM {}",
    "SELECT 1 UNION SELECT 2 {}",
    "SELECT CASE WHEN 1 = 1 THEN 1 END {} x",
    "SELECT CAST(1 AS {})",
    "SELECT t.{} FROM t",
    "SELECT 1 [{}]",
)
FUNCTIONS_TOO = {Dialect.MYSQL: {"TRUNCATE"}}  # the number of digits of a number
STATEMENTS = {
    word.upper()
    for word in words(
        """
    alter backup bulk call checkpoint copy create dbcc declare delete deny do drop exec execute go grant
        insert
    into kill listen load lock merge notify opendatasource openquery openrowset openxml print raiserror
    reconfigure restore revert revoke set shutdown throw truncate update use waitfor writetext attach detach
    pragma vacuum reindex analyze handler procedure outfile returning begin commit
    """
    )
}
WORDS = sorted({word.upper() for word in TSQL_WORDS | POSTGRESQL_WORDS} | STATEMENTS)


@pytest.mark.parametrize("dialect", Dialect)
def test_no_word_can_become_a_statement(dialect: Dialect) -> None:
    """Every reserved word in every place where a parser might take it for a name."""
    allowed = 0
    for word in WORDS:
        for template in TEMPLATES:
            try:
                checked = check(template.replace("{}", word), dialect)
            except QueryRefused:
                continue
            allowed += 1
            assert not bare_words(checked.sql) & STATEMENTS - FUNCTIONS_TOO.get(dialect, set()), (
                template,
                word,
                checked.sql,
            )
    assert allowed > 100


@pytest.mark.parametrize(
    "word", ["SHUTDOWN", "DELETE", "EXEC", "WAITFOR", "RECONFIGURE", "REVERT", "KILL", "GO"]
)
def test_tsql_takes_no_second_statement_for_an_alias(word: str) -> None:
    with pytest.raises(QueryRefused):
        check(f"SELECT 1 {word}", Dialect.TSQL)
    assert check(f"SELECT 1 AS [{word}]", Dialect.TSQL).sql == f"SELECT 1 AS [{word}]"


PIECES = st.sampled_from(
    [
        *[
            "SELECT",
            "FROM",
            "WHERE",
            "t",
            "a",
            "1",
            "'x'",
            "*",
            "(",
            ")",
            ",",
            ";",
            "--",
            "/*",
            "*/",
            "\n",
            " ",
            "'",
        ],
        *[
            '"',
            "[",
            "]",
            "`",
            "\\",
            "E'",
            "$$",
            "N'",
            "AS",
            "UNION",
            "DELETE",
            "EXEC",
            "INTO",
            "@x",
            "#",
            "WITH",
        ],
        *[
            "api_keys",
            "pg_sleep",
            "xp_cmdshell",
            ".",
            "::",
            "=",
            "?",
            ":a",
            "INSERT",
            "DROP TABLE t",
            "0x",
            "U&'",
        ],
    ]
)


@given(st.lists(PIECES, max_size=14), st.sampled_from(Dialect))
def test_whatever_comes_is_refused_or_rendered_safely(pieces: list[str], dialect: Dialect) -> None:
    try:
        checked = check("SELECT " + " ".join(pieces), dialect, SECRET)
    except QueryRefused:
        return
    assert not bare_words(checked.sql) & STATEMENTS
    assert "--" not in re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"|\[[^\]]*\]|`[^`]*`", "", checked.sql)
    assert ";" not in re.sub(r"'(?:[^']|'')*'|\"[^\"]*\"|\[[^\]]*\]|`[^`]*`", "", checked.sql)


@given(st.text(max_size=40), st.sampled_from(Dialect))
def test_any_text_and_any_name_stays_what_it_is(text: str, dialect: Dialect) -> None:
    start, end = _RULES[dialect].quotes
    literal = "'" + text.replace("'", "''") + "'"
    name = start + text.replace(end, 2 * end) + end
    for query in (f"SELECT {literal}", f"SELECT 1 AS {name}"):
        try:
            checked = check(query, dialect)
        except QueryRefused:
            continue
        assert checked.sql.count("SELECT") >= 1
        assert bare_words(checked.sql) <= {"SELECT", "AS"}


# -- what is made of a query -------------------------------------------------------------------------------


def test_comments_go_and_names_are_quoted() -> None:
    checked = check("select A.b /* x */ from s.T as A -- y", Dialect.POSTGRESQL)
    assert checked.sql == 'SELECT "a"."b" FROM "s"."t" AS "a"'
    assert check('select "a""b`c" from main.T', Dialect.SQLITE).sql == 'SELECT `a"b``c` FROM `main`.`T`'
    assert check("select A.b from s.T as A", Dialect.TSQL).sql == "SELECT [A].[b] FROM [s].[T] AS [A]"
    assert check('select "MyCol" from t', Dialect.POSTGRESQL).sql == 'SELECT "MyCol" FROM "t"'


def test_a_backslash_of_mysql_ends_no_text() -> None:
    assert check(r"SELECT 'a\'; DROP TABLE t; -- '", Dialect.MYSQL).sql == "SELECT 'a''; DROP TABLE t; -- '"


@pytest.mark.parametrize(
    ("dialect", "query", "sent", "parameters"),
    [
        (Dialect.SQLITE, "SELECT ?, ? LIMIT ?, ?", "SELECT ?1, ?2 LIMIT ?4 OFFSET ?3", (0, 1, 2, 3)),
        (Dialect.SQLITE, "SELECT :b, :a, :b", "SELECT ?1, ?2, ?1", ("b", "a")),
        (Dialect.POSTGRESQL, "SELECT :b, :a, :b", "SELECT $1, $2, $1", ("b", "a")),
        (Dialect.POSTGRESQL, "SELECT $2, $1", "SELECT $1, $2", (1, 0)),
        (Dialect.POSTGRESQL, "SELECT ?::int, ?", "SELECT CAST($1 AS INT), $2", (0, 1)),
        (Dialect.TSQL, "SELECT @b, @a, @b", "SELECT ?, ?, ?", ("b", "a", "b")),
        (
            Dialect.TSQL,
            "SELECT TOP (?) a FROM t WHERE b = ?",
            "SELECT TOP (?) [a] FROM [t] WHERE [b] = ?",
            (0, 1),
        ),
        (Dialect.MYSQL, "SELECT :select, '?'", "SELECT ?, '?'", ("select",)),
        (Dialect.TSQL, "SELECT @select, @from FROM t", "SELECT ?, ? FROM [t]", ("select", "from")),
        (Dialect.SQLITE, "SELECT @a, ':b', \":c\" FROM t", "SELECT ?1, ':b', `:c` FROM `t`", ("a",)),
    ],
)
def test_parameters(dialect: Dialect, query: str, sent: str, parameters: tuple[object, ...]) -> None:
    checked = check(query, dialect)
    assert (checked.sql, checked.parameters) == (sent, parameters)


def test_parameters_of_two_kinds_are_refused() -> None:
    with pytest.raises(QueryRefused):
        check("SELECT ?, :a", Dialect.SQLITE)


def fingerprint_of(query: str) -> Checked:
    return check(query, Dialect.POSTGRESQL)


def test_the_normalised_query_has_no_literals() -> None:
    secret = fingerprint_of(
        "SELECT 'secret', 4711, j->>'secret', interval '4711 days', $$secret$$ FROM t"
        " WHERE a IN ('secret', 'b') LIMIT 4711"
    )
    assert "secret" not in secret.normalised
    assert "4711" not in secret.normalised


def test_the_fingerprint_is_that_of_the_form() -> None:
    one, other = (
        fingerprint_of("select a from t where b in (1,2)"),
        fingerprint_of("SELECT a FROM T WHERE b IN (3, 4, 5)"),
    )
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != fingerprint_of("select a from t where c in (1,2)").fingerprint


# -- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 500 + "1" + ")" * 500,
        "SELECT " + "NOT " * 500 + "1",
        "SELECT " + "- " * 500 + "1",
        "SELECT " + "CASE WHEN 1=1 THEN " * 300 + "1" + " END" * 300,
        "SELECT " + "(SELECT " * 300 + "1" + ")" * 300,
        "SELECT 1 WHERE " + " OR ".join(["a = 1"] * 5000),
        "SELECT " + "+".join(["1"] * 5000),
        " UNION ALL ".join(["SELECT 1"] * 3000),
        "SELECT 1 " + "x" * MAX_CHARACTERS,
        "SELECT " + ",".join(["1"] * 20_000),
        "SELECT " + "abs(" * 500 + "1" + ")" * 500,
        "SELECT " + "a.b" * 300,
        "SELECT 1 AS " + "x" * 300,
        "SELECT " + "CAST(" * 400 + "1" + " AS INT)" * 400,
        "SELECT a" + "->'x'" * 2000,
        "SELECT a" + "::int" * 2000,
        "SELECT " + "[" * 1000,
        "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30,
        "SELECT " + "{" * 1000,
        "WITH a AS (" * 200 + "SELECT 1" + ") SELECT * FROM a" * 200,
    ],
    ids=range(20),
)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_too_much_is_refused(query: str, dialect: Dialect) -> None:
    with pytest.raises(QueryRefused):
        check(query, dialect)


@pytest.mark.parametrize(
    "text", [b"SELECT \xff", "SELECT '\ud800'", "SELECT 1\0", "", "  -- nothing", "/* */", ";", "\ufeff"]
)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_no_text_is_refused(text: str | bytes, dialect: Dialect) -> None:
    with pytest.raises(QueryRefused):
        check(text, dialect)


def test_a_list_of_a_thousand_values_is_no_depth() -> None:
    check(f"SELECT * FROM t WHERE a IN ({', '.join(map(str, range(1000)))})", Dialect.TSQL)


# -- the second wall ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (Dialect.TSQL, "SELECT 1 SHUTDOWN"),
        (Dialect.TSQL, "SELECT 1 AS [x] DELETE FROM [t]"),
        (Dialect.TSQL, 'SELECT 1 AS "x"'),
        (Dialect.TSQL, "SELECT 1; SELECT 2"),
        (Dialect.TSQL, "SELECT 1 --"),
        (Dialect.TSQL, "SELECT 1 /* */"),
        (Dialect.TSQL, "SELECT @@version"),
        (Dialect.TSQL, "SELECT 'a"),
        (Dialect.TSQL, "SELECT [a"),
        (Dialect.POSTGRESQL, "SELECT PG_SLEEP(1)"),
        (Dialect.POSTGRESQL, "SELECT E'a'"),
        (Dialect.POSTGRESQL, "SELECT $1"),
        (Dialect.POSTGRESQL, "SELECT $$a$$"),
        (Dialect.POSTGRESQL, "SELECT CAST(1 AS REGCLASS)"),
        (Dialect.POSTGRESQL, "SELECT 1\n"),
        (Dialect.MYSQL, r"SELECT 'a\'"),
        (Dialect.SQLITE, "SELECT LOAD_EXTENSION('x')"),
        (Dialect.SQLITE, "PRAGMA x"),
        (Dialect.SQLITE, "SELECT 1é"),
    ],
)
def test_the_rendered_text_is_read_again(dialect: Dialect, sql: str) -> None:
    with pytest.raises(QueryRefused):
        guard_text.verify(sql, _RULES[dialect])


@pytest.mark.parametrize("part", ["quarter", "hh", "[day]", "'day'"])
def test_a_part_of_a_date_that_would_be_named_otherwise_is_refused(part: str) -> None:
    """The parser takes DATENAME(hh, a) for FORMAT(a, 'hh'), of which the server makes something else."""
    with pytest.raises(QueryRefused, match="cannot be written anew") as refused:
        check(f"SELECT DATENAME({part}, a) FROM t", Dialect.TSQL)
    assert "DATEPART" in refused.value.hint


def test_a_word_where_only_a_part_of_a_date_may_stand_is_told_by_the_rule() -> None:
    with pytest.raises(QueryRefused, match=r"A stands where only .* a part of a date"):
        check("SELECT DATEPART(a, b) FROM t", Dialect.TSQL)
