"""What one run rejected and changed, in pages: each begins behind the last row of the one before."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import named
from ledgerline.databases.schema import changes, rejects


def rejects_page(main: Database, run_id: int, after: int | None, limit: int) -> list[dict[str, Any]]:
    """Rows of `rejects` in the order of their ordinals. after: the ordinal of the last one that is known."""
    query = sa.select(rejects).where(rejects.c.run_id == run_id)
    if after is not None:
        query = query.where(rejects.c.ordinal > after)
    return _rows(main, query.order_by(rejects.c.ordinal).limit(limit))


def changes_page(
    main: Database, run_id: int, after: tuple[int, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Rows of `changes` by contact and field. after: contact and field of the last one that is known."""
    query = sa.select(changes).where(changes.c.run_id == run_id)
    if after is not None:
        contact_id, field = after
        rest = (changes.c.contact_id == contact_id) & (changes.c.field > field)
        query = query.where((changes.c.contact_id > contact_id) | rest)
    return _rows(main, query.order_by(changes.c.contact_id, changes.c.field).limit(limit))


def _rows(main: Database, query: sa.Select[Any]) -> list[dict[str, Any]]:
    with main.connect() as connection:
        return [named(row) for row in connection.execute(query)]
