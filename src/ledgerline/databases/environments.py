"""Whose database this is: a main database carries the name of its environment.

So the accident in which the settings of staging name the database of production ends with a refusal.
"""

from __future__ import annotations

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import utc_now
from ledgerline.databases.schema import installation
from ledgerline.errors import EnvironmentMismatch

_ONLY = 1  # the id of the one row


def environment_of(main: Database) -> str | None:
    """The environment that the database belongs to; None: nobody's yet."""
    if not main.has_table(installation.name):
        return None
    with main.connect() as connection:
        return connection.execute(sa.select(installation.c.environment)).scalar()


class EnvironmentMark:
    """The mark of a database as a process of one environment sees it."""

    def __init__(self, main: Database, environment: str) -> None:
        self._main = main
        self._environment = str(environment)
        self._is_asked = False

    def check(self) -> None:
        """Raises EnvironmentMismatch where the database belongs to another. Asked once."""
        if self._is_asked:
            return
        owner = environment_of(self._main)
        if owner not in (None, self._environment):
            raise EnvironmentMismatch(
                f"The main database {self._main.url.render()} belongs to {owner},"
                f" and this is {self._environment}: nothing is written to it.",
                hint="Check ENVIRONMENT and DATABASE_URL. If it shall change hands:"
                " ledgerline migrate --claim-environment",
            )
        self._is_asked = True

    def note(self) -> None:
        """Mark a database that is nobody's yet."""
        if environment_of(self._main) is None:
            self._write(over=False)

    def claim(self) -> None:
        """Make the database ours, whosever it was; one without the tables is nobody's."""
        if self._main.has_table(installation.name):
            self._write(over=True)

    def _write(self, *, over: bool) -> None:
        """`over`: also where another process has marked it meanwhile."""
        asked, self._main.before_writing = self._main.before_writing, None  # it would refuse
        try:
            with self._main.begin() as connection:
                self._main.server.take_turn(connection)
                if over:
                    connection.execute(installation.delete())
                if connection.execute(sa.select(installation.c.id)).first() is None:
                    values = {"id": _ONLY, "environment": self._environment, "claimed_at": utc_now()}
                    connection.execute(installation.insert().values(**values))
        finally:
            self._main.before_writing = asked
        self._is_asked = over
        self.check()
