"""Who gives each field of a golden contact."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ledgerline.contacts.model import CLEAN
from ledgerline.contacts.survive import MOST_FURTHER, Golden, survive

MOBILE, LANDLINE = "+919810012345", "+912226543210"
LINE = {"record": pl.Int64(), "cluster": pl.Int64(), "trust": pl.Int64(), "position": pl.Int64()}
SCHEMA = pl.Schema({**LINE, **CLEAN})


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    """Records 1, 2, … of cluster 1, equally trusted, each newer than the last, but for what `rows` say."""
    defaults = {"cluster": 1, "trust": 1, "name": "Asha Rao", "relationship_type": "CLIENT"}
    return pl.DataFrame(
        [{"record": i, "position": i, **defaults, **row} for i, row in enumerate(rows, start=1)],
        schema=SCHEMA,
    )


def only(golden: Golden) -> dict[str, Any]:
    return golden.contacts.row(0, named=True)


def giver(golden: Golden, field: str) -> int | None:
    found = golden.provenance.filter(pl.col("field") == field)["record"]
    return found.item() if len(found) else None


@pytest.mark.parametrize(
    ("rows", "field", "expected"),
    [
        pytest.param(
            [{"designation": "Buyer", "trust": 2}, {"designation": "Head Buyer"}],
            "designation",
            1,
            id="the more trusted source before the newer record",
        ),
        pytest.param(
            [{"designation": None, "trust": 2}, {"designation": "Buyer"}],
            "designation",
            2,
            id="a value before none, whoever is trusted",
        ),
        pytest.param(
            [{"name": "Asha Rao"}, {"name": "A. Rao"}],
            "name",
            1,
            id="a full name before a newer one with initials",
        ),
        pytest.param(
            [{"name": "Asha Rao"}, {"name": "A. Rao", "trust": 2}], "name", 2, id="trust before completeness"
        ),
        pytest.param(
            [{"email": "asha@rao.example"}, {"email": "info@rao.example"}],
            "email",
            1,
            id="a personal address before a newer role mailbox",
        ),
        pytest.param(
            [{"phone": MOBILE, "phone_type": "MOBILE"}, {"phone": LANDLINE, "phone_type": "FIXED"}],
            "mobile_e164",
            1,
            id="a mobile before a newer landline",
        ),
        pytest.param(
            [{"relationship_type": "VENDOR"}, {"relationship_type": "CLIENT"}],
            "relationship_type",
            1,
            id="what a designation told before the default",
        ),
        pytest.param([{"honorific": "Dr"}, {"honorific": "Ms"}], "honorific", 2, id="the newer record"),
        pytest.param(
            [{"honorific": "Dr", "position": 7}, {"honorific": "Ms", "position": 7}],
            "honorific",
            1,
            id="at last the smaller record",
        ),
        pytest.param([{}, {}], "company_name", None, id="nobody, where there is no value"),
    ],
)
def test_who_gives_a_field(rows: list[dict[str, Any]], field: str, expected: int | None) -> None:
    given = records(*rows)
    golden = survive(given)
    assert giver(golden, field) == expected
    value = only(golden)[field]
    source = "phone" if field == "mobile_e164" else field
    assert value == (given.filter(record=expected)[source].item() if expected else None)


def test_the_other_values_become_points_in_the_order_of_the_line() -> None:
    golden = survive(
        records(
            {"email": "info@rao.example", "phone": LANDLINE, "phone_type": "FIXED"},
            {"email": "asha@rao.example", "further_emails": "rao@home.example info@rao.example"},
            {"email": "asha@rao.example", "phone": MOBILE, "phone_type": "MOBILE"},
        )
    )
    assert only(golden)["email"] == "asha@rao.example"
    assert only(golden)["mobile_e164"] == MOBILE
    assert golden.points.rows() == [
        (1, "EMAIL", "rao@home.example", 1),
        (1, "EMAIL", "info@rao.example", 2),
        (1, "PHONE", LANDLINE, 1),
    ]


def test_every_owner_is_kept_once_the_newest_first() -> None:
    golden = only(survive(records({"owner": "Meera"}, {"owner": "Vikram"}, {"owner": "Meera"}, {})))
    assert golden["owner"] == "Meera"
    assert golden["further_owners"] == ["Vikram"]


def test_a_contact_has_only_as_many_values_as_places_can_be_stored() -> None:
    """Thousands of rows can be one contact; its run must not fail for it."""
    each = ({"email": f"till{n}@shop.example", "owner": f"Clerk {n}"} for n in range(40_000))
    golden = survive(records(*each))
    further = [f"till{n}@shop.example" for n in range(39_998, -1, -1)]  # the newest first
    assert golden.points["value"].to_list() == further[:MOST_FURTHER]
    assert golden.points["position"].cast(pl.Int16)[-1] == MOST_FURTHER
    assert len(only(golden)["further_owners"]) == MOST_FURTHER


def test_the_quality_score_is_that_of_the_golden_values() -> None:
    golden = survive(
        records(
            {"email": "info@rao.example", "data_quality_score": 40},
            {"phone": MOBILE, "phone_type": "MOBILE", "company_name": "Rao & Co", "data_quality_score": 65},
        )
    )
    assert only(golden)["data_quality_score"] == 20 + 15 + 30 + 10 + 5


def test_each_cluster_has_its_own_contact() -> None:
    golden = survive(
        records({"cluster": 9}, {"cluster": 4, "name": "Bina Das"}, {"cluster": 9, "honorific": "Dr"})
    )
    assert golden.contacts.select("cluster", "name", "honorific").rows() == [
        (4, "Bina Das", None),
        (9, "Asha Rao", "Dr"),
    ]


def test_no_records_no_contacts() -> None:
    golden = survive(records())
    assert golden.contacts.is_empty()
    assert golden.points.is_empty()
    assert golden.provenance.is_empty()
