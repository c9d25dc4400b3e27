"""Which records are one person, which are not, and what is left to a person to decide."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import polars as pl
import pytest
from tests.matching import match_records

from ledgerline.contacts.blocks import Sample, block
from ledgerline.contacts.keys import identity_key, match_keys
from ledgerline.contacts.match import Matches

MOBILE, OTHER_MOBILE, LANDLINE = "+919810012345", "+919820054321", "+912226543210"
SCHEMA = pl.Schema(
    {
        "record": pl.Int64(),
        "contact_id": pl.Int64(),
        "name": pl.String(),
        "company_name": pl.String(),
        "email": pl.String(),
        "further_emails": pl.String(),
        "phone": pl.String(),
        "phone_type": pl.String(),
        "further_phones": pl.String(),
    }
)


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    """Records 1, 2, …; a phone is a mobile unless it is the landline."""
    defaults = [{"phone_type": "FIXED" if row.get("phone") == LANDLINE else "MOBILE"} for row in rows]
    return pl.DataFrame(
        [{"record": i, **defaults[i - 1], **row} for i, row in enumerate(rows, start=1)], schema=SCHEMA
    )


def groups(found: Matches) -> list[list[int]]:
    """The records of each cluster."""
    members = found.clusters.group_by("cluster").agg(pl.col("record").sort()).sort("cluster")
    return members["record"].to_list()


def named(*names: str, **shared: str) -> pl.DataFrame:
    """Records with these names that have all else in common."""
    return records(*({"name": name, **shared} for name in names))


# With many people of these names in the data, a slip can be told from another name.
CROWD = [
    {"name": f"{given} {surname}{number}", "email": f"{given}.{surname}{number}@crowd.example".lower()}
    for given in ("Rajesh", "Ramesh", "Anil", "Sunil")
    for surname in ("Kumar", "Sharma")
    for number in "abcdefghijklmnopqrst"
]


@pytest.mark.parametrize(
    "names",
    [
        ("Rajesh Kumar", "Rajesh Kumar"),
        ("Rajesh Kumar", "Kumar Rajesh"),
        ("Rajesh Kumar", "RAJESH KUMAR"),
        ("Rajesh Kumar", "Rajesh Mohan Kumar"),
        ("Rajesh Kumar", "R. Kumar"),
        ("Rajesh Kumar", "Rajesh K"),
        ("Rajesh Kumar", "Rajesh"),
        ("Rajesh", "Rajesh"),
        ("Lakshmi Narayanan", "Laxmi Narayanan"),
        ("Suneel Verma", "Sunil Verma"),
        ("Müller Jörg", "Joerg Mueller"),
        ("José García", "Jose Garcia"),
        ("Rajesh Mohan Lal Kumar", "Rajesh Kumar"),
        ("Asha Rani Devi Sen Rao", "Rani Asha Devi Rao"),
    ],
)
@pytest.mark.parametrize(
    "shared", [{"email": "someone@home.example"}, {"phone": MOBILE}], ids=["email", "mobile"]
)
def test_names_that_agree_are_one_person(names: tuple[str, str], shared: dict[str, str]) -> None:
    assert groups(match_records(named(*names, **shared))) == [[1, 2]]


@pytest.mark.parametrize(
    "names",
    [
        ("Rajesh Kumar", "Suresh Kumar"),  # relatives
        ("Anil Sharma", "Sunil Sharma"),
        ("Rajesh Kumar", "Ramesh Kumar"),
        ("Rajesh Kumar", "Priya Nair"),
        ("R. K.", "Rajesh Kumar"),  # initials alone say too little
    ],
)
@pytest.mark.parametrize(
    "shared", [{"email": "family@home.example"}, {"phone": MOBILE}], ids=["email", "mobile"]
)
def test_names_that_differ_are_two_people(names: tuple[str, str], shared: dict[str, str]) -> None:
    assert groups(match_records(pl.concat([named(*names, **shared), _crowd()]))) == []


def _crowd() -> pl.DataFrame:
    return records(*CROWD).with_columns(pl.col("record") + 100)


def test_a_rare_variant_of_a_frequent_name_is_a_slip() -> None:
    frame = pl.concat([named("Rajesh Kumara", "Rajehs Kumara", phone=MOBILE), _crowd()])
    assert groups(match_records(frame)) == [[1, 2]]


def test_where_nothing_tells_a_slip_from_another_name_a_person_decides() -> None:
    found = match_records(named("Brinda Sekhri", "Brinda Sekhra", phone=MOBILE))
    assert groups(found) == []
    assert found.suggestions.select("left", "right", "rule").rows() == [(1, 2, "phone")]
    assert found.suggestions["why"].item() == "the same mobile number; the names differ by a letter or two"


def test_a_further_address_counts_like_the_first() -> None:
    frame = records(
        {"name": "Asha Rao", "email": "asha@work.example", "further_emails": "x@y.example asha@home.example"},
        {"name": "Asha Rao", "email": "asha@home.example"},
    )
    assert groups(match_records(frame)) == [[1, 2]]


def test_name_with_company_is_one_person() -> None:
    frame = records(
        {"name": "Asha Rao", "company_name": "Om Steel Pvt Ltd", "email": "asha@home.example"},
        {"name": "Asha Rao", "company_name": "OM STEEL", "phone": MOBILE},
    )
    found = match_records(frame)
    assert found.clusters.rows() == [(1, 1, None, None, None), (2, 1, "name_company", 1, 8)]


def test_name_with_company_is_only_suggested_where_something_contradicts() -> None:
    frame = records(
        {"name": "Asha Rao", "company_name": "Om Steel", "phone": MOBILE},
        {"name": "Asha Rao", "company_name": "Om Steel", "phone": OTHER_MOBILE},
    )
    found = match_records(frame)
    assert groups(found) == []
    assert found.suggestions.select("left", "right", "rule").rows() == [(1, 2, "name_company")]


def test_a_single_name_with_company_is_no_identity() -> None:
    frame = records(
        {"name": "Asha", "company_name": "Om Steel", "phone": MOBILE},
        {"name": "Asha", "company_name": "Om Steel", "email": "asha@home.example"},
    )
    assert groups(match_records(frame)) == []


@pytest.mark.parametrize("other", ["王薇", "Wang Wei"])
def test_names_that_only_sound_alike_are_no_identity_at_one_company(other: str) -> None:
    frame = records(
        {"name": "王伟", "company_name": "Om Steel", "email": "ww@home.example"},
        {"name": other, "company_name": "Om Steel", "phone": MOBILE},
    )
    found = match_records(frame)
    assert groups(found) == []
    assert found.suggestions.select("left", "right").rows() == [(1, 2)]
    assert groups(match_records(named("王伟", other, email="ww@home.example"))) == [[1, 2]]


@pytest.mark.parametrize("name", ["Asha Rao", "Asha"])
def test_one_person_may_have_any_number_of_records_under_one_name(name: str) -> None:
    found = match_records(named(*[name] * 100, phone=MOBILE, email="asha@home.example"))
    assert groups(found) == [list(range(1, 101))]
    assert found.suggestions.is_empty()


@pytest.mark.parametrize(
    "shared", [{"email": "info@omsteel.example"}, {"phone": LANDLINE}], ids=["role mailbox", "switchboard"]
)
def test_what_many_use_is_no_identity(shared: dict[str, str]) -> None:
    colleagues = named("Asha Rao", "Bina Das", "A. Rao", "Chirag Shah", "Deepa Nair", **shared)
    assert groups(match_records(colleagues)) == []


def test_an_ordinary_address_used_under_many_names_is_a_shared_mailbox() -> None:
    colleagues = named(
        "Asha Rao", "Bina Das", "Chirag Shah", "Deepa Nair", "A. Rao", email="omsteel@post.example"
    )
    assert groups(match_records(colleagues)) == []


def test_a_landline_used_under_one_name_is_personal() -> None:
    assert groups(match_records(named("Asha Rao", "Asha Rao", phone=LANDLINE))) == [[1, 2]]


def test_a_crowded_switchboard_is_compared_by_name_only_and_counted() -> None:
    names = [f"Asha{letter * 3} Rao" for letter in "bcdfghjklm"]
    found = match_records(named(*names, names[0], phone=LANDLINE, company_name="Om Steel"))
    assert groups(found) == [[1, 11]]
    assert found.capped == 11


def test_initials_that_fit_two_people_are_left_to_a_person() -> None:
    found = match_records(
        pl.concat([named("Rajesh Kumar", "R. Kumar", "Ramesh Kumar", phone=MOBILE), _crowd()])
    )
    assert groups(found) == []


def test_a_chain_whose_ends_disagree_is_cut_at_its_weakest_link() -> None:
    frame = records(
        {"name": "Rajesh Kumar", "email": "rk@home.example", "phone": MOBILE},
        {"name": "R. Kumar", "email": "rk@home.example", "phone": MOBILE, "further_phones": OTHER_MOBILE},
        {"name": "Ravindra Kumar", "phone": OTHER_MOBILE},
    )
    found = match_records(frame)
    assert groups(found) == [[1, 2]]
    assert found.suggestions.select("left", "right").rows() == [(2, 3)]


def test_known_records_of_one_contact_stay_together() -> None:
    frame = records(
        {"name": "Asha Rao", "contact_id": 7, "email": "asha@home.example"},
        {"name": "Asha Mehta", "contact_id": 7, "phone": MOBILE},
        {"name": "Asha Mehta", "phone": MOBILE},
    )
    found = match_records(frame)
    assert found.clusters.select("record", "cluster", "rule", "partner").rows() == [
        (1, 1, None, None),
        (2, 1, "identity", 1),
        (3, 1, "phone", 2),
    ]


def test_new_evidence_joins_two_contacts() -> None:
    frame = records(
        {"name": "Asha Rao", "contact_id": 7, "email": "asha@home.example"},
        {"name": "Asha Rao", "contact_id": 8, "phone": MOBILE},
        {"name": "Asha Rao", "email": "asha@home.example", "phone": MOBILE},
    )
    assert groups(match_records(frame)) == [[1, 2, 3]]


def test_what_a_person_has_declared_two_people_stays_apart() -> None:
    frame = named("Asha Rao", "Asha Rao", "Asha Rao", phone=MOBILE)
    apart = pl.DataFrame({"left": [1], "right": [2]})
    found = match_records(frame, apart)
    assert groups(found) == [[1, 3]]
    assert found.suggestions.is_empty()


def test_a_record_without_a_name_matches_nothing() -> None:
    frame = records({"email": "asha@home.example"}, {"email": "asha@home.example"})
    assert groups(match_records(frame)) == []


def test_nothing_comes_of_nothing() -> None:
    found = match_records(records())
    assert found.clusters.is_empty()
    assert found.suggestions.is_empty()
    assert found.capped == 0


def test_what_is_shared_is_known_without_the_text() -> None:
    frame = records(
        {
            "name": "Asha Rao",
            "company_name": "Om Steel Pvt Ltd",
            "email": "asha@home.example",
            "phone": MOBILE,
        },
        {"name": "Rao Asha", "company_name": "Om Steel", "further_phones": MOBILE, "phone": LANDLINE},
        {"name": "Bina Das", "further_emails": "asha@home.example", "email": "bina@home.example"},
    )
    found = block(match_keys(frame))
    rows = found.candidates.record
    pairs = zip(rows[found.left].tolist(), rows[found.right].tolist(), strict=True)
    assert sorted(pairs) == [(1, 2), (1, 2), (1, 3)]
    assert found.compared().tolist() == [1, 3]  # 2 has the name of 1


def test_a_crowded_mailbox_alone_makes_no_candidates() -> None:
    names = [f"Asha{letter * 3} Rao" for letter in "bcdfghjklm"]
    found = block(match_keys(named(*names, email="info@omsteel.example")))
    assert len(found.candidates.record) == len(found.compared()) == 0
    assert found.capped == 10


@pytest.mark.parametrize(
    ("mailbox", "company", "is_link"),
    [
        ("omsteel", "Om Steel Pvt Ltd", True),
        ("om.steel-", "Om Steel", True),
        ("_omsteel", "Om Steel", True),
        ("3mindia", "3M India", True),
        ("omsteels", "Om Steel", False),
        ("asha", "Om Steel", False),
        ("omsteel", None, False),
    ],
)
def test_a_mailbox_named_like_the_company_is_a_link(
    mailbox: str, company: str | None, *, is_link: bool
) -> None:
    others = records({"name": "Bina Das", "phone": MOBILE}, {"name": "Om", "company_name": "Om"})
    frame = records({"name": "Asha Rao", "email": f"{mailbox}@post.example", "company_name": company})
    values = match_keys(pl.concat([frame, others.with_columns(pl.col("record") + 1)])).values
    assert values.filter(record=1)["is_link"].to_list() == [is_link]


def test_keys_stay_what_they_are() -> None:
    """They are stored: another value for the same text would make every stored key useless."""
    frame = records(
        {"name": "Asha Rao", "company_name": "Om Steel", "email": "asha@home.example", "phone": MOBILE}
    )
    keys = match_keys(frame)
    assert sorted([*keys.values["key"], *identity_key(keys.people)]) == [
        -4355055900577414191,
        -139598773080701321,
        7240776246831863402,
    ]


def test_a_run_that_sees_few_records_learns_from_a_sample_that_a_name_is_common() -> None:
    colleagues = {"name": "Asha Rao", "company_name": "Om Steel"}
    frame = records({**colleagues, "phone": MOBILE}, {**colleagues, "email": "asha@home.example"})
    everywhere = pl.DataFrame(
        {"name": ["Asha Rao", "Bina Das"] * 50, "company_name": ["Om Steel", "Rao & Co"] * 50}
    )
    assert groups(match_records(frame)) == [[1, 2]]
    assert groups(match_records(frame, sample=Sample.of(everywhere, one_in=10.0))) == []


def test_a_run_that_sees_few_records_learns_from_a_sample_what_is_a_slip() -> None:
    frame = named("Rajesh Kumara", "Rajehs Kumara", phone=MOBILE)
    crowd = Sample.of(_crowd().select("name", "company_name"), one_in=1.0)
    assert groups(match_records(frame)) == []
    assert groups(match_records(frame, sample=crowd)) == [[1, 2]]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_whom_a_name_with_initials_joins_does_not_depend_on_who_came_first(order: tuple[int, ...]) -> None:
    """R Kumar may be Rajesh or Ramesh, who are not one person; whoever it is taken for, it is always him."""
    rows: list[dict[str, Any]] = [
        {"name": "Rajesh Kumar", "email": "one@home.example"},
        {"name": "R Kumar", "email": "one@home.example", "further_emails": "other@home.example"},
        {"name": "Ramesh Kumar", "email": "other@home.example"},
    ]
    found = match_records(records(*(rows[row] for row in order), *CROWD))
    (together,) = groups(found)
    assert {rows[order[record - 1]]["name"] for record in together} == {"R Kumar", "Ramesh Kumar"}
    assert len(found.suggestions) == 1
