"""The API keys' rows: hashes, never keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.databases.runs import named
from ledgerline.databases.schema import api_keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row of `api_keys`. Times are UTC without a zone."""

    id: str
    name: str
    hash: str
    scopes: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


def stored(main: Database, key_id: str) -> StoredKey | None:
    with main.connect() as connection:
        row = connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).first()
    return None if row is None else StoredKey(**named(row))


def all_keys(main: Database) -> list[StoredKey]:
    """All keys, the newest first; also those that are revoked or expired."""
    with main.connect() as connection:
        rows = connection.execute(sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id))
        return [StoredKey(**named(row)) for row in rows]


def any_live(main: Database, now: datetime) -> bool:
    live = sa.select(api_keys.c.id).where(
        api_keys.c.revoked_at.is_(None), sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)
    )
    with main.connect() as connection:
        return connection.execute(live.limit(1)).first() is not None


def insert(main: Database, values: Mapping[str, Any]) -> None:
    with main.begin() as connection:
        connection.execute(api_keys.insert().values(**values))


def revoke(main: Database, key_id: str, now: datetime) -> bool:
    """Whether there was such a key that was not revoked yet."""
    live = api_keys.update().where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    with main.begin() as connection:
        return connection.execute(live.values(revoked_at=now)).rowcount == 1
