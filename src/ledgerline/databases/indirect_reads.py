"""Views and functions through which a statement reads a table that it does not name."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.url import Engine

_view_uses = sa.table(
    "view_table_usage", sa.column("view_name"), sa.column("table_name"), schema="information_schema"
)
_VIEW_USES_ON_SQLSERVER = sa.table(
    "VIEW_TABLE_USAGE", sa.column("VIEW_NAME"), sa.column("TABLE_NAME"), schema="INFORMATION_SCHEMA"
)


def views_of(database: Database, tables: Collection[str]) -> frozenset[str]:
    """The views that read one of these tables, directly or through other views.

    None on SQLite: there the authorizer sees through views by itself.
    """
    if database.url.engine not in (Engine.POSTGRESQL, Engine.SQLSERVER):
        return frozenset()
    uses = _VIEW_USES_ON_SQLSERVER if database.url.engine is Engine.SQLSERVER else _view_uses
    with database.connect() as connection:
        pairs = [(str(view), str(table)) for view, table in connection.execute(sa.select(uses)).all()]
    found: set[str] = set()
    reached = set(tables)
    while new := {view for view, table in pairs if table in reached} - found:
        found |= new
        reached |= new
    return frozenset(found)


_FIELD_FUNCTIONS = sa.text(
    "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p"
    " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " JOIN pg_catalog.pg_type t ON t.oid = p.proargtypes[0]"
    " WHERE n.nspname <> 'pg_catalog' AND p.pronargs - p.pronargdefaults <= 1 AND t.typtype IN ('c', 'p')"
)


def field_functions(database: Database) -> frozenset[str]:
    """Functions of a row's own that PostgreSQL calls where `t.f` is read and `t` has no column `f`."""
    if database.url.engine is not Engine.POSTGRESQL:
        return frozenset()
    with database.connect() as connection:
        return frozenset(connection.execute(_FIELD_FUNCTIONS).scalars())
