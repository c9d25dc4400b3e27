"""Writes a sample invoice database: contacts, customers, and the truth of who each row is.

The one thing here that writes is for databases that Ledgerline makes itself, to try it and to measure it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from ledgerline.databases.database import Database
from ledgerline.databases.schema import BigInt
from ledgerline.errors import UsageError
from ledgerline.settings import InvoiceTable
from ledgerline.sources.sample import customers, generate
from ledgerline.url import Engine

_Moment = sa.DateTime().with_variant(mssql.DATETIME2(7), "mssql")  # type: ignore[no-untyped-call]


def write_sample(
    database: Database,
    layout: InvoiceTable,
    rows: int,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Create the tables of an invoice database and fill them. Raises UsageError when they are there."""
    schema = layout.table.schema if database.url.engine.has_schemas else None
    contacts, companies, truth = _tables(schema, layout)
    if database.has_table(contacts.name, schema):
        raise UsageError(
            f"There is a table {contacts.fullname} already; a sample never replaces one.",
            hint="Name an empty database, or drop the table yourself.",
        )
    with database.begin() as connection:
        if schema is not None and schema not in sa.inspect(connection).get_schema_names():
            connection.execute(sa.schema.CreateSchema(schema))
        contacts.metadata.create_all(connection)
    named = customers(rows, seed).with_columns(updated_at=_entered())
    with database.begin([(companies, named)]):
        pass
    done = 0
    for batch in generate(rows, seed):
        with database.begin([(contacts, batch.contacts), (truth, batch.truth)]):
            done += batch.contacts.height
        progress(done)
    with database.begin() as connection:
        for table in (contacts, companies):
            for statement in _keep_update_times(table, database):
                connection.exec_driver_sql(statement)
    with database.connect() as connection:
        database.server.analyze(connection, [contacts, companies, truth])


def _tables(schema: str | None, layout: InvoiceTable) -> tuple[sa.Table, sa.Table, sa.Table]:
    metadata = sa.MetaData(schema=schema)
    contacts = sa.Table(
        layout.table.name,
        metadata,
        sa.Column("contactid", BigInt, primary_key=True, autoincrement=False),
        sa.Column("customerid", BigInt),
        sa.Column("contact_person_name", sa.UnicodeText),
        sa.Column("contact_no", sa.UnicodeText),
        sa.Column("designation", sa.UnicodeText),
        sa.Column("contact_person_email", sa.UnicodeText),
        sa.Column("added_by", sa.Unicode(100)),
        sa.Column("status", sa.Unicode(10)),
        sa.Column("del_sts", sa.Unicode(1)),
        sa.Column("created_at", _Moment),
        sa.Column("updated_at", _Moment, index=True),
        mysql_charset="utf8mb4",
    )
    companies = sa.Table(
        layout.customers.table.name,
        metadata,
        sa.Column("customerid", BigInt, primary_key=True, autoincrement=False),
        sa.Column("customer_name", sa.Unicode(300)),
        sa.Column("updated_at", _Moment, index=True),
        mysql_charset="utf8mb4",
    )
    truth = sa.Table(
        "sample_truth",
        metadata,
        sa.Column("contactid", BigInt, primary_key=True, autoincrement=False),
        sa.Column("personid", BigInt, nullable=False),
    )
    return contacts, companies, truth


_YEARS = ((2015, 1), (2026, 10))


def _entered() -> pl.Expr:
    """One customer after the other, from 2015 to the autumn of 2026."""
    first, last = (pl.date(year, month, 1).cast(pl.Datetime("us")).cast(pl.Int64) for year, month in _YEARS)
    return (first + (last - first) // pl.len() * pl.int_range(pl.len())).cast(pl.Datetime("us"))


# {table}, its {key}, and a {name} for what is made. Statements have a blank line between them.
_ON_UPDATE = {
    Engine.SQLITE: """CREATE TRIGGER {name} AFTER UPDATE ON {table} BEGIN
        UPDATE {table} SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE {key} = NEW.{key}; END""",
    Engine.MYSQL: """CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW
        SET NEW.updated_at = UTC_TIMESTAMP(6)""",
    Engine.POSTGRESQL: """CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.updated_at := timezone('UTC', now()); RETURN NEW; END $$

        CREATE TRIGGER updated BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()""",
    Engine.SQLSERVER: """CREATE TRIGGER {name} ON {table} AFTER UPDATE AS
        UPDATE kept SET updated_at = SYSUTCDATETIME()
        FROM {table} AS kept JOIN inserted ON inserted.{key} = kept.{key}""",
}


def _keep_update_times(table: sa.Table, database: Database) -> list[str]:
    """Statements after which a row that is updated gets the time of that, whoever updates it."""
    quote = database.server.dialect.identifier_preparer
    name = quote.quote(f"{table.name}_updated")
    (key,) = table.primary_key
    given = {
        "table": quote.format_table(table),
        "key": quote.quote(key.name),
        "name": f"{quote.quote(table.schema)}.{name}" if table.schema else name,
    }
    return [part.format(**given) for part in _ON_UPDATE[database.url.engine].split("\n\n")]
