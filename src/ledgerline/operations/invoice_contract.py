"""What the owners of an invoice database are asked for: tables, columns, rights, load, and the SQL for it.

Pure: settings in, a Markdown sheet out.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledgerline.databases.quoting import bracketed, literal, national_literal, quoted
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
    hours = settings.reconcile_every.total_seconds() / 3600
    yield f"- All keys are compared every {hours:g} hours, to find rows that were deleted.\n"
    yield "## Rights\n"
    yield "`SELECT` on these tables, and nothing else. Replace the password. Run by an administrator:\n"
    yield f"SQL Server:\n\n```sql\n{_sqlserver(settings, login)}\n```\n"
    yield f"PostgreSQL:\n\n```sql\n{_postgresql(settings, login)}\n```"


def _tables(settings: Settings, engine: Engine) -> list[tuple[TableName, bool]]:
    """With their schemas; whether each has to be there."""
    customers = settings.invoice_table.customers
    tables = [(settings.invoice_table.table, True), (customers.table, customers.required)]
    schema = _DEFAULT_SCHEMAS[engine]
    return [(TableName(table.schema or schema, table.name), needed) for table, needed in tables]


def _sqlserver(settings: Settings, login: str) -> str:
    name = bracketed(login)
    # Accounts of Windows are DOMAIN\\name, which no other login may be called.
    how = "FROM WINDOWS" if "\\" in login else f"WITH PASSWORD = N'{_PASSWORD}'"
    return "\n".join(
        [
            f"CREATE LOGIN {name} {how};",
            f"USE {bracketed(settings.invoice.url.database)};",
            f"CREATE USER {name} FOR LOGIN {name};",
            *(
                ("" if needed else f"IF OBJECT_ID({national_literal(table.render())}) IS NOT NULL ")
                + f"GRANT SELECT ON {table.render()} TO {name};"
                for table, needed in _tables(settings, Engine.SQLSERVER)
            ),
        ]
    )


def _postgresql(settings: Settings, login: str) -> str:
    name = quoted(login)
    tables = _tables(settings, Engine.POSTGRESQL)
    schemas = sorted({table.schema or "" for table, _ in tables})
    required = {table.schema for table, needed in tables if needed}
    return "\n".join(
        [
            f"CREATE ROLE {name} LOGIN PASSWORD '{_PASSWORD}';",
            f"ALTER ROLE {name} SET default_transaction_read_only = on;",
            f"GRANT CONNECT ON DATABASE {quoted(settings.invoice.url.database)} TO {name};",
            *(_usage(schema, name, needed=schema in required) for schema in schemas),
            *(_granted(table, name, needed=needed) for table, needed in tables),
        ]
    )


def _usage(schema: str, to: str, *, needed: bool) -> str:
    grant = f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {to};"
    if needed:
        return grant
    there = f"to_regnamespace({literal(quoted(schema))}) IS NOT NULL"
    return f"DO $grant$ BEGIN IF {there} THEN {grant} END IF; END $grant$;"


def _granted(table: TableName, to: str, *, needed: bool) -> str:
    named = f"{quoted(table.schema or '')}.{quoted(table.name)}"
    grant = f"GRANT SELECT ON {named} TO {to};"
    if needed:
        return grant
    there = f"to_regclass({literal(named)}) IS NOT NULL"
    return f"DO $grant$ BEGIN IF {there} THEN {grant} END IF; END $grant$;"
