"""Linked and touched contacts → what they shall be, and what changes about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from ledgerline.contacts.edits import EDITS, effective, overlay
from ledgerline.contacts.survive import Golden, survive
from ledgerline.databases import edits, staging
from ledgerline.databases.database import Database
from ledgerline.databases.schema import changes
from ledgerline.databases.staging import Slice
from ledgerline.databases.staging_tables import Staging
from ledgerline.databases.writing import DETAILS
from ledgerline.ingest.held import Held
from ledgerline.ingest.partitions import Job
from ledgerline.ingest.staged import RunRecords

CONTACTS_AT_ONCE = 25_000
COMPARED = (
    "name",
    "honorific",
    "company_name",
    "email",
    "mobile_e164",
    "designation",
    "relationship_type",
    "data_quality_score",
    "is_active",
    "owners",
    "further_emails",
    "further_phones",
)
GIVEN_AS = {"owners": "owner"}  # a contact's field → the field whose giver is known


@dataclass(frozen=True, slots=True)
class Remade:
    """What contacts shall be, of those that differ from what they are."""

    contacts: pl.DataFrame  # the columns of `contacts` that a golden row has, and `owner`
    points: pl.DataFrame  # [contact_id, kind, value, position]
    owners: pl.DataFrame  # [contact_id, position, owner], the first owner at 0
    changes: pl.DataFrame | None  # the columns of `changes`; None: there was nothing before
    source_values: pl.DataFrame  # see `contacts.edits.Overlaid`


@dataclass(frozen=True, slots=True)
class Seen:
    """Known contacts with these ids as they were, and the mark of the edits at that time."""

    ids: pl.Series
    contacts: staging.Current
    mark: int


def see(main: Database, ids: pl.Series) -> Seen:
    """Look at known contacts, at most as many as a statement can name."""
    mark = _mark(main)
    return Seen(ids, staging.current_among(main, ids), mark)


def make_golden(job: Job, main: Database, records: RunRecords, seen: Seen | None = None) -> int:
    """Stage the golden rows of every linked or touched contact, slice by slice, and their changes.

    seen  the contacts as they are, or most of them; None: they are to be read

    Returns the mark of the edits that were regarded (see `databases.edits`).
    """
    tables = job.tables
    mark = _mark(main) if seen is None else seen.mark
    with main.begin() as connection:  # forget what an earlier attempt of this run staged
        job.lease.check(connection)
        staging.clear(connection, staging.made(tables))
    edited = _edited(job, main, tables)
    slices = staging.slices(staging.remade(main, tables), CONTACTS_AT_ONCE)
    members, gather = _members(job, main, records)
    for part, current in _one_ahead(main, partial(_current, job, main, seen), slices, gather):
        rows, before = members(part), current.result()
        made = remade(rows, before, edited, job)
        if before is not None:
            made = _without_same_details(made, before)
        loads = [
            (tables.golden, made.contacts.drop("owner", strict=False).sort("id")),  # as their pages lie
            (tables.golden_points, made.points),
            (tables.golden_owners, made.owners),
            (tables.source_values, made.source_values),
            *([] if made.changes is None else [(tables.changes, made.changes)]),
        ]
        with main.begin(loads) as connection:
            job.lease.check(connection)
    with main.begin() as connection:  # they are joined by contact: a guess of their size takes its square
        main.server.analyze(connection, [tables.golden, tables.golden_owners])
    return mark


def _members(
    job: Job, main: Database, records: RunRecords
) -> tuple[Callable[[Slice], pl.DataFrame], Callable[[], None]]:
    """How the records of a slice of the contacts are had, and what has to be done before."""
    if not isinstance(records, Held):
        return partial(_gathered, job, main), partial(_gather, job, main)
    every = records.members(main)
    return lambda part: every.filter(pl.col("contact_id").is_in(part.ids.implode())), _nothing


def _gathered(job: Job, main: Database, part: Slice) -> pl.DataFrame:
    return staging.gathered(main, job.tables, part.lower, part.upper)


def _gather(job: Job, main: Database) -> None:
    """Bring the records that golden rows are made of together, so that slices of them are cheap."""
    with main.begin() as connection:
        job.lease.check(connection)
        staging.gather_members(connection, job.tables, first_load=job.first_load)


def _nothing() -> None:
    """What is done where nothing has to be gathered."""


def _mark(main: Database) -> int:
    """To be taken before anything is read that an edit would change."""
    with main.connect() as connection:
        return edits.mark(connection)


def _current(job: Job, main: Database, seen: Seen | None, part: Slice) -> staging.Current | None:
    if job.first_load:
        return None
    if seen is None:
        return staging.current(main, job.tables, part, job.first_contact_id)
    known = part.ids.filter(part.ids < job.first_contact_id)
    unseen = known.filter(~known.is_in(seen.ids.implode()))  # where a record has ended
    contacts = seen.contacts.only(known)
    return contacts.beside(staging.current_among(main, unseen)) if unseen.len() else contacts


def _one_ahead(
    main: Database,
    read: Callable[[Slice], staging.Current | None],
    parts: Sequence[Slice],
    meanwhile: Callable[[], None],
) -> Iterator[tuple[Slice, Future[staging.Current | None]]]:
    """Each part with what is being read of it; the next is read already, the first `meanwhile`."""
    with main.threads(1, "current") as pool:
        ahead = deque(pool.submit(read, part) for part in parts[:1])
        meanwhile()
        for number, part in enumerate(parts, start=1):
            ahead.extend(pool.submit(read, following) for following in parts[number : number + 1])
            yield part, ahead.popleft()


def _without_same_details(made: Remade, before: staging.Current) -> Remade:
    """Without the further values of contacts that have the same already: `clear_details` leaves those."""
    assert made.changes is not None
    differing = made.changes.filter(pl.col("field").is_in(DETAILS)).select("contact_id")
    same = before.contacts.select(contact_id="id").join(differing, on="contact_id", how="anti")
    points, owners = (
        details.join(same, on="contact_id", how="anti") for details in (made.points, made.owners)
    )
    first = made.owners.filter(pl.col("position") == 0).join(same, on="contact_id", how="semi")
    return replace(made, points=points, owners=pl.concat([owners, first]))


def _edited(job: Job, main: Database, tables: Staging) -> pl.DataFrame:
    in_force = staging.typed(main.read(edits.in_force()), EDITS)
    return effective(in_force, staging.moved(main, tables, job.first_contact_id))


def remade(members: pl.DataFrame, before: staging.Current | None, edited: pl.DataFrame, job: Job) -> Remade:
    """Make contacts of their records and of what people edited.

    members  `staging.RECORDS`: all live records of these contacts
    before   the contacts as they are, those that there are; None: none of any
    edited   as `contacts.edits.effective` gives it
    """
    golden = survive(lined_up(members))
    over = overlay(
        contact_rows(golden, members, job), golden.points.rename({"cluster": "contact_id"}), edited
    )
    new, points, owners = over.contacts, over.points, owner_rows(golden)
    changed = None
    if before is not None:
        new, changed = with_changes(new, points, owners, before, golden.provenance, members, job)
        changed = _edits_marked(changed, edited)
        points, owners = _with_idle(points, before.points, new), _with_idle(owners, before.owners, new)
    chosen = new.select(contact_id="id")
    return Remade(
        new,
        points.join(chosen, on="contact_id", how="semi"),
        owners.join(chosen, on="contact_id", how="semi"),
        changed,
        over.source_values,
    )


def _edits_marked(changed: pl.DataFrame, edited: pl.DataFrame) -> pl.DataFrame:
    """A field that a person's edit decides: where contacts join, and the edit of one becomes that of all."""
    by_edit = edited.select("contact_id", "field", is_edit=pl.lit(value=True))
    marked = changed.join(by_edit, on=["contact_id", "field"], how="left", maintain_order="left")
    is_edit = pl.col("is_edit").fill_null(value=False)
    return marked.with_columns(
        rule=pl.when(is_edit).then(pl.lit("edit")).otherwise("rule"),
        source_record_id=pl.when(~is_edit).then("source_record_id"),
        source_system=pl.when(~is_edit).then("source_system"),
    ).drop("is_edit")


def lined_up(members: pl.DataFrame) -> pl.DataFrame:
    """Members as `survive` wants them. One source, so trust is equal; a later key is the newer record."""
    return members.sort("record_key", "source_record_id").with_columns(
        record=pl.int_range(pl.len(), dtype=pl.Int64),
        cluster="contact_id",
        trust=pl.lit(0),
        position=pl.col("record_key"),
    )


def contact_rows(golden: Golden, members: pl.DataFrame, job: Job) -> pl.DataFrame:
    """Golden contacts in the columns of `contacts`; a contact's own source record is its first."""
    founders = members.sort("record_key", "source_record_id").unique(
        "contact_id", keep="first", maintain_order=True
    )
    return (
        golden.contacts.rename({"cluster": "id"})
        .drop("further_owners", "owner")
        .join(founders.select(id="contact_id", source_record_id="source_record_id"), on="id")
        .with_columns(
            source_system=pl.lit(job.system),
            is_active=pl.lit(value=True),
            created_run=pl.lit(job.run_id, pl.Int64),
        )
    )


def owner_rows(golden: Golden) -> pl.DataFrame:
    """[contact_id, position, owner], the first owner at 0."""
    listed = golden.contacts.select(
        contact_id="cluster",
        owner=pl.concat_list(pl.concat_list("owner"), "further_owners").list.drop_nulls(),
    )
    return (
        listed.filter(pl.col("owner").list.len() > 0)
        .with_columns(position=pl.int_ranges(0, pl.col("owner").list.len(), dtype=pl.Int16))
        .explode("owner", "position")
    )


def with_changes(
    new: pl.DataFrame,
    points: pl.DataFrame,
    owners: pl.DataFrame,
    before: staging.Current,
    provenance: pl.DataFrame,
    members: pl.DataFrame,
    job: Job,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The golden rows that differ from what is there, and every field that does, as rows of `changes`.

    A contact of which no live record is left stays as it is, but inactive.
    """
    then = comparable(before.contacts, before.points, before.owners)
    now = comparable(new, points, owners)
    left = then.join(now, on="id", how="anti").with_columns(is_active=pl.lit("false"))
    both = pl.concat([now.join(then.select("id"), on="id", how="semi"), left]).join(
        then, on="id", suffix="_before"
    )
    fields = [
        both.filter(~pl.col(name).eq_missing(pl.col(f"{name}_before"))).select(
            contact_id="id", field=pl.lit(name), old_value=f"{name}_before", new_value=name
        )
        for name in COMPARED
    ]
    changed = pl.concat(fields)
    differing = changed["contact_id"].unique()
    idle = before.contacts.join(left.select("id"), on="id", how="semi").with_columns(
        is_active=pl.lit(value=False)
    )
    rows = pl.concat([new, idle.select(c for c in idle.columns if c in new.columns)], how="diagonal_relaxed")
    is_new = ~pl.col("id").is_in(before.contacts["id"].implode())
    kept = rows.filter(is_new | pl.col("id").is_in(differing.implode()))
    return kept, _with_source(changed, provenance, members, job)


def _with_idle(details: pl.DataFrame, before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Beside the details of golden contacts, those of the contacts that only became inactive."""
    idle = rows.filter(~pl.col("is_active")).select(contact_id="id")
    return pl.concat([details, before.join(idle, on="contact_id", how="semi")], how="diagonal_relaxed")


def comparable(rows: pl.DataFrame, points: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """[id, COMPARED…] as text, lists joined by a space (owners by a comma)."""
    further = [
        points.filter(pl.col("kind") == kind)
        .sort("contact_id", "position")
        .group_by("contact_id", maintain_order=True)
        .agg(pl.col("value").str.join(" ").alias(name))
        for kind, name in (("EMAIL", "further_emails"), ("PHONE", "further_phones"))
    ]
    named = (
        owners.sort("contact_id", "position")
        .group_by("contact_id", maintain_order=True)
        .agg(pl.col("owner").str.join(", ").alias("owners"))
    )
    wide = rows.with_columns(pl.col("is_active").cast(pl.Boolean))
    for frame in (*further, named):
        wide = wide.join(frame, left_on="id", right_on="contact_id", how="left")
    return wide.select("id", *[pl.col(name).cast(pl.String) for name in COMPARED])


def _with_source(
    changed: pl.DataFrame, provenance: pl.DataFrame, members: pl.DataFrame, job: Job
) -> pl.DataFrame:
    numbered = lined_up(members).select("record", "source_record_id")
    givers = provenance.join(numbered, on="record").select(
        contact_id="cluster", of_record="field", source_record_id="source_record_id"
    )
    return (
        changed.with_columns(of_record=pl.col("field").replace(GIVEN_AS))
        .join(givers, on=["contact_id", "of_record"], how="left")
        .with_columns(
            run_id=pl.lit(job.run_id, pl.Int64),
            source_system=pl.lit(job.system),
            rule=pl.when(pl.col("field") == "is_active")
            .then(pl.lit("live_sources"))
            .otherwise(pl.lit("survivorship")),
        )
        .select(column.name for column in changes.columns)
    )
