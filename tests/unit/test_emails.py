"""What becomes of e-mail fields, one rule at a time."""

from __future__ import annotations

import polars as pl
import pytest

from ledgerline.contacts.emails import clean_email_column, clean_emails, is_role_mailbox, normalise_email
from ledgerline.contacts.model import Reason


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ravi.Kumar@Example.COM", "Ravi.Kumar@example.com"),
        ("INFO@example.com", "info@example.com"),
        ("ravi@xn--bcher-kva.example", "ravi@bücher.example"),
        ("ravi@host.example", "ravi@host.example"),
        ("ravi@host.test", None),
        ("ravi@host.invalid", None),
        ('"ravi"@example.com', None),
        ("ravi (at) example.com", None),
        ("a" * 10_000_000, None),
    ],
)
def test_one_address(text: str, normal: str | None) -> None:
    assert normalise_email(text) == normal


@pytest.mark.parametrize(
    ("raw", "emails"),
    [
        ("RAVI@X.com", ["ravi@x.com"]),
        (" ravi@x.com. ", ["ravi@x.com"]),
        ("'ravi@x.com',", ["ravi@x.com"]),
        ("mailto:ravi@x.com?subject=Hello", ["ravi@x.com"]),
        ("E-mail: ravi@x.com", ["ravi@x.com"]),
        ("<ravi@x.com>", ["ravi@x.com"]),
        ("Ravi Kumar <ravi@x.com>", ["ravi@x.com"]),
        ('"Kumar, Ravi" <ravi@x.com>; Asha <asha@x.com>', ["ravi@x.com", "asha@x.com"]),
        ("a1@x.com,b1@x.com;c1@x.com/d1@x.com|e1@x.com", [f"{c}1@x.com" for c in "abcde"]),
        ("a1@x.com\r\nb1@x.com\tc1@x.com", [f"{c}1@x.com" for c in "abc"]),
        ("a1@x.com or b1@x.com & c1@x.com&d1@x.com", [f"{c}1@x.com" for c in "abcd"]),
        ("r&d@x.com", ["r&d@x.com"]),
        ("ravi@x.com r&d@y.com", ["ravi@x.com", "r&d@y.com"]),
        ("a1@x.com, &b1@y.com & r&d@y.com", ["a1@x.com", "b1@y.com", "r&d@y.com"]),
        ("ravi@x.com, Ravi@X.com", ["ravi@x.com"]),
        (
            "info@x.com, ravi@x.com, sales@x.com, asha@x.com",
            ["ravi@x.com", "asha@x.com", "info@x.com", "sales@x.com"],
        ),
        ("info@x.com, sales@x.com", ["info@x.com", "sales@x.com"]),
        ("info@x.com; ravi@x.com", ["ravi@x.com", "info@x.com"]),
    ],
)
def test_fields_of_good_addresses(raw: str, emails: list[str]) -> None:
    best, *further = emails
    assert clean_emails(raw) == (best, tuple(further), ())
    assert clean_email_column(pl.Series([raw])).row(0) == (best, " ".join(further) or None, None)


@pytest.mark.parametrize(
    "raw",
    [
        "NA",
        "n/a",
        "nil",
        "none",
        "-",
        "test",
        "no email",
        "NA / nil",
        "noemail@noemail.com",
        "test@test.com",
        "abc@abc.com",
        "XYZ@gmail.com",
        "a@a.com",
        "no@no.com",
        "na@na.com",
        "na@gmail.com",
        "no-email@acme.in",
    ],
)
def test_placeholders(raw: str) -> None:
    assert clean_emails(raw) == (None, (), (Reason.EMAIL_PLACEHOLDER,))
    assert clean_email_column(pl.Series([raw])).row(0) == (None, None, Reason.EMAIL_PLACEHOLDER)


@pytest.mark.parametrize("raw", ["na@acme.in", "abc@acme.in", "test@acme.in", "no@acme.in", "a@acme.in"])
def test_short_mailboxes_of_a_company_are_no_placeholders(raw: str) -> None:
    assert clean_emails(raw).email == raw


@pytest.mark.parametrize(
    "raw",
    ["ravi", "ravi@x", "ravi (at) gmail.com", "ravi @gmail.com", "@", "or", "ravi@@x.com", "ravi@x.test"],
)
def test_nothing_is_guessed(raw: str) -> None:
    assert clean_emails(raw) == (None, (), (Reason.EMAIL_INVALID,))


def test_reasons_stand_beside_good_addresses() -> None:
    clean = clean_emails("ravi@x.com, NA, ravi@y, 98765")
    assert clean == ("ravi@x.com", (), (Reason.EMAIL_PLACEHOLDER, Reason.EMAIL_INVALID))


@pytest.mark.parametrize("raw", [None, "", " \n", "\u200b"])
def test_an_empty_field_needs_no_reason(raw: str | None) -> None:
    assert clean_emails(raw) == (None, (), ())


@pytest.mark.parametrize(
    "raw",
    [
        "ravi@x.com," * 200,
        f"ravi@x.com{' ' * 2_000}asha@x.com",
        "@" * 10_000_000,
        "ravi@" + "x." * 5_000_000 + "com",
    ],
)
def test_too_long(raw: str) -> None:
    assert clean_emails(raw) == (None, (), (Reason.EMAIL_TOO_LONG,))
    assert clean_email_column(pl.Series([raw])).row(0) == (None, None, Reason.EMAIL_TOO_LONG)


@pytest.mark.parametrize(
    "mailbox",
    [
        "info",
        "accounts",
        "accounts.payable",
        "sales1",
        "sales-2",
        "accounts-mumbai",
        "info.delhi",
        "salesindia",
        "hr.in",
        "no-reply",
        "noreply",
        "do_not_reply",
        "hrmanager",
        "purchase.team",
        "enquiries",
        "customer.care",
        "it-support",
    ],
)
def test_role_mailboxes(mailbox: str) -> None:
    assert is_role_mailbox(f"{mailbox}@x.com")


@pytest.mark.parametrize(
    "mailbox",
    [
        "ravi",
        "sales.rahul",
        "hrit",
        "ashok",
        "noor",
        "manager.singh",
        "infant",
        "adminath",
        "ravi.sales",
        "itika",
    ],
)
def test_personal_mailboxes(mailbox: str) -> None:
    assert not is_role_mailbox(f"{mailbox}@x.com")
