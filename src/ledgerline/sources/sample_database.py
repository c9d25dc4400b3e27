"""Writes a sample invoice database: contacts, customers, and the truth of who each row is.

The one thing here that writes is for databases that Ledgerline makes itself, to try it and to measure it.
"""

from __future__ import annotations

from collections.abc import Callable

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
    schema = None if database.url.engine in (Engine.SQLITE, Engine.MYSQL) else layout.table.schema
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
    with database.begin([(companies, customers(rows, seed))]):
        pass
    done = 0
    for batch in generate(rows, seed):
        with database.begin([(contacts, batch.contacts), (truth, batch.truth)]):
            done += batch.contacts.height
        progress(done)
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
        mysql_charset="utf8mb4",
    )
    truth = sa.Table(
        "sample_truth",
        metadata,
        sa.Column("contactid", BigInt, primary_key=True, autoincrement=False),
        sa.Column("personid", BigInt, nullable=False),
    )
    return contacts, companies, truth
