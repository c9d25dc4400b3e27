"""A whole installation for a test: an invoice database, a main database, and what happens between them.

After every run the account is checked twice: that its classes add up, and that each of them is what the
tables themselves say happened, worked out here in another way than the run does.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from ledgerline.app import App
from ledgerline.contacts.texts import storable
from ledgerline.databases import reports, runs
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Limits
from ledgerline.databases.runs import Run
from ledgerline.databases.schema import COUNTS, BigInt, activity, metadata
from ledgerline.documents import reject_document
from ledgerline.ingest import run as ingestion
from ledgerline.ingest.scope import Wanted
from ledgerline.ingest.undo import Undone
from ledgerline.settings import load_settings
from ledgerline.sources.invoice import InvoiceSource
from ledgerline.url import DatabaseUrl, Engine, parse_any
from tests.postgres import PostgresServer
from tests.servers import create_on_sqlserver, drop_from_sqlserver

Row: TypeAlias = Mapping[str, Any]


COLUMNS = (
    "contactid",
    "customerid",
    "contact_person_name",
    "contact_no",
    "designation",
    "contact_person_email",
    "added_by",
    "status",
    "del_sts",
)

# Tables that tell of the run itself; every other stays as it is when nothing has changed.
_OF_RUNS = {"ingestion_runs", "partition_receipts", "leases", "source_states", "installation"}
_NO_CONTENT = {"payload_hash", "run_id", "contact_id", "match_rule", "match_partner", "match_score"}
_serial = itertools.count()


class Watcher:
    """Sees a run's progress; `stages` is what it saw."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def progress(self, stage: str, done: int, total: int, rows: int) -> None:
        self.stages.append(stage)


def contact(
    contactid: Any, name: str | None, phone: Any = None, email: Any = None, **others: Any
) -> dict[str, Any]:
    """A row of the invoice table, active if nothing else is said."""
    row = dict.fromkeys(COLUMNS)
    given = {"contactid": contactid, "contact_person_name": name, "contact_no": phone}
    return {**row, **given, "contact_person_email": email, "status": "APP", "del_sts": "N", **others}


class Installation:
    """An invoice database and a main database on one kind of server, both empty at first."""

    def __init__(
        self, engine: str, folder: Path, postgres: PostgresServer | None = None, **settings: str
    ) -> None:
        self.engine = engine
        urls = dict(_new_databases(engine, folder, postgres))
        self.environ = {**urls, **settings}
        self._folder = folder

    def drop(self) -> None:
        """Take it away where it would outlive the tests. A test's own house is, when the test ends."""
        if self.engine == "sqlserver":
            for variable in ("DATABASE_URL", "INVOICE_DATABASE_URL"):
                drop_from_sqlserver(parse_any(self.environ[variable]).database)

    @property
    def settings(self) -> Any:
        return load_settings(self.environ, folder=self._folder / "no-env-files-here")

    # -- the invoice database ------------------------------------------------------------------------

    def write_invoice(
        self,
        rows: Iterable[Row],
        customers: Mapping[Any, str] | None = None,
        *,
        key: sa.types.TypeEngine[Any] = BigInt,
        primary_key: bool = True,
        types: Mapping[str, sa.types.TypeEngine[Any]] | None = None,
        names: Mapping[str, str] | None = None,
        further: Sequence[sa.Column[Any]] = (),
    ) -> None:
        """Make the invoice's tables and fill them. `names` gives columns other names, `types` other types."""
        rows, names, types = list(rows), names or {}, types or {}
        table = sa.Table(
            self._named("customer_contacts"),
            sa.MetaData(schema=self._schema),
            *(
                sa.Column(
                    names.get(name, name),
                    types.get(name, key if name == "contactid" else sa.UnicodeText()),
                    primary_key=primary_key and name == "contactid",
                    autoincrement=False,
                )
                for name in COLUMNS
            ),
            *further,
        )
        with self._invoice() as database:
            if self._schema is not None:
                with database.begin() as connection:
                    if self._schema not in sa.inspect(connection).get_schema_names():
                        connection.execute(sa.schema.CreateSchema(self._schema))
            with database.begin() as connection:
                table.create(connection)
                if rows:
                    renamed = [{names.get(name, name): value for name, value in row.items()} for row in rows]
                    connection.execute(table.insert(), renamed)
        if customers is not None:
            self.write_customers(customers)

    def write_customers(self, customers: Mapping[Any, str]) -> None:
        table = sa.Table(
            "customers",
            sa.MetaData(schema=self._schema),
            sa.Column("customerid", sa.UnicodeText),
            sa.Column("customer_name", sa.UnicodeText),
        )
        with self._invoice() as database, database.begin() as connection:
            table.create(connection)
            rows = [{"customerid": str(key), "customer_name": name} for key, name in customers.items()]
            if rows:
                connection.execute(table.insert(), rows)

    def change(self, sql: str, **values: Any) -> None:
        """Run a statement on the invoice database; `{contacts}` and `{customers}` are its tables."""
        tables = {"contacts": self._qualified("customer_contacts"), "customers": self._qualified("customers")}
        with self._invoice() as database, database.begin() as connection:
            connection.execute(sa.text(sql.format(**tables)), values)

    def add(self, *rows: Row) -> None:
        """Insert rows into the invoice table (with its default column names)."""
        for row in rows:
            names = ", ".join(row)
            self.change(
                f"INSERT INTO {{contacts}} ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row
            )

    def update(self, contactid: Any, **values: Any) -> None:
        """Change columns of one row."""
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        self.change(f"UPDATE {{contacts}} SET {assignments} WHERE contactid = :key", key=contactid, **values)

    def delete(self, *contactids: Any) -> None:
        for contactid in contactids:
            self.change("DELETE FROM {contacts} WHERE contactid = :key", key=contactid)

    @property
    def _schema(self) -> str | None:
        return None if self.engine == "sqlite" else "dbo_user_new"

    def _named(self, table: str) -> str:
        return self.settings.invoice_table.table.name if table == "customer_contacts" else table

    def _qualified(self, table: str) -> str:
        return f"{self._schema}.{self._named(table)}" if self._schema else self._named(table)

    @contextmanager
    def _invoice(self) -> Iterator[Database]:
        with _looked_into(self.settings.invoice.url) as database:
            yield database

    # -- runs ----------------------------------------------------------------------------------------

    def ingest(
        self,
        *,
        partition_rows: int | None = None,
        cancel: ingestion.Cancel | None = None,
        watcher: ingestion.Watcher | None = None,
        wanted: Wanted | None = None,
        resume: bool = False,
        check: bool = True,
        **settings: str,
    ) -> Run:
        """One run, as the application does it; its account is checked. `settings` are kept.

        check  also that contacts say what their records say, which those that a person edited do not
        """
        self.environ.update(settings)
        before = self._records() if self._has_tables() else {}
        with self.app() as app:
            app.migrate()
            source = InvoiceSource(app.invoice, app.settings.invoice_table)
            options = ingestion.Options(
                app.settings.default_country_code,
                partition_rows,
                wanted=wanted or Wanted(),
                resume=resume,
            )
            try:
                run = ingestion.ingest(
                    app.main, source, options, watcher or Watcher(), cancel or ingestion.Cancel()
                )
            finally:
                source.close()
        check_account(self, run, before)
        if check:
            check_tables(self, run)
        return run

    def undo(self, run: Run, *, strict: bool = False) -> Undone:
        with self.app() as app:
            return app.undo(run.id, strict=strict)

    @contextmanager
    def app(self) -> Iterator[App]:
        app = App(self.settings)
        try:
            yield app
        finally:
            app.close()

    # -- what is there afterwards ----------------------------------------------------------------------

    def contacts(self, *, inactive: bool = False) -> list[dict[str, Any]]:
        """The contacts as they are exported, in the order of their ids."""
        with self.app() as app:
            pages = list(reports.export_contacts(app.main, inactive=inactive))
        return [document for page in pages for document in page.to_dicts()]

    def by_record(self) -> dict[str, dict[str, Any]]:
        """The exported contact of each live source record."""
        return {record: document for document in self.contacts() for record in document["sourceRecordIds"]}

    def rejects(self, run: Run) -> list[dict[str, Any]]:
        """The rows that a run rejected anew."""
        with self.app() as app:
            return [reject_document(row) for row in reports.open_rejects(app.main, run.id)]

    def rejects_of(self, run: Run) -> list[dict[str, Any]]:
        return [row for row in self.table("rejects") if row["run_id"] == run.id]

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        with self.main() as main:
            return runs.latest(main, limit=1000)[::-1]

    def open_rejects(self) -> list[dict[str, Any]]:
        return [row for row in self.table("rejects") if row["resolved_run"] is None]

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table of the main database, in the order of its primary key."""
        table = metadata.tables[name]
        with self.main() as database, database.connect() as connection:
            query = sa.select(table).order_by(*table.primary_key.columns)
            return [dict(row) for row in connection.execute(query).mappings()]

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every table of the main database, but for those that tell of the runs themselves."""
        return {name: self.table(name) for name in metadata.tables if name not in _OF_RUNS}

    def table_names(self) -> set[str]:
        with self.main() as database, database.connect() as connection:
            return set(sa.inspect(connection).get_table_names())

    def _has_tables(self) -> bool:
        return "source_records" in self.table_names()

    @contextmanager
    def main(self) -> Iterator[Database]:
        url = self.settings.main.url
        if url.engine is Engine.SQLITE:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        with _looked_into(url) as database:
            yield database

    def _as_read(self, value: Any) -> str | None:
        if isinstance(value, UUID) and self.engine == "sqlserver":
            return str(value).upper()  # as it casts them
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return None if text is None else storable(str(text))

    def _records(self) -> dict[str, dict[str, Any]]:
        return {row["source_record_id"]: row for row in self.table("source_records")}

    def source_rows(self) -> list[tuple[str | None, bool]]:
        """(key as text, is active) of each row of the invoice table, in no order."""
        layout = self.settings.invoice_table
        names = [layout.columns["id"], *(column for column, _ in layout.active)]
        bytewise = 'CAST("{}" AS BLOB)' if self.engine == "sqlite" else '"{}"'  # also what is no text
        with self._invoice() as database, database.connect() as connection:
            there = database.columns(self._named("customer_contacts"), self._schema)
            spelt = {name.casefold(): name for name in there}
            columns = ", ".join(bytewise.format(spelt[name.casefold()]) for name in names)
            query = f"SELECT {columns} FROM {self._qualified('customer_contacts')}"
            rows = [[self._as_read(value) for value in row] for row in connection.exec_driver_sql(query)]
        wanted = [value for _, value in layout.active]
        return [(key, [(value or "").strip().upper() for value in values] == wanted) for key, *values in rows]


_KEPT = 4
_looked: dict[DatabaseUrl, Database] = {}


@contextmanager
def _looked_into(url: DatabaseUrl) -> Iterator[Database]:
    """What is known of a server is kept, for it is asked for many times; SQL Server's connections as well,
    for to connect takes long there."""
    database = _looked.pop(url, None) or Database(url, Limits())
    _looked[url] = database
    while len(_looked) > _KEPT:
        _looked.pop(next(iter(_looked))).close()
    try:
        yield database
    finally:
        if url.engine is not Engine.SQLSERVER:
            database.close_pool()


def _new_databases(engine: str, folder: Path, postgres: PostgresServer | None) -> Iterator[tuple[str, str]]:
    number = next(_serial)
    for variable, name in (("DATABASE_URL", "main"), ("INVOICE_DATABASE_URL", "invoice")):
        if engine == "sqlite":
            (folder / f"house{number}").mkdir(exist_ok=True)
            yield variable, f"sqlite:///{(folder / f'house{number}' / name).as_posix()}.db"
        elif engine == "postgresql":
            assert postgres is not None
            yield variable, postgres.create_database(f"house_{number}_{name}")
        else:
            yield variable, create_on_sqlserver(f"house_{os.getpid()}_{number}_{name}").render(mask=False)


# -- the account, worked out again ---------------------------------------------------------------------


def check_account(house: Installation, run: Run, before: Mapping[str, Row]) -> None:
    """Every class of a run's account, from the invoice's rows and what its main database held and holds.

    How many rows did not change among those that an incremental run read, only the run itself knows.
    """
    counts = dict(run.counts)
    assert run.status == "succeeded"
    assert set(counts) == set(COUNTS)
    assert counts["fetched"] == sum(
        count for name, count in counts.items() if name not in ("fetched", "vanished")
    ), counts
    after = house._records()
    there = {key for key, _ in house.source_rows() if key is not None}
    rows = house.source_rows()
    refused = {row["source_record_id"] for row in house.open_rejects() if not row["key_fault"]}
    live_before = {key for key, row in before.items() if row["is_live"]}
    live_after = {key for key, row in after.items() if row["is_live"]}
    ended = live_before - live_after
    withdrawn, vanished = ended & there, ended - there
    known = live_after & set(before) - refused
    changed = {key for key in known if _content(before[key]) != _content(after[key])}
    created = [row for row in house.table("contacts") if row["created_run"] == run.id]
    told = set(COUNTS) if run.since is None else {"inserted", "updated", "merged", "withdrawn", "vanished"}
    assert {name: counts[name] for name in told} == {
        name: count
        for name, count in {
            "fetched": len(rows),
            "inserted": len(created),
            "updated": len(changed),
            "unchanged": len(known - changed),
            "merged": len(set(after) - set(before)) - len(created),
            "rejected": len(house.open_rejects()),
            "withdrawn": len(withdrawn),
            "inactive": sum(not is_active for _, is_active in rows) - len(withdrawn),
            "vanished": len(vanished),
        }.items()
        if name in told
    }


def _content(record: Row) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in _NO_CONTENT}


# -- what must hold after every run ----------------------------------------------------------------------


def check_tables(house: Installation, run: Run | None = None) -> None:
    """Each live source row is in one contact or in the rejects; contacts say what their records say.

    run  the last one, by which the main database is to know every row of the source
    """
    contacts = {row["id"]: row for row in house.table("contacts")}
    records = house.table("source_records")
    live = [record for record in records if record["is_live"]]
    if run is not None:
        _check_rows(house, live, deleted_too=run.reconciles)
    _check_redirects(house, contacts, records)
    of_contact: dict[int, list[Row]] = defaultdict(list)
    for record in live:
        of_contact[record["contact_id"]].append(record)
    active = {key for key, row in contacts.items() if row["is_active"]}
    assert active == set(of_contact)
    owners = {row["id"]: row["name"] for row in house.table("owners")}
    points, further_owners = _details(house)
    for key, members in of_contact.items():
        row = contacts[key]
        for kind, best, further, own in (
            ("EMAIL", "email", "further_emails", "email"),
            ("PHONE", "mobile_e164", "further_phones", "phone"),
        ):
            said = {value for m in members for value in (m[own], *(m[further] or "").split()) if value}
            kept = [value for value in (row[best], *points[key, kind]) if value is not None]
            assert len(kept) == len(set(kept))
            assert set(kept) == said, (row, members)
        kept_owners = [
            owners[owner] for owner in (row["owner_id"], *further_owners[key]) if owner is not None
        ]
        assert len(kept_owners) == len(set(kept_owners))
        assert set(kept_owners) == {m["owner"] for m in members} - {None}
        for field in ("name", "company_name", "designation", "relationship_type"):
            assert row[field] in {m[field] for m in members}
    assert not {name for name in house.table_names() if name not in metadata.tables} - {
        "alembic_version",
        *activity.tables,
    }
    assert all(lease["holder"] is None for lease in house.table("leases"))


def _check_rows(house: Installation, live: Sequence[Row], *, deleted_too: bool) -> None:
    rows = house.source_rows()
    rejects = house.open_rejects()
    keyed = Counter(key for key, _ in rows if key is not None)
    active = {key for key, is_active in rows if is_active and key is not None and len(key) <= 200}
    known = Counter(record["source_record_id"] for record in live)
    refused = Counter(row["source_record_id"] for row in rejects if not row["key_fault"])
    assert max(known.values(), default=1) == max(refused.values(), default=1) == 1
    assert active <= set(known) | set(refused)
    assert not deleted_too or active == set(known) | set(refused)
    faults = [row for row in rejects if row["key_fault"]]
    assert all(
        row["source_record_id"] is None
        or len(row["source_record_id"]) > 200
        or keyed[row["source_record_id"]] > 1
        for row in faults
    )


def _check_redirects(house: Installation, contacts: Mapping[int, Row], records: Sequence[Row]) -> None:
    redirects = {key for key, row in contacts.items() if row["merged_into"] is not None}
    for key in redirects:
        target = contacts[contacts[key]["merged_into"]]
        assert target["merged_into"] is None
        assert target["id"] < key
        assert not contacts[key]["is_active"]
    assert redirects.isdisjoint(record["contact_id"] for record in records)
    for table in ("contact_points", "contact_owners"):
        assert redirects.isdisjoint(row["contact_id"] for row in house.table(table))


def _details(house: Installation) -> tuple[Mapping[tuple[int, str], list[str]], Mapping[int, list[int]]]:
    points: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in house.table("contact_points"):
        points[row["contact_id"], row["kind"]].append(row["value"])
        assert row["position"] == len(points[row["contact_id"], row["kind"]])
    owners: dict[int, list[int]] = defaultdict(list)
    for row in sorted(house.table("contact_owners"), key=lambda row: (row["contact_id"], row["position"])):
        owners[row["contact_id"]].append(row["owner_id"])
        assert row["position"] == len(owners[row["contact_id"]])
    return points, owners
