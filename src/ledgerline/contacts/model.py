"""The shapes that contacts take on their way: raw → clean → golden. Pure definitions, no behaviour.

raw     one row of a source, as text, nothing changed               (`RAW`)
clean   the same row after the cleaning rules: valid values,
        reasons for those that are not                              (`CLEAN`)
golden  one contact, made of the clean rows of one person           (`survive.Golden`)

A field that can hold several values (e-mails, phones) keeps its best one in a column of its own
and the others, in order, in a `further_…` column, separated by one space (`VALUE_SEPARATOR`);
neither an e-mail address nor an E.164 number can hold a space.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

VALUE_SEPARATOR = " "
REASON_SEPARATOR = ","

RAW = pl.Schema(
    {
        "source_record_id": pl.String,  # the source's own key as text; null is possible, and rejected
        "name": pl.String,
        "phone": pl.String,
        "email": pl.String,
        "designation": pl.String,
        "company": pl.String,
        "owner": pl.String,
        "is_active": pl.Boolean,
    }
)

CLEAN = pl.Schema(
    {
        "source_record_id": pl.String,
        "name": pl.String,
        "honorific": pl.String,
        "company_name": pl.String,
        "email": pl.String,  # the best valid one: personal before role mailbox, then by order; lower case
        "further_emails": pl.String,
        "phone": pl.String,  # the best valid one, E.164: mobile types first, then by order
        "phone_type": pl.String,  # a PhoneType
        "further_phones": pl.String,
        "designation": pl.String,
        "relationship_type": pl.String,  # a Relationship
        "data_quality_score": pl.Int16,  # 0–100
        "owner": pl.String,
        "reasons": pl.String,  # Reason codes of values that did not pass, in order, or null
        "reject_reasons": pl.String,  # Reason codes that keep the row from becoming a contact, or null
        "raw_name": pl.String,  # raw values, each only where it differs from the clean one, else null
        "raw_phone": pl.String,
        "raw_email": pl.String,
        "raw_designation": pl.String,
        "raw_company": pl.String,
        "raw_owner": pl.String,
    }
)


class PhoneType(StrEnum):
    """What kind of line a number is; `MOBILE` includes numbers that may be fixed or mobile (as in the US)."""

    MOBILE = "MOBILE"
    FIXED = "FIXED"
    OTHER = "OTHER"  # toll free, premium rate, voice over IP, …


class Relationship(StrEnum):
    CLIENT = "CLIENT"
    VENDOR = "VENDOR"
    LEAD = "LEAD"
    OTHER = "OTHER"  # set by people only


class Reason(StrEnum):
    """Why a value, or a whole row, did not pass. Stable codes: they are stored and shown."""

    NAME_PLACEHOLDER = "name_placeholder"  # 'NA', '-', 'test', …
    NAME_WITHOUT_LETTERS = "name_without_letters"  # '12345', '???'
    NAME_TOO_LONG = "name_too_long"
    EMAIL_INVALID = "email_invalid"
    EMAIL_PLACEHOLDER = "email_placeholder"  # 'NA', 'test@test.com', 'noemail@…'
    EMAIL_TOO_LONG = "email_too_long"
    PHONE_INVALID = "phone_invalid"
    PHONE_PLACEHOLDER = "phone_placeholder"  # 'NA', 0000000000, 9999999999, 1234567890, 2147483647
    PHONE_HAS_LETTERS = "phone_has_letters"
    PHONE_TOO_LONG = "phone_too_long"
    COMPANY_PLACEHOLDER = "company_placeholder"
    COMPANY_TOO_LONG = "company_too_long"
    DESIGNATION_PLACEHOLDER = "designation_placeholder"
    DESIGNATION_TOO_LONG = "designation_too_long"
    TEXT_REPAIRED = "text_repaired"  # mojibake mended; the raw text is kept

    NO_NAME = "no_name"  # rejects from here on: no usable name
    NO_EMAIL_OR_PHONE = "no_email_or_phone"  # neither a valid e-mail nor a valid phone
    KEY_MISSING = "key_missing"  # the row has no key
    KEY_DUPLICATE = "key_duplicate"  # an earlier row of the same run has this key
    KEY_TOO_LONG = "key_too_long"  # more than 200 characters
    UNREADABLE = "unreadable"  # the database could not give the row out


class MatchRule(StrEnum):
    """What made a record join a contact (stored with the record)."""

    IDENTITY = "identity"  # the same record of the same source
    EMAIL = "email"  # the same personal e-mail address, and the names agree
    PHONE = "phone"  # the same mobile number, and the names agree
    NAME_COMPANY = "name_company"  # the same name at the same company, and nothing contradicts
