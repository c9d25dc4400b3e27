"""What a run keeps in its staging tables between reading the source and the one writing transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl
import sqlalchemy as sa

from ledgerline.contacts.model import CLEAN
from ledgerline.databases.database import Database
from ledgerline.databases.engines import Query, one_by_one
from ledgerline.databases.schema import (
    ENDED,
    contact_owners,
    contact_points,
    contacts,
    owners,
    source_records,
    split_pairs,
)
from ledgerline.databases.staging_tables import COMPARED_COLUMNS, Staging

IsOne: TypeAlias = Callable[[sa.ColumnElement[int]], sa.ColumnElement[bool]]
_THREADS = 2

RECORDS = pl.Schema({name: CLEAN.get(name, pl.Int64) for name in COMPARED_COLUMNS})

# What matching reads of a known record.
MATCHED = pl.Schema(
    {
        "record_key": pl.Int64,
        "source_record_id": pl.String,
        "contact_id": pl.Int64,
        "name": pl.String,
        "company_name": pl.String,
        "email": pl.String,
        "further_emails": pl.String,
        "phone": pl.String,
        "phone_type": pl.String,
        "further_phones": pl.String,
    }
)


# Of that, what match keys are made of.
KEYED = pl.Schema(
    {name: kind for name, kind in MATCHED.items() if name not in {"record_key", "source_record_id"}}
)


def create(connection: sa.Connection, staging: Staging) -> None:
    for table in staging.tables:
        table.create(connection, checkfirst=False)


def ensure(connection: sa.Connection, staging: Staging) -> None:
    """Create the tables where the run has none so far."""
    if not exists(connection, staging):
        create(connection, staging)


def drop(connection: sa.Connection, staging: Staging) -> None:
    if exists(connection, staging):
        for table in staging.tables:
            connection.execute(sa.schema.DropTable(table, if_exists=True))


def exists(connection: sa.Connection, staging: Staging) -> bool:
    """Whether the run has staging tables: one that found nothing new may have none."""
    return sa.inspect(connection).has_table(staging.named("records"))


def index(connection: sa.Connection, staging: Staging) -> None:
    """Indexes by record, for the joins with what is known (of which a first load has nothing)."""
    for table in (staging.records, staging.marks, staging.links):
        _index(connection, table.c.record_key)


def index_by_contact(connection: sa.Connection, staging: Staging) -> None:
    """For reading what single partitions staged, each a range of contact ids, which lies together on disk."""
    _index(connection, staging.records.c.contact_id, "by_contact", postgresql_using="brin")


def _index(connection: sa.Connection, column: sa.Column[Any], *purpose: str, **options: Any) -> None:
    """One that an earlier attempt of this run made is made anew."""
    index = sa.Index("_".join(["ix", column.table.name, *purpose]), column, **options)
    connection.execute(sa.schema.DropIndex(index, if_exists=True))
    index.create(connection)
    column.table.indexes.discard(index)  # or a table of this description would be created with it


def clear(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Empty staging tables of what an earlier attempt of this run left in them."""
    for table in tables:
        connection.execute(table.delete())


def made(staging: Staging) -> list[sa.Table]:
    """What golden contacts are made of, and what comes of that."""
    return [
        staging.members,
        staging.golden,
        staging.golden_points,
        staging.golden_owners,
        staging.changes,
        staging.source_values,
    ]


CONTACTS = pl.Schema(
    {
        "id": pl.Int64,
        "name": pl.String,
        "honorific": pl.String,
        "company_name": pl.String,
        "email": pl.String,
        "mobile_e164": pl.String,
        "designation": pl.String,
        "relationship_type": pl.String,
        "data_quality_score": pl.Int16,
        "source_system": pl.String,
        "source_record_id": pl.String,
        "is_active": pl.Boolean,
        "created_run": pl.Int64,
    }
)
LINKED = pl.Schema({"record_key": pl.Int64, "source_record_id": pl.String, "linked": pl.Int64})
TOUCHED = pl.Schema({"contact_id": pl.Int64})
MOVED = pl.Schema({"old_contact_id": pl.Int64, "contact_id": pl.Int64})
POINTS = pl.Schema({"contact_id": pl.Int64, "kind": pl.String, "position": pl.Int16, "value": pl.String})
OWNERS = pl.Schema({"contact_id": pl.Int64, "position": pl.Int16, "owner": pl.String})


def typed(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The columns of a schema, in its order and types; those that are missing are null."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in schema.items()
    )


# -- candidates for matching ---------------------------------------------------------------------------


def records_of(main: Database, staging: Staging, ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
    """These columns, of `MATCHED`, of the staged records of contacts with these ids, which are in order."""
    wanted = sa.select(*(staging.records.c[name] for name in columns))
    with _choosing(main, staging, ids) as is_one:
        read = main.read(wanted.where(is_one(staging.records.c.contact_id)))
    return typed(read, pl.Schema({name: MATCHED[name] for name in columns}))


def choose(connection: sa.Connection, staging: Staging, ids: Query) -> None:
    """Name contacts once that several statements are about."""
    clear(connection, [staging.chosen])
    connection.execute(staging.chosen.insert().from_select(["contact_id"], ids))


def staged(
    main: Database, staging: Staging, lower: int, upper: int, schema: pl.Schema = MATCHED
) -> pl.DataFrame:
    """The staged records whose contact ids are in [lower, upper); of `RECORDS`, what `schema` names."""
    contact_id = staging.records.c.contact_id
    query = sa.select(*_columns(staging.records, schema)).where(contact_id >= lower, contact_id < upper)
    return typed(main.read(query), schema)


def all_staged(main: Database, staging: Staging) -> pl.DataFrame:
    """All staged records, with `RECORDS`."""
    return typed(main.read(sa.select(*_columns(staging.records, RECORDS))), RECORDS)


def partners(main: Database, staging: Staging, first_contact_id: int) -> pl.Series:
    """The ids of all known contacts that share a key with a staged record, in order.

    A key is an e-mail address, a phone number, or name and company; the staged records' own contacts are
    among them.
    """
    with main.threads(_THREADS, "partners") as pool:
        found = pl.concat(pool.map(main.read, _sharing(staging, first_contact_id)))
    return found["contact_id"].unique().sort()


def known_records(main: Database, staging: Staging, ids: pl.Series, schema: pl.Schema) -> pl.DataFrame:
    """The known live records of these contacts, whose ids are in order, but those that are no more what they
    were; of `RECORDS`, what `schema` names."""
    known, is_known_still = _known_still(staging)
    wanted = sa.select(*_columns(source_records, schema)).select_from(known).where(is_known_still)
    with _choosing(main, staging, ids, indexed=True) as is_one:
        return typed(main.read(wanted.where(is_one(source_records.c.contact_id))), schema)


@contextmanager
def _choosing(main: Database, staging: Staging, ids: pl.Series, *, indexed: bool = False) -> Iterator[IsOne]:
    """That a column is one of these ids, which are in order: so are the pages that they are found on.

    indexed  where known records are looked through: without an index PostgreSQL may read all ids for each of
             them, for it thinks that hardly any is left when more is staged than is known
    """
    chosen = staging.chosen
    if ids.len() <= main.server.named_at_once:
        named = ids.to_list()
        yield lambda column: main.server.is_among(column, named)
        return

    def prepare(connection: sa.Connection) -> None:
        if indexed:
            _index(connection, chosen.c.contact_id)
        main.server.analyze(connection, [chosen])

    with main.lending((chosen, ids.to_frame("contact_id")), prepare):
        yield lambda column: column.in_(sa.select(chosen.c.contact_id))


def _sharing(staging: Staging, first_contact_id: int) -> tuple[Query, Query]:
    """The contacts that share a key with a staged record: halves that take about as long."""
    records, points = staging.records, staging.points
    emails, phones = (
        sa.union(
            sa.select(column.label("value")).where(column.is_not(None)),
            sa.select(points.c.value).where(points.c.kind == kind),
        ).subquery(kind.lower())
        for column, kind in ((records.c.email, "EMAIL"), (records.c.phone, "PHONE"))
    )
    # Both in one, for no value is both: PostgreSQL may read all points for a join.
    values = sa.union(
        sa.select(records.c.email.label("value")).where(records.c.email.is_not(None)),
        sa.select(records.c.phone).where(records.c.phone.is_not(None)),
        sa.select(points.c.value),
    ).subquery("further")
    # Each once: every row of an invoice may be the 'Cash Customer' of one company.
    names = sa.select(records.c.identity_key).where(records.c.identity_key.is_not(None)).distinct().subquery()
    return sa.union(
        sa.select(contacts.c.id.label("contact_id")).join(emails, contacts.c.email == emails.c.value),
        sa.select(contacts.c.id).join(phones, contacts.c.mobile_e164 == phones.c.value),
    ), sa.union(
        sa.select(source_records.c.contact_id).join(
            names, source_records.c.identity_key == names.c.identity_key
        ),
        sa.select(records.c.contact_id).where(records.c.contact_id < first_contact_id),
        sa.select(contact_points.c.contact_id).join(values, contact_points.c.value == values.c.value),
    )


def split_pairs_of(main: Database, system: str) -> pl.DataFrame:
    """[left_record_id, right_record_id] of the pairs of a source that are held to be different people."""
    query = sa.select(split_pairs.c.left_record_id, split_pairs.c.right_record_id).where(
        split_pairs.c.source_system == system, split_pairs.c.lifted_run.is_(None)
    )
    return typed(main.read(query), pl.Schema({"left_record_id": pl.String, "right_record_id": pl.String}))


def split_and_staged(main: Database, staging: Staging, first_contact_id: int) -> pl.DataFrame:
    """[source_record_id, contact_id] of the staged new records that somebody split from others."""
    ends = [
        sa.select(end).where(split_pairs.c.source_system == staging.system)
        for end in (split_pairs.c.left_record_id, split_pairs.c.right_record_id)
    ]
    records = staging.records
    query = sa.select(records.c.source_record_id, records.c.contact_id).where(
        records.c.contact_id >= first_contact_id, records.c.source_record_id.in_(sa.union(*ends))
    )
    return typed(main.read(query), pl.Schema({"source_record_id": pl.String, "contact_id": pl.Int64}))


def sample(main: Database, ids: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """[name, company_name] of the contacts with ids in some ranges [lower, upper]."""
    within = sa.or_(sa.false(), *(contacts.c.id.between(lower, upper) for lower, upper in ids))
    rows = main.read(sa.select(contacts.c.name, contacts.c.company_name).where(within))
    return typed(rows, pl.Schema({"name": pl.String, "company_name": pl.String}))


def _known_still(staging: Staging) -> tuple[sa.Join, sa.ColumnElement[bool]]:
    """Live known records that have no new version and did not end: from where, on what condition.

    Outer joins, because SQLite makes an index for a join and none for NOT EXISTS.
    """
    records, marks = staging.records, staging.marks
    known = source_records.outerjoin(records, _same(staging, records)).outerjoin(
        marks, _same(staging, marks) & marks.c.mark.in_(ENDED)
    )
    return known, source_records.c.is_live & records.c.record_key.is_(None) & marks.c.record_key.is_(None)


def _same(staging: Staging, table: sa.Table, known: sa.Table = source_records) -> sa.ColumnElement[bool]:
    """That a row of a staging table is of the same source record."""
    return (
        (table.c.record_key == known.c.record_key)
        & (table.c.source_record_id == known.c.source_record_id)
        & (known.c.source_system == staging.system)
    )


def has_work(main: Database, staging: Staging) -> bool:
    """Whether anything was staged or marked."""
    with main.connect() as connection:
        if not exists(connection, staging):
            return False
    for table in (staging.records, staging.rejects, staging.marks):
        if _scalar(main, sa.select(sa.func.count()).select_from(sa.select(table).limit(1).subquery("one"))):
            return True
    return False


def _scalar(main: Database, query: sa.Select[Any]) -> int:
    """A number, over a connection of the pool: to open one for bulk reading takes longer than the query."""
    with main.connect() as connection:
        return int(connection.execute(query).scalar_one())


def is_small(main: Database, staging: Staging, rows: int) -> bool:
    """Whether no more than so many records are staged or ended."""
    records, marks = staging.records, staging.marks
    keys = sa.union_all(
        sa.select(records.c.record_key), sa.select(marks.c.record_key).where(marks.c.mark.in_(ENDED))
    ).subquery("keys")
    some = sa.select(keys.c.record_key).limit(rows + 1).subquery("some")
    return _scalar(main, sa.select(sa.func.count()).select_from(some)) <= rows


def ended(main: Database, staging: Staging) -> int:
    """How many live records this run is to withdraw, or found gone."""
    marks = staging.marks
    return _scalar(main, sa.select(sa.func.count()).select_from(marks).where(marks.c.mark.in_(ENDED)))


def live_records(main: Database, system: str, at_most: int | None) -> int:
    """How many records of a source are live; no more than `at_most` are counted, if given."""
    live = sa.select(source_records.c.record_key).where(
        source_records.c.source_system == system, source_records.c.is_live
    )
    few = live.limit(at_most).subquery("few")
    return _scalar(main, sa.select(sa.func.count()).select_from(few))


def seen_ids(main: Database, staging: Staging) -> pl.DataFrame:
    """[source_record_id] of the records that were staged or ended in this run."""
    ended = sa.select(staging.marks.c.source_record_id).where(staging.marks.c.mark == "withdrawn")
    seen = main.read(sa.union_all(sa.select(staging.records.c.source_record_id), ended))
    return seen.select(pl.col("source_record_id").cast(pl.String))


def forget_gone(connection: sa.Connection, staging: Staging) -> None:
    """Delete the marks that only the end of staging can set, see `ingest.partitions.mark_gone`."""
    connection.execute(staging.marks.delete().where(staging.marks.c.mark.in_(["vanished", "gone"])))


def linked(staging: Staging) -> sa.Select[Any]:
    """The members of a first load: every staged record that is linked, with the contact it belongs to."""
    records, links = staging.records, staging.links
    is_own = links.c.old_contact_id == records.c.contact_id
    return _with_contact(records, links).select_from(records.join(links, is_own))


def _with_contact(table: sa.Table, links: sa.Table) -> sa.Select[Any]:
    """`RECORDS` of a table of records, with the contacts that they were linked to."""
    columns = {column.name: column for column in _columns(table, RECORDS)}
    return sa.select(*{**columns, "contact_id": links.c.contact_id}.values())


def gather_members(connection: sa.Connection, staging: Staging, *, first_load: bool) -> None:
    """Put the live records of all linked and touched contacts into one table, so that slices of it are cheap.

    With `RECORDS`; `contact_id` is the contact that they belong to after the run.
    """
    names = [column.name for column in staging.members.columns]
    for chosen in _members(staging, first_load=first_load):
        connection.execute(staging.members.insert().from_select(names, chosen))
    _index(connection, staging.members.c.contact_id)


def gathered(main: Database, staging: Staging, lower: int, upper: int) -> pl.DataFrame:
    """The gathered records of contacts with ids in (lower, upper]."""
    return typed(
        main.read(sa.select(staging.members).where(*_within(staging.members, lower, upper))), RECORDS
    )


def _members(staging: Staging, *, first_load: bool) -> list[sa.Select[Any]]:
    """Queries which together give these records, each in the order of the table's columns."""
    if first_load:
        return [linked(staging)]
    links, touched = staging.links, staging.touched
    places: list[tuple[sa.Table, sa.FromClause, sa.ColumnElement[bool]]] = [
        (staging.records, staging.records, sa.true()),
        (source_records, *_known_still(staging)),
    ]
    queries = []
    for table, rows, condition in places:
        same = _same(staging, links, table)
        in_cluster = _with_contact(table, links).select_from(rows.join(links, same))
        alone = sa.select(*_columns(table, RECORDS)).select_from(
            rows.join(touched, table.c.contact_id == touched.c.contact_id).outerjoin(links, same)
        )
        queries += [in_cluster.where(condition), alone.where(condition, links.c.contact_id.is_(None))]
    return queries


def linked_to(main: Database, staging: Staging) -> pl.DataFrame:
    """[record_key, source_record_id, linked]: the contact of every linked record."""
    links = staging.links
    query = sa.select(links.c.record_key, links.c.source_record_id, links.c.contact_id.label("linked"))
    return typed(main.read(query), LINKED)


def touched(main: Database, staging: Staging) -> pl.Series:
    """The ids of the touched contacts, see `touch`."""
    return typed(main.read(sa.select(staging.touched.c.contact_id)), TOUCHED)["contact_id"]


def moved(main: Database, staging: Staging, first_contact_id: int) -> pl.DataFrame:
    """[old_contact_id, contact_id] of the known contacts that join others in this run."""
    links = staging.links
    pairs = sa.select(links.c.old_contact_id, links.c.contact_id).where(
        links.c.old_contact_id < first_contact_id, links.c.old_contact_id != links.c.contact_id
    )
    return typed(main.read(pairs.distinct()), MOVED)


def _within(table: sa.Table, lower: int, upper: int) -> list[sa.ColumnElement[bool]]:
    return [table.c.contact_id > lower, table.c.contact_id <= upper]


def _columns(table: sa.Table, schema: pl.Schema) -> list[sa.Column[Any]]:
    return [table.c[name] for name in schema]


# -- golden contacts -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Current:
    """Known contacts as they are now."""

    contacts: pl.DataFrame
    points: pl.DataFrame  # [contact_id, kind, position, value]
    owners: pl.DataFrame  # [contact_id, position, owner]; the first, at 0, stands in the contact

    def only(self, ids: pl.Series) -> Current:
        """Those of these contacts."""
        chosen = ids.implode()
        points, owners = (
            details.filter(pl.col("contact_id").is_in(chosen)) for details in (self.points, self.owners)
        )
        return Current(self.contacts.filter(pl.col("id").is_in(chosen)), points, owners)

    def beside(self, others: Current) -> Current:
        """These contacts and others."""
        return Current(
            pl.concat([self.contacts, others.contacts]),
            pl.concat([self.points, others.points]),
            pl.concat([self.owners, others.owners]),
        )


def touch(connection: sa.Connection, staging: Staging, first_contact_id: int) -> None:
    """Note the known contacts, in no cluster, of which a record is new in its version or marked."""
    records, marks, links, touched = staging.records, staging.marks, staging.links, staging.touched
    changed = sa.select(records.c.contact_id).where(records.c.contact_id < first_contact_id)
    marked = sa.select(source_records.c.contact_id).join(
        marks,
        (marks.c.record_key == source_records.c.record_key)
        & (marks.c.source_record_id == source_records.c.source_record_id)
        & (source_records.c.source_system == staging.system)
        & marks.c.mark.in_(ENDED),
    )
    either = sa.union(changed, marked).subquery("either")
    in_clusters = sa.union(sa.select(links.c.contact_id), sa.select(links.c.old_contact_id))
    connection.execute(
        touched.insert().from_select(
            ["contact_id"], sa.select(either.c.contact_id).where(either.c.contact_id.not_in(in_clusters))
        )
    )


@dataclass(frozen=True, slots=True)
class Slice:
    """Some linked or touched contacts: all that have ids in (lower, upper]."""

    lower: int
    upper: int
    ids: pl.Series


def remade(main: Database, staging: Staging) -> pl.Series:
    """The ids of all linked and touched contacts."""
    either = sa.union(sa.select(staging.links.c.contact_id), sa.select(staging.touched.c.contact_id))
    return main.read(either)["contact_id"]


def slices(ids: pl.Series, size: int) -> list[Slice]:
    """All contacts with these ids, which are distinct, about `size` at once."""
    parts = list(ids.sort().to_frame("contact_id").iter_slices(size))
    uppers = [part["contact_id"][-1] for part in parts]
    lowers = [-1, *uppers]
    return [
        Slice(lower, upper, part["contact_id"])
        for lower, upper, part in zip(lowers, uppers, parts, strict=False)
    ]


def current(main: Database, staging: Staging, part: Slice, first_contact_id: int) -> Current:
    """The contacts of a slice that were there before the run."""
    ids = part.ids.filter(part.ids < first_contact_id)
    if ids.len() <= main.server.named_at_once:
        return current_among(main, ids)
    return _current(main, lambda column: column.in_(_concerned(staging, part, first_contact_id)))


def current_among(main: Database, ids: pl.Series) -> Current:
    """These contacts, at most as many as a statement can name."""
    named = ids.to_list()
    return _current(main, lambda column: main.server.is_among(column, named))


def _current(main: Database, is_one: IsOne) -> Current:
    queries = zip(_current_queries(is_one), _CURRENT, strict=True)
    return Current(*(typed(main.read(query), schema) for query, schema in queries))


def _concerned(staging: Staging, part: Slice, first_contact_id: int) -> sa.Select[Any]:
    """The ids of the contacts of a slice that were there before the run."""
    concerned = sa.union(
        *(
            sa.select(table.c.contact_id).where(*_within(table, part.lower, part.upper))
            for table in (staging.links, staging.touched)
        )
    ).subquery("concerned")
    return sa.select(concerned.c.contact_id).where(concerned.c.contact_id < first_contact_id)


_CURRENT = (CONTACTS, POINTS, OWNERS)


def current_of(connection: sa.Connection, ids: sa.Select[Any]) -> Current:
    """These contacts, read inside the transaction of this connection."""
    queries = zip(_current_queries(lambda column: column.in_(ids)), _CURRENT, strict=True)
    return Current(*(fetched(connection, query, schema) for query, schema in queries))


def members_of(connection: sa.Connection, ids: sa.Select[Any]) -> pl.DataFrame:
    """The live records of these contacts, with `RECORDS`, read inside the transaction of this connection."""
    query = sa.select(*_columns(source_records, RECORDS))
    query = query.where(source_records.c.is_live, source_records.c.contact_id.in_(ids))
    return fetched(connection, query, RECORDS)


def fetched(connection: sa.Connection, query: Query, schema: pl.Schema) -> pl.DataFrame:
    """The rows of a query inside a transaction, as a frame. For few rows: they come one by one."""
    return typed(one_by_one(connection, query), schema)


def _current_queries(is_one: IsOne) -> tuple[Query, Query, Query]:
    """Contacts, their points and their owners, in the columns of `Current`. `is_one`: whose ids these are."""
    in_contact = (
        sa.select(
            contacts.c.id.label("contact_id"), sa.literal(0).label("position"), owners.c.name.label("owner")
        )
        .join(owners, owners.c.id == contacts.c.owner_id)
        .where(is_one(contacts.c.id))
    )
    further = (
        sa.select(contact_owners.c.contact_id, contact_owners.c.position, owners.c.name.label("owner"))
        .join(owners, owners.c.id == contact_owners.c.owner_id)
        .where(is_one(contact_owners.c.contact_id))
    )
    return (
        sa.select(contacts).where(is_one(contacts.c.id)),
        sa.select(contact_points).where(is_one(contact_points.c.contact_id)),
        sa.union_all(in_contact, further),
    )
