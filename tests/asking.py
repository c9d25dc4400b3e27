"""Two databases that can be asked, with rows in them, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.databases.schema import BigInt
from ledgerline.operations.query import Parameters, Queries
from ledgerline.operations.results import QueryLimits
from tests.postgres import PostgresServer
from tests.servers import new_database

ROWS = 500

_meta = sa.MetaData()
T = sa.Table(
    "t",
    _meta,
    sa.Column("a", BigInt, primary_key=True, autoincrement=False),
    sa.Column("b", sa.UnicodeText),
    sa.Column("c", sa.Float),
)


class Asked:
    """An installation whose main and invoice database have the table `t`."""

    def __init__(self, main: Database, invoice: Database, writer: Database, limits: QueryLimits) -> None:
        self.main, self.invoice, self.writer = main, invoice, writer
        self.queries = Queries(main, invoice, limits)

    def rows(
        self, query: str, parameters: Parameters = None, database: str = "invoice", **options: Any
    ) -> list[tuple[Any, ...]]:
        with self.queries.run(database, query, parameters, key_name="test", **options) as result:
            return [row for batch in result.batches() for row in batch]

    def contents(self) -> dict[str, Any]:
        """Everything that both databases hold, by way of the flow's own connections."""
        held: dict[str, Any] = {}
        for name, database in (("main", self.main), ("invoice", self.writer)):
            with database.connect() as connection:
                inspector = sa.inspect(connection)
                for table in sorted(inspector.get_table_names()):
                    if table != "query_log":
                        rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
                        held[f"{name}.{table}"] = sorted(map(repr, rows))
                held[f"{name} views"] = sorted(inspector.get_view_names())
        return held


@contextmanager
def asked(
    engine: str, folder: Path, postgres: PostgresServer | None, limits: QueryLimits | None = None
) -> Iterator[Asked]:
    with ExitStack() as stack:
        urls = [stack.enter_context(new_database(engine, folder, postgres)) for _ in range(2)]
        main, writer = Database(urls[0]), Database(urls[1])
        invoice = Database(urls[1], read_only=True)
        migrate(main)
        for database in (main, writer):
            with database.begin() as connection:
                _meta.create_all(connection)
                rows = [{"a": n, "b": f"name {n}", "c": n / 2} for n in range(ROWS)]
                connection.execute(T.insert(), rows)
        it = Asked(main, invoice, writer, limits or QueryLimits(timeout_ms=20_000))
        try:
            yield it
        finally:
            it.queries.close()
            for database in (main, writer, invoice):
                database.close()
