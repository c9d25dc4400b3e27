"""What people entered in place of a source's value stands above every source.

Pure: which edits hold for a contact, and what a golden contact becomes under them. A contact keeps its own
edits, and those of the contacts that joined it where it has none of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ledgerline.contacts.companies import COMPANY_LIMIT, DESIGNATION_LIMIT
from ledgerline.contacts.emails import clean_emails
from ledgerline.contacts.model import Relationship
from ledgerline.contacts.names import NAME_LIMIT
from ledgerline.contacts.phones import clean_phones
from ledgerline.contacts.texts import storable, tidy
from ledgerline.errors import UsageError

EDITABLE = (
    "name",
    "honorific",
    "company_name",
    "email",
    "mobile_e164",
    "designation",
    "relationship_type",
)
POINT_KINDS = {"email": "EMAIL", "mobile_e164": "PHONE"}  # fields of which a contact can have further values

EDITS = pl.Schema(
    {
        "id": pl.Int64,  # more is later
        "contact_id": pl.Int64,  # that the person edited
        "owner_id": pl.Int64,  # that it has joined, or itself
        "field": pl.String,
        "value": pl.String,
        "source_value": pl.String,  # what the sources said then
    }
)


@dataclass(frozen=True, slots=True)
class Overlaid:
    """Golden contacts under the edits of people.

    contacts       as given, with the edited values
    points         the further values: what the sources think best stands first among them
    source_values  [contact_id, field, value, is_news]: what the sources say about edited fields; `is_news`
                   where that is neither what the person wrote nor what they saw when they wrote it
    """

    contacts: pl.DataFrame
    points: pl.DataFrame
    source_values: pl.DataFrame


def effective(edits: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    """[contact_id, field, value, source_value]: one edit a contact and field.

    edits  `EDITS`, those in force
    moved  [old_contact_id, contact_id]: contacts that are joining others now
    """
    targets = moved.select(owner_id="old_contact_id", target="contact_id")
    owned = edits.join(targets, on="owner_id", how="left").with_columns(
        owner=pl.coalesce("target", "owner_id")
    )
    is_own = pl.col("contact_id") == pl.col("owner")
    return (
        owned.with_columns(is_own=is_own)
        .sort("owner", "field", "is_own", "id", descending=[False, False, True, True])
        .unique(["owner", "field"], keep="first", maintain_order=True)
        .select("field", "value", "source_value", contact_id="owner")
    )


def overlay(contacts: pl.DataFrame, points: pl.DataFrame, edits: pl.DataFrame) -> Overlaid:
    """Put edits over golden contacts.

    contacts  [id, …] with the columns `EDITABLE`
    points    [contact_id, kind, value, position], numbered from 1
    edits     as `effective` gives them; those of other contacts are ignored
    """
    said = []
    for field in EDITABLE:
        of_field = edits.filter(pl.col("field") == field).rename({"contact_id": "id"})
        of_field = of_field.join(contacts.select("id", golden=field), on="id")
        if of_field.is_empty():
            continue
        if field in POINT_KINDS:
            points = _with_golden(points, of_field, POINT_KINDS[field])
        edited = of_field.select("id", wanted="value", is_edited=pl.lit(value=True))
        contacts = (
            contacts.join(edited, on="id", how="left", maintain_order="left")
            .with_columns(pl.when("is_edited").then("wanted").otherwise(field).alias(field))
            .drop("wanted", "is_edited")
        )
        said.append(of_field.select("field", contact_id="id", value="golden", is_news=_is_news()))
    nothing = pl.DataFrame(
        schema={"contact_id": pl.Int64, "field": pl.String, "value": pl.String, "is_news": pl.Boolean}
    )
    return Overlaid(contacts, points, pl.concat([nothing, *said], how="diagonal"))


def _is_news() -> pl.Expr:
    golden = pl.col("golden")
    return golden.ne_missing(pl.col("value")) & golden.ne_missing(pl.col("source_value"))


def _with_golden(points: pl.DataFrame, edits: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The sources' best value before the further ones, but for what the person wrote, numbered again."""
    concerned = points.select((pl.col("kind") == kind) & pl.col("contact_id").is_in(edits["id"].implode()))
    mine = points.filter(concerned.to_series())
    best = edits.select(
        contact_id="id",
        kind=pl.lit(kind),
        value="golden",
        position=pl.lit(0, points.schema["position"]),
    ).select(points.columns)
    written = edits.select(contact_id="id", written="value")
    listed = (
        pl.concat([best, mine])
        .join(written, on="contact_id")
        .filter(pl.col("value").is_not_null() & pl.col("value").ne_missing(pl.col("written")))
        .sort("contact_id", "position")
        .unique(["contact_id", "value"], keep="first", maintain_order=True)
    )
    position = pl.int_range(1, pl.len() + 1).over("contact_id").cast(points.schema["position"])
    renumbered = listed.with_columns(position=position).select(points.columns)
    return pl.concat([points.filter(~concerned.to_series()), renumbered])


# -- what people may enter --------------------------------------------------------------------------------


_LENGTHS = {
    "name": NAME_LIMIT,
    "honorific": 32,
    "company_name": COMPANY_LIMIT,
    "designation": DESIGNATION_LIMIT,
}
_NEEDED = ("name", "relationship_type")


def checked(field: str, text: str | None, region: str) -> str | None:
    """The value as it is stored, of what a person wrote; None: the contact has no such value.

    region  default country of phones

    Raises UsageError when the field cannot be edited, or the value will not do.
    """
    if field not in EDITABLE:
        raise UsageError(f"{field} cannot be edited.", hint=f"Fields: {', '.join(EDITABLE)}.")
    tidied = None if text is None else tidy(storable(text))
    if not tidied:
        if field in _NEEDED:
            raise UsageError(f"A contact needs a value of {field}.", hint="Give it one.")
        return None
    if field == "email":
        email = clean_emails(tidied)
        only = email.email if not (email.further or email.reasons) else None
        return _accepted(only, f"{tidied!r} is no e-mail address.", "Give one address.")
    if field == "mobile_e164":
        phone = clean_phones(tidied, region)
        only = phone.phone if not (phone.further or phone.reasons) else None
        hint = f"One number, with its country code if it is not of {region}: +91 98200 12345."
        return _accepted(only, f"{tidied!r} is no phone number.", hint)
    if field == "relationship_type":
        kinds = [kind.value for kind in Relationship]
        kind = tidied.upper()
        return _accepted(kind if kind in kinds else None, f"{tidied!r} is no relationship.", ", ".join(kinds))
    if len(tidied) > _LENGTHS[field]:
        raise UsageError(
            f"{field} has {len(tidied)} characters.", hint=f"At most {_LENGTHS[field]} can be stored."
        )
    return tidied


def _accepted(value: str | None, fault: str, hint: str) -> str:
    if value is None:
        raise UsageError(fault, hint=hint)
    return value
