"""The tables of the first version."""

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

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("field", CODE, nullable=False),
        sa.Column("old_value", Text),
        sa.Column("new_value", Text),
        sa.Column("source_system", CODE),
        sa.Column("source_record_id", RECORD_ID),
        sa.Column("rule", CODE, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "contact_id", "field", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_contact_id"), "changes", ["contact_id"])
    op.create_table(
        "contact_owners",
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("owner_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "owner_id", name=op.f("pk_contact_owners")),
    )
    op.create_index(op.f("ix_contact_owners_owner_id"), "contact_owners", ["owner_id"])
    op.create_table(
        "contact_points",
        sa.Column("contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("position", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("value", EMAIL, nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "kind", "position", name=op.f("pk_contact_points")),
    )
    op.create_index(op.f("ix_contact_points_value"), "contact_points", ["value"])
    op.create_table(
        "contacts",
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
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("merged_into", BigInt),
        sa.Column("created_run", BigInt, nullable=False),
        sa.Column("updated_run", BigInt),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index(op.f("ix_contacts_company_name"), "contacts", ["company_name"])
    op.create_index(op.f("ix_contacts_email"), "contacts", ["email"])
    op.create_index(op.f("ix_contacts_mobile_e164"), "contacts", ["mobile_e164"])
    op.create_index(op.f("ix_contacts_name"), "contacts", ["name"])
    op.create_table(
        "ingestion_runs",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("status", CODE, nullable=False),
        sa.Column("first_load", sa.Boolean, nullable=False),
        sa.Column("rules", RECORD_ID, nullable=False),
        sa.Column("first_contact_id", BigInt, nullable=False),
        sa.Column("started_at", Timestamp, nullable=False),
        sa.Column("finished_at", Timestamp),
        sa.Column("fetched", BigInt, nullable=False, server_default="0"),
        sa.Column("inserted", BigInt, nullable=False, server_default="0"),
        sa.Column("updated", BigInt, nullable=False, server_default="0"),
        sa.Column("unchanged", BigInt, nullable=False, server_default="0"),
        sa.Column("merged", BigInt, nullable=False, server_default="0"),
        sa.Column("rejected", BigInt, nullable=False, server_default="0"),
        sa.Column("withdrawn", BigInt, nullable=False, server_default="0"),
        sa.Column("inactive", BigInt, nullable=False, server_default="0"),
        sa.Column("vanished", BigInt, nullable=False, server_default="0"),
        sa.Column("error_code", CODE),
        sa.Column("error_detail", Text),
        sa.Column("error_hint", Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingestion_runs")),
    )
    op.create_index(
        op.f("ix_ingestion_runs_source_system_status"), "ingestion_runs", ["source_system", "status"]
    )
    op.create_table(
        "leases",
        sa.Column("name", CODE, nullable=False),
        sa.Column("holder", RECORD_ID),
        sa.Column("run_id", BigInt),
        sa.Column("token", BigInt, nullable=False),
        sa.Column("beat_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "match_suggestions",
        sa.Column("left_contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("right_contact_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("rule", CODE, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("why", Text, nullable=False),
        sa.Column("status", CODE, nullable=False, server_default="OPEN"),
        sa.PrimaryKeyConstraint("left_contact_id", "right_contact_id", name=op.f("pk_match_suggestions")),
    )
    op.create_table(
        "owners",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owners")),
        sa.UniqueConstraint("name", name=op.f("uq_owners_name")),
    )
    op.create_table(
        "partition_receipts",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("partition", BigInt, autoincrement=False, nullable=False),
        sa.Column("lower_key", Text),
        sa.Column("upper_key", Text),
        sa.Column("without_key", sa.Boolean, nullable=False),
        sa.Column("row_offset", BigInt, nullable=False),
        sa.Column("planned_rows", BigInt, nullable=False),
        sa.Column("fetched", BigInt),
        sa.Column("unchanged", BigInt),
        sa.Column("inactive", BigInt),
        sa.Column("rejected_again", BigInt),
        sa.Column("withdrawn", BigInt),
        sa.Column("vanished", BigInt),
        sa.Column("staged", BigInt),
        sa.Column("rejected", BigInt),
        sa.PrimaryKeyConstraint("run_id", "partition", name=op.f("pk_partition_receipts")),
    )
    op.create_table(
        "rejects",
        sa.Column("run_id", BigInt, autoincrement=False, nullable=False),
        sa.Column("ordinal", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("record_key", BigInt, nullable=False),
        sa.Column("source_record_id", Text),
        sa.Column("payload_hash", BigInt, nullable=False),
        sa.Column("key_fault", sa.Boolean, nullable=False),
        sa.Column("reasons", Text, nullable=False),
        sa.Column("raw", Text, nullable=False),
        sa.Column("resolved_run", BigInt),
        sa.PrimaryKeyConstraint("run_id", "ordinal", name=op.f("pk_rejects")),
    )
    op.create_index(op.f("ix_rejects_source_system_record_key"), "rejects", ["source_system", "record_key"])
    op.create_table(
        "source_record_versions",
        sa.Column("replaced_by_run", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("record_key", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_record_id", RECORD_ID, nullable=False),
        sa.Column("contact_id", BigInt, nullable=False),
        sa.Column("payload_hash", BigInt, nullable=False),
        sa.Column("is_live", sa.Boolean, nullable=False),
        sa.Column("name", NAME),
        sa.Column("honorific", CODE),
        sa.Column("company_name", COMPANY),
        sa.Column("email", EMAIL),
        sa.Column("further_emails", Text),
        sa.Column("phone", PHONE),
        sa.Column("phone_type", CODE),
        sa.Column("further_phones", Text),
        sa.Column("designation", DESIGNATION),
        sa.Column("relationship_type", CODE),
        sa.Column("data_quality_score", sa.SmallInteger),
        sa.Column("owner", NAME),
        sa.Column("reasons", Text),
        sa.Column("raw_name", Text),
        sa.Column("raw_phone", Text),
        sa.Column("raw_email", Text),
        sa.Column("raw_designation", Text),
        sa.Column("raw_company", Text),
        sa.Column("raw_owner", Text),
        sa.Column("identity_key", BigInt),
        sa.Column("match_rule", CODE),
        sa.Column("match_partner", RECORD_ID),
        sa.Column("match_score", sa.Float),
        sa.Column("run_id", BigInt, nullable=False),
        sa.PrimaryKeyConstraint(
            "replaced_by_run",
            "source_system",
            "record_key",
            "source_record_id",
            name=op.f("pk_source_record_versions"),
        ),
    )
    op.create_index(op.f("ix_source_record_versions_contact_id"), "source_record_versions", ["contact_id"])
    op.create_table(
        "source_records",
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("record_key", BigInt, autoincrement=False, nullable=False),
        sa.Column("source_record_id", RECORD_ID, nullable=False),
        sa.Column("contact_id", BigInt, nullable=False),
        sa.Column("payload_hash", BigInt, nullable=False),
        sa.Column("is_live", sa.Boolean, nullable=False),
        sa.Column("name", NAME),
        sa.Column("honorific", CODE),
        sa.Column("company_name", COMPANY),
        sa.Column("email", EMAIL),
        sa.Column("further_emails", Text),
        sa.Column("phone", PHONE),
        sa.Column("phone_type", CODE),
        sa.Column("further_phones", Text),
        sa.Column("designation", DESIGNATION),
        sa.Column("relationship_type", CODE),
        sa.Column("data_quality_score", sa.SmallInteger),
        sa.Column("owner", NAME),
        sa.Column("reasons", Text),
        sa.Column("raw_name", Text),
        sa.Column("raw_phone", Text),
        sa.Column("raw_email", Text),
        sa.Column("raw_designation", Text),
        sa.Column("raw_company", Text),
        sa.Column("raw_owner", Text),
        sa.Column("identity_key", BigInt),
        sa.Column("match_rule", CODE),
        sa.Column("match_partner", RECORD_ID),
        sa.Column("match_score", sa.Float),
        sa.Column("run_id", BigInt, nullable=False),
        sa.PrimaryKeyConstraint(
            "source_system", "record_key", "source_record_id", name=op.f("pk_source_records")
        ),
    )
    op.create_index(op.f("ix_source_records_contact_id"), "source_records", ["contact_id"])
    op.create_index(op.f("ix_source_records_identity_key"), "source_records", ["identity_key"])
    op.create_table(
        "source_states",
        sa.Column("source_system", CODE, nullable=False),
        sa.Column("rules", RECORD_ID, nullable=False),
        sa.Column("last_run", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("source_system", name=op.f("pk_source_states")),
    )
    op.create_table(
        "templates",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("channel", CODE, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.CheckConstraint("channel IN ('EMAIL', 'WHATSAPP', 'SMS')", name=op.f("ck_templates_channel")),
        sa.UniqueConstraint("name", name=op.f("uq_templates_name")),
    )
    op.create_table(
        "messages",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("contact_id", BigInt, nullable=False),
        sa.Column("owner_id", BigInt),
        sa.Column("template_id", BigInt),
        sa.Column("channel", CODE, nullable=False),
        sa.Column("body", Text),
        sa.Column("status", CODE, nullable=False, server_default="PENDING"),
        sa.Column("provider_message_id", RECORD_ID),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.CheckConstraint("channel IN ('EMAIL', 'WHATSAPP', 'SMS')", name=op.f("ck_messages_channel")),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED')", name=op.f("ck_messages_status")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_messages_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name=op.f("fk_messages_owner_id_owners")),
        sa.ForeignKeyConstraint(
            ["template_id"], ["templates.id"], name=op.f("fk_messages_template_id_templates")
        ),
    )
    op.create_index(op.f("ix_messages_contact_id"), "messages", ["contact_id"])
    op.create_index(op.f("ix_messages_status_created_at"), "messages", ["status", "created_at"])
