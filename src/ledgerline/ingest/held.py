"""What a small run is about, in memory: the records it staged, and those known that share keys with them.

Nearly all that a run asks the database for between staging and writing are these few rows, over and over.
They are read once and whole; a larger run reads of them what it needs when it needs it (`InTable`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.staged import InTable, among, together

_CONTACTS_HELD = 100_000


@dataclass(frozen=True, slots=True)
class Held:
    """One of the `RunRecords`. Of all records a key and an id tell which it is: there is but one source."""

    job: Job
    staged: pl.DataFrame  # `staging.RECORDS` of all that is staged, in the order of contacts
    partners: pl.DataFrame  # the same of the known records of the contacts that share a key with that
    contacts: pl.Series  # the ids of those contacts, whether or not they have a known record left

    def known(self) -> pl.DataFrame:
        changed = self.staged.filter(pl.col("contact_id") < self.job.first_contact_id)
        return together(*(frame.select(staging.MATCHED.names()) for frame in (self.partners, changed)))

    def of(self, contact_ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        return among(self.staged, contact_ids).select(columns)

    def named(self, record_ids: pl.Series) -> pl.DataFrame:
        is_new = pl.col("contact_id") >= self.job.first_contact_id
        is_named = pl.col("source_record_id").is_in(record_ids.implode())
        return self.staged.filter(is_new & is_named).select("source_record_id", "contact_id")

    def members(self, main: Database) -> pl.DataFrame:
        """The live records of all linked and touched contacts, as `staging.gather_members` has them."""
        tables = self.job.tables
        touched, links = staging.touched(main, tables), staging.linked_to(main, tables)
        unseen = touched.filter(~touched.is_in(self.contacts.implode())).sort()  # where a record has ended
        records = [self.staged, self.partners]
        if unseen.len():
            records.append(staging.known_records(main, tables, unseen, staging.RECORDS))
        rows = pl.concat(records).join(links, on=["record_key", "source_record_id"], how="left")
        is_member = pl.col("linked").is_not_null() | pl.col("contact_id").is_in(touched.implode())
        members = rows.filter(is_member)
        return members.with_columns(contact_id=pl.coalesce("linked", "contact_id")).drop("linked")


def hold(job: Job, main: Database) -> Held | InTable:
    """The records of a run that has staged few; where they share keys with too many contacts, not held."""
    contacts = staging.partners(main, job.tables, job.first_contact_id)
    if contacts.len() > _CONTACTS_HELD:
        return InTable(job, main, contacts)
    partners = staging.known_records(main, job.tables, contacts, staging.RECORDS)
    staged = staging.all_staged(main, job.tables).sort("contact_id", "record_key", "source_record_id")
    return Held(job, staged, partners, contacts)
