"""Undo by before-images, people's edits, and what they declared not to be one person."""

import sqlalchemy as sa
from alembic import op

from ledgerline.databases.schema import (
    CODE,
    COMPANY,
    DESIGNATION,
    EMAIL,
    NAME,
    PHONE,
    RECORD_ID,
    BigInt,
    Text,
    Timestamp,
)

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("ingestion_runs", sa.Column("undoes_run", BigInt))
    op.add_column("ingestion_runs", sa.Column("state_before", Text))
    op.add_column("rejects", sa.Column("reopened_from", BigInt))
    op.add_column(
        "source_record_versions",
        sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    _before_images()
    _undo()
    _edits()


def _before_images() -> None:
    op.create_table(
        "contact_versions",
        sa.Column("replaced_by_run", BigInt, autoincrement=False, nullable=False),
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("honorific", CODE),
        sa.Column("company_name", COMPANY),
        sa.Column("email", EMAIL),
        sa.Column("mobile_e164", PHONE),
        sa.Column("designation", DESIGNATION),
        sa.Column("relationship_type", CODE, nullable=False),
        sa.Column("data_quality_score", sa.SmallInteger, nullable=False),
        sa.Column("owner_id", BigInt),
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("source_record_id", RECORD_ID, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("merged_into", BigInt),
        sa.Column("created_run", BigInt, nullable=False),
        sa.Column("updated_run", BigInt),
        sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("replaced_by_run", "id", name=op.f("pk_contact_versions")),
    )
    op.create_index(op.f("ix_contact_versions_id"), "contact_versions", ["id"])
    op.create_table(
        "contact_point_versions",
        sa.Column("replaced_by_run", BigInt, autoincrement=False, nullable=False),
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("position", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("value", EMAIL, nullable=False),
        sa.PrimaryKeyConstraint(
            "replaced_by_run", "contact_id", "kind", "position", name=op.f("pk_contact_point_versions")
        ),
    )
    op.create_table(
        "contact_owner_versions",
        sa.Column("replaced_by_run", BigInt, autoincrement=False, nullable=False),
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("owner_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "replaced_by_run", "contact_id", "owner_id", name=op.f("pk_contact_owner_versions")
        ),
    )


def _undo() -> None:
    op.create_table(
        "restored_contacts",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "contact_id", name=op.f("pk_restored_contacts")),
    )
    op.create_table(
        "restored_records",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("record_key", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_record_id", RECORD_ID, nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "source_system", "record_key", "source_record_id", name=op.f("pk_restored_records")
        ),
    )
    op.create_table(
        "undo_kept",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("ordinal", BigInt, autoincrement=False, nullable=False),
        sa.Column("contact_id", BigInt),
        sa.Column("source_record_id", RECORD_ID),
        sa.Column("field", CODE),
        sa.Column("value", Text),
        sa.Column("value_before", Text),
        sa.Column("reason", CODE, nullable=False),
        sa.Column("changed_by", Text),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name=op.f("pk_undo_kept")),
    )
    op.create_table(
        "source_pauses",
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("paused_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("source_system", name=op.f("pk_source_pauses")),
    )


def _edits() -> None:
    op.create_table(
        "contact_edits",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("contact_id", BigInt, nullable=False),
        sa.Column("field", CODE, nullable=False),
        sa.Column("value", Text),
        sa.Column("old_value", Text),
        sa.Column("source_value", Text),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("edited_by", NAME, nullable=False),
        sa.Column("edited_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_edits")),
    )
    op.create_index(op.f("ix_contact_edits_contact_id"), "contact_edits", ["contact_id"])
    op.create_table(
        "value_suggestions",
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("field", CODE, nullable=False),
        sa.Column("value", Text),
        sa.Column("run_id", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "field", name=op.f("pk_value_suggestions")),
    )
    op.create_table(
        "split_pairs",
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("left_record_id", RECORD_ID, nullable=False),
        sa.Column("right_record_id", RECORD_ID, nullable=False),
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("lifted_run", BigInt),
        sa.PrimaryKeyConstraint(
            "source_system", "left_record_id", "right_record_id", name=op.f("pk_split_pairs")
        ),
    )
