"""Matching of records that are all at hand, in one step."""

from __future__ import annotations

import polars as pl

from ledgerline.contacts.blocks import Sample, block
from ledgerline.contacts.keys import match_keys
from ledgerline.contacts.match import Matches, match


def match_records(
    records: pl.DataFrame, exclusions: pl.DataFrame | None = None, sample: Sample | None = None
) -> Matches:
    """Match `records` [record, contact_id, name, company_name, email, …], of any order."""
    known = records.drop_nulls("contact_id")
    blocks = block(match_keys(records), known["record"], sample)
    read = (
        pl.col("record").is_in(pl.Series(blocks.names_needed()).implode())
        | pl.col("contact_id").is_not_null()
    )
    return match(blocks, records.filter(read), known.select("record", "contact_id"), exclusions)
