"""What a planned run would do, and whether a run that stopped can be gone on with."""

import sqlalchemy as sa
from alembic import op

from ledgerline.databases.schema import Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "ingestion_runs", sa.Column("resumable", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("ingestion_runs", sa.Column("foreseen", Text))
