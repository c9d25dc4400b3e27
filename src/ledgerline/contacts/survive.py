"""Clusters → golden contacts, and which record gave each field.

For each field the records of a cluster stand in line, and the first that has a value gives it:

1. the more trusted source;
2. a valid value (clean columns hold no other: what did not pass is null, and null is no value);
3. the more complete value: a full name before initials, a personal e-mail address before a role mailbox, a
   mobile before a landline, a relationship that a designation told before the default;
4. the newer record, and at last the smaller record number.

What a person has edited stands above all of them, and is not known here. Nothing is made up: every value of a
golden contact is a value of one of its records, to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.clean import quality_score_column
from ledgerline.contacts.emails import role_mailbox
from ledgerline.contacts.model import VALUE_SEPARATOR, PhoneType, Relationship

Ints: TypeAlias = npt.NDArray[np.int64]

_FIELDS = (
    "name",
    "honorific",
    "company_name",
    "email",
    "phone",
    "designation",
    "relationship_type",
    "owner",
)

_GOLDEN_NAMES = {"phone": "mobile_e164"}
_PLACE_BITS = 32

# So many further values of a kind, and so many further owners, a contact has at most: their places are stored
# in 16 bits, and people may enter some more. A hundred thousand sales to 'Cash Customer' can be one contact.
MOST_FURTHER = 32_000

# How complete a value is, 0 to 7; of a field that is not here any value is as complete as another.
_LEVELS = 8
_FULL_WORD = r"\p{L}\p{M}*\p{L}[\p{L}\p{M}]*"  # two letters or more: no initial
_COMPLETENESS = {
    "name": pl.col("name").str.count_matches(_FULL_WORD).clip(0, _LEVELS - 1),
    "email": ~role_mailbox(pl.col("email")),
    "phone": pl.col("phone_type") == PhoneType.MOBILE,
    "relationship_type": pl.col("relationship_type") != Relationship.CLIENT,
}


class PointKind(StrEnum):
    """What a contact can have several of."""

    EMAIL = "EMAIL"
    PHONE = "PHONE"


@dataclass(frozen=True, slots=True)
class Golden:
    """The contacts that clusters become, one row a cluster, in the order of `cluster`.

    contacts    [cluster, name, honorific, company_name, email, mobile_e164, designation, relationship_type,
                data_quality_score, owner, further_owners (a list)]
    points      [cluster, kind, value, position]: the further e-mail addresses and phones of each contact
                (a PointKind), numbered from 1 in the order in which they would stand in for the first; what
                comes after `MOST_FURTHER` stays with its record alone
    provenance  [cluster, field, record]: who gave each field that has a value; fields as in `contacts`
    """

    contacts: pl.DataFrame
    points: pl.DataFrame
    provenance: pl.DataFrame


def survive(records: pl.DataFrame) -> Golden:
    """Make one golden contact of the records of each cluster.

    records  one row each: record (Int64, unique), cluster (Int64), trust (integer, more is more trusted),
             position (integer, more is newer), and the CLEAN columns. Their order does not matter.
    """
    ordered = records.sort(
        "cluster", "trust", "position", "record", descending=[False, True, True, False]
    ).with_columns(pl.col("trust").rank("dense"))
    givers = {field: _first_in_line(ordered, field) for field in _FIELDS}
    return Golden(
        contacts=_contacts(ordered, givers),
        points=pl.concat(
            [
                _points(ordered, PointKind.EMAIL, "email", "further_emails"),
                _points(ordered, PointKind.PHONE, "phone", "further_phones"),
            ]
        ),
        provenance=_provenance(ordered, givers),
    )


def _standing(ordered: pl.DataFrame, field: str) -> pl.Series:
    """What decides for a field before age does: trust, then completeness; 0 without a value."""
    completeness = _COMPLETENESS.get(field, pl.lit(0)).cast(pl.Int64)
    standing = pl.col("trust").cast(pl.Int64) * _LEVELS + completeness
    return ordered.select(pl.when(pl.col(field).is_not_null()).then(standing).otherwise(0)).to_series()


def _first_in_line(ordered: pl.DataFrame, field: str) -> Ints:
    """The row of each cluster whose record gives the field; any row of it where none has a value."""
    if ordered.is_empty():
        return np.zeros(0, np.int64)
    places = np.arange(len(ordered), 0, -1)  # the rows of a cluster stand newest first
    start = np.flatnonzero(ordered["cluster"].rle_id().diff(null_behavior="ignore").fill_null(1).to_numpy())
    best = np.maximum.reduceat(_standing(ordered, field).to_numpy() << _PLACE_BITS | places, start)
    return len(ordered) - (best & ((1 << _PLACE_BITS) - 1))


def _contacts(ordered: pl.DataFrame, givers: dict[str, Ints]) -> pl.DataFrame:
    given = {field: ordered[field].gather(rows) for field, rows in givers.items()}
    golden = pl.DataFrame(given).with_columns(
        cluster=ordered["cluster"].gather(givers["name"]),
        phone_type=ordered["phone_type"].gather(givers["phone"]),
        further_owners=_further_owners(ordered),
    )
    return golden.with_columns(quality_score_column()).select(
        "cluster",
        "name",
        "honorific",
        "company_name",
        "email",
        pl.col("phone").alias("mobile_e164"),
        "designation",
        "relationship_type",
        "data_quality_score",
        "owner",
        "further_owners",
    )


def _further_owners(ordered: pl.DataFrame) -> pl.Series:
    """The owners of each cluster but the first, each once."""
    owners = ordered.group_by("cluster", maintain_order=True).agg(
        pl.col("owner").drop_nulls().unique(maintain_order=True).slice(1, MOST_FURTHER)
    )
    return owners["owner"]


def _points(ordered: pl.DataFrame, kind: PointKind, best: str, further: str) -> pl.DataFrame:
    """All values of a kind in the order of the line, each once, but the first: that one is in the contact."""
    lined_up = ordered.with_columns(_standing(ordered, best).alias("standing")).drop_nulls(best)
    values = (
        lined_up.select(
            "cluster",
            "standing",
            value=pl.concat_str(best, further, separator=VALUE_SEPARATOR, ignore_nulls=True),
        )
        .sort("cluster", "standing", descending=[False, True], maintain_order=True)
        .select("cluster", pl.col("value").str.split(VALUE_SEPARATOR))
        .explode("value")
        .unique(maintain_order=True)
    )
    position = pl.int_range(pl.len()).over("cluster")
    numbered = values.select("cluster", pl.lit(kind.value).alias("kind"), "value", position.alias("position"))
    return numbered.filter(pl.col("position").is_between(1, MOST_FURTHER))


def _provenance(ordered: pl.DataFrame, givers: dict[str, Ints]) -> pl.DataFrame:
    return pl.concat(
        [
            ordered.select("cluster", "record", pl.col(field).alias("value"))[rows]
            .drop_nulls("value")
            .select("cluster", pl.lit(_GOLDEN_NAMES.get(field, field)).alias("field"), "record")
            for field, rows in givers.items()
        ]
    )
