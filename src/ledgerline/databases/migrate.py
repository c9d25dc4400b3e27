"""Brings the main database's tables to this version of Ledgerline."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ledgerline.databases.database import Database
from ledgerline.databases.schema import activity


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def revision(main: Database) -> str | None:
    """The revision that the database is at; None: it has no tables of ours."""
    with main.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(main: Database) -> tuple[str | None, str | None]:
    """Upgrade to the newest revision in one transaction; (revision before, revision after).

    Of several processes one does it, while the others wait.
    """
    before = revision(main)
    if before != newest_revision():
        config = _config()
        with main.begin() as connection:
            main.server.take_turn(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    with main.begin_activity() as connection:
        main.server.take_turn(connection)
        activity.create_all(connection, checkfirst=True)
    return before, revision(main)
