"""Alerts, schedules, duties. Their tables are made beside the others, see `schema.activity`."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
