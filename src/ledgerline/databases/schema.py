"""The tables of the main database.

What a run writes, and why it is laid out so:

contacts             one row a person; its best e-mail, phone and first owner stand in the row itself
contact_points       only the further e-mails and phones of a contact
contact_owners       only the further owners of a contact
source_records       one row for each source row that stands behind a contact: its cleaned values, the
                     raw ones where they differ, its payload hash, and why it belongs to that contact
source_record_versions   what a source record was before a run changed it
contact_versions, contact_point_versions, contact_owner_versions   the same of contacts: before-images, by
                     which a run is undone; a new row has none
restored_contacts, restored_records   rows that were gone and that an undo brought back
undo_kept            what an undo left as it was, because a person or a later run had changed it since
contact_edits        what people entered in place of a source's value, and when they withdrew it
value_suggestions    newer values of sources for fields that a person has edited
split_pairs          source records that a person declared to be different people
source_pauses        sources that must not be read until somebody says so
changes              each field of a contact that a run changed, old and new (none for a new contact:
                     its source records say where each value came from)
rejects              source rows that could not become a contact, with their reasons and raw values
match_suggestions    pairs of contacts that may be one person, for people to decide
ingestion_runs       one row a run, with its account; partition_receipts what each partition of it did
saved_queries        queries that have a name; query_log who ran which query
api_keys             the hashes of the keys that may use the API
installation         the environment that the database belongs to
duties               who does what has to be done once; schedule_fires each time that a schedule was due
alerts               what is wrong, or was; alert_deliveries what was told of it, and what is to be

The tables of a run while it is going are in `staging_tables`.

Keys are compared as binary text: an index on them is half the size and twice as fast to build, and
`a` and `A` are two keys on SQL Server too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BINARY = "Latin1_General_BIN2"
Text = sa.UnicodeText().with_variant(mssql.NVARCHAR(collation=_BINARY), "mssql")
Timestamp = sa.DateTime().with_variant(mssql.DATETIME2(6), "mssql")  # type: ignore[no-untyped-call]  # UTC, without a zone


def key_text(length: int) -> sa.Unicode:
    """Text that is compared byte by byte on every server."""
    return _key_text(length, units=length)


def words(length: int) -> sa.Unicode:
    """The same for what people write: SQL Server counts a character beyond the basic plane as two."""
    return _key_text(length, units=2 * length)


def _key_text(length: int, units: int) -> sa.Unicode:
    return (
        sa.Unicode(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mssql.NVARCHAR(units, collation=_BINARY), "mssql")
    )


NAME, COMPANY, DESIGNATION = words(200), words(300), words(200)
EMAIL, PHONE = key_text(320), key_text(20)
CODE = key_text(32)
RECORD_ID = key_text(200)


SECRET = "secret"  # noqa: S105  # in a table's `info`: no query may read it


_ROOMY = {"fillfactor": 90}  # of PostgreSQL's pages: a row that changes finds room beside what it was


def _table(
    name: str, *items: sa.schema.SchemaItem, info: dict[Any, Any] | None = None, **options: Any
) -> sa.Table:
    return sa.Table(name, metadata, *items, info=info, **options)


def _redirects() -> sa.Index:
    """To find the contacts that joined another: of most contacts there is nothing to index.

    Whole on SQL Server, which lets no session write to a table with such an index that has not set
    QUOTED_IDENTIFIER and half a dozen other options (error 1934); `sqlcmd` has not.
    """
    condition = sa.text("merged_into IS NOT NULL")
    return sa.Index(None, "merged_into", sqlite_where=condition, postgresql_where=condition)


owners = _table(
    "owners",
    # Given out as a run comes to the names, so that one which is killed and done again gives the same.
    sa.Column("id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("name", NAME, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.UniqueConstraint("name"),
)

contacts = _table(
    "contacts",
    sa.Column("id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("name", NAME, nullable=False),
    sa.Column("honorific", CODE),
    sa.Column("company_name", COMPANY),
    sa.Column("email", EMAIL),
    sa.Column("mobile_e164", PHONE),
    sa.Column("designation", DESIGNATION),
    sa.Column("relationship_type", CODE, nullable=False),
    sa.Column("data_quality_score", sa.SmallInteger, nullable=False),
    sa.Column("owner_id", BigInt),  # no foreign key: checked row by row it costs a first load 3 s a million
    sa.Column("source_system", CODE, nullable=False),
    sa.Column("source_record_id", RECORD_ID, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("merged_into", BigInt),  # the contact that this one joined; this row is then only a redirect
    sa.Column("created_run", BigInt, nullable=False),
    sa.Column("updated_run", BigInt),
    sa.Index(None, "email"),
    sa.Index(None, "mobile_e164"),
    sa.Index(None, "name"),
    sa.Index(None, "company_name"),
    _redirects(),
    postgresql_with=_ROOMY,
)

contact_points = _table(
    "contact_points",
    sa.Column("contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("kind", CODE, primary_key=True),  # EMAIL or PHONE
    sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("value", EMAIL, nullable=False),
    sa.Index(None, "value"),
)

contact_owners = _table(
    "contact_owners",
    sa.Column("contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("owner_id", BigInt, primary_key=True, autoincrement=False),  # as in `contacts`
    sa.Column("position", sa.SmallInteger, nullable=False),  # from 1; the first owner stands in the contact
    sa.Index(None, "owner_id"),
)

templates = _table(
    "templates",
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("name", NAME, nullable=False),
    sa.Column("channel", CODE, nullable=False),
    sa.Column("body", Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("channel IN ('EMAIL', 'WHATSAPP', 'SMS')", name="ck_templates_channel"),
)

messages = _table(
    "messages",
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("contact_id", BigInt, sa.ForeignKey("contacts.id"), nullable=False),
    sa.Column("owner_id", BigInt, sa.ForeignKey("owners.id")),
    sa.Column("template_id", BigInt, sa.ForeignKey("templates.id")),
    sa.Column("channel", CODE, nullable=False),
    sa.Column("body", Text),
    sa.Column("status", CODE, nullable=False, server_default="PENDING"),
    sa.Column("provider_message_id", key_text(200)),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.CheckConstraint("channel IN ('EMAIL', 'WHATSAPP', 'SMS')", name="ck_messages_channel"),
    sa.CheckConstraint(
        "status IN ('PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED')", name="ck_messages_status"
    ),
    sa.Index(None, "contact_id"),
    sa.Index(None, "status", "created_at"),
)


def _cleaned() -> list[sa.Column[object]]:
    """The columns of `contacts.model.CLEAN` but for the key and the reject reasons."""
    return [
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
    ]


def _record() -> list[sa.Column[object]]:
    return [
        sa.Column("source_system", CODE, primary_key=True),
        # The integer value of the id, or the hash of its text: ranges of integer keys are then ranges here.
        sa.Column("record_key", BigInt, primary_key=True, autoincrement=False),
        sa.Column("source_record_id", RECORD_ID, primary_key=True),
        sa.Column("contact_id", BigInt, nullable=False),
        sa.Column("payload_hash", BigInt, nullable=False),
        sa.Column("is_live", sa.Boolean, nullable=False),
        *_cleaned(),
        sa.Column("identity_key", BigInt),  # hash of match name and match company, see contacts.match
        sa.Column("match_rule", CODE),  # why it joined its contact; null: it founded it
        sa.Column("match_partner", RECORD_ID),  # the source record whose evidence made it join
        sa.Column("match_score", sa.Float),
        sa.Column("run_id", BigInt, nullable=False),  # the run that wrote this version
    ]


source_records = _table(
    "source_records",
    *_record(),
    sa.Index(None, "contact_id"),
    sa.Index(None, "identity_key"),
    postgresql_with=_ROOMY,
)

source_record_versions = _table(
    "source_record_versions",
    sa.Column("replaced_by_run", BigInt, primary_key=True, autoincrement=False),
    *_record(),
    sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),  # that run deleted the row
    sa.Index(None, "contact_id"),
)


def _image(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of a before-image: the run that replaced the row, and the row."""
    columns = [
        sa.Column(
            c.name,
            c.type,
            primary_key=c.primary_key,
            nullable=c.nullable,
            autoincrement=False if c.primary_key else "auto",
        )
        for c in table.columns
    ]
    return [sa.Column("replaced_by_run", BigInt, primary_key=True, autoincrement=False), *columns]


contact_versions = _table(
    "contact_versions",
    *_image(contacts),
    sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),  # as in the versions of records
    sa.Index(None, "id"),
)

contact_point_versions = _table("contact_point_versions", *_image(contact_points))

contact_owner_versions = _table("contact_owner_versions", *_image(contact_owners))

restored_contacts = _table(
    "restored_contacts",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("contact_id", BigInt, primary_key=True, autoincrement=False),
)

restored_records = _table(
    "restored_records",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("source_system", CODE, primary_key=True),
    sa.Column("record_key", BigInt, primary_key=True, autoincrement=False),
    sa.Column("source_record_id", RECORD_ID, primary_key=True),
)

undo_kept = _table(
    "undo_kept",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("ordinal", BigInt, primary_key=True, autoincrement=False),
    sa.Column("contact_id", BigInt),
    sa.Column("source_record_id", RECORD_ID),
    sa.Column("field", CODE),  # null: the contact, or the record, as a whole
    sa.Column("value", Text),
    sa.Column("value_before", Text),  # what it was before the run that is undone
    sa.Column("reason", CODE, nullable=False),  # an `undoing.Reason`
    sa.Column("changed_by", Text),  # the person, or the number of the run
)

# A journal: of each contact and field the last row counts.
contact_edits = _table(
    "contact_edits",
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("contact_id", BigInt, nullable=False),
    sa.Column("field", CODE, nullable=False),
    sa.Column("value", Text),
    sa.Column("old_value", Text),
    sa.Column("source_value", Text),  # what the sources said when the person wrote this
    sa.Column("withdrawn", sa.Boolean, nullable=False),  # the field is the sources' again
    sa.Column("edited_by", NAME, nullable=False),
    sa.Column("edited_at", Timestamp, nullable=False),
    sa.Index(None, "contact_id"),
)

value_suggestions = _table(
    "value_suggestions",
    sa.Column("contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("field", CODE, primary_key=True),
    sa.Column("value", Text),
    sa.Column("run_id", BigInt, nullable=False),
)

split_pairs = _table(
    "split_pairs",
    sa.Column("source_system", CODE, primary_key=True),
    sa.Column("left_record_id", RECORD_ID, primary_key=True),
    sa.Column("right_record_id", RECORD_ID, primary_key=True),
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),  # another may have been undone
    sa.Column("lifted_run", BigInt),  # the undo that lifted it
)

source_pauses = _table(
    "source_pauses",
    sa.Column("source_system", CODE, primary_key=True),
    sa.Column("run_id", BigInt, nullable=False),  # the undo that paused it
    sa.Column("paused_at", Timestamp, nullable=False),
)

changes = _table(
    "changes",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("field", CODE, primary_key=True),
    sa.Column("old_value", Text),
    sa.Column("new_value", Text),
    sa.Column("source_system", CODE),
    sa.Column("source_record_id", RECORD_ID),
    sa.Column("rule", CODE, nullable=False),
    sa.Index(None, "contact_id"),
)

rejects = _table(
    "rejects",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("ordinal", BigInt, primary_key=True, autoincrement=False),  # unique within its run
    sa.Column("source_system", CODE, nullable=False),
    sa.Column("record_key", BigInt, nullable=False),
    sa.Column("source_record_id", Text),
    sa.Column("payload_hash", BigInt, nullable=False),
    # no key, or the key of another row: never a version of one
    sa.Column("key_fault", sa.Boolean, nullable=False),
    sa.Column("reasons", Text, nullable=False),
    sa.Column("raw", Text, nullable=False),  # a JSON object of the raw values
    sa.Column("resolved_run", BigInt),  # the run in which it became a contact, changed or vanished
    sa.Column("reopened_from", BigInt),  # the run that settled it, of which an undo took that back
    sa.Index(None, "source_system", "record_key"),
)

match_suggestions = _table(
    "match_suggestions",
    sa.Column("left_contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("right_contact_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("run_id", BigInt, nullable=False),
    sa.Column("rule", CODE, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("why", Text, nullable=False),
    sa.Column("status", CODE, nullable=False, server_default="OPEN"),
)

COUNTS = (
    "fetched",
    "inserted",
    "updated",
    "unchanged",
    "merged",
    "rejected",
    "withdrawn",
    "inactive",
    "vanished",
)

ENDED = ("withdrawn", "vanished")  # marks of records that are live no longer

RECEIPT_COUNTS = (
    "fetched",
    "unchanged",
    "inactive",
    "rejected_again",  # known rejects whose row is still the same
    "withdrawn",
    "vanished",
    "staged",  # new or changed rows that may become contacts
    "rejected",
)

ingestion_runs = _table(
    "ingestion_runs",
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("kind", CODE, nullable=False),  # ingest, plan, undo, unmerge, edit
    sa.Column("source_system", CODE, nullable=False),
    sa.Column("status", CODE, nullable=False),
    sa.Column("first_load", sa.Boolean, nullable=False),
    sa.Column("rules", key_text(200), nullable=False),
    sa.Column("first_contact_id", BigInt, nullable=False),  # new contacts of this run count from here
    sa.Column("started_at", Timestamp, nullable=False),
    sa.Column("finished_at", Timestamp),
    *[sa.Column(name, BigInt, nullable=False, server_default="0") for name in COUNTS],
    sa.Column("error_code", CODE),
    sa.Column("error_detail", Text),
    sa.Column("error_hint", Text),
    sa.Column("layout", CODE),  # fingerprint of where the source's rows are and how they are read
    sa.Column("since", Text),  # the watermark since when it read what changed; null: it read everything
    sa.Column("reconciles", sa.Boolean, nullable=False, server_default=sa.true()),  # it finds deleted rows
    sa.Column("watermark", Text),  # how far the source has been read when it succeeds
    sa.Column("advice", Text),  # what would make runs quicker or safer, a line each
    sa.Column("undoes_run", BigInt),  # the run that this one, an undo, takes back
    sa.Column("state_before", Text),  # JSON of the row of `source_states` before; null: cannot be undone
    # stopped, and kept for the next
    sa.Column("resumable", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("foreseen", Text),  # JSON: what a plan told, with a few samples of each kind
    # asked for when it was begun; holds when it is resumed
    sa.Column("accept_withdrawals", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "source_system", "status"),
)

partition_receipts = _table(
    "partition_receipts",
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("partition", BigInt, primary_key=True, autoincrement=False),
    # The plan, written before the partition is read:
    sa.Column("lower_key", Text),
    sa.Column("upper_key", Text),
    sa.Column("without_key", sa.Boolean, nullable=False),
    sa.Column("row_offset", BigInt, nullable=False),
    sa.Column("planned_rows", BigInt, nullable=False),
    # The receipt, committed with the partition's staged rows; until then null:
    *[sa.Column(name, BigInt) for name in RECEIPT_COUNTS],
)

leases = _table(
    "leases",
    sa.Column("name", CODE, primary_key=True),
    sa.Column("holder", key_text(200)),
    sa.Column("run_id", BigInt),
    sa.Column("token", BigInt, nullable=False),  # rises with each holder: a fencing token
    sa.Column("beat_at", Timestamp, nullable=False),
)

source_states = _table(
    "source_states",
    sa.Column("source_system", CODE, primary_key=True),
    sa.Column("rules", key_text(200), nullable=False),
    sa.Column("last_run", BigInt, nullable=False),
    sa.Column("layout", CODE),
    sa.Column("watermark", Text),  # how far it has been read
    sa.Column("reconciled_at", Timestamp),  # when its keys were last compared with what is known
)

saved_queries = _table(
    "saved_queries",
    sa.Column("name", key_text(100), primary_key=True),
    sa.Column("database", CODE, nullable=False),  # main or invoice
    sa.Column("sql", Text, nullable=False),  # as it was written; checked again each time it runs
    sa.Column("description", Text),
    sa.Column("created_by", key_text(100), nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
)

api_keys = _table(
    "api_keys",
    sa.Column("id", key_text(16), primary_key=True),  # the part of a key that may be shown
    sa.Column("name", key_text(100), nullable=False),
    sa.Column("hash", key_text(64), nullable=False),  # SHA-256 of the whole key, in hexadecimal
    sa.Column("scopes", key_text(200), nullable=False),  # joined by commas
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("expires_at", Timestamp),
    sa.Column("revoked_at", Timestamp),
    sa.Index(None, "name"),
    info={SECRET: True},
)

# One row: whose database this is.
installation = _table(
    "installation",
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("environment", CODE, nullable=False),
    sa.Column("claimed_at", Timestamp, nullable=False),
)

# Written while the one writing transaction is open: on SQLite these live in a file of their own, see
# `Database.begin_activity`.
activity = sa.MetaData(naming_convention=metadata.naming_convention)

run_progress = sa.Table(
    "run_progress",
    activity,
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("stage", CODE, nullable=False),
    sa.Column("done", BigInt, nullable=False),
    sa.Column("total", BigInt, nullable=False),
    sa.Column("rows", BigInt, nullable=False),
    sa.Column("rows_per_second", sa.Float),
    sa.Column("seconds_left", sa.Float),
    sa.Column("beat_at", Timestamp, nullable=False),
)

# Runs that somebody asked to stop; a row goes when its run has ended.
cancel_requests = sa.Table(
    "cancel_requests",
    activity,
    sa.Column("run_id", BigInt, primary_key=True, autoincrement=False),
    sa.Column("asked_at", Timestamp, nullable=False),
)


query_log = sa.Table(
    "query_log",
    activity,
    sa.Column("id", BigInt, primary_key=True),
    sa.Column("query_id", CODE, nullable=False),
    sa.Column("key_name", key_text(100), nullable=False),
    sa.Column("database", CODE, nullable=False),
    sa.Column("fingerprint", CODE, nullable=False),
    sa.Column("statement", Text, nullable=False),  # without literals
    sa.Column("started_at", Timestamp, nullable=False),
    sa.Column("outcome", CODE, nullable=False),  # running, succeeded, truncated, failed, refused, …
    sa.Column("error_code", key_text(200)),
    sa.Column("row_count", BigInt),
    sa.Column("elapsed_ms", BigInt),
    sa.Index(None, "started_at"),
    sa.Index(None, "elapsed_ms"),
    info={SECRET: True},
)

# Who does what has to be done once, however many processes serve; see `databases.duties`.
duties = sa.Table(
    "duties",
    activity,
    sa.Column("name", CODE, primary_key=True),
    sa.Column("holder", key_text(200)),
    sa.Column("token", BigInt, nullable=False),  # rises with each holder: a fencing token
    sa.Column("beats", BigInt, nullable=False),  # rises as long as the holder lives
    sa.Column("beat_at", Timestamp, nullable=False),
)

# Each time that a schedule was due, and what became of it.
schedule_fires = sa.Table(
    "schedule_fires",
    activity,
    sa.Column("name", CODE, primary_key=True),  # ingest or backup
    sa.Column("due_at", Timestamp, primary_key=True),
    sa.Column("expression", key_text(200), nullable=False),  # with its time zone
    sa.Column("outcome", CODE, nullable=False),  # a `schedules.Outcome`
    sa.Column("missed", BigInt, nullable=False),  # earlier times that it stands for
    sa.Column("fired_at", Timestamp, nullable=False),
    sa.Column("finished_at", Timestamp),
    sa.Column("holder", key_text(200), nullable=False),
    sa.Column("run_id", BigInt),
    sa.Column("error_code", key_text(200)),
    sa.Column("error_detail", Text),
    sa.Column("error_hint", Text),
)

# What is wrong, or was. There are at most a few open ones of each subject; ids are made where they are
# written, so that a row can move here from the file in which alerts wait while this database is down.
alerts = sa.Table(
    "alerts",
    activity,
    sa.Column("id", key_text(36), primary_key=True),
    sa.Column("subject", key_text(100), nullable=False),  # what it is about: database.main
    sa.Column("kind", CODE, nullable=False),  # an `alerting.Kind`
    sa.Column("code", key_text(200), nullable=False),  # the doctor's, or that of an error
    sa.Column("title", Text, nullable=False),
    sa.Column("detail", Text, nullable=False),
    sa.Column("remedy", Text, nullable=False),  # a step a line
    sa.Column("command", Text, nullable=False),
    sa.Column("path", Text, nullable=False),  # of the API
    sa.Column("opened_at", Timestamp, nullable=False),
    sa.Column("told_at", Timestamp, nullable=False),
    sa.Column("notices", BigInt, nullable=False),  # how often it was told since it is of this kind
    sa.Column("recovered_at", Timestamp),
    sa.Column("version", BigInt, nullable=False),  # rises with each change
    sa.Index(None, "recovered_at"),
)

# The outbox: what is to be sent, and what was.
alert_deliveries = sa.Table(
    "alert_deliveries",
    activity,
    sa.Column("id", key_text(36), primary_key=True),  # by which a receiver knows what it got before
    sa.Column("alert_id", key_text(36), nullable=False),
    sa.Column("ordinal", BigInt, nullable=False),  # the version of the alert that it tells of
    sa.Column("channel", CODE, nullable=False),
    sa.Column("message", Text, nullable=False),  # JSON
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("status", CODE, nullable=False),  # pending, sent or given_up
    sa.Column("attempts", BigInt, nullable=False),
    sa.Column("next_at", Timestamp, nullable=False),
    sa.Column("ended_at", Timestamp),
    sa.Column("error", Text),
    sa.Index(None, "status", "created_at"),
)


@cache
def secret_tables() -> frozenset[str]:
    """Tables that no query may read: they tell of keys, and of what others asked."""
    tables = [*metadata.tables.values(), *activity.tables.values()]
    return frozenset(str(table.name) for table in tables if SECRET in table.info)


# What a contact that is one record has of it under the same name.
OF_ITS_RECORD = tuple(column.name for column in contacts.columns if column.name in source_records.columns)
