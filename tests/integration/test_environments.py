"""A main database belongs to one environment, and nobody else writes to it."""

from __future__ import annotations

import pytest
from tests.house import Installation, contact

from ledgerline.databases.environments import environment_of
from ledgerline.errors import EnvironmentMismatch
from ledgerline.operations.keys import Scope


def owner(house: Installation) -> str | None:
    with house.main() as main:
        return environment_of(main)


def test_another_environment_cannot_write(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.ingest()
    assert owner(house) == "development"
    before = house.dump()
    house.environ["ENVIRONMENT"] = "staging"
    with house.app() as app:
        for write in (
            app.migrate,
            lambda: app.edit(1, {"designation": "Director"}, by="me"),
            lambda: app.keys.create("mine", {Scope.READ}),
        ):
            with pytest.raises(EnvironmentMismatch, match="belongs to development, and this is staging"):
                write()
    assert house.dump() == before
    assert owner(house) == "development"


def test_a_database_changes_hands_when_told(house: Installation) -> None:
    with house.app() as app:
        app.migrate()
    house.environ["ENVIRONMENT"] = "staging"
    with house.app() as app:
        app.migrate(claim=True)
        app.keys.create("mine", {Scope.READ})
    assert owner(house) == "staging"


def test_what_is_read_may_be_anybodys(house: Installation) -> None:
    with house.app() as app:
        app.migrate()
    house.environ["ENVIRONMENT"] = "staging"
    assert house.contacts() == []
