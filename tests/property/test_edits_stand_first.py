"""A person's value stands above every source, for every mix of golden contacts, further values and edits."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerline.contacts.edits import EDITABLE, EDITS, checked, effective, overlay
from ledgerline.errors import UsageError

VALUES = st.sampled_from(["a@x.example", "b@x.example", "c@x.example", None])
IDS = st.integers(1, 4)
POINT = pl.Schema({"contact_id": pl.Int64, "kind": pl.String, "value": pl.String, "position": pl.Int16})
MANY = settings(max_examples=150, deadline=None)


@st.composite
def goldens(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Contacts 1 to 4, each with its further e-mails, numbered from 1, none of which is its first."""
    rows, points = [], []
    for key in range(1, 5):
        values = draw(st.permutations(["a@x.example", "b@x.example", "c@x.example"]))
        held = values[: draw(st.integers(0, 3))]
        rows.append(
            {"id": key, **dict.fromkeys(EDITABLE), "email": held[0] if held else None, "name": "Asha"}
        )
        points += [(key, "EMAIL", value, number) for number, value in enumerate(held[1:], start=1)]
    schema = {"id": pl.Int64, **dict.fromkeys(EDITABLE, pl.String)}
    return pl.DataFrame(rows, schema=schema), pl.DataFrame(points, schema=POINT, orient="row")


@st.composite
def journals(draw: st.DrawFn) -> pl.DataFrame:
    """Edits in force: at most one a contact and field; a contact is its own or has joined a smaller one."""
    edited = draw(st.sets(st.tuples(IDS, st.sampled_from(["email", "designation"]))))
    owner = {key: draw(st.integers(1, key)) for key in range(1, 5)}
    rows = [
        (number, key, owner[key], field, draw(VALUES), draw(VALUES))
        for number, (key, field) in enumerate(sorted(edited))
    ]
    return pl.DataFrame(rows, schema=EDITS, orient="row")


def nobody() -> pl.DataFrame:
    return pl.DataFrame(schema={"old_contact_id": pl.Int64, "contact_id": pl.Int64})


@MANY
@given(golden=goldens(), journal=journals())
def test_what_a_person_wrote_is_what_stands(
    golden: tuple[pl.DataFrame, pl.DataFrame], journal: pl.DataFrame
) -> None:
    contacts, points = golden
    edits = effective(journal, nobody())
    over = overlay(contacts, points, edits)
    wanted = {(row["contact_id"], row["field"]): row for row in edits.to_dicts()}
    before = {row["id"]: row for row in contacts.to_dicts()}
    said = {(row["contact_id"], row["field"]): row for row in over.source_values.to_dicts()}
    assert set(said) == set(wanted)
    for row in over.contacts.to_dicts():
        for field in EDITABLE:
            key, source = (row["id"], field), before[row["id"]][field]
            if key not in wanted:
                assert row[field] == source
                continue
            assert row[field] == wanted[key]["value"]
            assert said[key]["value"] == source
            is_news = source not in (wanted[key]["value"], wanted[key]["source_value"])
            assert said[key]["is_news"] == is_news


@MANY
@given(golden=goldens(), journal=journals())
def test_no_value_of_a_source_is_lost_or_doubled(
    golden: tuple[pl.DataFrame, pl.DataFrame], journal: pl.DataFrame
) -> None:
    contacts, points = golden
    over = overlay(contacts, points, effective(journal, nobody()))
    written = {row["id"]: row["email"] for row in over.contacts.to_dicts()}
    for row in contacts.to_dicts():
        source = [row["email"], *_further(points, row["id"])]
        now = [written[row["id"]], *_further(over.points, row["id"])]
        assert len(now) == len(set(now))
        assert {value for value in source if value} <= set(now)
        rest = [value for value in source if value and value != written[row["id"]]]
        assert now[1:] == rest, "what the sources think best comes first among the further ones"


def _further(points: pl.DataFrame, key: int) -> list[Any]:
    mine = points.filter(pl.col("contact_id") == key).sort("position")
    assert mine["position"].to_list() == list(range(1, len(mine) + 1))
    return mine["value"].to_list()


@MANY
@given(journal=journals(), joins=st.dictionaries(st.integers(2, 4), st.just(1)))
def test_a_survivor_has_its_own_edits_before_those_of_others(
    journal: pl.DataFrame, joins: dict[int, int]
) -> None:
    moved = pl.DataFrame(
        list(joins.items()), schema={"old_contact_id": pl.Int64, "contact_id": pl.Int64}, orient="row"
    )
    found = effective(journal, moved)
    assert len(found) == len(found.unique(["contact_id", "field"]))
    chosen = {(row["contact_id"], row["field"]): row["value"] for row in found.to_dicts()}
    for row in journal.to_dicts():
        owner = joins.get(row["owner_id"], row["owner_id"])
        assert (owner, row["field"]) in chosen
        if row["contact_id"] == owner:
            assert chosen[owner, row["field"]] == row["value"]


@pytest.mark.parametrize(
    ("field", "text", "stored"),
    [
        ("name", "  Asha \u200b Rao ", "Asha Rao"),
        ("email", "Asha.Rao@LOTUS.example", "asha.rao@lotus.example"),
        ("mobile_e164", "98200 12345", "+919820012345"),
        ("relationship_type", "vendor", "VENDOR"),
        ("designation", "", None),
        ("company_name", None, None),
    ],
)
def test_what_is_stored_of_what_a_person_writes(field: str, text: str | None, stored: str | None) -> None:
    assert checked(field, text, "IN") == stored


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("email", "asha@rao.example; bo@rao.example"),
        ("email", "asha"),
        ("mobile_e164", "98200 12345 / 98200 54321"),
        ("mobile_e164", "1-800-FLOWERS"),
        ("relationship_type", "FRIEND"),
        ("data_quality_score", "100"),
    ],
)
def test_what_will_not_do(field: str, text: str) -> None:
    with pytest.raises(UsageError) as error:
        checked(field, text, "IN")
    assert error.value.hint
