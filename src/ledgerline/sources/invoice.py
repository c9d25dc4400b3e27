"""The invoice database as a source of contacts: column mapping, active rows, key ranges.

The database belongs to somebody else. It is only read, in short statements over ranges of its key, in
read-only sessions with lock and statement timeouts; nothing waits in it while we work.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa

from ledgerline.contacts.model import RAW
from ledgerline.databases.database import Database
from ledgerline.errors import ColumnMissing, TableMissing
from ledgerline.settings import InvoiceTable, TableName
from ledgerline.sources import Key, Partition
from ledgerline.url import Engine

SYSTEM = "INVOICE"
_SCHEMALESS = {Engine.SQLITE, Engine.MYSQL}
_COMPANIES_IN_MEMORY = 2_000_000  # about 60 bytes each; beyond it the server joins them


class InvoiceSource:
    """`[dbo_user_new].[customer_contacts]` or what stands for it. See `sources.Source`."""

    system = SYSTEM

    def __init__(self, database: Database, layout: InvoiceTable) -> None:
        self._database = database
        self._layout = layout
        self._table = self._described(layout.table)
        self._id = self._column("id")
        self._customers = self._find_customers()
        self.integer_keys = self._has_integer_keys()  # the first rows read: all tables are described by now
        self._companies: pl.DataFrame | None = None
        self._companies_lock = threading.Lock()

    # -- what is there -------------------------------------------------------------------------

    def _described(self, name: TableName) -> sa.TableClause:
        schema = None if self._database.url.engine in _SCHEMALESS else name.schema
        if not self._database.has_table(name.name, schema):
            raise TableMissing(
                f"The invoice database has no table {name.render(schema=schema is not None)}.",
                hint="Set INVOICE_TABLE to where the contacts are, and check the login's rights on it.",
            )
        columns = self._database.columns(name.name, schema)
        return sa.table(name.name, *[sa.column(c, d["type"]) for c, d in columns.items()], schema=schema)

    def _column(self, role: str) -> sa.ColumnElement[Any]:
        name = self._layout.columns[role]
        return _find(self._table, name, f"INVOICE_COLUMNS ({role}=…)")

    def _has_integer_keys(self) -> bool:
        if not isinstance(self._id.type, sa.Integer):
            return False
        if self._database.url.engine is not Engine.SQLITE:
            return True
        # A column that SQLite calls INTEGER may hold anything, unless it is the primary key.
        other = sa.select(sa.literal(1)).where(sa.func.typeof(self._id).not_in(["integer", "null"])).limit(1)
        return self._database.read(other.select_from(self._table)).is_empty()

    def _find_customers(self) -> sa.Subquery | None:
        """Customer id and company name, one row an id, or None where there is no such table."""
        wanted = self._layout.customers
        try:
            table = self._described(wanted.table)
        except TableMissing:
            if wanted.required:
                raise
            return None
        customer_id = _find(table, wanted.id_column, "INVOICE_CUSTOMERS_COLUMNS (id=…)")
        name = _find(table, *wanted.name_columns, setting="INVOICE_CUSTOMERS_COLUMNS (name=…)")
        text = self._database.server.as_text
        return (
            sa.select(text(customer_id).label("customer_id"), text(name).label("company"))
            .where(customer_id.is_not(None))
            .subquery("customers")
        )

    # -- ranges ----------------------------------------------------------------------------------

    def partitions(self, rows: int) -> Iterator[Partition]:
        number, offset = 0, 0
        lower: Key | None = None
        while (upper := self._key_after(lower, rows)) not in (None, lower):
            yield Partition(number, offset, rows, lower, upper)
            number, offset, lower = number + 1, offset + rows, upper
        left = self._count(*self._within(lower, None))
        yield Partition(number, offset, left, lower)
        yield Partition(number + 1, offset + left, self._count(self._id.is_(None)), without_key=True)

    def _key_after(self, lower: Key | None, rows: int) -> Key | None:
        """The key of the last of the next `rows` rows, or None when there are not so many.

        A key that does not come out as it is stored is no bound; what is left is then one range.
        """
        step = sa.select(self._key().label("key")).select_from(self._table).where(*self._within(lower, None))
        key: Key | None = _scalar(self._database.read(step.order_by(self._id).offset(rows - 1).limit(1)))
        return None if isinstance(key, str) and re.search("[\\0\ufffd]", key) else key

    def _key(self) -> sa.ColumnElement[Any]:
        return self._id if self.integer_keys else self._database.server.as_text(self._id)

    def _within(self, lower: Key | None, upper: Key | None) -> list[sa.ColumnElement[bool]]:
        """(lower, upper]. A text bound has no type of its own: the server reads it as the key's."""
        above = self._id.is_not(None) if lower is None else self._id > _bound(lower)
        return [above] if upper is None else [above, self._id <= _bound(upper)]

    def _count(self, *conditions: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count().label("rows")).select_from(self._table).where(*conditions)
        return int(_scalar(self._database.read(query)) or 0)

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
            text(_find(self._table, column, "INVOICE_ACTIVE")).label(f"active_{number}")
            for number, (column, _) in enumerate(self._layout.active)
        ]
        wanted = (
            [self._id.is_(None)] if partition.without_key else self._within(partition.lower, partition.upper)
        )
        query = sa.select(*columns).select_from(self._table).where(*wanted)
        frame = self._with_company(self._texts(query))
        return frame.with_columns(_is_active(self._layout.active)).select(
            pl.col(name).cast(dtype) for name, dtype in RAW.items()
        )

    def _texts(self, query: sa.Select[Any]) -> pl.DataFrame:
        """Columns of text; one without any value has no type of its own."""
        return self._database.read(query).select(pl.all().cast(pl.String))

    def _with_company(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._customers is None:
            return frame.with_columns(company=pl.lit(None, pl.String))
        companies = self._company_names()
        if companies.schema["customer_id"] == pl.Int64:
            frame = frame.with_columns(_as_integer("customer_id"))
        return frame.join(companies, on="customer_id", how="left")

    def _company_names(self) -> pl.DataFrame:
        """Read once and joined here: a server would hash the whole table anew for each range."""
        with self._companies_lock:
            if self._companies is None:
                assert self._customers is not None
                names = self._texts(sa.select(self._customers))
                names = names.sort("customer_id", "company").unique("customer_id", keep="first")
                numbered = names.with_columns(_as_integer("customer_id"))
                # A join on integers costs a quarter of one on text.
                self._companies = names if numbered["customer_id"].has_nulls() else numbered
            return self._companies

    def close(self) -> None:
        self._database.close()


def _as_integer(name: str) -> pl.Expr:
    """The integer that a text says exactly, else null: `7`, but not `07`."""
    number = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(number.cast(pl.String) == pl.col(name)).then(number)


def _find(table: sa.TableClause, *names: str, setting: str = "") -> sa.ColumnElement[Any]:
    """The first of these columns that the table has, whatever the case of its letters."""
    *wanted, setting = (*names, setting) if setting else names
    by_name: Mapping[str, sa.ColumnElement[Any]] = {
        column.name.casefold(): column for column in table.columns
    }
    for name in wanted:
        if name.casefold() in by_name:
            return by_name[name.casefold()]
    have = ", ".join(column.name for column in table.columns)
    raise ColumnMissing(
        f"The table {table.name} has no column {' or '.join(wanted)}. It has: {have}.",
        hint=f"Name the right one in {setting}.",
    )


def _is_active(conditions: tuple[tuple[str, str], ...]) -> pl.Expr:
    """Compared as SQL Server does by default: neither case nor spaces at the ends matter."""
    tests = [
        pl.col(f"active_{number}")
        .str.strip_chars()
        .str.to_uppercase()
        .eq_missing(pl.lit(value.strip().upper()))
        for number, (_, value) in enumerate(conditions)
    ]
    return (pl.all_horizontal(tests) if tests else pl.lit(True)).alias("is_active")


def _bound(key: Key) -> sa.ColumnElement[Any]:
    return sa.literal(key) if isinstance(key, int) else sa.literal(key, sa.Unicode())


def _scalar(frame: pl.DataFrame) -> Any:
    return None if frame.is_empty() else frame.row(0)[0]
