"""The environment that a main database belongs to."""

import sqlalchemy as sa
from alembic import op

from ledgerline.databases.schema import CODE, Timestamp

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("environment", CODE, nullable=False),
        sa.Column("claimed_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
