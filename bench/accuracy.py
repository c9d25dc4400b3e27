"""Scores that need no clock: agreement with the authorities on phones and e-mails, merges against the truth.

Agreement has two sides, and a string counts only when it passes both. The rule for one value must say what
the authority says: valid or not, and the same normal form. And the columnar path, which decides nearly all
values without the authority, must say what the rule for one field says; where the field is one plain value,
so that no policy of ours comes in, the column is compared with the authority itself.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
import polars as pl
import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from tests.phone_strings import phone_strings
from tests.scoring import Score, pairwise

from bench.email_strings import email_strings
from bench.workspace import sqlite_url
from ledgerline.contacts.emails import clean_email_column, clean_emails, normalise_email
from ledgerline.contacts.model import VALUE_SEPARATOR, Reason
from ledgerline.contacts.phone_columns import clean_phone_column
from ledgerline.contacts.phones import clean_phones, parse_phone
from ledgerline.contacts.texts import join_reasons
from ledgerline.databases.database import Database
from ledgerline.databases.schema import source_records
from ledgerline.url import parse_url

STRINGS = 120_000
_SEED = 7
_SHOWN = 5

_PLAIN_PHONE = re.compile(r"[+]?[0-9]{3,20}")
_PLAIN_EMAIL = re.compile(r"[A-Za-z0-9_+.-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Agreement:
    strings: int  # different ones
    valid: int  # to the authority
    plain: int  # compared with the authority in the columnar path too
    disagreements: int
    examples: list[str]

    @property
    def share(self) -> float:
        return 1 - self.disagreements / self.strings


def _agreement(strings: Sequence[object], valid: int, plain: int, wrong: Iterable[object]) -> Agreement:
    different = sorted({repr(string) for string in wrong})
    return Agreement(len(strings), valid, plain, len(different), different[:_SHOWN])


# -- phones ------------------------------------------------------------------------------------------------


def phone_agreement(count: int = STRINGS) -> Agreement:
    pairs = list(dict.fromkeys(phone_strings(count * 21 // 20, _SEED)))
    by_region: dict[str, list[str]] = defaultdict(list)
    for text, region in pairs:
        by_region[region].append(text)
    valid = plain = 0
    wrong: list[tuple[str, str]] = []
    for region, texts in by_region.items():
        column = clean_phone_column(pl.Series(texts), region).rows()
        for text, row in zip(texts, column, strict=True):
            said = library_phone(text, region)
            valid += said is not None
            is_plain = _PLAIN_PHONE.fullmatch(text) is not None
            plain += is_plain
            agrees = _e164(text, region) == said and row == _phone_row(text, region)
            if not agrees or (is_plain and not _plain_phone_agrees(row, said)):
                wrong.append((text, region))
    return _agreement(pairs, valid, plain, wrong)


def library_phone(text: str, region: str) -> str | None:
    """What `phonenumbers` makes of a string: E.164 where it is a valid number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _e164(text: str, region: str) -> str | None:
    phone = parse_phone(text, region)
    return phone.e164 if phone else None


def _phone_row(text: str, region: str) -> tuple[str | None, ...]:
    phones = clean_phones(text, region)
    line = phones.phone_type.value if phones.phone_type else None
    return phones.phone, line, VALUE_SEPARATOR.join(phones.further) or None, join_reasons(phones.reasons)


def _plain_phone_agrees(row: tuple[str | None, ...], said: str | None) -> bool:
    """Digits, maybe after a plus, are one number; a placeholder (9999999999) is none, valid or not."""
    phone, _, further, reasons = row
    is_placeholder = reasons == Reason.PHONE_PLACEHOLDER.value and phone is None
    return further is None and (phone == said or is_placeholder)


# -- e-mails -----------------------------------------------------------------------------------------------


def email_agreement(count: int = STRINGS) -> Agreement:
    texts = email_strings(count, _SEED)
    valid = plain = 0
    wrong = []
    for text, row in zip(texts, clean_email_column(pl.Series(texts)).rows(), strict=True):
        said = library_email(text)
        valid += said is not None
        is_plain = _PLAIN_EMAIL.fullmatch(text) is not None
        plain += is_plain
        agrees = normalise_email(text) == said and row == _email_row(text)
        if not agrees or (is_plain and not _plain_email_agrees(row, said)):
            wrong.append(text)
    return _agreement(texts, valid, plain, wrong)


def library_email(text: str) -> str | None:
    """What email-validator makes of a string: its normal form where it is a valid address."""
    try:
        return str(validate_email(text, strict=True, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None


def _email_row(text: str) -> tuple[str | None, ...]:
    emails = clean_emails(text)
    return emails.email, VALUE_SEPARATOR.join(emails.further) or None, join_reasons(emails.reasons)


def _plain_email_agrees(row: tuple[str | None, ...], said: str | None) -> bool:
    """ASCII without separators is one address, kept in lower case; a placeholder (a@a.com) is none."""
    email, further, reasons = row
    is_placeholder = reasons == Reason.EMAIL_PLACEHOLDER.value and email is None
    return further is None and (email == (said and said.lower()) or is_placeholder)


# -- merges ------------------------------------------------------------------------------------------------


def merge_score(main: Path, invoice: Path) -> tuple[Score, int]:
    """How the contacts in a main database agree with who the rows are; and the records compared.

    Rows that are no record of a contact (rejected, inactive) are not counted: there was nothing to join.
    """
    contacts = _read(
        main,
        sa.select(
            sa.cast(source_records.c.source_record_id, sa.BigInteger).label("record"),
            source_records.c.contact_id.label("cluster"),
        ).where(source_records.c.is_live),
    )
    truth_table = sa.table("sample_truth", sa.column("contactid"), sa.column("personid"))
    truth = _read(
        invoice, sa.select(truth_table.c.contactid.label("record"), truth_table.c.personid.label("person"))
    ).join(contacts, on="record", how="semi")
    return pairwise(contacts, truth), truth.height


def _read(path: Path, query: sa.Select[tuple[object, ...]]) -> pl.DataFrame:
    database = Database(parse_url(sqlite_url(path)))
    try:
        return database.read(query)
    finally:
        database.close()
