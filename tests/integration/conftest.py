"""An installation on every kind of server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house import Installation
from tests.servers import MAIN_ENGINES


@pytest.fixture(params=MAIN_ENGINES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    house = Installation(request.param, tmp_path, postgres)
    yield house
    house.drop()
