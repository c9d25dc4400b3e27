"""A column of phone fields: the answers of `phones.clean_phones`, for all of them at once.

Most fields are digits, punctuation and separators: they are read byte by byte (`phone_fields`), their numbers
by the plans of the library's metadata (`phone_numbers`). Others are rewritten to such fields where that does
not change their meaning. What cannot be decided so goes, each distinct value once, to `clean_phones`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ledgerline.contacts.digit_automaton import Bools, Ints, Numbers
from ledgerline.contacts.model import REASON_SEPARATOR, VALUE_SEPARATOR, PhoneType, Reason
from ledgerline.contacts.phone_fields import SEPARATORS, Fields, cut
from ledgerline.contacts.phone_lines import INVALID, LINES, UNDECIDED, number_of_line
from ledgerline.contacts.phone_numbers import knows, recognise
from ledgerline.contacts.phone_plans import LIBRARY_LIMIT, parse_by_plan
from ledgerline.contacts.phones import (
    LABEL_LETTERS,
    LABEL_WORDS,
    LONGEST_PLACEHOLDER,
    MAX_DIGITS,
    MAX_GROUPS,
    MIN_DIGITS,
    PLACEHOLDERS,
    CleanPhones,
    calling_code_of,
    clean_phones,
    plain,
)
from ledgerline.contacts.texts import stitch

COLUMNS: Final = pl.Schema(
    {"phone": pl.String, "phone_type": pl.String, "further_phones": pl.String, "phone_reasons": pl.String}
)

_ODD_SPELLINGS: Final = {
    char: plain(char)
    for start, end in (
        ("\u00a0", "\u00a0"),
        ("\u00ad", "\u00ad"),
        ("\u2000", "\u2015"),
        ("\u202a", "\u202f"),
        ("！", "～"),
    )
    for char in map(chr, range(ord(start), ord(end) + 1))
} | {char: plain(char) for char in "\u2060\u2212\ufeff"}
# Digits of the scripts in which the world writes numbers; those of rarer ones are left to `_tidy`.
_ODD_SPELLINGS.update((chr(ord(zero) + value), str(value)) for zero in "٠۰०০੦૦୦௦౦೦൦๐" for value in range(10))
# Labels that need no look at their neighbours, where nothing but digits and punctuation is left without them.
_SURE_LABEL: Final = rf"(?:{LABEL_WORDS})(?:[\s.]+nos?)?|{LABEL_LETTERS}\s*[.:)-]"
_LEADING_LABEL: Final = rf"^(?i-u:\s*\(?\s*(?:{_SURE_LABEL})\s*\)?[\s.:)=-]*)"
_TRAILING_LABEL: Final = rf"(?i-u:\s*\(\s*(?:{LABEL_WORDS}|{LABEL_LETTERS})\s*\)\s*$)"
_TRAILING_EXTENSION: Final = (
    r"(?i-u:([0-9)])\s*[,;]?\s*(?:extension|extns?|ext|xtn|x)[\s.:=-]*[0-9]{1,4}\s*$)"
)
_SURE_CONJUNCTION: Final = r"(?i-u:\s+(?:or|and)\s+)"

# A letter for a digit: 98765O4321. No label, extension or separator can be meant by it where it stands.
_LETTER_FOR_DIGIT: Final = r"^[+]?[0-9 -]*[0-9][OoIlSB](?:[0-9][0-9 -]*)?$"
_LOST_DIGITS: Final = r"^[+-]?[0-9]+(?:[.][0-9]+)?[eE][+-]?[0-9]+$"

_MOBILE: Final = number_of_line(PhoneType.MOBILE)
_TYPES: Final = pl.Series([None, *(line.value for line in LINES)], dtype=pl.String)  # by the numbers of lines
_CODES: Final = [None, Reason.PHONE_INVALID.value, Reason.PHONE_HAS_LETTERS.value]
_REASONS: Final = pl.Series(_CODES, dtype=pl.String)


def clean_phone_column(values: pl.Series, region: str) -> pl.DataFrame:
    """Clean a column of fields: `COLUMNS`, in the order of `values`, equal to `clean_phones` row by row.

    `further_phones` are joined by `VALUE_SEPARATOR`, `phone_reasons` by `REASON_SEPARATOR`; null where empty.
    """
    texts = values.cast(pl.String).alias("text")
    column = _Column((texts.str.strip_chars() == "").fill_null(value=True).to_numpy())
    if knows(region):
        _decide(column, texts, region)
    is_settled = pl.Series(column.is_settled)
    return stitch(column.settled(), _refer(texts.filter(~is_settled), region), is_settled)


def _refer(texts: pl.Series, region: str) -> pl.DataFrame:
    """Send each distinct text to the scalar rules."""
    distinct = texts.unique()
    rows = [_as_row(clean_phones(text, region, parse_by_plan)) for text in distinct]
    answers = pl.DataFrame(rows, schema=COLUMNS, orient="row").with_columns(distinct)
    return texts.to_frame().join(answers, on="text", how="left", maintain_order="left").drop("text")


def _as_row(clean: CleanPhones) -> tuple[str | None, ...]:
    further, reasons = VALUE_SEPARATOR.join(clean.further), REASON_SEPARATOR.join(clean.reasons)
    return clean.phone, clean.phone_type, further or None, reasons or None


# -- what is found ---------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """What pieces are."""

    line: npt.NDArray[np.int8]  # `UNDECIDED` also where a piece is no number
    e164: npt.NDArray[np.int64]
    is_valid: Bools  # if it is cut off what may be one number, also by its length
    is_junk: Bools  # an invalid number, no placeholder, and too short, or too plain, to be several


class _Column:
    """What is known of the fields of a column so far."""

    def __init__(self, is_blank: Bools) -> None:
        self.is_settled = is_blank.copy()
        self._best = np.zeros(len(is_blank), np.int64)  # E.164; 0: there is none
        self._line = np.zeros(len(is_blank), np.int8)
        self._reason = np.zeros(len(is_blank), np.int8)
        self._further = [pl.DataFrame(schema={"row": pl.Int64, "e164": pl.Int64})]

    def refuse(self, rows: Ints, reason: Reason) -> None:
        """Settle these rows: nothing in them is a number."""
        self.is_settled[rows] = True
        self._reason[rows] = _CODES.index(reason.value)

    def settle(self, rows: Ints, fields: Fields, found: _Found) -> None:
        """Settle those of some fields, which stand in these rows, of which every piece is sure."""
        is_sure = fields.is_legible & fields.every(found.is_valid | found.is_junk)
        self.is_settled[rows[is_sure]] = True
        of_sure = is_sure[fields.field]
        junk, valid = np.flatnonzero(of_sure & found.is_junk), np.flatnonzero(of_sure & found.is_valid)
        self._reason[rows[fields.field[junk]]] = _CODES.index(Reason.PHONE_INVALID.value)
        is_alone = fields.of[fields.field[valid]] == 1
        several = _ranked(fields.field, found, valid[~is_alone])
        is_first = np.diff(fields.field[several], prepend=-1) != 0
        best, further = np.append(valid[is_alone], several[is_first]), several[~is_first]
        of_best = rows[fields.field[best]]
        self._best[of_best], self._line[of_best] = found.e164[best], found.line[best]
        self._further.append(pl.DataFrame({"row": rows[fields.field[further]], "e164": found.e164[further]}))

    def settled(self) -> pl.DataFrame:
        """The settled fields, cleaned."""
        rows = np.flatnonzero(self.is_settled)
        further = pl.concat(self._further).group_by("row", maintain_order=True).agg(_plus("e164"))
        place = np.full(len(self.is_settled), further.height)  # behind the last, where there is null
        place[further["row"].to_numpy()] = np.arange(further.height)
        values = further["e164"].list.join(VALUE_SEPARATOR).extend_constant(None, 1)
        best = pl.col("best")
        phones = pl.DataFrame({"best": self._best[rows]}).select(phone=pl.when(best != 0).then(_plus("best")))
        return phones.with_columns(
            _TYPES.gather(self._line[rows]).alias("phone_type"),
            values.gather(place[rows]).alias("further_phones"),
            _REASONS.gather(self._reason[rows]).alias("phone_reasons"),
        )


def _ranked(field: Ints, found: _Found, pieces: Ints) -> Ints:
    """The valid pieces of each field, every number once: mobile ones first, then by their order."""
    by_number = pieces[np.lexsort((pieces, found.e164[pieces], field[pieces]))]
    is_new = np.diff(field[by_number], prepend=-1) != 0
    is_new |= np.diff(found.e164[by_number], prepend=-1) != 0
    once = by_number[is_new]
    ranked: Ints = once[np.lexsort((once, found.line[once] != _MOBILE, field[once]))]
    return ranked


def _plus(column: str) -> pl.Expr:
    return pl.concat_str(pl.lit("+"), column).alias(column)


# -- finding ---------------------------------------------------------------------------------------------


def _decide(column: _Column, texts: pl.Series, region: str) -> None:
    """Settle those fields for which a look at whole columns suffices."""
    is_short = (texts.str.len_bytes() <= LIBRARY_LIMIT).fill_null(value=False)  # longer ones are prose
    rows = np.flatnonzero(~column.is_settled & is_short.to_numpy())
    given = texts.gather(rows)
    lettered, whole = _read(column, rows, given, region)
    others = given.gather(lettered)
    column.refuse(rows[lettered[others.str.contains(_LETTER_FOR_DIGIT).to_numpy()]], Reason.PHONE_HAS_LETTERS)
    column.refuse(rows[lettered[others.str.contains(_LOST_DIGITS).to_numpy()]], Reason.PHONE_INVALID)
    simple = _simplified(others)
    simple_rows = rows[lettered]
    _, also_whole = _read(column, simple_rows, simple, region)
    at, halves = _halves(pl.concat([given.gather(whole), simple.gather(also_whole)]))
    _read(column, np.append(rows[whole], simple_rows[also_whole])[at], halves, region)


def _read(column: _Column, rows: Ints, texts: pl.Series, region: str) -> tuple[Ints, Ints]:
    """Settle fields of numbers; which of them hold something else, and which are no number as a whole."""
    filled = np.flatnonzero(~column.is_settled[rows] & (texts.str.len_bytes() > 0).to_numpy())
    if not len(filled):
        return filled, filled
    fields = cut(texts.gather(filled))
    found = _found(fields, region)
    column.settle(rows[filled], fields, found)
    is_no_number = fields.is_glued | ((found.line == INVALID) & ~found.is_junk)
    is_whole = fields.is_legible & (fields.of == 1)
    whole = fields.field[is_no_number & is_whole[fields.field]]
    return filled[fields.has_other], filled[whole]


def _found(fields: Fields, region: str) -> _Found:
    pieces = np.flatnonzero(fields.is_number & fields.is_legible[fields.field])
    numbers = fields.numbers.only(pieces)
    read = recognise(numbers, fields.is_international[pieces], region)
    line, e164 = np.full(len(fields.field), UNDECIDED, np.int8), np.zeros(len(fields.field), np.int64)
    line[pieces], e164[pieces] = read.lines, read.e164
    is_cut = fields.is_cut[fields.field]
    digits = fields.numbers.counts
    is_valid = (line > INVALID) & (~is_cut | ((digits >= MIN_DIGITS) & (digits <= MAX_DIGITS)))
    is_junk = (
        (line == INVALID)
        & ~is_cut
        & ((digits < 2 * MIN_DIGITS) | ((digits <= LONGEST_PLACEHOLDER) & fields.is_plain))
    )
    is_junk[is_junk] = ~_are_placeholders(fields.numbers.only(is_junk), region)
    return _Found(line, e164, is_valid, is_junk)


def _are_placeholders(numbers: Numbers, region: str) -> Bools:
    code = calling_code_of(region)
    forms = ({text, text.lstrip("0"), text.removeprefix(code)} for text in numbers.texts())
    return np.array([not PLACEHOLDERS.isdisjoint(form) for form in forms], np.bool_)


def _simplified(texts: pl.Series) -> pl.Series:
    """Rewrite what has a simpler spelling of the same meaning: odd spaces, an extension, a label, 'or'."""
    texts = texts.str.replace_many(_ODD_SPELLINGS).str.replace(_TRAILING_EXTENSION, "${1}")
    texts = texts.str.replace(_LEADING_LABEL, "").str.replace(_TRAILING_LABEL, "")
    return texts.str.replace_all(_SURE_CONJUNCTION, ",")


def _halves(texts: pl.Series) -> tuple[Ints, pl.Series]:
    """Those with just one space or plus that, going by digits, can part two numbers, and there a slash."""
    spaced = texts.str.strip_chars(SEPARATORS).str.replace_all(" - ", " ", literal=True)
    spaced = spaced.str.replace_all("+", " +", literal=True).str.replace_all("  ", " ", literal=True)
    glued = spaced.str.strip_chars(" ").str.split(" ").alias("tokens").to_frame().with_row_index("row")
    tokens, at = pl.col("tokens"), pl.col("at")
    count = tokens.list.len()
    cuts = (
        glued.filter(count.is_between(2, MAX_GROUPS)).with_columns(at=pl.int_ranges(1, count)).explode("at")
    )
    halves = [tokens.list.head(at).list.join(" "), tokens.list.slice(at).list.join(" ")]
    cuts = cuts.filter([_can_be_number(half) for half in halves]).filter(pl.col("row").is_unique())
    parted = cuts.select(pl.concat_str(halves, separator="/")).to_series()
    return cuts["row"].to_numpy().astype(np.intp), parted


def _can_be_number(piece: pl.Expr) -> pl.Expr:
    digits = piece.str.count_matches("[0-9]")
    return digits.is_between(MIN_DIGITS, MAX_DIGITS) & ~piece.str.contains(".[+]")
