"""What SQL Server's driver needs of statements, whoever writes them.

NULLs are written into them, not bound. Of a value that is None the driver does not know the type, and asks
the server: a round trip more, which the server refuses for some statements. Under XACT_ABORT such an error
ends the transaction, without a word: what was done before is gone, what follows is a transaction of its own.

Results are fetched at once, as other drivers do. A connection has one result at a time, and refuses the next
statement while rows of the last one are still to come.

What takes long has no limit of its own, and is run to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

_PLACE: Final = re.compile(r"%%|%\(([^)]+)\)s")

Row = Mapping[str, Any]


def prepare(engine: sa.Engine) -> None:
    """Have all statements of this engine treated so; a result that is to be streamed still is."""
    sa.event.listen(engine, "before_cursor_execute", _write_nulls, retval=True)
    sa.event.listen(engine, "do_executemany", each_by_itself)
    sa.event.listen(engine, "after_cursor_execute", _fetch_at_once)


def _fetch_at_once(
    connection: sa.Connection,  # noqa: ARG001
    cursor: Any,
    statement: str,  # noqa: ARG001
    parameters: Any,  # noqa: ARG001
    context: Any,
    executemany: bool,  # noqa: ARG001
) -> None:
    changes = context.isinsert or context.isupdate or context.isdelete  # SQLAlchemy reads these itself
    if cursor.description and not changes and not context.execution_options.get("stream_results"):
        context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
            cursor, initial_buffer=cursor.fetchall()
        )


def _write_nulls(
    connection: sa.Connection,  # noqa: ARG001
    cursor: Any,  # noqa: ARG001
    statement: str,
    parameters: Any,
    context: Any,  # noqa: ARG001
    executemany: bool,  # noqa: ARG001
) -> tuple[str, Any]:
    """Of one row; many are left to `each_by_itself`, and parameters by place to whoever wrote them."""
    return with_nulls(statement, parameters) if isinstance(parameters, Mapping) else (statement, parameters)


def each_by_itself(
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,  # noqa: ARG001
) -> bool:
    """Of many rows the driver takes one type a column, that of the longest text: where that is ASCII, what
    the code page lacks in the others becomes `?`; where it is not, longer UTF-16 is refused."""
    if not isinstance(parameters[0], Mapping):
        return False
    for row in parameters:
        cursor.execute(*with_nulls(statement, row))
    return True


def with_nulls(statement: str, row: Row) -> tuple[str, Row]:
    """The statement with NULL in each place that has no value in the row, and the row without these."""
    empty = frozenset(name for name, value in row.items() if value is None)
    if not empty:
        return statement, row
    written = _PLACE.sub(lambda found: "NULL" if found[1] in empty else found[0], statement)
    return written, {name: value for name, value in row.items() if name not in empty}


@contextmanager
def unhurried(connection: sa.Connection) -> Iterator[None]:
    """Meanwhile statements take as long as they take; how long they wait for a lock is still limited."""
    driver: Any = connection.connection.driver_connection
    limit, driver.timeout = driver.timeout, 0
    try:
        yield
    finally:
        driver.timeout = limit


def run_to_end(connection: sa.Connection, *statements: str) -> None:
    """Run statements that take as long as they take, and tell of it meanwhile.

    Each of their messages is a result. What follows the first of them, an error too, comes only when it is
    asked for; and a cursor that is closed before stops the statement in the middle.

    Raises errors of the driver.
    """
    driver: Any = connection.connection.driver_connection
    with unhurried(connection):
        for statement in statements:
            with driver.cursor() as cursor:
                cursor.execute(statement)
                while cursor.nextset():
                    pass
