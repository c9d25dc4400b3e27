"""The doctor's look at the invoice table: may it be read, is it there, has it the columns and indexes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.errors import LedgerlineError, PermissionDenied, TableMissing
from ledgerline.operations.doctor_faults import Fault, Layer, fault_of
from ledgerline.operations.doctor_findings import Check, Failing
from ledgerline.settings import InvoiceTable, TableName
from ledgerline.sources.changes import Described, tracked
from ledgerline.url import Engine

_CATALOGUES: Final = {"information_schema", "pg_catalog", "sys"}
_SUGGESTED: Final = 3  # names of tables


class TableExamination:
    """Of the contacts' table, over a connection that works. Its methods raise LedgerlineError."""

    def __init__(self, database: Database, layout: InvoiceTable, who: str, failed: Failing) -> None:
        self._database = database
        self._layout = layout
        self._who = who
        self._failed = failed
        self._schema = layout.table.schema if database.url.engine.has_schemas else None
        self._name = layout.table.render(schema=self._schema is not None)

    def look(self) -> Iterator[Check]:
        """Asked for a row, a server tells a missing right from a missing table; its catalogue may not."""
        there = sa.table(self._layout.table.name, schema=self._schema)
        try:
            self._read(sa.select(sa.literal_column("1")).select_from(there))
        except PermissionDenied as error:
            yield self._not_allowed(error)
        except TableMissing:
            detail = f"The database has no table {self._name} that this login may see.{self._meant()}"
            yield self._failed(Layer.TABLE, Fault.TABLE_MISSING, detail)
        else:
            yield Check(Layer.PERMISSION, True, f"{self._name} may be read.")
            yield Check(Layer.TABLE, True, f"The table {self._name} is there.")

    def _read(self, query: sa.Select[Any]) -> None:
        with self._database.connect() as connection:
            connection.execute(query.limit(1)).all()

    def _sql(self, *parts: str | None) -> str:
        """A name as this server writes it in SQL, always quoted."""
        quote = self._database.server.dialect.identifier_preparer.quote_identifier
        return ".".join(quote(part) for part in parts if part)

    def _not_allowed(self, error: LedgerlineError, name: str = "", sql: str = "") -> Check:
        sql = sql or self._sql(self._schema, self._layout.table.name)
        name = name or self._name
        detail = f"{self._who[:1].upper()}{self._who[1:]} may not read {name}."
        grant = f"Let its owner grant it: GRANT SELECT ON {sql} TO …"
        if self._database.url.engine is Engine.POSTGRESQL:
            schema = self._sql(self._schema or "public")
            grant += f"\nand the schema that holds it: GRANT USAGE ON SCHEMA {schema} TO …"
        return self._failed(Layer.PERMISSION, fault_of(error), detail, grant)

    def _meant(self) -> str:
        near = difflib.get_close_matches(self._name, list(self._tables()), n=_SUGGESTED, cutoff=0.5)
        return f" Did you mean {' or '.join(near)}?" if near else ""

    def _tables(self) -> Iterator[str]:
        with self._database.connect() as connection:
            inspector = sa.inspect(connection)
            schemas = [None] if self._schema is None else inspector.get_schema_names()
            for schema in schemas:
                if (schema or "").lower() not in _CATALOGUES:
                    yield from (
                        TableName(schema, name).render() for name in inspector.get_table_names(schema)
                    )

    def look_at_columns(self) -> Iterator[Check]:
        described = self._described()
        spelt = {column.name.casefold(): column.name for column in described.table.columns}
        wanted = {f"INVOICE_COLUMNS ({role}=…)": name for role, name in self._layout.columns.items()}
        wanted |= {f"INVOICE_ACTIVE ({column}=…)": column for column, _ in self._layout.active}
        missing = {setting: name for setting, name in wanted.items() if name.casefold() not in spelt}
        if missing:
            yield self._without(missing, spelt)
            return
        names = dict.fromkeys(spelt[name.casefold()] for name in wanted.values())
        try:
            self._read(sa.select(*[described.table.c[name] for name in names]))
        except PermissionDenied as error:
            yield self._not_allowed(error)
            return
        yield Check(Layer.COLUMNS, True, f"All {len(names)} columns of the mapping are there.")

    def look_at_customers(self) -> Iterator[Check]:
        """The table of company names. The default one need not be there; one that is configured must."""
        wanted = self._layout.customers
        schema = None if self._schema is None else wanted.table.schema
        name = wanted.table.render(schema=schema is not None)
        if not self._database.has_table(wanted.table.name, schema):
            if wanted.required:
                detail = f"The database has no table {name} that this login may see."
                yield self._failed(Layer.TABLE, Fault.TABLE_MISSING, detail)
            return
        spelt = {column.casefold(): column for column in self._database.columns(wanted.table.name, schema)}
        of_name = [spelt[each.casefold()] for each in wanted.name_columns if each.casefold() in spelt]
        of_id = spelt.get(wanted.id_column.casefold())
        if of_id is None or not of_name:
            lacks = wanted.id_column if of_id is None else " or ".join(wanted.name_columns)
            detail = f"{name} has no column {lacks}. It has: {', '.join(spelt.values())}."
            step = "Name its columns: INVOICE_CUSTOMERS_COLUMNS=id=…,name=…"
            yield self._failed(Layer.COLUMNS, Fault.COLUMN_MISSING, detail, step)
            return
        table = sa.table(wanted.table.name, sa.column(of_id), sa.column(of_name[0]), schema=schema)
        try:
            self._read(sa.select(*table.columns))
        except PermissionDenied as error:
            yield self._not_allowed(error, name, self._sql(schema, wanted.table.name))
        else:
            yield Check(Layer.COLUMNS, True, f"Companies are named in {name}, column {of_name[0]}.")

    def _without(self, missing: Mapping[str, str], spelt: Mapping[str, str]) -> Check:
        lacks, has = ", ".join(missing.values()), ", ".join(spelt.values())
        used = {name.casefold() for name in self._layout.columns.values()}
        free = {folded: name for folded, name in spelt.items() if folded not in used}
        steps = "\n".join(_renaming(setting, name, free) for setting, name in missing.items())
        detail = f"{self._name} has no column {lacks}. It has: {has}."
        return self._failed(Layer.COLUMNS, Fault.COLUMN_MISSING, detail, steps)

    def _described(self) -> Described:
        name, schema = self._layout.table.name, self._schema
        columns = self._database.columns(name, schema)
        table = sa.table(name, *[sa.column(c, told["type"]) for c, told in columns.items()], schema=schema)
        nullable = frozenset(column for column, told in columns.items() if told["nullable"])
        return Described(table, nullable, lambda: self._database.indexes(name, schema))

    def look_at_indexes(self) -> Iterator[Check]:
        """Rows are read in ranges of the key, and by the update column; which are active is decided here."""
        if self._is_view():
            yield Check(
                Layer.SPEED, True, f"{self._name} is a view: whether what it reads is indexed is unknown."
            )
            return
        described = self._described()
        id_column = self._layout.columns["id"].casefold()
        key = next(c.name for c in described.table.columns if c.name.casefold() == id_column)
        update = tracked(self._database.server, described, self._layout.updated_column)
        needed = list(dict.fromkeys([key, *([update.column.name] if update else [])]))
        bare = [column for column in needed if not described.is_indexed(column)]
        if not bare:
            yield Check(Layer.SPEED, True, f"Indexed: {', '.join(needed)}.")
        for column in bare:
            detail = f"{self._name} has no index that begins with {column}: each part of a run scans it."
            index = self._sql(f"ix_{described.table.name}_{column}")
            on = f"{self._sql(self._schema, described.table.name)} ({self._sql(column)})"
            step = f"Have its owner make one: CREATE INDEX {index} ON {on}"
            yield self._failed(Layer.SPEED, Fault.INDEX_MISSING, detail, step)

    def _is_view(self) -> bool:
        with self._database.connect() as connection:
            return self._layout.table.name in sa.inspect(connection).get_view_names(self._schema)


def _renaming(setting: str, name: str, spelt: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name.casefold(), list(spelt), n=1, cutoff=0.5)
    if near:
        return f"{setting}: is {name} named {spelt[near[0]]} there?"
    return f"{setting}: name the column that stands for {name}."
