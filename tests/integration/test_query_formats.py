"""Answers in every format, from a real database: their values, their end, and what is cut off or breaks."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import polars as pl
import pytest
import sqlalchemy as sa
from tests.asking import ROWS, Asked, asked
from tests.servers import MAIN_ENGINES

from ledgerline.operations.formats import Format, jsonable, plain, written


@pytest.fixture(params=MAIN_ENGINES, scope="module")
def it(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with asked(request.param, tmp_path_factory.mktemp("formats"), postgres) as installation:
        with installation.writer.begin() as connection:
            odd = {"a": 9_000, "b": '=1+1 "x"\n,é', "c": None}
            connection.execute(sa.text("INSERT INTO t (a, b, c) VALUES (:a, :b, :c)"), odd)
        yield installation


def answer(it: Asked, query: str, form: Format, rows: int | None = None) -> bytes:
    return b"".join(written(it.queries.run("invoice", query, key_name="k", rows=rows), form))


def streams(data: bytes) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The rows, and the one row of the stream behind them."""
    file = io.BytesIO(data)
    rows = pl.read_ipc_stream(file)
    end = data.rindex(b"\xff\xff\xff\xff\0\0\0\0", 0, len(data) - 8) + 8
    return rows, pl.read_ipc_stream(io.BytesIO(data[end:])).row(0, named=True)


ODD = "SELECT a, b, c FROM t WHERE a >= 498 ORDER BY a"
VALUES = [[498, "name 498", 249.0], [499, "name 499", 249.5], [9000, '=1+1 "x"\n,é', None]]


def test_json(it: Asked) -> None:
    document = json.loads(answer(it, ODD, Format.JSON))
    assert document["rows"] == VALUES
    assert [column["name"] for column in document["columns"]] == ["a", "b", "c"]
    assert (document["success"], document["rowCount"], document["truncated"]) == (True, 3, False)
    assert document["queryId"] and document["elapsedMs"] >= 0


def test_ndjson(it: Asked) -> None:
    *lines, end = [json.loads(line) for line in answer(it, ODD, Format.NDJSON).splitlines()]
    assert [list(line.values()) for line in lines] == VALUES
    assert end["_ledgerline"]["rowCount"] == 3
    assert end["_ledgerline"]["truncated"] is False


def test_csv(it: Asked) -> None:
    rows = list(csv.reader(io.StringIO(answer(it, ODD, Format.CSV).decode(), newline="")))
    assert rows[0] == ["a", "b", "c"]
    assert rows[-1] == ["9000", '\'=1+1 "x"\n,é', ""]
    assert len(rows) == 4


def test_csv_leaves_numbers_and_phones_alone(it: Asked) -> None:
    query = "SELECT -1 AS a, '+919820012345' AS b, '-' AS c, '@x' AS d, '-5' AS e, '+1-800' AS f, '+x' AS g"
    (_, row) = csv.reader(io.StringIO(answer(it, query, Format.CSV).decode()))
    assert row == ["-1", "+919820012345", "'-", "'@x", "-5", "+1-800", "'+x"]


def test_arrow(it: Asked) -> None:
    rows, end = streams(answer(it, ODD, Format.ARROW))
    assert [list(row) for row in rows.rows()] == VALUES
    assert rows.schema == {"a": pl.Int64, "b": pl.String, "c": pl.Float64}
    assert (end["rowCount"], end["truncated"], end["error"]) == (3, False, None)


def test_arrow_of_many_batches_is_one_stream(it: Asked) -> None:
    rows, end = streams(answer(it, "SELECT a, b, c FROM t ORDER BY a", Format.ARROW))
    assert rows["a"].to_list() == [*range(ROWS), 9000]
    assert end["rowCount"] == ROWS + 1


@pytest.mark.parametrize("form", Format)
def test_an_empty_answer(it: Asked, form: Format) -> None:
    data = answer(it, "SELECT a, b FROM t WHERE a < 0", form)
    if form is Format.JSON:
        assert json.loads(data)["rows"] == []
    elif form is Format.NDJSON:
        assert json.loads(data)["_ledgerline"]["rowCount"] == 0
    elif form is Format.CSV:
        assert data == b"a,b\r\n"
    else:
        rows, end = streams(data)
        assert (rows.columns, rows.height, end["rowCount"]) == (["a", "b"], 0, 0)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("limit", [0, 3, 100, 250])
def test_every_format_tells_that_rows_are_missing(it: Asked, form: Format, limit: int) -> None:
    data = answer(it, "SELECT a FROM t", form, rows=limit)
    if form is Format.JSON:
        document = json.loads(data)
        assert (len(document["rows"]), document["truncated"], document["truncatedBy"]) == (
            limit,
            True,
            "rows",
        )
    elif form is Format.NDJSON:
        *lines, last = data.splitlines()
        assert len(lines) == limit
        assert json.loads(last)["_ledgerline"]["truncatedBy"] == "rows"
    elif form is Format.CSV:
        assert data.splitlines()[-1] == f"# truncated: after {limit} rows, by the limit of rows".encode()
    else:
        rows, end = streams(data)
        assert (rows.height, end["truncatedBy"]) == (limit, "rows")


FAILS_LATE = {
    "sqlite": "SELECT a, CASE WHEN a < 400 THEN a ELSE abs(-9223372036854775807 - 1) END AS b FROM t",
    "postgresql": "SELECT a, 1 / (400 - a) AS b FROM t ORDER BY a",
    "sqlserver": "SELECT a, 1 / (400 - a) AS b FROM t ORDER BY a",
}


@pytest.mark.parametrize("form", Format)
def test_an_answer_that_breaks_off_says_so(it: Asked, form: Format) -> None:
    data = answer(it, FAILS_LATE[it.main.url.engine.value], form)
    if form is Format.JSON:
        document = json.loads(data)
        assert (document["success"], document["error"]["code"]) == (False, "unreadable_value")
    elif form is Format.NDJSON:
        assert json.loads(data.splitlines()[-1])["_ledgerline"]["error"]["code"] == "unreadable_value"
    elif form is Format.CSV:
        assert data.splitlines()[-1].startswith(b"# error: unreadable_value")
    else:
        assert streams(data)[1]["error"].startswith("unreadable_value")


def test_columns_of_one_name_are_all_there(it: Asked) -> None:
    line = json.loads(answer(it, "SELECT 1 AS x, 2 AS x, 3 AS x", Format.NDJSON).splitlines()[0])
    assert line == {"x": 1, "x_2": 2, "x_3": 3}
    assert json.loads(answer(it, "SELECT 1 AS x, 2 AS x", Format.JSON))["rows"] == [[1, 2]]


@pytest.mark.parametrize("form", Format)
def test_an_answer_of_many_bytes_is_cut(it: Asked, form: Format) -> None:
    limits = it.queries.limits
    it.queries.limits = replace(limits, bytes=2_000)
    data = answer(it, "SELECT a, b FROM t", form)
    it.queries.limits = limits
    assert re.search(rb"bytes", data[-1_500:])
    assert len(data) < 60_000


def test_a_client_that_hangs_up_ends_the_query(it: Asked) -> None:
    chunks = written(
        it.queries.run("invoice", "SELECT x.a FROM t x CROSS JOIN t y", key_name="k"), Format.NDJSON
    )
    next(chunks)
    assert it.queries.running()
    chunks.close()
    assert it.queries.running() == []


def test_values_that_json_does_not_know() -> None:
    assert orjson.dumps(Decimal("12345678901234567890.10"), jsonable) == b"12345678901234567890.10"
    assert orjson.dumps([Decimal("0E-20"), Decimal("4.00E-8"), Decimal("1E+3")], jsonable) == (
        b"[0.00000000000000000000,0.0000000400,1000]"
    )
    assert [plain(Decimal(text)) for text in ("0E-2", "1E-7", "NaN")] == ["0.00", "0.0000001", "NaN"]
    assert jsonable(Decimal("NaN")) == "NaN"
    assert jsonable(b"\x00\xff") == "0x00ff"
    assert jsonable(timedelta(days=-1, seconds=1)) == "-23:59:59"


def test_bytes_and_big_numbers(it: Asked) -> None:
    if it.main.url.engine.value != "postgresql":
        pytest.skip("types of PostgreSQL")
    query = (
        "SELECT 12345678901234567890.5::numeric AS a, 'x'::bytea AS b, timestamp '2024-02-29 12:00:00' AS c,"
        " date '2024-02-29' AS d, '{\"k\": [1]}'::jsonb AS e, array[1,2] AS f, 'infinity'::timestamp AS g,"
        " 'NaN'::double precision AS h, interval '26 hours' AS i, true AS j, date '0044-03-15 BC' AS k"
    )
    text = answer(it, query, Format.NDJSON).decode()
    assert '"a":12345678901234567890.5' in text
    row = json.loads(text.splitlines()[0])
    assert [row[name] for name in "bcdefghijk"] == [
        "0x78", "2024-02-29T12:00:00", "2024-02-29", {"k": [1]}, [1, 2], "infinity", None, "26:00:00", True,
        "0044-03-15 BC",
    ]  # fmt: skip
    for form in (Format.CSV, Format.ARROW, Format.JSON):
        assert b"2024-02-29T12:00:00" in answer(it, query, form)
