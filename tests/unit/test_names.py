"""What becomes of names, one rule at a time."""

from __future__ import annotations

import polars as pl
import pytest

from ledgerline.contacts.model import Reason
from ledgerline.contacts.names import clean_name, clean_name_column, match_name, match_name_column


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Ravi Kumar", "Ravi Kumar"),
        ("  Ravi \t Kumar\u00a0 ", "Ravi Kumar"),
        ("Ra\0vi\u200b Ku\u00admar\ufeff", "Ravi Kumar"),
        ("Jose\u0301 Garci\u0301a", "José García"),
        ("क्\u200dष", "क्\u200dष"),  # a joiner that belongs to the spelling
        ("Ravi Kumar,", "Ravi Kumar"),
        ("Ravi Kumar.", "Ravi Kumar"),
        ("- Ravi Kumar -", "Ravi Kumar"),
        ('"Ravi Kumar"', "Ravi Kumar"),
        ("'Ravi Kumar'", "Ravi Kumar"),
        ("Ravi K.", "Ravi K."),
        ("Sharma A.K.,", "Sharma A.K."),
        ("KUMAR, Ravi", "KUMAR, Ravi"),
        ("王小明", "王小明"),
        ("राम शर्मा", "राम शर्मा"),
    ],
)
def test_characters_and_ends(raw: str, name: str) -> None:
    assert clean_name(raw).name == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("RAVI KUMAR", "Ravi Kumar"),
        ("ravi kumar", "Ravi Kumar"),
        ("ravi Kumar", "ravi Kumar"),  # mixed: someone meant it
        ("SEAN O'BRIEN", "Sean O'Brien"),
        ("maria d’souza", "Maria D’Souza"),
        ("ALI SANA'A", "Ali Sana'a"),
        ("JOHN MCKAY", "John McKay"),
        ("angus macdonald", "Angus MacDonald"),
        ("MACHADO MACK", "Machado Mack"),
        ("PETER VAN DER BERG", "Peter van der Berg"),
        ("VAN DER BERG", "Van der Berg"),
        ("maria de la cruz", "Maria de la Cruz"),
        ("SUMIT DE", "Sumit De"),
        ("OMAR BIN KHALID AL-FARSI", "Omar bin Khalid al-Farsi"),
        ("AL-FARSI OMAR", "Al-Farsi Omar"),
        ("zia-ur-rehman", "Zia-ur-Rehman"),
        ("JEAN-PAUL SARTRE", "Jean-Paul Sartre"),
        ("a.k. sharma", "A.K. Sharma"),
        ("A K SHARMA", "A K Sharma"),
        ("RK SHARMA", "RK Sharma"),
        ("rk sharma", "RK Sharma"),
        ("MD RAFIQ", "Md Rafiq"),
        ("NG WEI", "Ng Wei"),
        ("HENRY FORD III", "Henry Ford III"),
        ("henry viii", "Henry VIII"),
        ("JOSÉ ÑANDÚ", "José Ñandú"),
        ("ravi (purchase)", "Ravi (Purchase)"),
        ("RAVI@EXAMPLE.COM", "RAVI@EXAMPLE.COM"),
        ("ŉgo", "ŉgo"),  # has no capital of its own
    ],
)
def test_case_changes_only_where_it_says_nothing(raw: str, name: str) -> None:
    assert clean_name(raw).name == name


@pytest.mark.parametrize(
    ("raw", "honorific", "name"),
    [
        ("Mr. Ravi Kumar", "Mr", "Ravi Kumar"),
        ("MR RAVI KUMAR", "Mr", "Ravi Kumar"),
        ("mr.ravi", "Mr", "Ravi"),
        ("Smt Asha", "Smt", "Asha"),
        ("Prof. Dr. A. Sen", "Prof Dr", "A. Sen"),
        ("Lt. Col. Sen", "Lt Col", "Sen"),
        ("Mr. & Mrs. Sharma", "Mr & Mrs", "Sharma"),
        ("Mr and Mrs Sharma", "Mr & Mrs", "Sharma"),
        ("CA Ravi", "CA", "Ravi"),
        ("Ca Van Nguyen", None, "Ca Van Nguyen"),
        ("cs rao", None, "Cs Rao"),
        ("Mr. Ã kumar", None, "Mr. Ã kumar"),  # without its title it would look like mojibake
        ("Col. Needham", "Col", "Needham"),
        ("Col Needham", None, "Col Needham"),
        ("Kumari Asha Devi", "Kumari", "Asha Devi"),
        ("Kumari Jayawardena", None, "Kumari Jayawardena"),
        ("Sri. Ravi Kumar", "Sri", "Ravi Kumar"),
        ("Sri Ravi Kumar", None, "Sri Ravi Kumar"),
        ("Sri. Devi", None, "Sri. Devi"),
        ("Md. Rafiqul Islam", None, "Md. Rafiqul Islam"),
        ("Mridul Sen", None, "Mridul Sen"),
        ("Drew Barry", None, "Drew Barry"),
    ],
)
def test_a_leading_honorific_moves_out(raw: str, honorific: str | None, name: str) -> None:
    assert clean_name(raw)[:2] == (name, honorific)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        *((raw, Reason.NAME_PLACEHOLDER) for raw in ("NA", "n/a", "N.A.", "nil", "None", "test", "xxx")),
        *((raw, Reason.NAME_PLACEHOLDER) for raw in ("-", "--", ".", "Unknown", "No Name", "tbd")),
        *((raw, Reason.NAME_PLACEHOLDER) for raw in ("Mr.", "Mr. NA", "Dr. Test", "TEST USER", "abc")),
        *((raw, Reason.NAME_WITHOUT_LETTERS) for raw in ("12345", "???", "+91 98765", "☺")),
        ("x" * 201, Reason.NAME_TOO_LONG),
        ("Ravi " * 41, Reason.NAME_TOO_LONG),
        ("a" * 10_000_000, Reason.NAME_TOO_LONG),
    ],
)  # fmt: skip
def test_what_is_no_name_has_a_reason(raw: str, reason: Reason) -> None:
    assert clean_name(raw) == (None, None, (reason,))
    assert clean_name_column(pl.Series([raw])).row(0) == (None, None, reason)


@pytest.mark.parametrize("raw", [None, "", "   ", "\u200b", "\0"])
def test_an_empty_name_needs_no_reason(raw: str | None) -> None:
    assert clean_name(raw) == (None, None, ())


@pytest.mark.parametrize(
    ("raw", "name"),
    [("JosÃ© GarcÃ\u00ada", "José García"), ("O\x92Brien", "O’Brien"), ("Ã\u200b©milie", "émilie")],
)
def test_mojibake_is_mended_and_said_so(raw: str, name: str) -> None:
    clean = clean_name(raw)
    assert clean.reasons == (Reason.TEXT_REPAIRED,)
    assert (clean.name or "").casefold() == name.casefold()


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (f"Mr. {'Ab' * 100}", "Ab" * 100),  # the limit is the name's
        (f"  {'Ab' * 100}  ,", "Ab" * 100),
        (f"{'Ab' * 100}c", None),
        (f"{' ' * 3_000}Ravi", "Ravi"),
        (f"Ravi{' ' * 3_000}Kumar", None),  # too long to be read
    ],
)
def test_limits_hold_in_columns_too(raw: str, name: str | None) -> None:
    assert clean_name(raw).name == name
    assert clean_name_column(pl.Series([raw])).row(0)[0] == name


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ravi Kumar", "kumar ravi"),
        ("KUMAR, Ravi", "kumar ravi"),
        ("Seán O’Brien", "obrien sean"),
        ("A.K. Sharma", "a k sharma"),
        ("Jürgen Groß", "gross jurgen"),
        ("☺", ""),
    ],
)
def test_match_name(name: str, key: str) -> None:
    assert match_name(name) == key
    assert match_name_column(pl.Series([name, None])).to_list() == [key, None]
