"""The records that a run is about where they are: rows of tables, or pages (see `databases.pages`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from ledgerline.databases import pages, staging
from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job


class RunRecords(Protocol):
    def known(self) -> pl.DataFrame:
        """With `staging.MATCHED` and `is_staged`: the known live records of contacts that share a key with a
        staged record, and the new versions of known records."""

    def of(self, contact_ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        """These columns, of `staging.MATCHED`, of the records with these contact ids, which are in order."""

    def named(self, record_ids: pl.Series) -> pl.DataFrame:
        """[source_record_id, contact_id] of the new records among these."""


@dataclass(frozen=True, slots=True)
class InTable:
    job: Job
    main: Database
    contacts: pl.Series | None = None  # that share a key with a staged record, where that is known by now

    def known(self) -> pl.DataFrame:
        if self.job.first_load:
            return _nothing()
        main, tables, first_new = self.main, self.job.tables, self.job.first_contact_id
        contacts = staging.partners(main, tables, first_new) if self.contacts is None else self.contacts
        sharing = staging.known_records(main, tables, contacts, staging.MATCHED)
        return together(sharing, staging.staged(main, tables, 0, first_new))

    def of(self, contact_ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        return staging.records_of(self.main, self.job.tables, contact_ids, columns)

    def named(self, record_ids: pl.Series) -> pl.DataFrame:  # noqa: ARG002  (the server knows which)
        return staging.split_and_staged(self.main, self.job.tables, self.job.first_contact_id)


@dataclass(frozen=True, slots=True)
class InPages:
    job: Job
    main: Database
    partitions: Sequence[int]

    def known(self) -> pl.DataFrame:
        return _nothing()

    def of(self, contact_ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
        return self._gathered(list(columns), contact_ids)

    def named(self, record_ids: pl.Series) -> pl.DataFrame:
        columns = ["source_record_id", "contact_id"]
        is_named = pl.col("source_record_id").is_in(record_ids.implode())
        none = staging.MATCHED.to_frame().select(columns)
        return pl.concat([none, *(page.filter(is_named) for page in self._pages(columns))])

    def _gathered(self, columns: list[str], contact_ids: pl.Series) -> pl.DataFrame:
        read = list(dict.fromkeys(["contact_id", *columns]))
        schema = pl.Schema({name: staging.MATCHED[name] for name in columns})
        chosen = (among(page, contact_ids).select(columns) for page in self._pages(read))
        return pl.concat([schema.to_frame(), *chosen])

    def _pages(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        for partition in self.partitions:
            yield pages.read(self.main, self.job.tables, partition, columns)


def together(known: pl.DataFrame, staged: pl.DataFrame) -> pl.DataFrame:
    """Both in one frame that tells which is staged."""
    return pl.concat(
        [known.with_columns(is_staged=pl.lit(value=False)), staged.with_columns(is_staged=pl.lit(value=True))]
    )


def _nothing() -> pl.DataFrame:
    return together(staging.MATCHED.to_frame(), staging.MATCHED.to_frame())


def among(rows: pl.DataFrame, contact_ids: pl.Series, *, others: bool = False) -> pl.DataFrame:
    """The rows with these contact ids, or the others; rows and ids are in order."""
    own = rows["contact_id"]
    lower, upper = contact_ids.search_sorted(pl.Series([own.min(), own.max()], dtype=pl.Int64))
    is_one = own.is_in(contact_ids[lower : upper + 1].implode())
    return rows.filter(~is_one if others else is_one)
