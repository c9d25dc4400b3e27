"""A run that is killed, wherever it is, leaves the main database as before or as after; the next goes on.

A first run, into an empty database.
Each test kills a real process; LEDGERLINE_CRASH_KILLS says how often (`make crash`: 150).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.scenarios import (
    KILLS,
    Scenario,
    kill_at_a_random_time,
    kill_at_a_step,
)
from tests.postgres import PostgresServer


@pytest.mark.parametrize("part", range(KILLS))
def test_killed_at_a_step(
    part: int, scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    kill_at_a_step(scenarios("first"), "first", part, postgres, tmp_path)


@pytest.mark.parametrize("part", range(max(KILLS // 3, 1)))
def test_killed_at_a_random_time(
    part: int, scenarios: Callable[[str], Scenario], postgres: PostgresServer, tmp_path: Path
) -> None:
    kill_at_a_random_time(scenarios("first"), "first", part, postgres, tmp_path)
