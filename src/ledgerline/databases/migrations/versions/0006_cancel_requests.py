"""Requests to cancel a run. Their table is made beside the others, see `schema.activity`."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
