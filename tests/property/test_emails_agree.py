"""Our e-mail addresses are email-validator's, on every string."""

from __future__ import annotations

import random
from collections.abc import Iterator

import polars as pl
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerline.contacts.emails import (
    clean_email_column,
    clean_emails,
    is_role_mailbox,
    normalise_email,
    role_mailbox,
)
from ledgerline.contacts.model import VALUE_SEPARATOR
from ledgerline.contacts.texts import join_reasons

CORPUS = (
    "ravi.kumar@example.com", "Info@Example.COM", "o'brien+tag@sub.example.co.uk", "a@b.io",
    "x_y-z@a-b.museum", "用户@例子.广告", "ravi@xn--fiqs8s.cn", "ravi@bücher.example", "josé@exämple.org",
    "ravi@a--b.com", "ab--c@xn--a.com", '"john doe"@example.com', '"a@b"@example.com', "ravi@[127.0.0.1]",
    "ravi@[IPv6:::1]", "ravi@host.test", "ravi@host.invalid", "ravi@host.example", "ravi@localhost",
    "ravi@mail.local", "ravi@x.arpa", "ravi@x.onion", "ravi@example.c0m", "ravi@example.c",
    "ravi@example.123", "ravi@-a.com", "ravi@a-.com", "ravi..kumar@example.com", ".ravi@example.com",
    "ravi.@example.com", "ravi@example..com", "ravi@.example.com", "Ravi <ravi@example.com>",
    "mailto:ravi@example.com", "ravi@@example.com", "ravi@exa mple.com", "@", "", "ravi",
    f"{'a' * 64}@example.com", f"{'a' * 65}@example.com", f"a@{'b' * 63}.com", f"a@{'b' * 64}.com",
    f"a@{'b.' * 124}com", f"a@{'b.' * 130}com", "ravi@example.com\n", "ravi\0@example.com",
    "ravi@ex\u200bample.com", "ravi@ｅxample.com", "ravi＠example.com", "ravi@example。com",
    "cafe\u0301@example.com", "RAVI@EXAMPLE.COM.", "\u212a@example.com", "WWW@Example.com",
    "PostMaster@example.com", "a/b&c|d@example.com", "ravi@1.אב.com",
)  # fmt: skip
SPICE = ".@-_+'\"<> ,;&/|xX0\n\t\0é\u0301ßİ。\u200d\u202e(){}[]\\:`%#"


def oracle(text: str) -> str | None:
    try:
        return validate_email(text, strict=True, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def mutations(count: int, seed: int) -> Iterator[str]:
    dice = random.Random(seed)
    for _ in range(count):
        text = list(dice.choice(CORPUS))
        for _ in range(dice.randint(1, 3)):
            at = dice.randint(0, len(text))
            text[at : at + dice.randint(0, 2)] = dice.choice(
                ("", *SPICE, *"abAZ", "--", "..", "xn--", ".test")
            )
        yield "".join(text)


@pytest.mark.parametrize("text", CORPUS)
def test_corpus(text: str) -> None:
    assert normalise_email(text) == oracle(text)


def test_mutated_corpus() -> None:
    texts = set(mutations(28_000, seed=1))
    assert len(texts) > 20_000
    valid = {text for text in texts if oracle(text) is not None}
    assert len(valid) > 2_000, "mutations must leave some addresses valid"
    assert {text for text in texts if normalise_email(text) != oracle(text)} == set()


labels = st.text("abzAZ019-é", min_size=1, max_size=8)
emailish = st.one_of(
    st.builds(
        "{}@{}".format,
        st.text("abzAZ019.+_-'&é\"", min_size=1, max_size=70),
        st.lists(labels, min_size=1, max_size=4).map(".".join),
    ),
    st.builds("{}@{}.com".format, st.text(max_size=6), st.text(max_size=6)),
    st.text(max_size=12),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(emailish, min_size=10, max_size=30))
def test_generated(texts: list[str]) -> None:
    assert [normalise_email(text) for text in texts] == [oracle(text) for text in texts]


fields = st.one_of(
    st.sampled_from(CORPUS),
    st.builds(
        "".join, st.lists(st.one_of(st.sampled_from((*CORPUS, *SPICE, " or ", "NA")), emailish), max_size=5)
    ),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(("info@a.co", "RAVI@b.com", "a@a.com", "xyz@q.in", "k@n.test")),
        st.text(" ,;/|\n&", max_size=3),
        st.sampled_from(
            ("sales@a.co", "ravi@b.com", "", "test@test.com", "\u212a@b.com", "a@b.com " + "c" * 60)
        ),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | fields, min_size=1, max_size=20))
def test_column_is_the_scalar(values: list[str | None]) -> None:
    expected = [
        (clean.email, VALUE_SEPARATOR.join(clean.further) or None, join_reasons(clean.reasons))
        for clean in map(clean_emails, values)
    ]
    assert clean_email_column(pl.Series(values, dtype=pl.String)).rows() == expected


def test_column_is_the_scalar_on_mutations() -> None:
    values = [
        *mutations(5_000, seed=2),
        *map(", ".join, zip(mutations(500, 3), mutations(500, 4), strict=True)),
    ]
    expected = [
        (clean.email, VALUE_SEPARATOR.join(clean.further) or None, join_reasons(clean.reasons))
        for clean in map(clean_emails, values)
    ]
    assert clean_email_column(pl.Series(values)).rows() == expected


@given(st.lists(emailish, max_size=20))
def test_valid_addresses_stay_what_they_are(texts: list[str]) -> None:
    for text in texts:
        clean = clean_emails(text)
        addresses = [address for address in (clean.email, *clean.further) if address]
        assert [normalise_email(address) for address in addresses] == addresses
        assert all(address == address.lower() and not address.split()[1:] for address in addresses)


@given(st.lists(st.text("infosaleshr.-_+12@", max_size=20)))
def test_role_column_is_the_scalar(texts: list[str]) -> None:
    column = pl.Series("email", texts, dtype=pl.String).to_frame().select(role_mailbox(pl.col("email")))
    assert column.to_series().to_list() == [is_role_mailbox(text) for text in texts]
