"""From clusters of records to links of contacts: who moves to which, and what remains to be suggested."""

from __future__ import annotations

import polars as pl

from ledgerline.contacts.match import Matches
from ledgerline.ingest.joining import Joined, joined_records

FIRST_NEW = 98  # the contact id of a new record less its number
CLUSTERS = pl.DataFrame(
    {
        "record": [0, 1, 2, 3, 4, 5, 6],
        "cluster": [0, 0, 0, 3, 3, 5, 5],
        "rule": [None, "identity", "phone", None, "email", None, "email"],
        "partner": [None, 0, 0, None, 3, None, 5],
        "score": [None, 100, 10, None, 9, None, 8],
    }
)
SUGGESTIONS = pl.DataFrame(
    {"left": [2, 1, 4, 0], "right": [7, 7, 6, 2], "rule": "phone", "score": [6, 7, 6, 7], "why": "why"},
    schema_overrides={"rule": pl.String, "why": pl.String},
)


def _joined() -> Joined:
    """0 and 1 are known as contact 10; 3 as 11, 4 as 12, of which nothing is new; 2, 5, 6 and 7 are new."""
    clustered = pl.DataFrame(
        {
            "record": [6, 5, 2, 1, 0, 3, 4],
            "record_key": [9, 9, 5, 7, 8, 1, 2],
            "source_record_id": ["b", "a", "two", "one", "zero", "three", "four"],
            "contact_id": [104, 103, 100, 10, 10, 11, 12],
            "is_staged": [True, True, True, False, False, False, False],
        }
    )
    return joined_records(Matches(CLUSTERS, SUGGESTIONS, capped=1), clustered, FIRST_NEW)


def test_links_are_those_of_clusters_with_something_new_in_the_order_of_their_keys() -> None:
    assert _joined().links.rows() == [
        (5, "two", 100, 10, "phone", "zero", 10.0),
        (7, "one", 10, 10, None, None, None),
        (8, "zero", 10, 10, None, None, None),
        (9, "a", 103, 103, None, None, None),
        (9, "b", 104, 103, "email", "a", 8.0),
    ]


def test_suggestions_are_the_best_between_two_contacts() -> None:
    assert _joined().suggestions.rows() == [
        (10, 105, "phone", 7.0, "why"),
        (12, 103, "phone", 6.0, "why"),
    ]
