"""Views and functions through which a statement reads a table that it does not name."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from ledgerline.databases.database import Database
from ledgerline.url import Engine

# [view, table]; the information_schema of PostgreSQL knows no materialized views, and only own tables.
_VIEW_USES = {
    Engine.POSTGRESQL: sa.text(
        "SELECT DISTINCT v.relname AS view_name, t.relname AS table_name FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid"
        " JOIN pg_catalog.pg_class v ON v.oid = r.ev_class"
        " JOIN pg_catalog.pg_class t ON t.oid = d.refobjid"
        " WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass"
        " AND d.refclassid = 'pg_catalog.pg_class'::regclass"
        " AND v.relkind IN ('v', 'm') AND v.oid <> t.oid"
    ),
    Engine.SQLSERVER: sa.text("SELECT VIEW_NAME, TABLE_NAME FROM INFORMATION_SCHEMA.VIEW_TABLE_USAGE"),
}


def views_of(database: Database, tables: Collection[str]) -> frozenset[str]:
    """The views, materialized ones too, that read one of these tables, directly or through other views.

    None on SQLite: there the authorizer sees through views by itself.
    """
    uses = _VIEW_USES.get(database.url.engine)
    if uses is None:
        return frozenset()
    with database.connect() as connection:
        pairs = [(str(view), str(table)) for view, table in connection.execute(uses)]
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
