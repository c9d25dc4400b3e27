"""What every text field needs before rules of its own: clean characters, and a look whether it says anything.

Texts are read in two ways that agree on every row. The scalar functions are the rules. The columnar
ones settle, with a regular expression, the rows on which the rules change nothing (or something
simple), and send only what remains through the scalar function, once for each distinct value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import ftfy
import polars as pl
from ftfy.badness import is_bad
from unidecode import unidecode

from ledgerline.contacts.model import REASON_SEPARATOR, Reason

# A longer raw value is refused unread: putting marks into canonical order takes quadratic time.
READ_LIMIT: Final = 2_000  # characters, blanks at both ends not counted

# Texts that people type into a mandatory field when they have nothing to say, as `fold` leaves them.
PLACEHOLDER: Final = (
    "na|nil|nill|none|null|nan|nothing|novalue|nodata|noinfo|notavailable|notapplicable|notknown"
    "|notgiven|notprovided|notmentioned|unknown|undefined|unspecified|blank|empty|tbd|tba|tbc|0+"
    "|(?:test)+[0-9]*|testdata|dummy|asdf[a-z]*|qwert[a-z]*|x{2,}"
)

# Printable ASCII with single spaces: `read_text` returns such a text as it is.
TIDY: Final = r"^[!-~]+(?: [!-~]+)*$"

# A run of letters with its marks, an apostrophe inside included: what gets a capital in title case.
LETTERS: Final = re.compile(r"(?<![^\W_])[^\W\d_][^\W\d_\u0300-\u036f]*(?:['’][^\W\d_]+)*")

_PLACEHOLDER: Final = re.compile(PLACEHOLDER)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Controls (the blank ones apart), invisible formatting, and joiners outside the scripts that spell with them.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    "|(?<![\u0600-\u1cff])[\u200c\u200d]|[\u200c\u200d](?![\u0600-\u1cff])"
)
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_ASCII_PUNCTUATION: Final = r"[\x00-/:-@\[-`{-\x7f]"
_ATOM: Final = re.compile(r"\[[^]]+\]|[a-z0-9](?![0-9,]*\})")  # of a pattern: a class or a character
_ZERO_WIDTH: Final = "[\u200b\u200e\u200f\u2060\ufeff]"  # the usual ones of `_INVISIBLE`
_SPACES: Final = "[ \t\n\r\u00a0]+"
_MENDING_ROUNDS: Final = 4  # text that was encoded wrongly more often than that is left as it is


class Text(NamedTuple):
    """A field after hygiene; `text` is empty when nothing was left, or when it was too long."""

    text: str
    repaired: bool = False  # mojibake was mended
    too_long: bool = False


def read_text(raw: str | None, limit: int) -> Text:
    """Tidy `raw` and mend its mojibake; at most `limit` characters may be left."""
    if raw is None:
        return Text("")
    text = raw.strip()
    if len(text) > READ_LIMIT:
        return Text("", too_long=True)
    text, repaired = _mended(text)
    return Text("", too_long=True) if len(text) > limit else Text(text, repaired)


def tidy(text: str) -> str:
    """Canonical composition, single spaces, nothing invisible, nothing at the ends."""
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(text.split())


def tidied_column(raw: pl.Expr) -> pl.Expr:
    """`tidy` of texts of which ASCII is left by it; no other is mistaken for one."""
    visible = raw.str.replace_all(_ZERO_WIDTH, "").str.replace_all(_SPACES, " ")
    return visible.str.strip_chars(" ")


def fold(text: str) -> str:
    """Only letters and digits, case folded: the form in which placeholders are looked up."""
    return _PUNCTUATION.sub("", text).casefold()


def says_nothing(text: str) -> bool:
    """Is `text` a placeholder, or without any letter or digit?"""
    folded = fold(text)
    return not folded or _PLACEHOLDER.fullmatch(folded) is not None


def shows_mojibake(text: str) -> bool:
    """Is there text in `text` that was decoded by the wrong encoding?"""
    return not text.isascii() and is_bad(text)


def change_case(text: str, in_title_case: Callable[[str], str]) -> str:
    """`in_title_case` of `text` in lower case; only where all its letters are upper, or all are lower case.

    `text` stays as it is where more than case would change ('ß' has no capital), where the result would
    look like mojibake, and where there is an address.
    """
    if not (text.isupper() or text.islower()) or "@" in text:
        return text
    lower = text.lower()
    cased = unicodedata.normalize("NFC", in_title_case(lower))
    return text if cased.lower() != lower or shows_mojibake(cased) else cased


def storable(raw: str) -> str:
    """`raw` as every database can keep it: NUL becomes its visible symbol, half a surrogate pair U+FFFD."""
    return _SURROGATE.sub("\ufffd", raw.replace("\0", "\u2400"))


def storable_column(raw: pl.Expr) -> pl.Expr:
    """`storable` in columns, which cannot hold half a surrogate pair anyway."""
    return raw.str.replace_all("\0", "\u2400", literal=True)


def decode_ascii(text: str) -> str:
    """`text` in ASCII letters, for keys only."""
    return text if text.isascii() else unidecode(_SURROGATE.sub("", text))


def decode_ascii_column(texts: pl.Series) -> pl.Series:
    """`decode_ascii` of each row; null stays null. Each distinct character is decoded once."""
    is_ascii = texts.str.contains(r"^[\x00-\x7f]*$").fill_null(value=True)
    others = texts.filter(~is_ascii)
    letters = others.str.extract_all(r"[^\x00-\x7f]").explode().drop_nulls().unique()
    ascii_letters = pl.Series(map(decode_ascii, letters), dtype=pl.String)
    decoded = others.str.replace_many(letters.implode(), ascii_letters.implode())
    return stitch(texts.filter(is_ascii).to_frame("text"), decoded.to_frame("text"), is_ascii)["text"]


def join_reasons(reasons: Sequence[Reason]) -> str | None:
    """The distinct reasons in their order, as they are stored; null when there is none."""
    return REASON_SEPARATOR.join(dict.fromkeys(reasons)) or None


def folds_to(text: pl.Expr, pattern: str) -> pl.Expr:
    """Does ASCII `text`, folded, match `pattern` from end to end, or to nothing?

    Folding a column costs more than all else that is asked of it, so the pattern is spread out instead: it
    allows for punctuation behind each of its characters (letters, digits and classes of them).
    """
    spread = _ATOM.sub(lambda atom: f"(?:{atom[0]}{_ASCII_PUNCTUATION}*)", pattern)
    return text.str.contains(f"(?i-u:^{_ASCII_PUNCTUATION}*(?:{spread})?$)")


def by_distinct(
    values: pl.Series, clean: Callable[[str | None], tuple[object, ...]], schema: pl.Schema
) -> pl.DataFrame:
    """`clean` of each value, called once for each distinct one; a row of `schema` for each row."""
    distinct = values.rename("value").unique()
    results = pl.DataFrame([clean(value) for value in distinct], schema=schema, orient="row")
    index = pl.DataFrame({"value": distinct}).with_row_index("index")
    rows = values.to_frame("value").join(
        index, on="value", how="left", nulls_equal=True, maintain_order="left"
    )
    return results[rows["index"]]


def stitch(settled: pl.DataFrame, rest: pl.DataFrame, is_settled: pl.Series) -> pl.DataFrame:
    """One frame again: the rows of `settled` where `is_settled`, of `rest` elsewhere, each in its order."""
    if rest.is_empty():
        return settled
    before = is_settled.cum_sum()  # of each row the settled ones up to it
    rows = pl.int_range(settled.height, settled.height + len(before), dtype=pl.UInt32, eager=True)
    position = pl.select(pl.when(is_settled).then(before - 1).otherwise(rows - before)).to_series()
    return pl.concat([settled, rest], rechunk=True)[position]  # from one chunk rows are taken far quicker


def _mended(text: str) -> tuple[str, bool]:
    """Tidy text without mojibake, and whether there was any. Tidying can uncover more of it."""
    if text.isascii():
        return tidy(text), False
    repaired = False
    for _ in range(_MENDING_ROUNDS):
        readable = _SURROGATE.sub("", text)
        mended = ftfy.fix_encoding(readable) if shows_mojibake(readable) else readable
        repaired |= mended != readable
        tidied = tidy(mended)
        if tidied == text:
            break
        text = tidied
    return text, repaired
