"""Guarded queries on real databases: what comes back, what stops them, and that they change nothing."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests import sqlserver
from tests.asking import ROWS, Asked, asked
from tests.guard_attacks import ATTACKS
from tests.guard_queries import LEGITIMATE
from tests.servers import MAIN_ENGINES

from ledgerline.databases import queries as log
from ledgerline.databases.engines import Limits
from ledgerline.databases.engines.querying import Access, open_session
from ledgerline.errors import (
    ColumnMissing,
    DatabaseError,
    LedgerlineError,
    PermissionDenied,
    QueryCancelled,
    QueryMissing,
    QueryParameters,
    QueryRefused,
    QueryTimeout,
    TableMissing,
    TooManyQueries,
)
from ledgerline.operations.draining import drain
from ledgerline.operations.query import DIALECTS, Parameters
from ledgerline.url import DatabaseUrl

ENDLESS = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "postgresql": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c",
    "sqlserver": "SELECT count_big(*) FROM t a, t b, t c, t d, t e",
}


@pytest.fixture(params=MAIN_ENGINES, scope="module")
def it(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with asked(request.param, tmp_path_factory.mktemp("asked"), postgres) as installation:
        yield installation


def engine_of(it: Asked) -> str:
    return it.main.url.engine.value


def last(it: Asked) -> log.LoggedQuery:
    (entry,) = it.queries.logged(limit=1)
    return entry


# -- what comes back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["main", "invoice"])
def test_rows_come_back(it: Asked, database: str) -> None:
    assert it.rows("SELECT a, b FROM t WHERE a < 2 ORDER BY a", database=database) == [
        (0, "name 0"),
        (1, "name 1"),
    ]


def test_a_name_that_nothing_has_is_no_text(it: Asked) -> None:
    for query in ("SELECT nosuch FROM t", "SELECT a FROM t WHERE nosuch = 'nosuch'"):
        with pytest.raises(ColumnMissing):
            it.rows(query)


def test_columns_have_the_types_of_the_server(it: Asked) -> None:
    with it.queries.run("invoice", "SELECT a, b, c FROM t", key_name="k") as result:
        told = [column.type for column in result.columns]
    assert told == {
        "sqlite": ["", "", ""],
        "postgresql": ["int8", "text", "float8"],
        "sqlserver": ["bigint", "nvarchar", "float"],
    }.get(engine_of(it), told)


def test_parameters_are_bound(it: Asked) -> None:
    assert it.rows("SELECT a FROM t WHERE b = ?", ["name 7"]) == [(7,)]
    assert it.rows("SELECT a FROM t WHERE b = :select OR a = :n", {"select": "name 7", "n": 7}) == [(7,)]
    assert it.rows("SELECT a FROM t WHERE b = ?", ["x' OR '1'='1"]) == []


@pytest.mark.parametrize(
    "parameters", [None, [], [1, 2], {"a": 1}, [[1]], [{"a": 1}], ["\0"], ["\ud800"], [2**70], [b"x"]]
)
def test_parameters_that_do_not_fit(it: Asked, parameters: Any) -> None:
    with pytest.raises(QueryParameters) as refused:
        it.rows("SELECT a FROM t WHERE a = ?", parameters)
    assert refused.value.hint
    assert last(it).outcome == "refused"


def test_one_row_too_many_tells_truncation(it: Asked) -> None:
    for wanted, truncated_by in (
        (ROWS - 1, "rows"),
        (ROWS, None),
        (ROWS + 1, None),
        (0, "rows"),
        (1, "rows"),
    ):
        with it.queries.run("invoice", "SELECT a FROM t", key_name="k", rows=wanted) as result:
            found = sum(len(batch) for batch in result.batches())
        assert (found, result.truncated_by) == (min(wanted, ROWS), truncated_by)


def test_many_rows_come_in_batches(it: Asked) -> None:
    with it.queries.run(
        "invoice", "SELECT x.a, y.b FROM t x CROSS JOIN t y", key_name="k", rows=10_000
    ) as result:
        sizes = []
        for batch in result.batches():
            sizes.append(len(batch))
            result.count_bytes(20 * len(batch))
    assert sum(sizes) == 10_000
    assert len(sizes) > 2
    assert result.truncated_by == "rows"


def test_an_answer_is_cut_at_its_bytes(it: Asked) -> None:
    limits = it.queries.limits
    it.queries.limits = replace(limits, bytes=1_000)
    with it.queries.run("invoice", "SELECT x.a, y.b FROM t x CROSS JOIN t y", key_name="k") as result:
        for batch in result.batches():
            result.count_bytes(100 * len(batch))
    assert result.truncated_by == "bytes"
    assert last(it).outcome == "truncated"
    it.queries.limits = limits


def test_explain_runs_nothing(it: Asked) -> None:
    if engine_of(it) == "sqlserver" and not sqlserver.shows_plans(it.main):
        pytest.skip("this server shows no plans")
    assert it.rows(f"EXPLAIN {ENDLESS[engine_of(it)]}")
    assert it.rows("EXPLAIN SELECT a FROM t WHERE b = ? AND a > ?", ["name 7", 3])
    assert it.rows("SELECT count(*) FROM t WHERE b = ?", ["name 7"]) == [(1,)]  # and not its plan


def test_the_usual_types(it: Asked) -> None:
    (row,) = it.rows("SELECT a, b, c, NULL AS d, CAST(1.50 AS DECIMAL(5, 2)) AS e FROM t WHERE a = 3")
    assert row[:4] == (3, "name 3", 1.5, None)
    assert float(row[4]) == 1.5


@pytest.mark.parametrize("number", range(140))
def test_what_people_ask_is_understood_by_the_server(it: Asked, number: int) -> None:
    """The tables are not there, so that is what the server may say, but no syntax error."""
    queries = LEGITIMATE[DIALECTS[it.main.url.engine].value]
    if number >= len(queries):
        return
    checked = it.queries.check("invoice", queries[number])
    named: dict[str, int] = {key: 1 for key in checked.parameters if isinstance(key, str)}
    given: Parameters = named or [1] * len(checked.parameters)
    try:
        it.rows(queries[number], given)
    except (TableMissing, ColumnMissing):
        pass
    except DatabaseError as error:
        is_understood = not re.search("syntax error|incorrect syntax", error.detail, re.IGNORECASE)
        if not is_understood and engine_of(it) == "sqlserver" and sqlserver.is_babelfish(it.main):
            pytest.skip("Babelfish does not know all of T-SQL")
        assert is_understood, checked.sql


def test_json_is_a_table(it: Asked) -> None:
    if engine_of(it) != "sqlite":
        pytest.skip("SQLite alone makes it when it is first asked for")
    assert it.rows("SELECT value FROM json_each('[1,2]')") == [(1,), (2,)]
    assert it.rows("SELECT key FROM json_tree(:tree)", {"tree": '{"a":1}'}) == [(None,), ("a",)]


def test_text_that_is_no_utf_8_is_read_too(it: Asked) -> None:
    if engine_of(it) != "sqlite":
        pytest.skip("SQLite alone keeps it")
    with it.writer.begin() as connection:
        connection.execute(sa.text("CREATE TABLE odd AS SELECT a, b FROM t"))
        for place in (1, ROWS - 1):
            connection.execute(sa.text(f"UPDATE odd SET b = CAST(x'ff41' AS TEXT) WHERE a = {place}"))
    for condition in ("a < 3", "a > 2", "a >= 0"):  # among the first rows, later, and both
        found = dict(it.rows(f"SELECT a, b FROM odd WHERE {condition} ORDER BY a"))
        assert {a: b for a, b in found.items() if b != f"name {a}"} == {
            place: "\ufffdA" for place in (1, ROWS - 1) if place in found
        }
    with it.writer.begin() as connection:
        connection.execute(sa.text("DROP TABLE odd"))


# -- what changes nothing ----------------------------------------------------------------------------------


def test_attacks_run_nothing_and_change_nothing(it: Asked) -> None:
    before = it.contents()
    for database in ("main", "invoice"):
        for attack in ATTACKS[DIALECTS[it.main.url.engine].value]:
            if attack.isascii() or attack.isprintable():
                with pytest.raises(LedgerlineError):
                    it.rows(attack, database=database)
    assert it.contents() == before


WRITES = {
    "sqlite": [
        "DELETE FROM t",
        "INSERT INTO t VALUES (-1, 'x', 1)",
        "CREATE TABLE x (a)",
        "DROP TABLE t",
        "ATTACH DATABASE 'attached.db' AS x",
        "VACUUM INTO 'copy.db'",
        "PRAGMA writable_schema = ON",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 7",
        "SELECT load_extension('x')",
        "SELECT zeroblob(1)",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM sqlite_stat1",
        "WITH x AS (SELECT 1) DELETE FROM t",
        "BEGIN IMMEDIATE",
        "SELECT printf('%1000000000d', 1)",
        "SELECT hash FROM api_keys",
        "EXPLAIN DELETE FROM t",
    ],
    "postgresql": [
        "DELETE FROM t",
        "INSERT INTO t VALUES (-1, 'x', 1)",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "CREATE TABLE x (a int)",
        "DROP TABLE t",
        "COPY t TO PROGRAM 'true'",
        "COPY t TO '/tmp/x'",
        "SELECT 1; DROP TABLE t",
        "SELECT * INTO x FROM t",
        "SET default_transaction_read_only = off",
        "BEGIN READ WRITE",
        "COMMIT",
        "DO $$ BEGIN DELETE FROM t; END $$",
        "SELECT * FROM t FOR UPDATE",
        "SELECT setval('templates_id_seq', 7)",
        "SELECT nextval('templates_id_seq')",
        "SELECT lo_from_bytea(0, 'x')",
        "EXPLAIN ANALYZE DELETE FROM t",
        "VACUUM",
    ],
    "sqlserver": [
        "DELETE FROM t",
        "INSERT INTO t (a) VALUES (-1)",
        "UPDATE t SET b = 'x'",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "CREATE TABLE x (a int)",
        "ALTER TABLE t ADD z int",
        "SELECT * INTO x FROM t",
        "SELECT hash FROM api_keys",
        "CREATE LOGIN ledgerline_other WITH PASSWORD = 'Ab1!other'",
    ],
}


def test_the_server_refuses_what_the_guard_would_let_through(it: Asked) -> None:
    """The last wall alone: sessions are given the attacks as they are."""
    access = Access(frozenset({"count"}), frozenset(), frozenset({"api_keys"}))
    before = it.contents()
    with _who_reads(it) as url:
        for attack in WRITES[engine_of(it)]:
            session = open_session(url, Limits(statement_ms=5_000))
            try:
                with pytest.raises(Exception, match=r"."):
                    session.start(attack, (), rows=10, explain=False, access=access)
                    session.fetch(10)
                session.finish()
            finally:
                session.close()
    assert it.contents() == before


@contextmanager
def _who_reads(it: Asked) -> Iterator[DatabaseUrl]:
    """On SQL Server the last wall is the login."""
    if engine_of(it) == "sqlserver":
        with sqlserver.new_login(it.main, "SELECT ON t") as url:
            yield url
    else:
        yield it.main.url


def test_a_kept_statement_is_asked_for_anew_when_the_rules_change(it: Asked) -> None:
    if engine_of(it) != "sqlite":
        pytest.skip("SQLite alone has an authorizer")
    session = open_session(it.main.url, Limits())
    try:
        for hidden, is_allowed in ((), True), (("t",), False), ((), True), (("t",), False):
            access = Access(hidden_tables=frozenset(hidden))
            if is_allowed:
                session.start("SELECT a FROM t", (), rows=1, explain=False, access=access)
                assert session.fetch(1) == [(0,)]
            else:
                with pytest.raises(PermissionDenied):
                    session.start("SELECT a FROM t", (), rows=1, explain=False, access=access)
            assert session.finish()
    finally:
        session.close()


def test_what_sql_server_lets_through_is_rolled_back(it: Asked) -> None:
    if engine_of(it) != "sqlserver":
        pytest.skip("the others have read-only transactions")
    before = it.contents()
    session = open_session(it.main.url, Limits(statement_ms=5_000))
    try:
        session.start("SELECT 1 AS x DELETE FROM t", (), rows=10, explain=False, access=Access())
        session.fetch(10)
        assert session.finish()
    finally:
        session.close()
    assert it.contents() == before


def test_a_view_does_not_show_what_is_secret(it: Asked) -> None:
    with it.main.begin() as connection:
        connection.execute(sa.text("CREATE VIEW harmless AS SELECT name FROM api_keys"))
        connection.execute(sa.text("CREATE VIEW twice AS SELECT * FROM harmless"))
    it.queries._seen.clear()
    for view in ("harmless", "twice"):
        with pytest.raises(LedgerlineError) as refusal:
            it.rows(f"SELECT * FROM {view}", database="main")
        assert refusal.value.code in ("query_refused", "permission_denied")
    with it.main.begin() as connection:
        connection.execute(sa.text("DROP VIEW twice"))
        connection.execute(sa.text("DROP VIEW harmless"))


def test_a_materialized_view_does_not_show_what_is_secret(it: Asked) -> None:
    if engine_of(it) != "postgresql":
        pytest.skip("only PostgreSQL has materialized views")
    with it.main.begin() as connection:
        connection.execute(sa.text("CREATE MATERIALIZED VIEW kept AS SELECT name FROM api_keys"))
        connection.execute(sa.text("CREATE VIEW of_kept AS SELECT * FROM kept"))
        connection.execute(sa.text("CREATE MATERIALIZED VIEW of_t AS SELECT a FROM t"))
    it.queries._seen.clear()
    try:
        for view in ("kept", "of_kept"):
            with pytest.raises(QueryRefused):
                it.rows(f"SELECT * FROM {view}", database="main")
        assert len(it.rows("SELECT * FROM of_t", database="main")) == ROWS
    finally:
        with it.main.begin() as connection:
            for kind, view in (
                ("VIEW", "of_kept"),
                ("MATERIALIZED VIEW", "kept"),
                ("MATERIALIZED VIEW", "of_t"),
            ):
                connection.execute(sa.text(f"DROP {kind} {view}"))


def test_a_column_that_is_a_function_is_not_read(it: Asked) -> None:
    """PostgreSQL calls f(t) where t.f is read."""
    if engine_of(it) != "postgresql":
        pytest.skip("PostgreSQL alone does")
    make = "CREATE FUNCTION f(x t) RETURNS text LANGUAGE sql AS 'SELECT hash FROM api_keys LIMIT 1'"
    with it.main.begin() as connection:
        connection.execute(sa.text(make))
        assert connection.execute(sa.text("SELECT t.f FROM t LIMIT 1")).all() == [(None,)]
    it.queries._seen.clear()
    for query in (
        "SELECT t.f FROM t",
        'SELECT x."f" FROM t AS x',
        "SELECT f(t) FROM t",
        "SELECT (t).f FROM t",
    ):
        with pytest.raises(QueryRefused):
            it.rows(query, database="main")
    with it.main.begin() as connection:
        connection.execute(sa.text("DROP FUNCTION f(t)"))
    it.queries._seen.clear()


# -- what stops a query ------------------------------------------------------------------------------------


def _require_attention(it: Asked) -> None:
    if engine_of(it) == "sqlserver" and sqlserver.is_babelfish(it.main):
        pytest.skip("Babelfish takes no attention while a statement runs")


@pytest.fixture
def hurried(request: pytest.FixtureRequest, it: Asked) -> Iterator[Asked]:
    _require_attention(it)
    limits = it.queries.limits
    it.queries.limits = replace(limits, timeout_ms=300)
    yield it
    it.queries.limits = limits


def test_a_query_that_takes_too_long_is_stopped(hurried: Asked) -> None:
    with pytest.raises(QueryTimeout):
        hurried.rows(ENDLESS[engine_of(hurried)])
    assert last(hurried).outcome == "timeout"
    assert hurried.rows("SELECT count(*) FROM t") == [(ROWS,)]


def test_a_query_is_cancelled_in_the_database(it: Asked) -> None:
    _require_attention(it)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            it.rows(ENDLESS[engine_of(it)], query_id="to-cancel")
        except LedgerlineError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not (running := it.queries.running()) or running[0].session is None:
        time.sleep(0.01)
    time.sleep(0.1)
    it.queries.cancel("to-cancel")
    thread.join(10)
    assert [type(failure) for failure in failures] == [QueryCancelled]
    assert last(it).outcome == "cancelled"
    assert it.queries.running() == []
    if engine_of(it) == "postgresql":
        active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%RECURSIVE%'"
        with it.main.connect() as connection:
            assert connection.execute(sa.text(active)).scalar_one() == 1  # this one


def test_nothing_to_cancel(it: Asked) -> None:
    with pytest.raises(QueryMissing):
        it.queries.cancel("nobody")


def test_an_answer_that_is_not_read_to_its_end_is_stopped(it: Asked) -> None:
    result = it.queries.run("invoice", "SELECT x.a FROM t x CROSS JOIN t y", key_name="k")
    next(result.batches())
    result.close()
    assert it.queries.running() == []
    assert it.rows("SELECT count(*) FROM t") == [(ROWS,)]


def test_a_session_that_is_used_closes_when_it_is_given_back(it: Asked) -> None:
    sessions = it.queries.sessions("invoice")
    with it.queries.run("invoice", "SELECT a FROM t", key_name="test") as result:
        (drained,) = drain([[sessions]], 0.05)
        assert drained.in_use == 1
        assert len([row for batch in result.batches() for row in batch]) == ROWS
    assert sessions.connections() == (0, 0)
    it.rows("SELECT 1 AS one")
    assert sessions.connections() == (1, 0)


def test_a_key_has_so_many_queries_at_once(it: Asked) -> None:
    results = [it.queries.run("invoice", "SELECT a FROM t", key_name="busy") for _ in range(4)]
    with pytest.raises(TooManyQueries):
        it.queries.run("invoice", "SELECT a FROM t", key_name="busy")
    it.queries.run("invoice", "SELECT a FROM t", key_name="other").close()
    results[0].close()
    it.queries.run("invoice", "SELECT a FROM t", key_name="busy").close()
    for result in results:
        result.close()


def test_a_failed_query_leaves_the_pool_usable(it: Asked) -> None:
    for _ in range(7):
        with pytest.raises(TableMissing) as failed:
            it.rows("SELECT * FROM nowhere")
        assert failed.value.hint
    assert last(it).outcome == "failed"
    assert it.rows("SELECT count(*) FROM t") == [(ROWS,)]


def test_sessions_that_broke_while_idle_are_replaced(it: Asked) -> None:
    it.rows("SELECT 1 AS x")
    for session in it.queries._sessions["invoice"]._idle:
        session.close()
    assert it.rows("SELECT count(*) FROM t") == [(ROWS,)]


@pytest.mark.parametrize("required", [True, False])
def test_a_login_that_may_write_is_told_or_refused(
    it: Asked, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, required: bool
) -> None:
    it.rows("SELECT 1 AS x")
    (session,) = it.queries._sessions["invoice"]._idle[-1:]
    monkeypatch.setattr(type(session), "may_write", lambda _: True, raising=False)
    monkeypatch.setattr(it.queries, "_reading_login_known", False)
    monkeypatch.setattr(it.queries, "_require_reading_login", required)
    for _ in range(7):
        if required:
            with pytest.raises(PermissionDenied, match="may write"):
                it.rows("SELECT 1 AS x")
        else:
            assert it.rows("SELECT 1 AS x") == [(1,)]
    assert ("may write" in caplog.text) is not required
    assert it.rows("SELECT 1 AS x", database="main") == [(1,)]


# -- the log -----------------------------------------------------------------------------------------------


def test_every_query_is_logged_without_its_literals(it: Asked) -> None:
    it.rows("SELECT a FROM t WHERE b = 'secret-1'")
    entry = last(it)
    assert (entry.key_name, entry.database, entry.outcome, entry.row_count) == (
        "test",
        "invoice",
        "succeeded",
        0,
    )
    assert "secret-1" not in repr(entry)
    assert entry.fingerprint == it.queries.check("invoice", "select a from t where b = 'else'").fingerprint
    with pytest.raises(QueryRefused):
        it.rows("DELETE FROM t WHERE b = 'secret-2'")
    assert (last(it).outcome, last(it).statement) == ("refused", "")
    assert "secret-2" not in repr(last(it))
    assert "DELETE" in (last(it).error_code or "")


def test_the_log_knows_the_slowest(it: Asked) -> None:
    slowest = it.queries.logged(slowest=True, limit=1000)
    times = [entry.elapsed_ms or 0 for entry in slowest]
    assert times == sorted(times, reverse=True)
    assert len(times) > 3


def test_slow_queries_are_told(it: Asked, caplog: pytest.LogCaptureFixture) -> None:
    limits = it.queries.limits
    it.queries.limits = replace(limits, slow_ms=0)
    with caplog.at_level(logging.WARNING, "ledgerline"):
        it.rows("SELECT a FROM t WHERE b = 'secret'")
    it.queries.limits = limits
    assert "Slow query of test" in caplog.text
    assert "secret" not in caplog.text


def test_what_cannot_be_logged_does_not_run(it: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_order(*_: Any) -> int:
        raise DatabaseError("The log cannot be written.")

    monkeypatch.setattr("ledgerline.databases.queries.begin", out_of_order)
    monkeypatch.setattr("ledgerline.operations.sessions.Sessions.take", pytest.fail)
    with pytest.raises(DatabaseError):
        it.rows("SELECT 1 AS x")
    monkeypatch.undo()
    assert it.queries.running() == []


def test_queries_are_saved_under_a_name(it: Asked) -> None:
    log.save(it.main, "names", "invoice", "SELECT a FROM t WHERE b = :name", by="me", description=None)
    log.save(it.main, "names", "invoice", "SELECT a FROM t WHERE b = :who", by="me", description="x")
    found = log.saved(it.main, "names")
    assert found is not None
    assert it.rows(found.sql, {"who": "name 9"}, database=found.database) == [(9,)]
    assert [query.name for query in log.all_saved(it.main)] == ["names"]
    assert log.delete_saved(it.main, "names")
    assert log.saved(it.main, "names") is None


def test_a_query_reads_while_a_run_writes(it: Asked) -> None:
    with it.main.begin() as connection:
        connection.execute(sa.text("INSERT INTO owners (id, name) VALUES (1, 'not yet')"))
        if engine_of(it) != "sqlserver" or sqlserver.reads_beside_writers(it.main):
            assert it.rows("SELECT count(*) FROM t", database="main") == [(ROWS,)]
            assert it.rows("SELECT * FROM owners", database="main") == []
        connection.execute(sa.text("DELETE FROM owners"))
