"""The configuration in one encrypted file: settings, saved queries, hashes of API keys; for a new machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import named
from ledgerline.databases.schema import api_keys, saved_queries
from ledgerline.errors import BackupDamaged
from ledgerline.operations import vault
from ledgerline.url import Secret

_FORMAT = 1
_TABLES = (saved_queries, api_keys)


def seal_config(settings: Mapping[str, str], main: Database | None, passphrase: Secret) -> bytes:
    """`settings`: those that are given, secrets included. `main`: None where there are no tables to take."""
    tables = {} if main is None else {str(table.name): _rows(main, table) for table in _TABLES}
    document = {"format": _FORMAT, "settings": dict(settings), "tables": tables}
    return vault.seal(orjson.dumps(document), passphrase)


def _rows(main: Database, table: sa.Table) -> list[dict[str, Any]]:
    with main.connect() as connection:
        rows = connection.execute(sa.select(table))
        return [{str(name): value for name, value in named(row).items()} for row in rows]


def open_config(sealed: bytes, passphrase: Secret) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """(settings, rows by table). Raises PassphraseWrong, BackupDamaged."""
    return read_config(vault.unseal(sealed, passphrase))


def read_config(data: bytes) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """The same of a file that is open. Raises BackupDamaged."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise BackupDamaged(
            "The file is of something else.", hint="Write one with: ledgerline config export FILE"
        )
    if document.get("format") != _FORMAT:
        raise BackupDamaged(
            "The file is of another version of Ledgerline.", hint="Import it with that version."
        )
    return document["settings"], document["tables"]


def bring_back(main: Database, tables: Mapping[str, list[dict[str, Any]]]) -> dict[str, int]:
    """Insert the rows whose key is not there yet; how many of each table."""
    brought: dict[str, int] = {}
    with main.begin() as connection:
        for table in _TABLES:
            (key,) = table.primary_key.columns
            known = set(connection.execute(sa.select(key)).scalars())
            new = [row for row in tables.get(str(table.name), []) if row[key.name] not in known]
            for row in new:
                connection.execute(table.insert().values(**_typed(table, row)))
            brought[str(table.name)] = len(new)
    return brought


def _typed(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value)
        if value is not None and isinstance(table.c[name].type, sa.DateTime)
        else value
        for name, value in row.items()
    }
