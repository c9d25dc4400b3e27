"""A column of phone fields: the answers of `phones.clean_phones`, for all of them at once.

Most values are digits and punctuation, for which the library's parsing is a sequence of tests of regular
expressions in its metadata: those are run as columnar expressions (`phone_numbers`). What they cannot decide
goes, each distinct value once, to `clean_phones`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import phonenumbers
import polars as pl

from ledgerline.contacts.model import REASON_SEPARATOR, VALUE_SEPARATOR, PhoneType, Reason
from ledgerline.contacts.phone_numbers import TYPE, recognise
from ledgerline.contacts.phone_plans import COMPACT, LIBRARY_LIMIT, PUNCTUATION, parse_by_plan
from ledgerline.contacts.phones import (
    LABEL_LETTERS,
    LABEL_WORDS,
    LONGEST_PLACEHOLDER,
    MAX_DIGITS,
    MAX_FIELD_LENGTH,
    MAX_GROUPS,
    MIN_DIGITS,
    PLACEHOLDERS,
    CleanPhones,
    calling_code_of,
    clean_phones,
    plain,
)

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
_PLAIN_FIELD: Final = r"^[0-9 ().+-]+$"
_ALWAYS_SEPARATORS: Final = ",;|&\t\n\r"
_SEPARATORS: Final = _ALWAYS_SEPARATORS + "/"
_LISTED_FIELD: Final = rf"^[0-9 ().+{_SEPARATORS}-]+$"
_FLOAT_PIECE: Final = r"^[0-9]{7,15}[.]0{1,2}$"

_TEXT: Final = pl.col("text")
_PIECE: Final = pl.col("piece")
_OF: Final = pl.col("of")  # the number of pieces in the field
_IS_CUT: Final = pl.col("is_cut")  # off something that it may be cut off only where both parts are numbers
_COMPACT: Final = pl.col("compact")  # digits, maybe after a plus
_PHONE: Final = pl.col("phone")
_GAP: Final = "  "  # separates like a slash
_HAS_GAP: Final = _PIECE.str.contains(_GAP, literal=True)
_HAS_INNER_PLUS: Final = _PIECE.str.contains("[0-9].*[+]")


def clean_phone_column(values: pl.Series, region: str) -> pl.DataFrame:
    """Clean a column of fields: `COLUMNS`, in the order of `values`, equal to `clean_phones` row by row.

    `further_phones` are joined by `VALUE_SEPARATOR`, `phone_reasons` by `REASON_SEPARATOR`; null where empty.
    """
    fields = values.cast(pl.String).alias("text").to_frame().with_row_index("row")
    is_held = (_TEXT.str.strip_chars() != "").fill_null(value=False)
    held = fields.filter(is_held)
    decided = _decide(held, region)
    undecided = held.join(decided, on="row", how="anti")
    cleaned = [decided, _refer(undecided, region), _refer(fields.filter(~is_held), region)]
    return pl.concat(cleaned).sort("row").select(COLUMNS.names())


def _refer(fields: pl.DataFrame, region: str) -> pl.DataFrame:
    """Send each distinct text to the scalar rules: columns row, text → row, `COLUMNS`."""
    texts = fields["text"].unique()
    rows = [_as_row(clean_phones(text, region, parse_by_plan)) for text in texts]
    answers = pl.DataFrame(rows, schema=COLUMNS, orient="row").with_columns(texts)
    return fields.join(answers, on="text", nulls_equal=True).select("row", *COLUMNS)


def _as_row(clean: CleanPhones) -> tuple[str | None, ...]:
    further, reasons = VALUE_SEPARATOR.join(clean.further), REASON_SEPARATOR.join(clean.reasons)
    return clean.phone, clean.phone_type, further or None, reasons or None


def _decide(fields: pl.DataFrame, region: str) -> pl.DataFrame:
    """Clean those fields for which expressions suffice: columns row, text → row, `COLUMNS`."""
    if region not in phonenumbers.SUPPORTED_REGIONS:
        return fields.select("row", *(pl.lit(None, pl.String).alias(name) for name in COLUMNS)).clear()
    fields = fields.filter(_TEXT.str.len_bytes() <= MAX_FIELD_LENGTH)
    pieces = _pieces(fields)
    read = _read_pieces(pieces, region)
    invalid = read.filter(_PHONE.is_null() & ~_IS_CUT)
    glued = pieces.filter(_HAS_INNER_PLUS & ~_HAS_GAP)
    whole = pl.concat([glued, invalid.select(pieces.columns)]).filter(_OF == 1)
    halves = _read_pieces(_halves(whole), region)
    sure = [invalid.filter(_is_junk(region)), *(part.filter(_is_sound()) for part in (read, halves))]
    return pl.concat([_gathered(pl.concat(sure)), _spoilt(fields)])


def _spoilt(fields: pl.DataFrame) -> pl.DataFrame:
    """Those fields in which a letter stands for a digit, or a spreadsheet has left out digits."""
    reason = (
        pl.when(_TEXT.str.contains(_LETTER_FOR_DIGIT))
        .then(pl.lit(Reason.PHONE_HAS_LETTERS.value))
        .when(_TEXT.str.contains(_LOST_DIGITS))
        .then(pl.lit(Reason.PHONE_INVALID.value))
    )
    none = (pl.lit(None, pl.String).alias(name) for name in ("phone", "phone_type", "further_phones"))
    lettered = fields.filter(_TEXT.str.contains("[OoIlSBeE]"))
    return lettered.select("row", *none, reason.alias("phone_reasons")).drop_nulls("phone_reasons")


def _pieces(fields: pl.DataFrame) -> pl.DataFrame:
    """Cut fields at separators: columns row, text → row, of, piece, is_cut, and an id in their order."""
    text = _TEXT.str.strip_chars(_SEPARATORS + " ")
    has_gap = text.str.contains(_GAP, literal=True)
    is_plain, is_listed = _TEXT.str.contains(_PLAIN_FIELD) & ~has_gap, _TEXT.str.contains(_LISTED_FIELD)
    rest = fields.filter(~is_plain)
    listed = pl.concat([rest.filter(is_listed), _simplified(rest.filter(~is_listed)).filter(is_listed)])
    # Beside separators that always separate, a slash would cut off more than its neighbours: not here.
    is_marked, is_firm = (
        text.str.contains("/", literal=True) | has_gap,
        text.str.contains(f"[{_ALWAYS_SEPARATORS}]"),
    )
    parts = (
        pl.when(is_firm)
        .then(text.str.replace_all(f"[{_SEPARATORS}]", ","))
        .otherwise(text.str.replace_all(" *(?:/|  ) *", ","))
    )
    listed = listed.filter(~(text.str.contains("/", literal=True) & is_firm))
    listed = listed.select("row", parts.str.split(",").alias("piece"), is_cut=is_marked & ~is_firm)
    listed = listed.with_columns(_PIECE.list.len().cast(pl.UInt32).alias("of"))
    plain = fields.filter(is_plain).select(
        "row", pl.lit(1, pl.UInt32).alias("of"), piece="text", is_cut=False
    )
    pieces = pl.concat([plain, listed.explode("piece").select(plain.columns)])
    return pieces.with_columns(_PIECE.str.strip_chars(" ")).with_row_index("id")


def _simplified(fields: pl.DataFrame) -> pl.DataFrame:
    """Rewrite what has a simpler spelling of the same meaning: odd spaces, an extension, a label, 'or'."""
    text = _TEXT.str.replace_many(_ODD_SPELLINGS).str.replace(_TRAILING_EXTENSION, "${1}")
    text = text.str.replace(_LEADING_LABEL, "").str.replace(_TRAILING_LABEL, "")
    return fields.with_columns(text.str.replace_all(_SURE_CONJUNCTION, ","))


def _halves(pieces: pl.DataFrame) -> pl.DataFrame:
    """Cut pieces in two where, going by digits, just one space or plus can part two numbers."""
    tokens = _PIECE.str.replace_all(" - ", " ", literal=True).str.replace_all("+", " +", literal=True)
    tokens = tokens.str.replace_all("  ", " ", literal=True)
    glued = pieces.select("row", tokens=tokens.str.strip_chars(" ").str.split(" "))
    count, at = pl.col("tokens").list.len(), pl.col("at")
    cuts = (
        glued.filter(count.is_between(2, MAX_GROUPS)).with_columns(at=pl.int_ranges(1, count)).explode("at")
    )
    halves = [pl.col("tokens").list.head(at).list.join(" "), pl.col("tokens").list.slice(at).list.join(" ")]
    cuts = cuts.filter([_can_be_number(half) for half in halves]).filter(pl.col("row").is_unique())
    cuts = cuts.select(
        "row", pl.lit(2, pl.UInt32).alias("of"), pl.concat_list(halves).alias("piece"), is_cut=True
    )
    return cuts.explode("piece").with_row_index("id")


def _can_be_number(piece: pl.Expr) -> pl.Expr:
    return _has_length(piece.str.count_matches("[0-9]")) & ~piece.str.contains(".[+]")


def _has_length(digits: pl.Expr) -> pl.Expr:
    return digits.is_between(MIN_DIGITS, MAX_DIGITS)


def _read_pieces(pieces: pl.DataFrame, region: str) -> pl.DataFrame:
    """Add phone and phone_type to pieces on which the library's answer is sure; leave the others out."""
    integer = _PIECE.str.strip_chars_end("0").str.strip_suffix(".")
    compact = (
        pl.when(_PIECE.str.contains(_FLOAT_PIECE))
        .then(integer)
        .otherwise(_PIECE)
        .str.replace_all(f"[{PUNCTUATION}]", "")
    )
    is_readable = (
        _COMPACT.str.contains(f"^{COMPACT}$") & (_PIECE.str.len_bytes() <= LIBRARY_LIMIT) & ~_HAS_GAP
    )
    readable = pieces.with_columns(compact=compact).filter(is_readable)
    return recognise(readable.with_columns(number=_COMPACT), region)


def _is_sound() -> pl.Expr:
    """Whether a piece is a valid number, if it is cut off also by the length that `_is_number` asks for."""
    return _PHONE.is_not_null() & (~_IS_CUT | _has_length(_COMPACT.str.strip_prefix("+").str.len_bytes()))


@lru_cache(maxsize=32)
def _is_junk(region: str) -> pl.Expr:
    """Whether an invalid number is no placeholder and too short, or too plain, to be several numbers."""
    digits = _COMPACT.str.strip_prefix("+")
    forms = (digits, digits.str.strip_chars_start("0"), digits.str.strip_prefix(calling_code_of(region)))
    is_placeholder = pl.any_horizontal([form.is_in(PLACEHOLDERS) for form in forms])
    is_short = digits.str.len_bytes() < 2 * MIN_DIGITS
    is_plain = (digits.str.len_bytes() <= LONGEST_PLACEHOLDER) & ~_PIECE.str.contains("[ -]")
    return ~is_placeholder & (is_short | is_plain)


def _gathered(pieces: pl.DataFrame) -> pl.DataFrame:
    """Bring together the pieces of each field of which none is missing: → row, `COLUMNS`."""
    none = pl.lit(None, pl.String).alias("further_phones")
    single = pieces.filter(_OF == 1).select("row", "phone", "phone_type", none, _reason(_PHONE.is_null()))
    several = pieces.filter(_OF > 1).sort("row", TYPE.ne(PhoneType.MOBILE.value), "id", nulls_last=True)
    rows = several.group_by("row", maintain_order=True).agg(
        "phone", TYPE.first(), _OF.first(), _reason(_PHONE.null_count() > 0), pl.len().alias("known")
    )
    phones = _PHONE.list.unique(maintain_order=True)  # a null comes last
    further = phones.list.slice(1).list.join(VALUE_SEPARATOR, ignore_nulls=True).replace("", None)
    rows = rows.filter(pl.col("known") == _OF).select(
        "row", _PHONE.list.first(), "phone_type", further.alias("further_phones"), "phone_reasons"
    )
    return pl.concat([single, rows])


def _reason(is_invalid: pl.Expr) -> pl.Expr:
    return pl.when(is_invalid).then(pl.lit(Reason.PHONE_INVALID.value)).alias("phone_reasons")
