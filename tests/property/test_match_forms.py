"""Match forms in columns are those made one by one, on values as they come and as they are misspelt."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import polars as pl
import pytest

from ledgerline.contacts.companies import match_company, match_company_column
from ledgerline.contacts.names import match_name, match_name_column
from ledgerline.sources.sample import customers, generate

VALUES, ROWS = 1_000, 500
SPICE = ("", "", *" .,'&-/()09aszAZ", "  ", "é", "ß", "\u212a", "İ", "राम", "\u0301", "\0", "\n")
NAME_PARTS = ("R.", "A", "O'Neil", "al-", " and ", "ji", "11", "Kumar Rao Devi")
COMPANY_PARTS = (
    *("M/s ", "M/S.", "Messrs ", "messrs.", "The ", "the", " and ", " & ", "and", " s.a.", " l.l.p."),
    *(
        " Ltd",
        " Pvt. Ltd.",
        " (P) Ltd",
        " (p) limited.",
        " p. ltd",
        " P",
        ", Co",
        " & Co.",
        " Company",
        " Kg.",
    ),
)


def _mutated(values: list[str], parts: tuple[str, ...], dice: random.Random) -> str:
    text = dice.choice(values)
    for _ in range(dice.randint(0, 3)):
        at = dice.choice((0, len(text), dice.randint(0, len(text))))
        text = text[:at] + dice.choice((*SPICE, *parts)) + text[at + dice.randint(0, 2) :]
    return dice.choice((text, text, text.lower(), text.upper()))


@pytest.fixture(scope="module")
def names() -> list[str]:
    column = "contact_person_name"
    return (
        pl.concat(batch.contacts.select(column) for batch in generate(ROWS, 5))[column].drop_nulls().to_list()
    )


@pytest.fixture(scope="module")
def companies() -> list[str]:
    return customers(ROWS, 5)["customer_name"].drop_nulls().to_list()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("field", "parts", "one", "column"),
    [
        ("names", NAME_PARTS, match_name, match_name_column),
        ("companies", COMPANY_PARTS, match_company, match_company_column),
    ],
)
def test_match_form_of_a_column_is_the_scalar(
    seed: int,
    field: str,
    parts: tuple[str, ...],
    one: Callable[[str], str],
    column: Callable[[pl.Series], pl.Series],
    request: pytest.FixtureRequest,
) -> None:
    dice, clean = random.Random(seed), request.getfixturevalue(field)
    values = [_mutated(clean, parts, dice) for _ in range(VALUES)]
    forms = column(pl.Series([*values, None])).to_list()
    assert dict(zip(values, forms, strict=False)) == {value: one(value) for value in values}
    assert forms[-1] is None


def test_match_company_column_is_the_scalar_however_words_stand_together() -> None:
    words = ("", "om", "the", "and", "p", "(p)", "messrs", "ltd", "co")
    glue = (" ", ". ", ", ", " & ", ".", "")
    triples = itertools.product(words, glue, words, glue, words, ("", "."))
    values = sorted({"".join(parts) for parts in triples})
    assert match_company_column(pl.Series(values)).to_list() == list(map(match_company, values))


def test_nothing_has_no_match_form() -> None:
    nothing = pl.Series([], dtype=pl.String)
    assert match_name_column(nothing).to_list() == match_company_column(nothing).to_list() == []
