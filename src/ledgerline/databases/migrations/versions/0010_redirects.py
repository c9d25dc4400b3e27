"""What joined a contact is found without reading all contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    condition = sa.text("merged_into IS NOT NULL")
    op.create_index(
        "ix_contacts_merged_into",
        "contacts",
        ["merged_into"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
