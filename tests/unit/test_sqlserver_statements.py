"""NULLs are written into statements for SQL Server, and nothing else of them changes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ledgerline.databases.engines.sqlserver_statements import each_by_itself, with_nulls


@pytest.mark.parametrize(
    ("statement", "row", "written", "left"),
    [
        ("UPDATE t SET a=%(a)s, b=%(b)s", {"a": 1, "b": None}, "UPDATE t SET a=%(a)s, b=NULL", {"a": 1}),
        ("SELECT %(a)s, %(a)s, %(ab)s", {"a": None, "ab": 0}, "SELECT NULL, NULL, %(ab)s", {"ab": 0}),
        ("SELECT '%%(a)s', %(a)s", {"a": None}, "SELECT '%%(a)s', NULL", {}),
        ("SELECT %(a)s", {"a": ""}, "SELECT %(a)s", {"a": ""}),
    ],
)
def test_a_value_that_is_none_is_written(
    statement: str, row: dict[str, object], written: str, left: dict[str, object]
) -> None:
    assert with_nulls(statement, row) == (written, left)


def test_many_rows_are_sent_one_by_one() -> None:
    """The driver would take the type of the longest text for all: behind one in ASCII रमेश was ????."""
    sent: list[tuple[str, object]] = []

    class Cursor:
        def execute(self, statement: str, parameters: object) -> None:
            sent.append((statement, parameters))

    rows = [{"a": "Ramesh Kumar", "b": 1}, {"a": "रमेश", "b": None}]
    assert each_by_itself(Cursor(), "UPDATE t SET a=%(a)s, b=%(b)s", rows, None)
    assert sent == [
        ("UPDATE t SET a=%(a)s, b=%(b)s", {"a": "Ramesh Kumar", "b": 1}),
        ("UPDATE t SET a=%(a)s, b=NULL", {"a": "रमेश"}),
    ]
    assert not each_by_itself(Cursor(), "UPDATE t SET a=?", [("by place",)], None)


def test_sqlalchemy_names_its_places_so() -> None:
    """What the event is handed depends on the dialect's style of parameters."""
    engine = sa.create_engine("mssql+mssqlpython://x@y/z")
    query = sa.select(sa.literal(None, sa.String()).label("odd name"), sa.literal("%"))
    compiled = query.compile(engine)
    written, left = with_nulls(str(compiled), compiled.params)
    assert "NULL AS [odd name]" in written
    assert list(left.values()) == ["%"]
