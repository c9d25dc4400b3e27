"""A database on every kind of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.test_engines import ENGINES, IN_BULK, Place
from tests.servers import new_database


@pytest.fixture(scope="module", params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    engine = request.param.removesuffix(IN_BULK)
    folder = tmp_path_factory.mktemp("engines")
    with new_database(engine, folder, postgres) as url, pytest.MonkeyPatch.context() as patch:
        if request.param.endswith(IN_BULK):
            patch.setattr("ledgerline.databases.engines.sqlserver.FEW_ROWS", 0)
        yield Place(url)
