"""Why a connection fails and what to do about it, layer by layer: settings, driver, name, port, encryption,
login, database, rights, table, columns, speed.

Each layer stands on the one before, so the first that fails is the cause, and what is above it is not looked
at. Everything has its time: a port behind which nobody answers is found out as well. Nothing is written to
either database, and no file is made.
"""

from __future__ import annotations

import logging
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ledgerline.databases.database import Database
from ledgerline.databases.engines import Limits, server_for
from ledgerline.databases.folders import may
from ledgerline.databases.migrate import is_known, newest_revision, revision
from ledgerline.databases.quoting import bracketed
from ledgerline.errors import DatabaseError, LedgerlineError, TransientFault
from ledgerline.operations import doctor_network as network
from ledgerline.operations.doctor_faults import Fault, Layer, connecting_fault, fault_of
from ledgerline.operations.doctor_findings import Check, Diagnosis
from ledgerline.operations.doctor_remedies import remedy
from ledgerline.operations.doctor_rights import missing_file_rights, missing_rights, readers_wait, wire
from ledgerline.operations.doctor_table import TableExamination
from ledgerline.settings import DatabaseSettings, Settings, describe
from ledgerline.url import DatabaseUrl, Engine

_log = logging.getLogger(__name__)

LONGEST_SECONDS: Final = 13.0
_CONNECT_SECONDS: Final = 4
_STATEMENT_MS: Final = 5_000  # a busy server may take seconds to describe a table
_GLANCE_MS: Final = 2_000
_ROUND_TRIPS: Final = 5
_UNDER_ALL_SERVERS: Final = (Layer.TLS, Layer.LOGIN, Layer.DATABASE)


def diagnose(settings: Settings, names: Sequence[str] = ("main", "invoice")) -> dict[str, Diagnosis]:
    """What is right and wrong with these databases, all looked at side by side, within LONGEST_SECONDS."""
    examinations = {name: _Examination(name, settings) for name in names}
    threads = [threading.Thread(target=each.run, daemon=True) for each in examinations.values()]
    until = time.monotonic() + LONGEST_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: each.diagnosis() for name, each in examinations.items()}


def why_not_connected(settings: Settings, name: str) -> str | None:
    """The code of what keeps this database from being reached; None where it is reached."""
    diagnosis = diagnose(settings, [name])[name]
    return None if diagnosis.connected or diagnosis.code is None else diagnosis.code.value


class _Examination:
    """Of one database: the layers from the lowest, until one fails."""

    def __init__(self, name: str, settings: Settings) -> None:
        of: DatabaseSettings = settings.main if name == "main" else settings.invoice
        self.is_main = name == "main"
        self._wire = ""  # how the connection is protected
        self.settings = settings
        self.url: DatabaseUrl = of.url
        self.prefix = "" if self.is_main else "INVOICE_"
        self.checks: list[Check] = []
        self.latency_ms: float | None = None
        self._at = Layer.SETTINGS
        self._addresses: list[str] = []
        self._database: Database | None = None
        self._is_over = False  # nothing is wrong, and there is nothing more to look at

    def run(self) -> None:
        try:
            for layer, look in self._layers():
                self._at = layer
                self._look(layer, look)
                if self._is_over or any(check.hinders for check in self.checks):
                    return
        finally:
            self._is_over = True
            if self._database is not None:
                self._database.close()

    def _look(self, layer: Layer, look: Callable[[], Iterator[Check]]) -> None:
        try:
            self.checks += look()
        except TransientFault as error:  # the connection is there, so no firewall is in its way
            self.checks.append(self._failed(layer, Fault.TRANSIENT_FAULT, self._told(error), error.hint))
        except LedgerlineError as error:
            self.checks.append(self._failed(layer, fault_of(error), self._told(error), error.hint))

    def diagnosis(self) -> Diagnosis:
        checks = list(self.checks)
        if not self._is_over:
            detail = f"It was given up after {LONGEST_SECONDS:.0f} s without an answer."
            checks.append(self._failed(self._at, Fault.TIMEOUT, detail))
        return Diagnosis(tuple(checks), self.latency_ms)

    def _layers(self) -> list[tuple[Layer, Callable[[], Iterator[Check]]]]:
        below = [(Layer.SETTINGS, self._look_at_settings), (Layer.DRIVER, self._look_at_driver)]
        if self.url.engine is Engine.SQLITE:
            below.append((Layer.DATABASE, self._look_at_file))
        else:
            below += [(Layer.NAME, self._look_at_name), (Layer.TCP, self._look_at_port)]
        below.append((Layer.DATABASE, self._connect))
        above = self._of_main() if self.is_main else self._of_invoice()
        return [*below, *above, (Layer.SPEED, self._look_at_speed)]

    def _of_main(self) -> list[tuple[Layer, Callable[[], Iterator[Check]]]]:
        return [(Layer.PERMISSION, self._look_at_rights), (Layer.TABLE, self._look_at_revision)]

    def _of_invoice(self) -> list[tuple[Layer, Callable[[], Iterator[Check]]]]:
        return [
            (Layer.TABLE, lambda: self._table().look()),
            (Layer.COLUMNS, lambda: self._table().look_at_columns()),
            (Layer.COLUMNS, lambda: self._table().look_at_customers()),
            (Layer.SPEED, lambda: self._table().look_at_indexes()),
            (Layer.SPEED, self._look_at_waiting),
        ]

    def _table(self) -> TableExamination:
        return TableExamination(self.database, self.settings.invoice_table, self._who, self._failed)

    def _failed(self, layer: Layer, fault: Fault, detail: str, hint: str = "") -> Check:
        steps = remedy(fault, self.url, self._origin[0]) or tuple(hint.splitlines())
        return Check(layer, False, detail, steps, fault)

    @property
    def _place(self) -> str:
        return f"{self.url.server_label}:{self.url.port_label}".rstrip(":")

    # -- below the server ------------------------------------------------------------------------

    @property
    def _origin(self) -> tuple[str, str]:
        """(the variable that says where the database is, where that was set)."""
        rows = {name: origin for name, _, origin in describe(self.settings)}
        name, parts = f"{self.prefix}DATABASE_URL", f"{self.prefix}DB_SERVER"
        return (parts, rows[parts]) if parts in rows[name] else (name, rows[name])

    def _look_at_settings(self) -> Iterator[Check]:
        name, origin = self._origin
        yield Check(Layer.SETTINGS, True, f"{name} ({origin}): {self.url.render()}")

    def _look_at_driver(self) -> Iterator[Check]:
        server_for(self.url.engine)
        yield Check(Layer.DRIVER, True, f"The driver for {self.url.engine.product} is installed.")

    def _look_at_file(self) -> Iterator[Check]:
        """An embedded database that is not there: the main one is made when it is first used."""
        path = Path(self.url.database)
        if path.is_dir():
            yield self._failed(Layer.DATABASE, Fault.DATABASE_MISSING, f"{path} is a folder, no database.")
            return
        if path.exists():
            if not may(path, os.R_OK):
                detail = f"The file {path} may not be read by this process."
                steps = "Give the account that runs Ledgerline the right to read it."
                yield self._failed(Layer.PERMISSION, Fault.PERMISSION_DENIED, detail, steps)
            elif self.is_main:
                yield from self._without_rights(missing_file_rights(path))
            return
        if not self.is_main:
            yield self._failed(Layer.DATABASE, Fault.DATABASE_MISSING, f"There is no file {path}.")
            return
        yield Check(
            Layer.DATABASE, True, f"The file {path} is not there yet: it is made when it is first used."
        )
        yield from self._look_at_folder(path)
        self._is_over = True

    def _look_at_folder(self, path: Path) -> Iterator[Check]:
        folder = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
        if folder.is_dir() and may(folder, os.W_OK | os.X_OK):
            yield Check(Layer.PERMISSION, True, f"Files can be made in {folder}.")
            return
        detail = f"No file can be made in {folder} by this process."
        steps = "Give the account that runs Ledgerline the right to write there, or name another path."
        yield self._failed(Layer.PERMISSION, Fault.PERMISSION_DENIED, detail, steps)

    @property
    def _is_remote(self) -> bool:
        """Whether it is reached by a name and a port that can be tried; else it is a socket, or several."""
        host = self.url.host
        return (
            bool(host) and not host.startswith("/") and "," not in host and not self.url.options.get("socket")
        )

    def _look_at_name(self) -> Iterator[Check]:
        if not self._is_remote:
            return
        host = self.url.host
        try:
            self._addresses = network.addresses(host)
        except (OSError, network.NoAnswer, UnicodeError) as error:
            is_silent = isinstance(error, network.NoAnswer)
            why = f"did not answer within {network.NAME_SECONDS:g} s" if is_silent else "knows no such name"
            detail = f"The name {host} could not be resolved: the name service {why}."
            yield self._failed(Layer.NAME, Fault.NAME_NOT_RESOLVED, detail)
            return
        is_address = self._addresses == [host]
        told = "is an address" if is_address else f"is {', '.join(self._addresses[:4])}"
        yield Check(Layer.NAME, True, f"{host} {told}.")
        if self.url.instance and self.url.port is None:
            yield self._look_for_instance()

    def _look_for_instance(self) -> Check:
        try:
            port = network.browse(self._addresses, self.url.instance)
        except OSError:
            detail = f"The SQL Server Browser of {self.url.host} did not answer at UDP 1434."
            return self._failed(Layer.NAME, Fault.INSTANCE_NOT_FOUND, detail)
        if port is None:
            detail = f"The SQL Server Browser of {self.url.host} knows no port of {self.url.instance}."
            return self._failed(Layer.NAME, Fault.INSTANCE_NOT_FOUND, detail)
        self.url = replace(self.url, port=port)
        return Check(Layer.NAME, True, f"The instance {self.url.instance} listens at port {port}.")

    def _look_at_port(self) -> Iterator[Check]:
        if not self._is_remote or self.url.effective_port is None:
            return
        port = self.url.effective_port
        try:
            address = network.connect(self._addresses, port)
        except ConnectionRefusedError:
            detail = f"{self._place} refused the connection: nothing listens at that port."
            yield self._failed(Layer.TCP, Fault.PORT_REFUSED, detail)
        except TimeoutError:
            detail = f"{self._place} did not answer within {network.TCP_SECONDS:g} s."
            yield self._failed(Layer.TCP, Fault.TIMEOUT, detail)
        except OSError as error:
            detail = f"{self._place} cannot be reached: {error.strerror or 'no reason given'}."
            yield self._failed(Layer.TCP, Fault.CANNOT_CONNECT, detail)
        else:
            yield Check(Layer.TCP, True, f"Port {port} of {address} is open.")

    # -- the server ------------------------------------------------------------------------------

    @property
    def database(self) -> Database:
        assert self._database is not None
        return self._database

    def _connect(self) -> Iterator[Check]:
        """Encryption, login and database: the driver does them in one, and says where it failed."""
        # An embedded one too is only read: opened for writing, it would be changed to another journal.
        embedded = self.url.engine is Engine.SQLITE
        read_only = embedded or not self.is_main
        self._database = quick_database(self.url, read_only=read_only, statement_ms=_STATEMENT_MS)
        try:
            network.within(2 * _CONNECT_SECONDS, self._measure)
        except LedgerlineError as error:
            yield from self._not_connected(error)
            return
        except network.NoAnswer:
            yield self._failed(Layer.TLS, Fault.TIMEOUT, self._explained(Fault.TIMEOUT, ""))
            return
        yield from self._passed(_UNDER_ALL_SERVERS)

    def _measure(self) -> None:
        """Connects, and takes the time of a round trip."""
        is_file = self.url.engine is Engine.SQLITE  # which is first read by a question about its content
        ask = "SELECT COUNT(*) FROM sqlite_master" if is_file else "SELECT 1"
        times = []
        with self.database.connect() as connection:
            for _ in range(_ROUND_TRIPS):
                begin = time.perf_counter()
                connection.exec_driver_sql(ask).all()
                times.append(time.perf_counter() - begin)
            self._wire = wire(connection, self.url)
        self.latency_ms = round(1000 * statistics.median(times), 2)

    def _not_connected(self, error: LedgerlineError) -> Iterator[Check]:
        layer, fault = connecting_fault(error)
        if layer in _UNDER_ALL_SERVERS:
            self._wire = "The server answers."
            yield from self._passed(_UNDER_ALL_SERVERS[: _UNDER_ALL_SERVERS.index(layer)])
        yield self._failed(layer, fault, self._explained(fault, self._told(error)), error.hint)

    def _told(self, error: LedgerlineError) -> str:
        if type(error) is DatabaseError:  # who looks after the service may know what it means
            _log.warning("%s said: %s", self.url.engine.product, error.detail)
        return error.public_detail

    def _passed(self, layers: Sequence[Layer]) -> Iterator[Check]:
        embedded = self.url.engine is Engine.SQLITE
        details = {
            Layer.TLS: self._wire,
            Layer.LOGIN: f"The login of {self._who} was accepted.",
            Layer.DATABASE: f"The database {self.url.database} is open.",
        }
        yield from (
            Check(layer, True, details[layer]) for layer in layers if layer is Layer.DATABASE or not embedded
        )

    @property
    def _who(self) -> str:
        if self.url.windows_auth:
            return "this process's Windows account"
        return f"user {self.url.user}" if self.url.user else "the user of this process"

    def _explained(self, fault: Fault, otherwise: str) -> str:
        seconds = self.url.connect_timeout or _CONNECT_SECONDS
        who = "This process" if self.url.engine is Engine.SQLITE else "The login"
        details: Mapping[Fault, str] = {
            Fault.CANNOT_CONNECT: f"{self._place} takes connections, but broke off when it was spoken to.",
            Fault.TOO_MANY_CONNECTIONS: f"{self._place} has no connection left to give.",
            Fault.TIMEOUT: f"{self._place} takes connections, but did not answer within {seconds} s.",
            Fault.CERTIFICATE_UNTRUSTED: f"The certificate of {self._place} is not trusted here.",
            Fault.ENCRYPTION_UNAVAILABLE: f"{self._place} does not encrypt, and encryption is asked for.",
            Fault.ENCRYPTION_REQUIRED: f"{self._place} lets nobody in without encryption.",
            Fault.KERBEROS_TICKET_MISSING: "Windows authentication found no Kerberos ticket to show.",
            Fault.LOGIN_FAILED: f"The server refused the login of {self._who}.",
            Fault.DATABASE_MISSING: f"The login may open no database {self.url.database} on {self._place}.",
            Fault.PERMISSION_DENIED: f"{who} may not open the database {self.url.database}.",
        }
        return details.get(fault, otherwise)

    # -- the main database -----------------------------------------------------------------------

    def _look_at_rights(self) -> Iterator[Check]:
        """A run makes staging tables, so the right to make tables is always needed."""
        with self.database.connect() as connection:
            missing = missing_rights(connection, self.url)
        yield from self._without_rights(missing)
        if not missing:
            yield Check(Layer.PERMISSION, True, "Tables can be made and written.")

    def _without_rights(self, missing: Mapping[str, str]) -> Iterator[Check]:
        if missing:
            detail = f"{self._who[:1].upper()}{self._who[1:]} may not {' or '.join(missing)}."
            steps = "\n".join(missing.values())
            yield self._failed(Layer.PERMISSION, Fault.PERMISSION_DENIED, detail, steps)

    def _look_at_revision(self) -> Iterator[Check]:
        at, newest = revision(self.database), newest_revision()
        if at == newest:
            yield Check(Layer.TABLE, True, f"The tables are at revision {at}, which is this version's.")
        elif not is_known(at):
            detail = f"The tables are at revision {at}, which this version does not know."
            yield self._failed(Layer.TABLE, Fault.TABLES_NEWER, detail)
        elif self.url.engine is Engine.SQLITE:
            yield Check(
                Layer.TABLE,
                True,
                f"The tables are at revision {at or 'none'}; they are updated by the next run.",
            )
        else:
            detail = f"The tables are at revision {at or 'none'}, this version needs {newest}."
            yield self._failed(Layer.TABLE, Fault.MIGRATION_NEEDED, detail)

    def _look_at_waiting(self) -> Iterator[Check]:
        """SQL Server alone has to be told that readers need not wait. It works without, so this is advice."""
        if self.url.engine is not Engine.SQLSERVER:
            return
        try:
            with self.database.connect() as connection:
                waits = readers_wait(connection)
        except DatabaseError:  # not all that speaks T-SQL tells it
            return
        if waits:
            yield reading_advice(self.url.database)

    def _look_at_speed(self) -> Iterator[Check]:
        yield Check(Layer.SPEED, True, f"A round trip takes {self.latency_ms:g} ms.")


def reading_advice(database: str) -> Check:
    statement = f"ALTER DATABASE {bracketed(database)} SET READ_COMMITTED_SNAPSHOT ON"
    return Check(
        Layer.SPEED,
        True,
        "Who reads waits for who writes, and the other way round: READ_COMMITTED_SNAPSHOT is off.",
        (
            f"Have its owner turn it on while nobody else is connected: {statement}",
            "Row versions then take some room in tempdb.",
        ),
    )


def quick_database(url: DatabaseUrl, *, read_only: bool, statement_ms: int = _GLANCE_MS) -> Database:
    """A database beside the application's own, with limits for a glance at it."""
    seconds = min(url.connect_timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
    limits = Limits(connections=1, acquire_ms=_GLANCE_MS, statement_ms=statement_ms)
    return Database(replace(url, connect_timeout=seconds), limits, read_only=read_only)
