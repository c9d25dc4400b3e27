"""A run keeps what was accepted when it was begun, for whoever resumes it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "ingestion_runs",
        sa.Column("accept_withdrawals", sa.Boolean, nullable=False, server_default=sa.false()),
    )
