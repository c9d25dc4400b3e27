"""The scenarios of the crash tests, made once for each file and kind of server."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from ledgerline.sources.sample_database import write_sample
from tests.crash.scenarios import (
    ROWS,
    SEED,
    Scenario,
    change_much,
    copied,
    dump,
    finish,
    steps_of_a_run,
)
from tests.house import Installation
from tests.postgres import PostgresServer


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scenarios(
    engine: str, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Scenario]:
    """first: nothing is there yet. later: contacts change, join, lose their records, come anew."""
    folder = tmp_path_factory.mktemp("scenarios")

    @cache
    def scenario(name: str) -> Scenario:
        house = Installation(engine, folder, postgres)
        with house._invoice() as invoice:
            write_sample(invoice, house.settings.invoice_table, ROWS, SEED)
        with house.app() as app:
            app.migrate()
        if name == "later":
            finish(house)
            change_much(house)
        before = dump(house)
        with copied(house, folder, postgres) as copy:
            steps = steps_of_a_run(copy)
            return Scenario(house, before, dump(copy), steps)

    return scenario
