"""What a database holds, as figures: rows and a hash of each table, the same on every engine.

Staging tables are left out: a run that ends drops them, also while they are looked at.

The hash is the sum of its rows' SHA-256 (modulo 2**256): it needs no order, so nothing is sorted, and rows
stream. A row that is missing, doubled or changed changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from ledgerline.databases.staging_tables import is_staging

_PAGE = 2_000  # rows
_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Content:
    rows: int
    hash: str  # hexadecimal


def contents(connection: sa.Connection) -> dict[str, Content]:
    """Every table that the connection sees by its name; at one instant where the caller's transaction is."""
    names = [name for name in sa.inspect(connection).get_table_names() if not is_staging(name)]
    found = sa.MetaData()
    found.reflect(connection, only=names)
    return {name: _content(connection, table) for name, table in sorted(found.tables.items())}


def _content(connection: sa.Connection, table: sa.Table) -> Content:
    # In the order of the names: a column that a migration added stands at the end of one, not of another.
    query = sa.select(*sorted(table.columns, key=lambda column: column.name))
    streaming = {"stream_results": True, "yield_per": _PAGE}
    rows = total = 0
    for page in connection.execute(query, execution_options=streaming).partitions():
        rows += len(page)
        total = (total + sum(map(_number, page))) % _MODULUS
    return Content(rows, f"{total:064x}")


def _number(row: Sequence[Any]) -> int:
    text = orjson.dumps([_plain(value) for value in row])
    return int.from_bytes(hashlib.sha256(text).digest())


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes | memoryview) else value
