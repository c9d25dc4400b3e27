"""Saved queries and API keys. The log of queries is made beside them, see `schema.activity`."""

import sqlalchemy as sa
from alembic import op

from ledgerline.databases.schema import CODE, Text, Timestamp, key_text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "saved_queries",
        sa.Column("name", key_text(100), nullable=False),
        sa.Column("database", CODE, nullable=False),
        sa.Column("sql", Text, nullable=False),
        sa.Column("description", Text),
        sa.Column("created_by", key_text(100), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_saved_queries")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", key_text(16), nullable=False),
        sa.Column("name", key_text(100), nullable=False),
        sa.Column("hash", key_text(64), nullable=False),
        sa.Column("scopes", key_text(200), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp),
        sa.Column("revoked_at", Timestamp),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_name"), "api_keys", ["name"])
