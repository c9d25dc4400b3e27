"""The invoice database as a source of contacts: column mapping, active rows, key ranges.

The database belongs to somebody else. It is only read, in short statements over ranges of its key, in
read-only sessions with lock and statement timeouts; nothing waits in it while we work.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import sqlalchemy as sa

from ledgerline.contacts.model import RAW
from ledgerline.databases.database import Database
from ledgerline.databases.engines import ChangeKind, Server, in_lots
from ledgerline.errors import ColumnMissing, DatabaseError, TableMissing
from ledgerline.settings import InvoiceTable, TableName
from ledgerline.sources import TEXT_KEYS, Key, Partition, Reading
from ledgerline.sources.changes import FIRST_MOMENT, Described, Tracked, tracked
from ledgerline.sources.watermark import (
    Clock,
    Mark,
    Watermark,
    certain_until,
    moment,
    time_mark,
    version_mark,
    went_back,
)
from ledgerline.url import Engine

SYSTEM = "INVOICE"
_CONTACTS, _CUSTOMERS = "contacts", "customers"
_DECIMALS = (sa.Numeric, sa.Float)  # neither is a kind of the other
_ACTIVE = "INVOICE_ACTIVE, or leave it empty: then every row counts"
# Seconds to wait for open transactions to end: with a watermark to fall back on, and without.
_PATIENCE, _FIRST_PATIENCE, _GLANCE = 0.25, 2.0, 0.02
_LARGEST = 2**63 - 1  # as an integer; keys beyond it, which MySQL may have, are text here
_FEW_NAMES = 100  # of customers are noted with a watermark
_FEW_CUSTOMERS = 5_000  # are named one by one; of more the server looks for the rows once again


class InvoiceSource:
    """`[dbo_user_new].[customer_contacts]` or what stands for it. See `sources.Source`."""

    system = SYSTEM

    def __init__(self, database: Database, layout: InvoiceTable) -> None:
        self._database = database
        self._layout = layout
        contacts = self._described(layout.table, "INVOICE_TABLE to where the contacts are")
        self._table = contacts.table
        self._id = self._column("id")
        self._customers = self._find_customers()
        self._tracked = tracked(database.server, contacts, layout.updated_column)
        self._contacts = contacts
        self._may_lack_keys = self._id.name in contacts.nullable
        self.integer_keys = self._has_integer_keys()  # the first rows read: all tables are described by now
        self.layout = self._fingerprint()
        self._companies: pl.DataFrame | None = None
        self._lock = threading.Lock()
        self._renamed: dict[str, bool] = {}  # watermark → whether a customer changed since

    # -- what is there -------------------------------------------------------------------------

    def _described(self, name: TableName, setting: str) -> Described:
        schema = name.schema if self._database.url.engine.has_schemas else None
        columns = self._database.columns(name.name, schema)
        if not columns:
            raise TableMissing(
                f"The invoice database has no table {name.render(schema=schema is not None)}.",
                hint=f"Set {setting}, and check the login's rights on it.",
            )
        table = sa.table(name.name, *[sa.column(c, d["type"]) for c, d in columns.items()], schema=schema)
        nullable = frozenset(name for name, told in columns.items() if told["nullable"])
        described = Described(table, nullable, partial(self._database.indexes, name.name, schema))
        if self._database.url.engine is Engine.SQLITE:
            _ = described.indexes  # asked for now: later on, the file is open for reading alone
        return described

    @property
    def unique_keys(self) -> bool:
        return self._contacts.is_unique(self._id.name)

    def _column(self, role: str) -> sa.ColumnElement[Any]:
        name = self._layout.columns[role]
        return _find(self._table, [name], f"INVOICE_COLUMNS ({role}=…)")

    def _has_integer_keys(self) -> bool:
        if not isinstance(self._id.type, sa.Integer):
            return False
        if isinstance(self._id.type, sa.BigInteger) and getattr(self._id.type, "unsigned", False):
            larger = sa.select(sa.literal(1)).where(self._id > _LARGEST).limit(1)
            return self._database.read(larger.select_from(self._table)).is_empty()
        if self._database.url.engine is not Engine.SQLITE:
            return True
        # A column that SQLite calls INTEGER may hold anything, unless it stands for the row's own number.
        if self._is_rowid():
            return True
        other = sa.select(sa.literal(1)).where(sa.func.typeof(self._id).not_in(["integer", "null"])).limit(1)
        return self._database.read(other.select_from(self._table)).is_empty()

    def _is_rowid(self) -> bool:
        """Whether SQLite keeps no index for the primary key, because it is the number of the row itself."""
        columns = sa.func.pragma_table_info(self._table.name).table_valued("name", "pk")
        indexes = sa.func.pragma_index_list(self._table.name).table_valued("origin")
        keys = self._texts(sa.select(columns.c.name).where(columns.c.pk > 0))
        of_key = self._texts(sa.select(indexes.c.origin).where(indexes.c.origin == "pk"))
        return keys["name"].to_list() == [self._id.name] and of_key.is_empty()

    def _find_customers(self) -> _Customers | None:
        """The table of company names, or None where there is none."""
        wanted = self._layout.customers
        try:
            described = self._described(wanted.table, "INVOICE_CUSTOMERS_TABLE to where companies are named")
        except TableMissing:
            if wanted.required:
                raise
            return None
        customer_id = _find(described.table, [wanted.id_column], "INVOICE_CUSTOMERS_COLUMNS (id=…)")
        name = _find(described.table, wanted.name_columns, "INVOICE_CUSTOMERS_COLUMNS (name=…)")
        is_sqlite = self._database.url.engine is Engine.SQLITE
        has_integers = isinstance(customer_id.type, sa.Integer) and not is_sqlite
        changes = tracked(self._database.server, described, None)
        return _Customers(customer_id, name, changes, has_integers, padding_counts=is_sqlite)

    def _fingerprint(self) -> str:
        """Of the place, the mapping, the update columns, and whether keys are integers."""
        url, customers = self._database.url, self._customers
        parts = [
            [url.engine.value, url.host, url.instance, url.effective_port, url.database, url.schema],
            [self._layout.table.render(), sorted(self._layout.columns.items()), self._layout.active],
            _told(self._tracked),
            self._layout.customers.table.render(),
            [] if customers is None else [customers.id.name, customers.name.name, *_told(customers.tracked)],
        ]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
        return digest if self.integer_keys else digest[: -len(TEXT_KEYS)] + TEXT_KEYS

    # -- what changed ----------------------------------------------------------------------------

    def begin(self, watermark: str | None) -> Reading:
        before = Watermark.parse(watermark)
        first = self._clock()
        newest = {table: self._newest(column, first) for table, column in self._columns().items()}
        last = self._settled(first, _FIRST_PATIENCE if before is None else _PATIENCE)
        if before is None:
            self._database.expect_reading()  # after the clock, which would tell of its transaction
        until = certain_until(first, last, before)
        marks = {
            table: version_mark(first)
            if column.kind is ChangeKind.VERSION
            else time_mark(last, until, newest[table], None if before is None else before.marks.get(table))
            for table, column in self._columns().items()
        }
        if self._customers is not None and self._customers.tracked is None:
            marks[_CUSTOMERS] = Mark(self._names_fingerprint())
        if before is not None and not self._can_go_on(first, before, marks):
            before = None
        unique = self.unique_keys and (before is None or before.unique)
        names = self._names_since(marks.get(_CUSTOMERS))
        reached = Watermark(first.utc, first.open or frozenset(), marks, unique, names)
        if before is None:
            return Reading(None, reached.text(), tuple(self._advice(marks)))
        since = before.going_on(self._names_since(before.marks.get(_CUSTOMERS)))
        if since.renamed != () and self._cannot_find_renamed():
            return Reading(None, reached.text())
        return Reading(replace(since, unique=unique).text(), reached.text())

    def _columns(self) -> dict[str, Tracked]:
        """The tables that tell when a row was changed."""
        customers = self._customers.tracked if self._customers is not None else None
        both = {_CONTACTS: self._tracked, _CUSTOMERS: customers}
        return {table: column for table, column in both.items() if column is not None}

    def _clock(self) -> Clock:
        server = self._database.server
        versions = any(column.kind is ChangeKind.VERSION for column in self._columns().values())
        try:
            told = self._few_texts(server.clock(versions=versions))
        except DatabaseError as error:
            if not versions or error.retryable:
                raise
            told = self._few_texts(server.clock())  # who may still commit one, it does not say
        return Clock.of(told.row(0, named=True))

    def _settled(self, first: Clock, patience: float) -> Clock:
        """The clock when all has ended that was open at first, or as it is after some seconds."""
        end = time.monotonic() + patience
        while not (last := self._clock()).is_quiet_since(first.open) and time.monotonic() < end:
            time.sleep(_GLANCE)
        return last

    def _newest(self, tracked: Tracked, clock: Clock) -> datetime | None:
        """The newest time of a row, but for those that lie far ahead or back: mistyped, or meant as never."""
        if tracked.kind is ChangeKind.VERSION:
            return None
        server = self._database.server
        column = tracked.column
        ahead = server.instant(column, max(clock.utc, clock.local) + timedelta(days=1))
        newest = sa.select(server.as_text(sa.func.max(column, type_=column.type)).label("newest"))
        rows = newest.select_from(tracked.described.table).where(
            column < ahead, column >= server.instant(column, FIRST_MOMENT)
        )
        return moment(_scalar(self._few_texts(rows)))

    def _can_go_on(self, clock: Clock, before: Watermark, marks: Mapping[str, Mark]) -> bool:
        if self._tracked is None or set(before.marks) != set(marks):
            return False
        names = None if _CUSTOMERS in self._columns() else _CUSTOMERS
        if names is not None and before.marks.get(names) != marks.get(names):
            return False
        known = [before.marks[table] for table in self._columns()]
        return all(mark.base is not None and not went_back(clock, mark) for mark in known)

    def _advice(self, marks: Mapping[str, Mark]) -> Iterator[str]:
        for table, column in self._columns().items():
            if advice := column.advice():
                yield advice
            if marks[table].base is None:
                yield (
                    f"How far {column.column.name} can be trusted is not known: a transaction stays open, the"
                    f" database is a copy that is only read, or {column.name} has no value there yet."
                    " The next run reads everything again."
                )

    def _names_since(self, mark: Mark | None) -> dict[str, str] | None:
        """What the customers say that changed since, by id: names and times, hashed. None: they are too many.

        The times too: of a name that went and came back, rows may have been read between.
        """
        customers = self._customers
        if customers is None or customers.tracked is None or mark is None or mark.base is None:
            return None
        server, overlap = self._database.server, self._layout.overlap
        changed = customers.tracked.changed(server, mark, overlap, customers.tracked.described.table)
        when = server.as_text(customers.tracked.column).label("changed_at")
        query = customers.query(server).add_columns(when).where(changed).limit(_FEW_NAMES + 1)
        rows = self._few_texts(query)
        if rows.height > _FEW_NAMES:
            return None
        told: dict[str, list[str]] = {}  # more than one, where an id is not unique
        for key, *said in rows.iter_rows():
            told.setdefault(key, []).append(json.dumps(said))
        return {
            key: hashlib.sha256("\0".join(sorted(each)).encode()).hexdigest()[:16]
            for key, each in told.items()
        }

    def _names_fingerprint(self) -> str:
        """Of all company names, where no column tells which of them changed."""
        names = self._company_names().sort("customer_id").write_csv()
        return hashlib.sha256(names.encode()).hexdigest()[:32]

    def _cannot_find_renamed(self) -> bool:
        """Whether customers may be renamed whose contacts no condition finds: 2.00 and 2 differ as text."""
        customers, customer_id = self._customers, self._column("customer_id")
        if customers is None or customers.tracked is None or customers.is_like(customer_id):
            return False
        return customers.has_decimals(customer_id) or customers.has_padding(customer_id)

    def _changed(self, since: str) -> sa.ColumnElement[bool]:
        return sa.or_(*self._changes(since))

    def _changes(self, since: str) -> list[sa.ColumnElement[bool]]:
        """That a row changed, or its company did; of rows that share a key, that any of them did.

        Conditions of which a row meets one or none: an index alone can count each.
        """
        watermark = Watermark.parse(since)
        assert watermark is not None and self._tracked is not None
        is_renamed = self._is_renamed(since, watermark)
        table = self._table if watermark.unique and not is_renamed else self._table.alias("changed")
        mark = watermark.marks[_CONTACTS]
        own = self._tracked.changes(self._database.server, mark, self._layout.overlap, table)
        if table is self._table:
            return own
        keys = sa.select(table.c[self._id.name])
        if not is_renamed:
            return [self._id.in_(keys.where(sa.or_(*own)))]
        customer_id = table.c[self._column("customer_id").name]
        of_renamed = self._of_customers(customer_id, self._renamed_customers(watermark))
        return [self._id.in_(sa.union(keys.where(sa.or_(*own)), keys.where(of_renamed)))]

    def _is_renamed(self, since: str, watermark: Watermark) -> bool:
        """Whether any customer changed; asked once."""
        with self._lock:
            if since not in self._renamed:
                customers = self._customers
                found = customers is not None and customers.tracked is not None
                if found and watermark.renamed is not None:
                    found = bool(watermark.renamed)
                elif found:
                    one = self._renamed_customers(watermark).limit(1)
                    found = not self._database.read_few(one).is_empty()
                self._renamed[since] = found
            return self._renamed[since]

    def _renamed_customers(self, watermark: Watermark) -> sa.Select[Any]:
        assert self._customers is not None and self._customers.tracked is not None
        tracked = self._customers.tracked
        table = tracked.described.table
        mark = watermark.marks[_CUSTOMERS]
        server, key = self._database.server, self._customers.id
        changed = tracked.changed(server, mark, self._layout.overlap, table)
        query = sa.select(key.label("customer_id")).where(changed)
        if watermark.renamed is None:
            return query
        renamed = [server.as_text(sa.literal(value)) for value in watermark.renamed]
        return query.where(server.as_text(key).in_(renamed))

    def _of_customers(
        self, customer_id: sa.ColumnElement[Any], customers: sa.Select[Any]
    ) -> sa.ColumnElement[bool]:
        """That the customer of a contact is among these; compared as text where their types differ."""
        assert self._customers is not None
        if self._customers.is_like(customer_id):
            return customer_id.in_(customers)
        text = self._database.server.as_text
        (column,) = customers.selected_columns
        return text(customer_id).in_(customers.with_only_columns(text(column)))

    # -- ranges ----------------------------------------------------------------------------------

    def partitions(self, rows: int, since: str | None = None) -> Iterator[Partition]:
        """See `Source.partitions`. Of few changed rows there is one range, without any question of order."""
        number, offset = 0, 0
        changes = [] if since is None else self._changes(since)
        changed = [sa.or_(*changes)] if changes else []
        left = sum(self._count(self._id.is_not(None), change) for change in changes) if changes else None
        lower: Key | None = None
        while (left is None or left > rows) and (upper := self._key_after(lower, rows, changed)) not in (
            None,
            lower,
        ):
            yield Partition(number, offset, rows, lower, upper, since=since)
            number, offset, lower = number + 1, offset + rows, upper
            left = None if left is None else left - rows
        if left is None:
            left = self._count(*self._within(lower, None))
        if since is None or left > 0 or number > 0:
            yield Partition(number, offset, max(left, 0), lower, since=since)
            number, offset = number + 1, offset + max(left, 0)
        if since is None or self._may_lack_keys:
            yield Partition(number, offset, self._count(self._id.is_(None)), without_key=True)

    def _key_after(
        self, lower: Key | None, rows: int, changed: Sequence[sa.ColumnElement[bool]]
    ) -> Key | None:
        """The key of the last of the next `rows` rows, or None when there are not so many.

        A key that does not come out as it is stored is no bound; what is left is then one range.
        """
        step = sa.select(self._key().label("key")).select_from(self._table)
        step = step.where(*self._within(lower, None), *changed)
        key: Key | None = _scalar(self._database.read(step.order_by(self._id).offset(rows - 1).limit(1)))
        return None if isinstance(key, str) and re.search("[\\0\ufffd]", key) else key

    def halves(self, partition: Partition) -> tuple[Partition, Partition] | str | None:
        if partition.without_key:
            return None
        changed = [] if partition.since is None else [self._changed(partition.since)]
        within = [*self._within(partition.lower, partition.upper), *changed]
        count = self._count(*within)
        first = self._key_after(partition.lower, 1, changed)
        middle = self._key_after(partition.lower, max(count // 2, 1), changed)
        if first is None or middle is None or count == 0:
            return None
        if self._count(*self._within(partition.lower, first), *changed) == count:
            return str(first)
        if self._count(*self._within(partition.lower, middle), *changed) == count:
            middle = first  # all behind the first have one key
        return replace(partition, upper=middle), replace(partition, lower=middle)

    def _key(self) -> sa.ColumnElement[Any]:
        return self._id if self.integer_keys else self._database.server.as_text(self._id)

    def _within(self, lower: Key | None, upper: Key | None) -> list[sa.ColumnElement[bool]]:
        """(lower, upper]."""
        above = self._id.is_not(None) if lower is None else self._id > self._bound(lower)
        return [above] if upper is None else [above, self._id <= self._bound(upper)]

    def _bound(self, key: Key) -> sa.ColumnElement[Any]:
        return sa.literal(key) if isinstance(key, int) else self._database.server.text(self._id, key)

    def _count(self, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count().label("rows")).select_from(self._table).where(*conditions)
        return int(_scalar(self._database.read_few(query)) or 0)

    def keys(self) -> pl.DataFrame:
        key = self._database.server.as_text(self._id).label("source_record_id")
        query = sa.select(key).select_from(self._table).where(self._id.is_not(None))
        return self._texts(query)

    # -- rows ------------------------------------------------------------------------------------

    def fetch(self, partition: Partition) -> pl.DataFrame:
        text = self._database.server.as_text
        columns = [
            text(self._column(role)).label(name)
            for role, name in (
                ("id", "source_record_id"),
                ("customer_id", "customer_id"),
                ("name", "name"),
                ("phone", "phone"),
                ("designation", "designation"),
                ("email", "email"),
                ("added_by", "owner"),
            )
        ]
        columns += [
            text(_find(self._table, [column], _ACTIVE)).label(f"active_{number}")
            for number, (column, _) in enumerate(self._layout.active)
        ]
        wanted: list[sa.ColumnElement[bool]] = (
            [self._id.is_(None)] if partition.without_key else self._within(partition.lower, partition.upper)
        )
        if partition.since is not None:
            wanted.append(self._changed(partition.since))
        query = sa.select(*columns).select_from(self._table).where(*wanted)
        texts = self._texts if partition.since is None else self._few_texts
        frame = self._with_company(texts(query), partition, wanted)
        return frame.with_columns(_is_active(self._layout.active)).select(
            pl.col(name).cast(dtype) for name, dtype in RAW.items()
        )

    def _texts(self, query: sa.Select[Any]) -> pl.DataFrame:
        """Columns of text; one without any value has no type of its own."""
        return self._database.read(query).select(pl.all().cast(pl.String))

    def _few_texts(self, query: sa.Select[Any]) -> pl.DataFrame:
        return self._database.read_few(query).select(pl.all().cast(pl.String))

    def _with_company(
        self, frame: pl.DataFrame, partition: Partition, wanted: Sequence[sa.ColumnElement[bool]]
    ) -> pl.DataFrame:
        if self._customers is None:
            return frame.with_columns(company=pl.lit(None, pl.String))
        few = partition.since is not None and self._companies is None
        frame = frame.with_columns(self._customer_id())
        companies = self._companies_of(frame["customer_id"], wanted) if few else self._company_names()
        if companies.schema["customer_id"] == pl.Int64:
            frame = frame.with_columns(_as_integer("customer_id"))
        return frame.join(companies, on="customer_id", how="left")

    def _company_names(self) -> pl.DataFrame:
        """Read once and joined here: a server would hash the whole table anew for each range."""
        with self._lock:
            if self._companies is None:
                assert self._customers is not None
                self._companies = self._names(self._texts, self._customers.query(self._database.server))
            return self._companies

    def _companies_of(self, ids: pl.Series, wanted: Sequence[sa.ColumnElement[bool]]) -> pl.DataFrame:
        """The names of the customers of these rows alone, which have these ids."""
        assert self._customers is not None
        customer_id = self._column("customer_id")
        if not self._customers.is_like(customer_id):
            return self._company_names()
        server = self._database.server
        query = self._customers.query(server)
        if self._customers.has_integers and (distinct := ids.unique()).len() <= _FEW_CUSTOMERS:
            numbers = distinct.cast(pl.Int64).drop_nulls().sort().to_list()
            lots = in_lots(numbers, server.named_at_once)
            wanted_ones = (query.where(server.is_among(self._customers.id, lot)) for lot in lots)
            return self._names(self._few_texts, *wanted_ones)
        of_rows = sa.select(customer_id).select_from(self._table).where(*wanted)
        return self._names(self._few_texts, query.where(self._customers.id.in_(of_rows)))

    def _names(
        self, texts: Callable[[sa.Select[Any]], pl.DataFrame], *queries: sa.Select[Any]
    ) -> pl.DataFrame:
        """[customer_id, company], one row a customer."""
        names = (
            pl.concat(map(texts, queries))
            .with_columns(self._customer_id())
            .sort("customer_id", "company", nulls_last=True)
            .unique("customer_id", keep="first")
        )
        numbered = names.with_columns(_as_integer("customer_id"))
        # A join on integers costs a quarter of one on text.
        return names if numbered["customer_id"].has_nulls() else numbered

    def _customer_id(self) -> pl.Expr:
        """The text of a customer's id: 2.00 is 2 where one of both tables has decimals, and the padding of a
        column of fixed length is no part of it."""
        assert self._customers is not None
        text, customer_id = pl.col("customer_id"), self._column("customer_id")
        if self._customers.has_padding(customer_id):
            text = text.str.strip_chars_end(" ")
        has_decimals = self._customers.has_decimals(customer_id)
        return text.str.replace(r"^(-?[0-9]+)[.]0+$", "${1}") if has_decimals else text

    def close(self) -> None:
        self._database.close()


@dataclass(frozen=True, slots=True)
class _Customers:
    """The table of company names."""

    id: sa.ColumnElement[Any]
    name: sa.ColumnElement[Any]
    tracked: Tracked | None
    has_integers: bool  # and nothing else; what SQLite calls INTEGER may hold anything
    padding_counts: bool  # where texts are compared: SQLite knows no columns of fixed length

    def query(self, server: Server) -> sa.Select[Any]:
        text = server.as_text
        columns = text(self.id).label("customer_id"), text(self.name).label("company")
        return sa.select(*columns).where(self.id.is_not(None))

    def is_like(self, customer_id: sa.ColumnElement[Any]) -> bool:
        """Whether a contact's customer can be compared with the id as they are."""
        if self.padding_counts and self.has_padding(customer_id):
            return False
        kinds = ((sa.Integer, *_DECIMALS), (sa.String,))
        return any(isinstance(self.id.type, k) and isinstance(customer_id.type, k) for k in kinds)

    def has_decimals(self, customer_id: sa.ColumnElement[Any]) -> bool:
        """Whether one of both tables may have them."""
        return any(isinstance(kind, _DECIMALS) for kind in (self.id.type, customer_id.type))

    def has_padding(self, customer_id: sa.ColumnElement[Any]) -> bool:
        """Whether one of both tables may fill ids up with blanks, and the other not to the same length."""
        kinds = (self.id.type, customer_id.type)
        lengths = {kind.length if isinstance(kind, sa.CHAR | sa.NCHAR) else None for kind in kinds}
        return len(lengths) > 1


def _told(tracked: Tracked | None) -> list[str]:
    return [] if tracked is None else [tracked.column.name, tracked.kind.value]


def _as_integer(name: str) -> pl.Expr:
    """The integer that a text says exactly, else null: `7`, but not `07`."""
    number = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(number.cast(pl.String) == pl.col(name)).then(number)


def _find(table: sa.TableClause, names: Sequence[str], setting: str) -> sa.ColumnElement[Any]:
    """The first of these columns that the table has, whatever the case of its letters."""
    by_name: Mapping[str, sa.ColumnElement[Any]] = {
        column.name.casefold(): column for column in table.columns
    }
    for name in names:
        if name.casefold() in by_name:
            return by_name[name.casefold()]
    have = ", ".join(column.name for column in table.columns)
    raise ColumnMissing(
        f"The table {table.name} has no column {' or '.join(names)}. It has: {have}.",
        hint=f"Name the right one in {setting}.",
    )


def _is_active(conditions: tuple[tuple[str, str], ...]) -> pl.Expr:
    """Compared as SQL Server does by default: neither case nor spaces at the ends matter."""
    tests = [
        pl.col(f"active_{number}")
        .fill_null("")  # a condition without a value: there is none
        .str.strip_chars()
        .str.to_uppercase()
        .eq_missing(pl.lit(value.strip().upper()))
        for number, (_, value) in enumerate(conditions)
    ]
    return (pl.all_horizontal(tests) if tests else pl.lit(True)).alias("is_active")


def _scalar(frame: pl.DataFrame) -> Any:
    return None if frame.is_empty() else frame.row(0)[0]
