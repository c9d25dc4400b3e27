"""What SQL Server's driver does with statements of many results, where there is a server."""

from __future__ import annotations

import mssql_python
import pytest
import sqlalchemy as sa
from tests.contract.test_engines import Place, only

from ledgerline.operations.backup_sqlserver import run_to_end


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
