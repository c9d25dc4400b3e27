"""What several suites share: the database servers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgres import PostgresServer
from tests.servers import drop_from_sqlserver

# Tests run side by side already, on few rows: more threads would only wait for each other.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

# How long one example may take says nothing on a machine that is busy.
settings.register_profile("busy machine", settings.default, deadline=None)
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole session; tests make databases of their own in it."""
    settings = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
    with PostgresServer(**settings) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _sqlserver_as_it_was() -> Iterator[None]:
    """That server outlives the tests: what they made there is taken away again."""
    yield
    drop_from_sqlserver()
