"""An installation on every kind of server."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.house import ENGINES, Installation


@pytest.fixture(params=ENGINES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Installation(request.param, tmp_path, postgres)
