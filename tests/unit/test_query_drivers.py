"""What the drivers of servers that need not be there are handed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ledgerline.databases.engines.mysql_query import _interpolated, as_the_guard_reads
from ledgerline.databases.engines.querying import Access, fetched
from ledgerline.databases.engines.sqlserver_query import SQLServerSession
from ledgerline.operations.guard import Dialect, check


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("SELECT ?, '?', 'it''s %', `a?` FROM t", "SELECT %s, '?', 'it''s %%', `a?` FROM `t`"),
        ("SELECT a % ? FROM t WHERE b LIKE '%x%'", "SELECT `a` %% %s FROM `t` WHERE `b` LIKE '%%x%%'"),
        ("SELECT `we``ird?`, ? FROM t", "SELECT `we``ird?`, %s FROM `t`"),
    ],
)
def test_mysql_gets_its_own_places(query: str, sent: str) -> None:
    assert _interpolated(check(query, Dialect.MYSQL).sql) == sent


@pytest.mark.parametrize(
    ("modes", "kept"),
    [
        ("", ""),
        ("ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES", "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES"),
        ("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI", "REAL_AS_FLOAT"),
    ],
)
def test_modes_of_mysql_in_which_a_statement_means_something_else_are_left(modes: str, kept: str) -> None:
    assert as_the_guard_reads(modes) == kept


@pytest.mark.parametrize(
    ("there", "size", "wanted", "came", "is_end"),
    [
        (500, 10, 128, 128, False),
        (100, 10, 128, 100, True),
        (10, 10, 128, 10, True),
        (5, 10, 128, 5, True),
        (500, 10, 5, 5, False),
        (500, 100_000, 128, 49, False),  # 4 MB more than the first
        (500, 4_000_000, 128, 10, False),  # the first are read before their size is known
    ],
)
def test_of_large_rows_fewer_are_fetched(there: int, size: int, wanted: int, came: int, is_end: bool) -> None:
    left = iter([("x" * size,)] * there)
    rows, ended = fetched(lambda number: list(itertools.islice(left, number)), wanted)
    assert (len(rows), ended) == (came, is_end)


class _Handle:
    cancelled = 0

    def _cancel(self) -> None:
        self.cancelled += 1


class _Cursor:
    def __init__(self, connection: _Connection) -> None:
        self.description = [(name, str) for name in connection.columns]
        self.connection = connection
        self.hstmt = _Handle()

    def execute(self, *arguments: Any) -> None:
        self.connection.executed.append(arguments)

    def fetchmany(self, rows: int) -> list[list[int]]:
        return [[rows, *range(1, len(self.description))]]

    def close(self) -> None:
        pass

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Connection:
    def __init__(self, *columns: str) -> None:
        self.columns = columns or ("a",)
        self.executed: list[Any] = []
        self.rolled_back = 0

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def rollback(self) -> None:
        self.rolled_back += 1


def test_sql_server_rolls_back_and_is_sent_an_attention() -> None:
    connection = _Connection()
    session = SQLServerSession(connection)  # type: ignore[arg-type]
    columns = session.start(
        "SELECT [a] FROM [t] WHERE [b] = ?", ["x"], rows=9, explain=False, access=Access()
    )
    assert [column.name for column in columns] == ["a"]
    assert connection.executed == [("SELECT [a] FROM [t] WHERE [b] = ?", ("x",))]
    assert session.fetch(5) == [(5,)]
    handle = session._cursor.hstmt
    session.cancel()
    assert handle.cancelled == 1
    assert session.finish()
    assert connection.rolled_back == 1


def test_a_session_that_showed_a_plan_is_not_used_again() -> None:
    connection = _Connection("StmtText", "StmtId", "NodeId", "EstimateRows")
    session = SQLServerSession(connection)  # type: ignore[arg-type]
    columns = session.start("SELECT 1", [], rows=9, explain=True, access=Access())
    assert connection.executed == [("SET SHOWPLAN_ALL ON",), ("SELECT 1",)]
    assert [column.name for column in columns] == ["StmtText", "EstimateRows"]
    assert session.fetch(5) == [(5, 3)]
    assert not session.finish()


@pytest.mark.parametrize(
    ("query", "values", "sent"),
    [
        ("SELECT a FROM t", [], "SELECT [a] FROM [t]"),
        (
            "SELECT '?', 'it''s ?', [a?], [b]]?] FROM t WHERE c = ? AND d = ?",
            ["x'; DROP TABLE t", 7],
            (
                "DECLARE @p1 nvarchar(4000); DECLARE @p2 bigint; "
                "SELECT '?', 'it''s ?', [a?], [b]]?] FROM [t] WHERE [c] = @p1 AND [d] = @p2"
            ),
        ),
        (
            "SELECT a FROM t WHERE b = ? OR c = ? OR d = ?",
            [True, 1.5, None],
            (
                "DECLARE @p1 bit; DECLARE @p2 float; DECLARE @p3 nvarchar(4000); "
                "SELECT [a] FROM [t] WHERE [b] = @p1 OR [c] = @p2 OR [d] = @p3"
            ),
        ),
    ],
)
def test_a_plan_is_shown_of_the_query_itself_and_holds_no_value(
    query: str, values: list[Any], sent: str
) -> None:
    connection = _Connection()
    session = SQLServerSession(connection)  # type: ignore[arg-type]
    session.start(check(query, Dialect.TSQL).sql, values, rows=9, explain=True, access=Access())
    assert connection.executed[1:] == [(sent,)]
