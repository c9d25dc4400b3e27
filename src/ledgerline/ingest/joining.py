"""Staged records → the contacts they belong to: find who shares a key, match, and note the links.

Memory holds integers for all new records, the text of few: names are read back where they are to be compared,
and what names a record in the links where it is in a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ledgerline.contacts.blocks import Blocks, Sample, block
from ledgerline.contacts.keys import Keys, match_keys
from ledgerline.contacts.match import Matches, match
from ledgerline.contacts.model import MatchRule
from ledgerline.databases import staging
from ledgerline.databases.database import Database
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.staged import RunRecords

_SAMPLED_CONTACTS, _SAMPLES = 50_000, 50


@dataclass(frozen=True, slots=True)
class Joined:
    """What matching came to."""

    links: pl.DataFrame
    suggestions: pl.DataFrame
    capped: int


@dataclass(slots=True)
class Blocked:
    """Records that share keys with others, not compared so far."""

    known: pl.DataFrame  # `staging.MATCHED`, `record` and `is_staged`
    first_new: int  # the contact id of a new record less its number
    _blocks: Blocks | None

    def candidates(self) -> pl.Series:
        """The contact ids of new records that share a key."""
        assert self._blocks is not None
        records = pl.Series("contact_id", self._blocks.candidates.record)
        return records.filter(records >= self.known.height) + self.first_new

    def taken(self) -> Blocks:
        """The blocks, for good: they are not held here any more."""
        blocks, self._blocks = self._blocks, None
        assert blocks is not None
        return blocks


def join_records(job: Job, main: Database, keys: list[Keys], records: RunRecords) -> Joined:
    """Match the staged records with each other and with what is known; stage the links and suggestions.

    Call `prepare_joins` before.
    """
    return link_records(job, main, block_records(job, main, keys, records), records)


def block_records(job: Job, main: Database, keys: list[Keys], records: RunRecords) -> Blocked:
    """Find the staged records that share a key, with each other or with what is known.

    Records have numbers: known ones before new ones, those of older contacts first. The smallest number of a
    cluster is its founder, so the oldest contact survives.

    keys  of all new records; the list is emptied as soon as they are not needed any more
    """
    with main.threads(1, "sample") as pool:
        sampled = None if job.first_load else pool.submit(_sample, job, main)
        known = _numbered(records.known())
        first_new = job.first_contact_id - known.height  # the contact id of a new record less its number
        in_order = sorted(keys, key=Keys.first)  # to sort them as a whole would take their memory twice
        new = Keys.concat(in_order).renumbered(known.height)
        sample = None if sampled is None else sampled.result()
        every = [match_keys(known), new]
        keys.clear()
        del in_order, new
        blocks = block(_taken(every), known["record"], sample)
    return Blocked(known, first_new, blocks)


def link_records(job: Job, main: Database, blocked: Blocked, records: RunRecords) -> Joined:
    """Match the records that share keys; stage the links and suggestions, and what else is touched."""
    tables = job.tables
    joined = compare_records(job, main, blocked, records)
    with main.begin([(tables.links, joined.links), (tables.suggestions, joined.suggestions)]) as connection:
        if not job.first_load:
            staging.touch(connection, tables, job.first_contact_id)
        main.server.analyze(connection, [tables.links, tables.touched])
        job.lease.check(connection)
    return joined


def compare_records(job: Job, main: Database, blocked: Blocked, staged: RunRecords) -> Joined:
    """Match the records that share keys: links and suggestions, in the columns of their staging tables."""
    known, first_new = blocked.known, blocked.first_new
    blocks = blocked.taken()

    def read_back(records: pl.Series, *columns: str) -> pl.DataFrame:
        chosen = records.filter(records >= known.height) + first_new
        read = staged.of(chosen.unique().sort(), ["contact_id", *columns])
        return read.with_columns(record=pl.col("contact_id") - first_new)

    names = read_back(pl.Series(blocks.names_needed()), "name")
    names = pl.concat([known.select("record", "name"), names.select("record", "name")])
    apart = _split_pairs(main, job.system, staged, known, first_new)
    matches = match(blocks, names, known.select("record", "contact_id"), apart)
    del blocks, names
    fresh = read_back(matches.clusters["record"], "record_key", "source_record_id")
    fresh = fresh.with_columns(is_staged=pl.lit(value=True))
    clustered = pl.concat([known.select(fresh.columns), fresh]).sort("record")
    del fresh
    joined = joined_records(matches, clustered, first_new)
    return replace(joined, suggestions=joined.suggestions.with_columns(run_id=pl.lit(job.run_id, pl.Int64)))


def _taken(keys: list[Keys]) -> Keys:
    """All in one, and `keys` emptied, so that who is given it can free what it does not need any more."""
    every = Keys.concat(keys)
    keys.clear()
    return every


def prepare_joins(job: Job, main: Database) -> None:
    """What is staged by now is joined many times: let the planner know how much it is."""
    tables = job.tables
    with main.begin() as connection:
        job.lease.check(connection)
        staging.clear(connection, [tables.links, tables.suggestions, tables.touched])
        if not job.first_load:
            staging.index(connection, tables)
        main.server.analyze(connection, [tables.records, tables.points, tables.marks])


def _numbered(known: pl.DataFrame) -> pl.DataFrame:
    ordered = known.sort("contact_id", "record_key", "source_record_id")
    return ordered.with_columns(record=pl.int_range(pl.len(), dtype=pl.Int64))


def _split_pairs(
    main: Database, system: str, staged: RunRecords, known: pl.DataFrame, first_new: int
) -> pl.DataFrame | None:
    """[left, right]: the numbers of records that a person declared to be different people."""
    pairs = staging.split_pairs_of(main, system)
    if pairs.is_empty():
        return None
    new = staged.named(pl.concat([pairs["left_record_id"], pairs["right_record_id"]]).unique())
    numbered = pl.concat(
        [
            known.select("source_record_id", "record"),
            new.select("source_record_id", record=pl.col("contact_id") - first_new),
        ]
    )
    for end in ("left", "right"):
        named = numbered.rename({"source_record_id": f"{end}_record_id", "record": end})
        pairs = pairs.join(named, on=f"{end}_record_id")
    return pairs.select("left", "right")


def _sample(job: Job, main: Database) -> Sample:
    """Some of the contacts there are, by which a run that reads but what is new can tell common names."""
    stride = max(job.first_contact_id // _SAMPLES, 1)
    width = min(stride, _SAMPLED_CONTACTS // _SAMPLES)
    lowers = range(1, job.first_contact_id, stride)
    rows = staging.sample(main, [(lower, lower + width - 1) for lower in lowers])
    return Sample.of(rows, one_in=stride / width)


def joined_records(matches: Matches, clustered: pl.DataFrame, first_new: int) -> Joined:
    """The clusters in which something is new, as links; the suggestions between different contacts.

    clustered  [record, record_key, source_record_id, contact_id, is_staged]: at least all records of clusters
               and all known ones, with the contact that each was known or staged with
    """
    named = clustered if clustered["record"].is_sorted() else clustered.sort("record")
    clusters = _in_order(_with_new(matches.clusters, named), named)
    joined = pl.col("rule") != MatchRule.IDENTITY.value  # the others belonged to their contact before
    clusters = clusters.with_columns(pl.when(joined).then(pl.col("rule", "partner", "score")))
    own, founder = _found(named, clusters["record"]), _found(named, clusters["cluster"])
    partner = _found(named, clusters["partner"])
    links = pl.DataFrame(
        {
            "record": clusters["record"],
            "record_key": named["record_key"].gather(own),
            "source_record_id": named["source_record_id"].gather(own),
            "old_contact_id": named["contact_id"].gather(own),
            "contact_id": named["contact_id"].gather(founder),
            "match_rule": clusters["rule"],
            "match_partner": named["source_record_id"].gather(partner),
            "match_score": clusters["score"].cast(pl.Float64),
        }
    )
    suggestions = _suggested(matches.suggestions, _contacts(matches.suggestions, links, named), first_new)
    return Joined(links.drop("record"), suggestions, matches.capped)


def _with_new(clusters: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """The clusters in which something is new."""
    is_staged = named["is_staged"]
    if is_staged.all():
        return clusters
    new = clusters["cluster"].filter(is_staged.gather(_found(named, clusters["record"]))).unique()
    return clusters.filter(pl.col("cluster").is_in(new.implode()))


def _found(named: pl.DataFrame, records: pl.Series) -> pl.Series:
    """Where each record stands in `named`, which is sorted: a join would take ten times the memory."""
    place = named["record"].search_sorted(records.fill_null(0))
    return pl.select(pl.when(records.is_not_null()).then(place)).to_series()


def _in_order(clusters: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """In the order of their keys: SQLite indexes the links anew for each join, and does so quickly then."""
    own = _found(named, clusters["record"])
    keys = named.select(pl.col("record_key", "source_record_id").gather(own))
    order = keys["record_key"].arg_sort()
    if keys["record_key"].is_duplicated().any():  # ids that are no integers can have the same
        order = keys.select(pl.arg_sort_by("record_key", "source_record_id")).to_series()
    return clusters[order]


def _contacts(suggestions: pl.DataFrame, links: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """[record, contact_id]: the contacts of the records that are suggested, as far as they are known here."""
    ends = pl.concat([suggestions["left"], suggestions["right"]]).unique()
    is_end = pl.col("record").is_in(ends.implode())
    joined, known = (frame.filter(is_end).select("record", "contact_id") for frame in (links, named))
    return pl.concat([joined, known.join(joined, on="record", how="anti")])


def _suggested(suggestions: pl.DataFrame, contacts: pl.DataFrame, first_new: int) -> pl.DataFrame:
    """The best suggestion between any two contacts; a new record that is not in `contacts` has its own."""
    ends = suggestions.join(contacts.rename({"record": "left", "contact_id": "one"}), on="left", how="left")
    ends = ends.join(contacts.rename({"record": "right", "contact_id": "other"}), on="right", how="left")
    one = pl.coalesce("one", pl.col("left") + first_new)
    other = pl.coalesce("other", pl.col("right") + first_new)
    return (
        ends.filter(one != other)
        .with_columns(
            left_contact_id=pl.min_horizontal(one, other),
            right_contact_id=pl.max_horizontal(one, other),
            score=pl.col("score").cast(pl.Float64),
        )
        .sort("score", "left_contact_id", "right_contact_id", descending=[True, False, False])
        .unique(["left_contact_id", "right_contact_id"], keep="first", maintain_order=True)
        .select("left_contact_id", "right_contact_id", "rule", "score", "why")
    )
