"""A database on every kind of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.test_engines import Place
from tests.servers import INVOICE_ENGINES, new_database


@pytest.fixture(scope="module", params=INVOICE_ENGINES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with new_database(request.param, tmp_path_factory.mktemp("engines"), postgres) as url:
        yield Place(url)
