"""Runs guarded queries: limits, cancelling, and a row in the log before and after each.

    checked = guard.check(…)        decided without a database
    queries.run(…) → Result         logged, a session taken, the query started
    result.batches()                rows as they come; at most so many rows, bytes and milliseconds
    result.close()                  rolled back, the session given back, the log completed

Nothing runs that cannot be logged.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from ledgerline.databases import indirect_reads
from ledgerline.databases import queries as log
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Limits, explained
from ledgerline.databases.engines.querying import QuerySession, open_session
from ledgerline.databases.schema import secret_tables
from ledgerline.errors import (
    DatabaseUnreachable,
    LedgerlineError,
    PermissionDenied,
    QueryMissing,
    QueryParameters,
    QueryRefused,
    TooManyQueries,
    UsageError,
)
from ledgerline.operations.guard import Checked, Dialect, access, check
from ledgerline.operations.query_log import QueryLog
from ledgerline.operations.results import QueryLimits, Result
from ledgerline.operations.sessions import Sessions
from ledgerline.url import Engine

_log = logging.getLogger(__name__)

DIALECTS: Final = {
    Engine.SQLITE: Dialect.SQLITE,
    Engine.POSTGRESQL: Dialect.POSTGRESQL,
    Engine.SQLSERVER: Dialect.TSQL,
    Engine.MYSQL: Dialect.MYSQL,
}

Parameters = Sequence[Any] | Mapping[str, Any] | None

_SEEN_FOR: Final = 60.0  # seconds that it is remembered what of a database is not what it seems
_KEPT: Final = timedelta(days=90)  # the log of queries
_FORGET_EVERY: Final = 3_600.0
_PATIENCE: Final = 1.0  # seconds, with a log that somebody else is writing


class Queries:
    """Guarded queries on the main and the invoice database. Threads may share it."""

    def __init__(
        self,
        main: Database,
        invoice: Database,
        limits: QueryLimits | None = None,
        *,
        require_reading_login: bool = False,
    ) -> None:
        """`require_reading_login`: ask the invoice database only if its server or the login cannot write."""
        self.limits = limits or QueryLimits()
        self._require_reading_login = require_reading_login
        self._reading_login_known = False
        self._main = main
        self._databases = {"main": main, "invoice": invoice}
        self._sessions = {name: self._pool(database) for name, database in self._databases.items()}
        self._lock = threading.Lock()
        self._written = QueryLog(main)
        self._running: dict[str, Result] = {}
        self._by_key: Counter[str] = Counter()
        self._forget_at = time.monotonic() + _FORGET_EVERY
        self._seen: dict[str, tuple[float, frozenset[str], frozenset[str]]] = {}

    def _pool(self, database: Database) -> Sessions:
        limits = Limits(
            connections=self.limits.connections,
            acquire_ms=database.limits.acquire_ms,
            # The result's own clock stops a query; the server's is there in case this process is gone.
            statement_ms=self.limits.timeout_ms + 1_000,
        )
        return Sessions(
            lambda: open_session(database.url, limits), self.limits.connections, database.limits.acquire_ms
        )

    def check(self, database: str, text: str | bytes) -> Checked:
        """What would be sent. Raises QueryRefused."""
        found = self._database(database)
        secret, functions = self._deceptive(database)
        return check(text, DIALECTS[found.url.engine], secret, functions)

    def run(
        self,
        database: str,
        text: str | bytes,
        parameters: Parameters = None,
        *,
        key_name: str,
        rows: int | None = None,
        query_id: str | None = None,
    ) -> Result:
        """Start a query; `rows`: no more than so many.

        Raises QueryRefused, QueryParameters, TooManyQueries, QueryTimeout, QueryCancelled, and what the
        database says. Each is in the log.
        """
        query_id = query_id or uuid.uuid4().hex
        entry = {"query_id": query_id, "key_name": key_name[:100], "database": database}
        checked, values = self._admitted(entry, database, text, parameters)
        wanted = self.limits.rows if rows is None else max(0, rows)
        limits = self._limited(min(wanted, self.limits.most_rows))
        row = self._begun(entry, key_name, checked)
        found = self._database(database)
        result = Result(
            query_id,
            key_name,
            database,
            checked,
            limits,
            lambda error: _of_the_query(explained(found.server, error, found.url)),
            lambda ended: self._ended(ended, self._sessions[database], row),
        )
        with self._lock:
            self._running[query_id] = result
        try:
            self._start(result, self._sessions[database], values)
        except BaseException as error:
            result.error = result.error or (error if isinstance(error, LedgerlineError) else None)
            result.close()
            raise
        return result

    def _begun(self, entry: Mapping[str, Any], key_name: str, checked: Checked) -> int:
        """The id of its row in the log; from then on it counts as one of its key."""
        self._count_in(key_name)
        try:
            self._forget_old()
            return self._written.begin(
                **entry,
                fingerprint=checked.fingerprint,
                statement=checked.normalised,
                outcome="running",
            )
        except BaseException:
            self._count_out(key_name)
            raise

    def _limited(self, rows: int) -> QueryLimits:
        return self.limits if rows == self.limits.rows else replace(self.limits, rows=rows)

    def _admitted(
        self, entry: Mapping[str, Any], database: str, text: str | bytes, parameters: Parameters
    ) -> tuple[Checked, list[Any]]:
        try:
            checked = self.check(database, text)
            return checked, bound(checked, parameters)
        except (QueryRefused, QueryParameters) as error:
            construct = getattr(error, "construct", "")
            self._written.begin(
                **entry,
                fingerprint="",
                statement="",  # it could not be read, so its literals could not be taken out
                outcome="refused",
                error_code=f"{error.code}: {construct}"[:200],
            )
            raise

    def _check_login(self, result: Result, session: QuerySession) -> None:
        """SQL Server knows no read-only transaction, so there the login is the last wall."""
        if self._reading_login_known or result.database != "invoice":
            return
        may_write = getattr(session, "may_write", None)
        if may_write is not None and may_write():
            if self._require_reading_login:
                raise PermissionDenied(
                    "The login of the invoice database may write, so in production no query runs with it.",
                    hint="Use a login that has SELECT only: ALTER ROLE db_datareader ADD MEMBER [login].",
                )
            _log.warning("The login of the invoice database may write; a login with SELECT only is safer.")
        self._reading_login_known = True

    def _start(self, result: Result, sessions: Sessions, values: Sequence[Any]) -> None:
        session, used = sessions.take()
        result.attach(session)
        allowed = access(result.checked.dialect, secret_tables())
        try:
            self._check_login(result, session)
            result.start(values, allowed)
        except DatabaseUnreachable:
            if not used:
                raise
            # A connection that lay idle and broke says nothing about the server.
            result.detach()
            sessions.give_back(session, usable=False)
            session, _ = sessions.take(new=True)
            result.attach(session)
            result.start(values, allowed)

    def _ended(self, result: Result, sessions: Sessions, row: int) -> None:
        if result.session is not None:
            usable = result.session.finish() and result.outcome not in ("timeout", "cancelled")
            sessions.give_back(result.session, usable=usable)
        with self._lock:
            self._running.pop(result.query_id, None)
        self._count_out(result.key_name)
        if result.elapsed_ms >= self.limits.slow_ms:
            _log.warning(
                "Slow query of %s: %d ms, %s: %s",
                result.key_name,
                result.elapsed_ms,
                result.outcome,
                result.checked.fingerprint,
            )
        self._written.end(
            row,
            outcome=result.outcome,
            row_count=result.rows,
            elapsed_ms=result.elapsed_ms,
            error_code=None if result.error is None else result.error.code,
        )

    def logged(
        self, *, slowest: bool = False, limit: int = 20, key_name: str | None = None
    ) -> list[log.LoggedQuery]:
        """The newest queries, or the slowest; those that are over here with their ends."""
        self._written.flush(_PATIENCE)
        return log.logged(self._main, slowest=slowest, limit=limit, key_name=key_name)

    # -- what has a name ---------------------------------------------------------------------------------

    def save(
        self, name: str, database: str, text: str | bytes, *, by: str, description: str | None = None
    ) -> None:
        """Keep a query under a name; one of that name is replaced. Raises QueryRefused and UsageError."""
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise UsageError("The name of a query has 1 to 100 printable characters.")
        if description is not None and "\0" in description:
            raise UsageError("The description of a query holds a NUL character.")
        self.check(database, text)
        written = text if isinstance(text, str) else text.decode()
        log.save(self._main, name, database, written, by=by[:100], description=description)

    def saved(self, name: str) -> log.SavedQuery:
        """Raises QueryMissing."""
        found = log.saved(self._main, name)
        if found is None:
            raise QueryMissing(
                f"No query is saved as {name[:100]!r}.", hint="See: ledgerline queries --saved"
            )
        return found

    # -- what runs -----------------------------------------------------------------------------------

    def running(self) -> list[Result]:
        with self._lock:
            return list(self._running.values())

    def cancel(self, query_id: str) -> None:
        """Stop a query in its database. Raises QueryMissing when none of that id runs here."""
        with self._lock:
            result = self._running.get(query_id)
        if result is None:
            raise QueryMissing(f"No query {query_id[:40]} is running.", hint="It may have ended by itself.")
        result.cancel()

    def close(self) -> None:
        """Stop all queries and close all sessions; the next query opens new ones."""
        for result in self.running():
            result.cancel()
        self.complete_log()
        for sessions in self._sessions.values():
            sessions.close_pool()

    def complete_log(self) -> None:
        self._written.flush(_PATIENCE)

    def sessions(self, database: str) -> Sessions:
        """The connections over which a database is asked."""
        return self._sessions[database]

    def _count_in(self, key_name: str) -> None:
        with self._lock:
            if self._by_key[key_name] >= self.limits.per_key:
                raise TooManyQueries(
                    f"{self.limits.per_key} queries of this key are running, which is as many as it may.",
                    hint="Wait for one to end, or cancel one.",
                )
            self._by_key[key_name] += 1

    def _count_out(self, key_name: str) -> None:
        with self._lock:
            self._by_key[key_name] -= 1
            if not self._by_key[key_name]:
                del self._by_key[key_name]

    def _forget_old(self) -> None:
        """Now and then, what the log has kept for long enough."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_EVERY
            log.forget(self._main, _KEPT)

    # -- what may be read ------------------------------------------------------------------------------

    def _database(self, name: str) -> Database:
        if name not in self._databases:
            raise QueryMissing(f"There is no database {name[:40]!r}.", hint="It is main or invoice.")
        return self._databases[name]

    def _deceptive(self, database: str) -> tuple[frozenset[str], frozenset[str]]:
        """Tables and views that show what is secret, and functions that look like columns."""
        known = self._seen.get(database)
        if known is None or time.monotonic() - known[0] > _SEEN_FOR:
            found = self._databases[database]
            secret = secret_tables() if database == "main" else frozenset()
            views = indirect_reads.views_of(found, secret) if secret else frozenset()
            known = (time.monotonic(), secret | views, indirect_reads.field_functions(found))
            self._seen[database] = known
        return known[1:]


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NO_VALUE: Final = "is neither a text, a number, true, false nor null"


def bound(checked: Checked, parameters: Parameters) -> list[Any]:
    """The values in the order in which they are sent. Raises QueryParameters."""
    keys = checked.parameters
    given: dict[Any, Any] = (
        dict(parameters) if isinstance(parameters, Mapping) else dict(enumerate(parameters or ()))
    )
    wanted = set(keys)
    missing = [_named(key) for key in keys if key not in given]
    unknown = [_named(key) for key in given if key not in wanted]
    if missing or unknown:
        told = [f"it has no value for {', '.join(dict.fromkeys(missing))}"] if missing else []
        told += [f"it does not use {', '.join(unknown)}"] if unknown else []
        raise QueryParameters(
            f"The parameters do not fit the query: {'; '.join(told)}.",
            hint="Give a list for ?, an object for :name; on the command line, in order:"
            " --param VALUE for ?, --param NAME=VALUE for :NAME.",
        )
    return [_value(key, given[key]) for key in keys]


def _named(key: int | str) -> str:
    return f"parameter {key + 1}" if isinstance(key, int) else f":{str(key)[:64]}"


def _value(key: int | str, value: Any) -> Any:
    if fault := _fault(value):
        raise QueryParameters(f"The value of {_named(key)} {fault}.", hint="Send one that a column can hold.")
    return value


def _fault(value: Any) -> str | None:
    """Why a value cannot be bound."""
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character"
        return "is not valid Unicode" if _SURROGATE.search(value) else None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else "does not fit into 64 bits"
    return None if value is None or isinstance(value, float) else _NO_VALUE


def _of_the_query(error: LedgerlineError) -> LedgerlineError:
    error.hint = error.hint or "Change the query by what the database says of it."
    return error
