"""An answer as bytes, batch by batch: JSON, NDJSON, CSV and Arrow. Memory does not grow with the answer.

Whether rows are missing is told in each of them, after the rows, because only then it is known:

    JSON     the members `truncated`, `truncatedBy` and, if it broke off, `error`; `success` is the last
    NDJSON   a last line `{"_ledgerline": {"rowCount": …, "truncated": …}}`, always
    CSV      a last line `# truncated: …` or `# error: …`, only if there is something to tell
    Arrow    a second stream of one row behind the first: rowCount, truncated, truncatedBy, elapsedMs, error

An answer without that end was cut on its way.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import orjson
import polars as pl

from ledgerline.errors import LedgerlineError, QueryError
from ledgerline.operations.results import Result


class Format(StrEnum):
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    ARROW = "arrow"


MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}

_OPTIONS: Final = orjson.OPT_NON_STR_KEYS


def written(result: Result, form: Format) -> Generator[bytes, None, None]:
    """The answer in this format. What goes wrong on the way is told at its end, and nothing is raised."""
    writers: dict[Format, Callable[[Result], Iterator[bytes]]] = {
        Format.JSON: _json,
        Format.NDJSON: _ndjson,
        Format.CSV: _csv,
        Format.ARROW: _arrow,
    }
    try:
        yield from writers[form](result)
    finally:
        result.close()


def summary(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = {"rowCount": result.rows, "truncated": result.truncated}
    if result.truncated_by:
        document["truncatedBy"] = result.truncated_by
    document["elapsedMs"] = result.elapsed_ms
    return document


def _batches(result: Result, write: Callable[[list[tuple[Any, ...]]], bytes]) -> Iterator[bytes]:
    for batch in result.batches():
        chunk = write(batch)
        result.count_bytes(len(chunk))
        yield chunk


def _error(error: LedgerlineError) -> dict[str, str]:
    return {"code": error.code, "detail": error.public_detail, "hint": error.hint}


# -- values --------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """As it stands in a CSV cell, but without the care for spreadsheets."""
    return value if isinstance(value, str) else _cell(value)


def jsonable(value: Any) -> Any:
    """What JSON has no form for: numbers keep all their digits, bytes are 0x…, the rest is text."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}") if value.is_finite() else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"0x{bytes(value).hex()}"
    if isinstance(value, timedelta):
        return _duration(value)
    return str(value)  # an int comes here when it has more than 64 bits


def _duration(value: timedelta) -> str:
    """Hours, minutes and seconds, as MySQL and PostgreSQL write a time span."""
    seconds = abs(value) // timedelta(seconds=1)
    fraction = f".{abs(value).microseconds:06}" if value.microseconds else ""
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value, jsonable, _OPTIONS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_repaired(value), jsonable, _OPTIONS)


def _repaired(value: Any) -> Any:
    """Text that is not Unicode (lone surrogates) with U+FFFD in its place."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_repaired(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def names_of(result: Result) -> list[str]:
    """The columns' names; one that is empty or comes again gets a number."""
    names: list[str] = []
    for column in result.columns:
        name = column.name or "column"
        number = 1
        while name in names:
            number += 1
            name = f"{column.name or 'column'}_{number}"
        names.append(name)
    return names


# -- JSON ----------------------------------------------------------------------------------------------


def _json(result: Result) -> Iterator[bytes]:
    columns = [{"name": column.name, "type": column.type} for column in result.columns]
    yield b'{"queryId":' + _dumps(result.query_id) + b',"columns":' + _dumps(columns) + b',"rows":['
    separator = b""

    def rows(batch: list[tuple[Any, ...]]) -> bytes:
        nonlocal separator
        chunk = separator + _dumps(batch)[1:-1]
        separator = b","
        return chunk

    end: dict[str, Any] = {}
    try:
        yield from _batches(result, rows)
    except LedgerlineError as error:
        end["error"] = _error(error)
    yield b"]," + _dumps({**summary(result), **end, "success": not end})[1:]


def _ndjson(result: Result) -> Iterator[bytes]:
    names = names_of(result)
    end: dict[str, Any] = {}

    def lines(batch: list[tuple[Any, ...]]) -> bytes:
        return b"".join([_dumps_line(dict(zip(names, row, strict=True))) for row in batch])

    try:
        yield from _batches(result, lines)
    except LedgerlineError as error:
        end["error"] = _error(error)
    yield _dumps({"_ledgerline": {"queryId": result.query_id, **summary(result), **end}}) + b"\n"


def _dumps_line(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, jsonable, orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return _dumps(row) + b"\n"


# -- CSV -----------------------------------------------------------------------------------------------

_FORMULA: Final = frozenset(("=", "+", "-", "@", "\t", "\r"))
_AS_THEY_ARE: Final = frozenset((int, float, type(None)))
_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9 ().-]*")


def _csv(result: Result) -> Iterator[bytes]:
    yield _csv_lines([tuple(column.name for column in result.columns)])
    try:
        yield from _batches(result, _csv_lines)
    except LedgerlineError as error:
        yield f"# error: {error.code}: {error.public_detail}\r\n".encode("utf-8", "replace")
        return
    if result.truncated:
        yield f"# truncated: after {result.rows} rows, by the limit of {result.truncated_by}\r\n".encode()


def _csv_lines(rows: Sequence[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cells(row) for row in rows])
    return text.getvalue().encode("utf-8", "replace")


def _cells(row: Sequence[Any]) -> list[Any]:
    """`_cell` of each value, without a call for those that stay as they are."""
    return [
        value
        if (kind := type(value)) in _AS_THEY_ARE or (kind is str and value[:1] not in _FORMULA)
        else _cell(value)
        for value in row
    ]


def _cell(value: Any) -> Any:  # noqa: PLR0911  # one for each kind of value
    """A text that a spreadsheet would take for a formula gets an apostrophe; numbers and phones do not."""
    if isinstance(value, str):
        if value[:1] in _FORMULA and not _NUMBER.fullmatch(value):
            return f"'{value}"
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"  # an average of zeros is no "0E-20"
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return _dumps(value).decode()
    return jsonable(value)


# -- Arrow ---------------------------------------------------------------------------------------------

_END: Final = b"\xff\xff\xff\xff\0\0\0\0"


def _arrow(result: Result) -> Iterator[bytes]:
    writer = _ArrowStream(names_of(result))
    error = ""
    try:
        for batch in result.batches():
            chunk = writer.batch(batch)
            result.count_bytes(len(chunk))
            yield chunk
    except LedgerlineError as failure:
        error = f"{failure.code}: {failure.public_detail}"
    yield writer.end()
    told = {
        "rowCount": result.rows,
        "truncated": result.truncated,
        "truncatedBy": result.truncated_by,
        "elapsedMs": result.elapsed_ms,
        "error": error or None,
    }
    yield _stream(pl.DataFrame([told], schema_overrides={"truncatedBy": pl.String, "error": pl.String}))


class _ArrowStream:
    """One stream of record batches. A column's type is that of its first batch of values."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._schema: pl.Schema | None = None
        self._head = 0  # bytes of the schema, which stand before the first batch alone

    def batch(self, rows: list[tuple[Any, ...]]) -> bytes:
        first = self._schema is None
        frame = self._frame(rows)
        data = _stream(frame)
        if first:
            self._head = 8 + int.from_bytes(data[4:8], "little")  # two words, and as much as the second says
        return data[0 if first else self._head : -len(_END)]

    def end(self) -> bytes:
        if self._schema is None:
            return self.batch([]) + _END
        return _END

    def _frame(self, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        values = zip(*rows, strict=True) if rows else [()] * len(self._names)
        series = [self._series(name, column) for name, column in zip(self._names, values, strict=True)]
        frame = pl.DataFrame(series)
        self._schema = self._schema or frame.schema
        return frame.rechunk()

    def _series(self, name: str, column: Sequence[Any]) -> pl.Series:
        dtype = None if self._schema is None else self._schema[name]
        plain = [_plain(value) for value in column]
        if dtype is None:
            return _inferred(name, plain)
        try:
            if dtype == pl.String:
                plain = [None if value is None else _text(value) for value in plain]
            return pl.Series(name, plain, dtype=dtype, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            raise QueryError(
                f"The column {name} holds values of several types, which an Arrow column cannot.",
                hint=f"Cast it: CAST({name} AS TEXT). Or ask for another format.",
            ) from None


def _inferred(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if len(kinds) == 1 and kinds <= {int, float, bool, bytes, date, datetime, time, timedelta}:
        try:
            return pl.Series(name, values, strict=True)
        except (OverflowError, pl.exceptions.PolarsError):
            pass
    texts = [None if value is None else _text(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return str(_cell(value))


def _stream(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()
