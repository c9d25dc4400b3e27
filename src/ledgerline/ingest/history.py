"""A contact's history: each field with its value, who gave it and why, and what it was before.

A contact that a run created has no rows in `changes`: which record gave a field is worked out as it was when
the contact was made, by survivorship among its live records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from ledgerline.contacts.edits import EDITABLE
from ledgerline.contacts.survive import survive
from ledgerline.databases import history, runs
from ledgerline.databases.database import Database
from ledgerline.databases.history import Known
from ledgerline.databases.staging import RECORDS
from ledgerline.errors import UsageError
from ledgerline.ingest.golden import COMPARED, GIVEN_AS, comparable, lined_up


@dataclass(frozen=True, slots=True)
class Change:
    """A field's value became another: in a run, or because a person said so."""

    at: datetime
    old: str | None
    new: str | None
    rule: str
    run_id: int | None = None
    source_record_id: str | None = None
    edited_by: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it is, who gave it, and what it was before, the newest change first."""

    name: str
    value: str | None
    rule: str | None  # edit, only_source, survivorship, live_sources, derived
    run_id: int | None = None  # that brought the source record in this version
    source_record_id: str | None = None
    edited_by: str | None = None
    edited_at: datetime | None = None
    suggestion: str | None = None  # a newer value of the sources, where a person's stands
    has_suggestion: bool = False
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What there is to say of a contact; of one that joined another, only where it went."""

    contact: Mapping[str, Any]
    asked_for: int  # the id that was asked for: it may have joined this contact
    fields: tuple[Field, ...]
    records: tuple[Mapping[str, Any], ...]
    joined: tuple[Mapping[str, Any], ...]


def contact_history(main: Database, contact_id: int) -> History:
    """The history of a contact, or of the one that it has joined.

    Raises UsageError when there is no such contact, or an undo took it away.
    """
    if (undo := _taken_away(main, contact_id)) is not None:
        raise UsageError(
            f"Contact {contact_id} is gone: run {undo}, an undo, took it away.",
            hint=f"To bring it back: ledgerline undo {undo}",
        )
    known = history.of_contact(main, contact_id)
    if known.contact["merged_into"] is not None:
        known = history.of_contact(main, known.contact["merged_into"])
    return History(
        contact=known.contact,
        asked_for=contact_id,
        fields=tuple(_fields(known)),
        records=tuple(known.records),
        joined=tuple(known.joined),
    )


def _taken_away(main: Database, contact_id: int) -> int | None:
    undo = history.gone(main, contact_id)
    return None if undo is None or runs.undone_by(main, undo) is not None else undo


def _fields(known: Known) -> Iterator[Field]:
    (values,) = comparable(known.current.contacts, known.current.points, known.current.owners).to_dicts()
    givers = _givers(known)
    edited = _edits_in_force(known)
    suggested = {row["field"]: row["value"] for row in known.suggestions}
    for name in COMPARED:
        chain = _chain(known, name)
        common = {"name": name, "value": values[name], "changes": chain}
        if name in edited:
            edit = edited[name]
            yield Field(
                rule="edit",
                edited_by=edit["edited_by"],
                edited_at=edit["edited_at"],
                suggestion=suggested.get(name),
                has_suggestion=name in suggested,
                **common,
            )
        elif (record := givers.get(GIVEN_AS.get(name, name))) is not None:
            rule = "survivorship" if len(_live(known)) > 1 else "only_source"
            yield Field(
                rule=rule, run_id=record["run_id"], source_record_id=record["source_record_id"], **common
            )
        else:
            yield Field(rule=_rule_without_giver(name, values[name]), **common)


def _rule_without_giver(name: str, value: str | None) -> str | None:
    if name == "is_active":
        return "live_sources"
    return None if value is None else "derived"


def _live(known: Known) -> list[Mapping[str, Any]]:
    return [record for record in known.records if record["is_live"]]


def _givers(known: Known) -> dict[str, Mapping[str, Any]]:
    """Field → the live source record that gives it."""
    live = _live(known)
    members = pl.DataFrame(
        [{name: record[name] for name in RECORDS} for record in live], schema=RECORDS, orient="row"
    )
    provenance = survive(lined_up(members)).provenance
    return {field: live[record] for field, record in provenance.select("field", "record").iter_rows()}


def _edits_in_force(known: Known) -> dict[str, Mapping[str, Any]]:
    """Field → the edit that holds: the contact's own before those of contacts that joined it."""
    own_last = sorted(known.edits, key=lambda row: (row["contact_id"] == known.contact["id"], row["id"]))
    newest = {(row["contact_id"], row["field"]): row for row in own_last}
    in_order = (row for row in own_last if newest[row["contact_id"], row["field"]] is row)
    return {row["field"]: row for row in in_order if row["field"] in EDITABLE and not row["withdrawn"]}


def _chain(known: Known, field: str) -> tuple[Change, ...]:
    in_runs = [
        Change(
            at=row["finished_at"],
            old=row["old_value"],
            new=row["new_value"],
            rule=row["rule"],
            run_id=row["run_id"],
            source_record_id=row["source_record_id"],
        )
        for row in known.changes
        if row["field"] == field
    ]
    by_people = [
        Change(
            at=row["edited_at"],
            old=row["old_value"],
            new=row["value"],
            rule="withdrawn" if row["withdrawn"] else "edit",
            edited_by=row["edited_by"],
        )
        for row in known.edits
        if row["field"] == field
    ]
    return tuple(sorted([*in_runs, *by_people], key=lambda one: one.at, reverse=True))
