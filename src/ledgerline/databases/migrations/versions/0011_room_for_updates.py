"""Pages of PostgreSQL keep room for rows that change, as those that are written from now on do."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in ("contacts", "source_records"):
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 90)")
