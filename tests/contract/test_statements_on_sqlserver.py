"""What SQL Server's driver does with statements of many results, where there is a server."""

from __future__ import annotations

import mssql_python
import pytest
import sqlalchemy as sa
from tests.contract.test_engines import Place, only

from ledgerline.databases.engines.sqlserver_statements import run_to_end
from ledgerline.errors import TransientFault


@only("sqlserver")
def test_what_takes_long_is_run_to_its_end(place: Place) -> None:
    table = place.table()
    late = (
        f"PRINT 'begun'; INSERT INTO {table.name} VALUES (1); SELECT 1; INSERT INTO {table.name} VALUES (2)"
    )
    with place.opened() as database, database.connect() as connection:
        run_to_end(connection, late)
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 2


@only("sqlserver")
def test_an_error_that_comes_late_is_raised_and_the_limit_is_as_it_was(place: Place) -> None:
    with place.opened(statement_ms=7_000) as database, database.connect() as connection:
        with pytest.raises(mssql_python.Error, match="late"):
            run_to_end(connection, "PRINT 'begun'; SELECT 1 AS x; THROW 50000, 'late', 1")
        assert getattr(connection.connection.driver_connection, "timeout", None) == 7


@only("sqlserver")
def test_a_transaction_takes_as_long_as_there_are_rows_and_waits_as_long_as_it_may(place: Place) -> None:
    with place.opened(statement_ms=7_000) as database:
        with pytest.raises(ZeroDivisionError), database.begin() as connection:
            assert _limits(connection) == (0, 7_000)
            raise ZeroDivisionError
        with database.connect() as connection:
            assert _limits(connection) == (7, 7_000)


def _limits(connection: sa.Connection) -> tuple[int, int]:
    """Seconds that a statement may take, milliseconds that it may wait for a lock."""
    patience = connection.exec_driver_sql("SELECT @@LOCK_TIMEOUT").scalar_one()
    return getattr(connection.connection.driver_connection, "timeout", -1), int(patience)


@only("sqlserver")
def test_who_waits_too_long_for_its_turn_is_told(place: Place) -> None:
    with place.opened() as first, place.opened(statement_ms=1_000) as second, first.begin() as connection:
        first.server.take_turn(connection)
        with pytest.raises(TransientFault), second.begin() as waiting:
            second.server.take_turn(waiting)
