"""Raw contacts → clean contacts: each field by its own rules, then what only the whole row can tell.

`clean_row` is the rule for one row; `clean` does the same for a frame, in columns. They agree on every row.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import polars as pl

from ledgerline.contacts.companies import (
    clean_company,
    clean_company_column,
    clean_designation,
    clean_designation_column,
    relationship,
)
from ledgerline.contacts.emails import clean_email_column, clean_emails, is_role_mailbox, role_mailbox
from ledgerline.contacts.model import (
    CLEAN,
    REASON_SEPARATOR,
    VALUE_SEPARATOR,
    PhoneType,
    Reason,
    Relationship,
)
from ledgerline.contacts.names import clean_name, clean_name_column
from ledgerline.contacts.phone_columns import clean_phone_column
from ledgerline.contacts.phones import clean_phones
from ledgerline.contacts.texts import (
    by_distinct,
    join_reasons,
    read_text,
    says_nothing,
    storable,
    storable_column,
)

_FEW_ROWS: Final = 200  # one by one, they take less than to set out for whole columns
RULES_VERSION: Final[int] = 4
"""Raise it when any rule of cleaning changes: what was cleaned by other rules is then cleaned again."""

OWNER_LIMIT: Final = 200  # characters

_OWNER: Final = pl.Schema({"owner": pl.String})
_LIBRARIES: Final = ("phonenumbers", "email-validator", "idna", "ftfy", "Unidecode")
_REASON_COLUMNS: Final = (
    "name_reasons",
    "phone_reasons",
    "email_reasons",
    "designation_reasons",
    "company_reasons",
)

# The clean columns that together say what a raw one said.
_SAID_BY: Final[Mapping[str, Sequence[str]]] = {
    "name": ("name",),
    "phone": ("phone", "further_phones"),
    "email": ("email", "further_emails"),
    "designation": ("designation",),
    "company": ("company_name",),
    "owner": ("owner",),
}


def rules_fingerprint(region: str) -> str:
    """All that decides what cleaning makes of a value: equal fingerprints, equal results."""
    libraries = [f"{library}={version(library)}" for library in _LIBRARIES]
    return " ".join(
        (f"rules={RULES_VERSION}", f"region={region}", *libraries, f"unicode={unicodedata.unidata_version}")
    )


def clean_row(raw: Mapping[str, Any], region: str) -> dict[str, Any]:
    """One `RAW` row as one `CLEAN` row; phones without a country code are read as of `region`.

    The reference for `clean`. `reject_reasons` holds only what the values themselves give cause for.
    """
    name = clean_name(raw["name"])
    phone = clean_phones(raw["phone"], region)
    email = clean_emails(raw["email"])
    designation = clean_designation(raw["designation"])
    company = clean_company(raw["company"])
    clean_values: dict[str, Any] = {
        "source_record_id": raw["source_record_id"],
        "name": name.name,
        "honorific": name.honorific,
        "company_name": company.company_name,
        "email": email.email,
        "further_emails": VALUE_SEPARATOR.join(email.further) or None,
        "phone": phone.phone,
        "phone_type": phone.phone_type,
        "further_phones": VALUE_SEPARATOR.join(phone.further) or None,
        "designation": designation.designation,
        "relationship_type": relationship(designation.designation),
        "owner": clean_owner(raw["owner"]),
    }
    results = (name, phone, email, designation, company)
    reject_reasons = join_reasons(_reject_reasons(clean_values))
    return {
        **clean_values,
        "data_quality_score": quality_score(clean_values),
        "reasons": join_reasons([reason for result in results for reason in result.reasons]),
        "reject_reasons": reject_reasons,
        **_raw_values(raw, clean_values, keep_all=reject_reasons is not None),
    }


def clean(frame: pl.DataFrame, region: str) -> pl.DataFrame:
    """`clean_row` of each row: a `RAW` frame as a `CLEAN` one, in the same order."""
    if frame.height > _FEW_ROWS:
        return clean_columns(frame, region)
    return pl.DataFrame([clean_row(row, region) for row in frame.iter_rows(named=True)], CLEAN)


def clean_columns(frame: pl.DataFrame, region: str) -> pl.DataFrame:
    """The same by expressions over whole columns, a dozen times as fast where there are many rows."""
    fields = [
        clean_name_column(frame["name"]),
        clean_phone_column(frame["phone"], region),
        clean_email_column(frame["email"]),
        clean_designation_column(frame["designation"]),
        clean_company_column(frame["company"]),
        by_distinct(frame["owner"], lambda raw: (clean_owner(raw),), _OWNER),
    ]
    raw = frame.select("source_record_id", pl.col(*_SAID_BY).name.prefix("raw_"))
    return (
        pl.concat([raw, *fields], how="horizontal")
        .lazy()
        .with_columns(_reject_reasons_column(), _reasons_column(), quality_score_column())
        .with_columns(*_raw_columns())
        .select(CLEAN.names())
        .collect()
        .pipe(_with_distinct_reasons)
    )


def clean_owner(raw: str | None) -> str | None:
    """The owner in `raw`; null when it says nothing or is longer than a name can be."""
    text = read_text(raw, OWNER_LIMIT).text
    return None if says_nothing(text) else text


def quality_score(clean_values: Mapping[str, Any]) -> int:
    """0–100: how much is known of a contact, from its clean values."""
    email = clean_values["email"]
    email_points = 0 if email is None else 15 if is_role_mailbox(email) else 30
    phone_points = 30 if clean_values["phone_type"] == PhoneType.MOBILE else 20
    return int(
        20 * (clean_values["name"] is not None)
        + email_points
        + phone_points * (clean_values["phone"] is not None)
        + 10 * (clean_values["company_name"] is not None)
        + 5 * (clean_values["designation"] is not None)
        + 5 * (clean_values["relationship_type"] != Relationship.OTHER)
    )


def quality_score_column() -> pl.Expr:
    """`quality_score` of the clean columns it stands beside, as `data_quality_score`."""
    email_points = pl.when(role_mailbox(pl.col("email"))).then(15).otherwise(30)
    phone_points = pl.when(pl.col("phone_type") == PhoneType.MOBILE.value).then(30).otherwise(20)
    score = (
        20 * pl.col("name").is_not_null()
        + email_points * pl.col("email").is_not_null()
        + phone_points * pl.col("phone").is_not_null()
        + 10 * pl.col("company_name").is_not_null()
        + 5 * pl.col("designation").is_not_null()
        + 5 * (pl.col("relationship_type") != Relationship.OTHER.value)
    )
    return score.cast(pl.Int16).alias("data_quality_score")


def _reject_reasons(clean_values: Mapping[str, Any]) -> list[Reason]:
    nameless = clean_values["name"] is None
    unreachable = clean_values["email"] is None and clean_values["phone"] is None
    return [Reason.NO_NAME] * nameless + [Reason.NO_EMAIL_OR_PHONE] * unreachable


def _reject_reasons_column() -> pl.Expr:
    nameless = pl.col("name").is_null()
    unreachable = pl.col("email").is_null() & pl.col("phone").is_null()
    return _joined(
        pl.when(nameless).then(pl.lit(Reason.NO_NAME.value)),
        pl.when(unreachable).then(pl.lit(Reason.NO_EMAIL_OR_PHONE.value)),
    ).alias("reject_reasons")


def _reasons_column() -> pl.Expr:
    return _joined(*map(pl.col, _REASON_COLUMNS)).alias("reasons")


def _joined(*reasons: pl.Expr) -> pl.Expr:
    joined = pl.concat_str(*reasons, separator=REASON_SEPARATOR, ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def _with_distinct_reasons(frame: pl.DataFrame) -> pl.DataFrame:
    """Two fields of a row may both have been repaired; that is said once."""
    reasons = by_distinct(frame["reasons"], _distinct_reasons_to_row, pl.Schema({"reasons": pl.String}))
    return frame.with_columns(reasons["reasons"])


def _distinct_reasons_to_row(reasons: str | None) -> tuple[str | None]:
    return (join_reasons([Reason(code) for code in reasons.split(REASON_SEPARATOR)]) if reasons else None,)


def _raw_values(
    raw: Mapping[str, Any], clean_values: Mapping[str, Any], *, keep_all: bool
) -> dict[str, str | None]:
    kept = {}
    for field, columns in _SAID_BY.items():
        value = raw[field]
        said = VALUE_SEPARATOR.join(filter(None, (clean_values[column] for column in columns)))
        kept[f"raw_{field}"] = storable(value) if value and (keep_all or value != said) else None
    return kept


def _raw_columns() -> list[pl.Expr]:
    return [_raw_column(f"raw_{field}", columns) for field, columns in _SAID_BY.items()]


def _raw_column(column: str, said_by: Sequence[str]) -> pl.Expr:
    raw, said = pl.col(column), pl.col(said_by[0])
    if len(said_by) > 1:
        said = pl.concat_str(said_by, separator=VALUE_SEPARATOR, ignore_nulls=True)
    is_kept = (raw != "") & (pl.col("reject_reasons").is_not_null() | raw.ne_missing(said))
    return storable_column(pl.when(is_kept).then(raw)).alias(column)
