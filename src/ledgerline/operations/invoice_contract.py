"""What the owners of an invoice database are asked for: tables, columns, rights, load, and the SQL for it.

Pure: settings in, a Markdown sheet out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledgerline.settings import Settings, TableName
from ledgerline.url import Engine

_PASSWORD = "<a password of your own>"  # noqa: S105  a placeholder
_DEFAULT_SCHEMAS = {Engine.SQLSERVER: "dbo", Engine.POSTGRESQL: "public"}


def invoice_contract(settings: Settings, login: str) -> str:
    """The hand-over sheet. `login`: the name of the login that Ledgerline is to be given."""
    return "\n".join(_sheet(settings, login)) + "\n"


def _sheet(settings: Settings, login: str) -> Iterator[str]:
    table, database = settings.invoice_table, settings.invoice
    yield "# What Ledgerline needs of the invoice database\n"
    yield f"Database: `{database.url.database}` on `{database.url.server_label}`. It is only ever read.\n"
    yield "## Tables and columns\n"
    yield "| table | column | holds |\n| --- | --- | --- |"
    for role, column in table.columns.items():
        yield f"| `{table.table}` | `{column}` | {role.replace('_', ' ')} |"
    for column, value in table.active:
        yield f"| `{table.table}` | `{column}` | `{value}` where the row is live |"
    wanted = table.updated_column or "a rowversion column, or `updated_at`"
    yield f"| `{table.table}` | {wanted} | when a row changed: optional, makes runs short |"
    customers = table.customers
    names = " or ".join(f"`{name}`" for name in customers.name_columns)
    need = "" if customers.required else " (optional)"
    yield f"| `{customers.table}`{need} | `{customers.id_column}`, {names} | names of companies |\n"
    yield "An index on the key, and on the column that tells changes, keeps every query short.\n"
    yield "## Load\n"
    yield f"- At most {database.connections} connections, each read only."
    yield f"- Ranges of the key; a statement that takes over {database.statement_ms:,} ms is ended."
    yield "- Locks are never waited for long, never taken by `NOLOCK`, and a slow server is read more slowly."
    yield f"- All keys are compared every {settings.reconcile_every}, to find rows that were deleted.\n"
    yield "## Rights\n"
    yield "`SELECT` on these tables, and nothing else. Replace the password; leave out what is not there.\n"
    yield f"SQL Server:\n\n```sql\n{_sqlserver(settings, login)}\n```\n"
    yield f"PostgreSQL:\n\n```sql\n{_postgresql(settings, login)}\n```"


def _tables(settings: Settings, engine: Engine) -> list[TableName]:
    """With their schemas."""
    tables = [settings.invoice_table.table, settings.invoice_table.customers.table]
    return [TableName(table.schema or _DEFAULT_SCHEMAS[engine], table.name) for table in tables]


def _sqlserver(settings: Settings, login: str) -> str:
    name = _bracketed(login)
    grants = [
        f"IF OBJECT_ID({_literal(table.render())}) IS NOT NULL GRANT SELECT ON {table.render()} TO {name};"
        for table in _tables(settings, Engine.SQLSERVER)
    ]
    return "\n".join(
        [
            f"CREATE LOGIN {name} WITH PASSWORD = N'{_PASSWORD}';",
            f"USE {_bracketed(settings.invoice.url.database)};",
            f"CREATE USER {name} FOR LOGIN {name};",
            *grants,
        ]
    )


def _postgresql(settings: Settings, login: str) -> str:
    name = _quoted(login)
    tables = _tables(settings, Engine.POSTGRESQL)
    schemas = sorted({table.schema or "" for table in tables})
    return "\n".join(
        [
            f"CREATE ROLE {name} LOGIN PASSWORD '{_PASSWORD}';",
            f"ALTER ROLE {name} SET default_transaction_read_only = on;",
            *(f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {name};" for schema in schemas),
            *(
                f"GRANT SELECT ON {_quoted(table.schema or '')}.{_quoted(table.name)} TO {name};"
                for table in tables
            ),
        ]
    )


def _bracketed(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"
