"""A main database belongs to one environment, and nobody else writes to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.house import Installation, Watcher, contact
from tests.sqlserver import takes_backups

from ledgerline.app import App
from ledgerline.databases.alerts import Alert, Outbox
from ledgerline.databases.environments import environment_of
from ledgerline.databases.runs import utc_now
from ledgerline.errors import EnvironmentMismatch, SettingsError
from ledgerline.ingest.run import Cancel
from ledgerline.operations.config_backup import bring_back
from ledgerline.operations.keys import Scope


def owner(house: Installation) -> str | None:
    with house.main() as main:
        return environment_of(main)


def test_a_main_database_is_not_read_as_the_invoice_database(house: Installation) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.ingest()
    before = house.dump()
    house.environ["INVOICE_DATABASE_URL"] = house.environ["DATABASE_URL"]
    writes: tuple[Callable[[App], object], ...] = (
        lambda app: app.migrate(),
        lambda app: app.prepare(),
        lambda app: app.ingest(Watcher(), Cancel()),
    )
    for write in writes:
        with house.app() as app, pytest.raises(SettingsError, match="same database as DATABASE_URL"):
            write(app)
    assert house.dump() == before


def test_another_environment_cannot_write(house: Installation, tmp_path: Path) -> None:
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    run = house.ingest(BACKUP_URL=str(tmp_path / "backups"))
    assert owner(house) == "development"
    with house.app() as app:
        backup = app.backups.create().id if takes_backups(app.main) else ""
        key, _ = app.keys.create("app", {Scope.READ})
    before = house.dump()
    house.environ["ENVIRONMENT"] = "staging"
    writes: dict[str, Callable[[App], object]] = {
        "migrate": lambda app: app.migrate(),
        "serve": lambda app: app.prepare(),
        "ingest": lambda app: app.ingest(Watcher(), Cancel()),
        "plan": lambda app: app.plan(Watcher(), Cancel()),
        "resume": lambda app: app.ingest(Watcher(), Cancel(), resume=True),
        "cancel": lambda app: app.cancel(),
        "undo": lambda app: app.undo(run.id),
        "unmerge": lambda app: app.unmerge(1),
        "edit": lambda app: app.edit(1, {"designation": "Director"}, by="me"),
        "withdraw": lambda app: app.withdraw(1, ["designation"], by="me"),
        "keys create": lambda app: app.keys.create("mine", {Scope.READ}),
        "keys revoke": lambda app: app.keys.revoke(key.id),
        "import": lambda app: bring_back(app.main, {}),
        "scheduled backup": lambda app: app.back_up(),
        "restore": lambda app: app.backups.restore(backup, replace_existing=True),
        "alerts": lambda app: Outbox(app.main.begin_activity).take_over([an_alert()], []),
    }
    if not backup:
        del writes["restore"]
    for name, write in writes.items():
        with house.app() as app, pytest.raises(EnvironmentMismatch) as refused:
            write(app)
        assert "belongs to development, and this is staging" in refused.value.detail, name
    assert house.dump() == before
    assert owner(house) == "development"


def an_alert() -> Alert:
    now = utc_now()
    return Alert("an-id", "database.main", "database_down", "x", "T", "", "", "", "", now, now)


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
