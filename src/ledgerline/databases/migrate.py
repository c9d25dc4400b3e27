"""Brings the main database's tables to this version of Ledgerline."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ledgerline.databases.database import Database
from ledgerline.databases.schema import activity
from ledgerline.errors import SettingsError, TablesNewer


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


@cache
def newest_revision() -> str | None:
    """The last of the migrations that this version brings."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def revision(main: Database) -> str | None:
    """The revision that the database is at; None: it has no tables of ours."""
    with main.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_known(at: str | None) -> bool:
    """Whether a revision is of this version or of one before it; None, which is none, is."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return at is None or at in {script.revision for script in scripts}


def require_newest(main: Database) -> None:
    """Raises SettingsError where the tables are of a version before this one, TablesNewer of a later one."""
    at = revision(main)
    if at == newest_revision():
        return
    _refuse_newer(at)
    raise SettingsError(
        f"The main database is at revision {at or 'none'}, this version needs {newest_revision()}.",
        hint="Run: ledgerline migrate",
    )


def _refuse_newer(at: str | None) -> None:
    if not is_known(at):
        raise TablesNewer(
            f"The main database is at revision {at}, which this version does not know.",
            hint="A later version of Ledgerline has migrated it: run that one. To go on with this one,"
            " put back a backup of it: ledgerline backup restore ID --replace",
        )


def migrate(main: Database) -> tuple[str | None, str | None]:
    """Upgrade to the newest revision in one transaction; (revision before, revision after).

    Of several processes one does it, while the others wait. Raises TablesNewer.
    """
    before = revision(main)
    if before != newest_revision():
        config = _config()
        with main.begin() as connection:
            main.server.take_turn(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            _refuse_newer(before)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    with main.begin_activity() as connection:
        main.server.take_turn(connection)
        activity.create_all(connection, checkfirst=True)
    return before, revision(main)
