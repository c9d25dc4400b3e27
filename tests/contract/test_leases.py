"""Who works on a source: one at a time, and anybody may look."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tests.contract.test_engines import Place, only
from tests.servers import MAIN_ENGINES
from tests.sqlserver import is_babelfish

from ledgerline.databases import edits, runs
from ledgerline.databases.database import Database
from ledgerline.databases.runs import Lease
from ledgerline.databases.schema import leases
from ledgerline.errors import LeaseLost, TransientFault
from ledgerline.url import Engine


@only(*MAIN_ENGINES)
def test_a_lease_is_held_by_one_and_read_by_all(place: Place) -> None:
    with place.opened() as database, database.begin() as connection:
        leases.create(connection)
    with place.opened() as holder, place.opened(acquire_ms=200, statement_ms=500) as other:
        lease = runs.acquire(holder, "INVOICE", "here:1", is_dead=lambda *_: False)
        with holder.begin() as connection:
            lease.check(connection)
            assert _holder(other) == "here:1"
            if _makes_wait(other):
                with pytest.raises(TransientFault), other.begin() as waiting:
                    lease.check(waiting)
                with pytest.raises(TransientFault), other.begin() as waiting:
                    edits.lock(waiting)
        with other.begin() as connection:
            lease.check(connection)
        with pytest.raises(LeaseLost), other.begin() as connection:
            Lease("INVOICE", lease.token - 1).check(connection)


def _holder(database: Database) -> str:
    with database.connect() as connection:
        return str(connection.execute(sa.select(leases.c.holder)).scalar_one())


def _makes_wait(database: Database) -> bool:
    """Whether a lock that a statement asks for is taken: Babelfish takes no hints."""
    return database.url.engine is not Engine.SQLSERVER or not is_babelfish(database)
