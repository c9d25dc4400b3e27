"""How far a source has been read, and what each run was to read."""

import sqlalchemy as sa
from alembic import op

from ledgerline.databases.schema import CODE, Text, Timestamp

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("ingestion_runs", sa.Column("layout", CODE))
    op.add_column("ingestion_runs", sa.Column("since", Text))
    op.add_column(
        "ingestion_runs", sa.Column("reconciles", sa.Boolean, nullable=False, server_default=sa.true())
    )
    op.add_column("ingestion_runs", sa.Column("watermark", Text))
    op.add_column("ingestion_runs", sa.Column("advice", Text))
    op.add_column("source_states", sa.Column("layout", CODE))
    op.add_column("source_states", sa.Column("watermark", Text))
    op.add_column("source_states", sa.Column("reconciled_at", Timestamp))
