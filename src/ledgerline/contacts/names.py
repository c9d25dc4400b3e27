"""Names of people, as they should be read and as they are matched.

A name is never split into parts, reordered or translated. What is repaired: characters, spaces and
stray punctuation; the case, only where all letters are upper or all are lower case; and a leading
honorific, which moves to a column of its own.
"""

from __future__ import annotations

import re
import string
from typing import Final, NamedTuple

import polars as pl

from ledgerline.contacts.model import Reason
from ledgerline.contacts.texts import (
    LETTERS,
    PLACEHOLDER,
    READ_LIMIT,
    by_distinct,
    change_case,
    decode_ascii,
    decode_ascii_column,
    fold,
    folds_to,
    join_reasons,
    read_text,
    says_nothing,
    shows_mojibake,
    stitch,
    tidied_column,
)

NAME_LIMIT: Final = 200  # characters

_SCHEMA: Final = pl.Schema({"name": pl.String, "honorific": pl.String, "name_reasons": pl.String})

# Beside the placeholders of all fields: words that name nobody, and an honorific without a name.
_NOBODY: Final = (
    "abc[a-z]?|abcxyz|xyz|noname|nocontact(?:person)?|anonymous|anyone|someone|unnamed|username|fullname"
    "|name|contact|contactname|contactperson|customer|customername|firstname(?:lastname)?"
    "|tester|testing|test(?:user|name|person|customer|contact)[0-9]*"
    "|mr|mrs|ms|miss|mx|dr|prof|shri|smt|sir|madam|sirmadam|mrmrs|"
) + "|".join(f"{letter}{{3,}}" for letter in string.ascii_lowercase)
_NAMES_NOBODY: Final = re.compile(_NOBODY)
_BLANKS: Final = re.compile(r"[-‐-―._/,*\s]+")  # a dash or dots where a name should be

# Titles that are no given names: they count without a dot too.
_TITLES: Final = "mr|mrs|ms|miss|mx|dr|prof|shri|smt|sushri|er|adv|advocate|capt|lt|maj|brig|cdr|rev|messrs"
# Also given names: a dot or two further words must follow ('Kumari Asha Devi', not 'Col Needham').
_TITLES_OR_NAMES: Final = "kumari|kum|col|gen|hon"
# Mostly given names: a dot and two further words must follow ('Sri. Ravi Kumar', not 'Sri Devi').
# 'Md' is never a title here: 'Md. Rafiqul Islam' is Mohammed.
_NAMES_OR_TITLES: Final = "sri|shree"
_HONORIFIC: Final = re.compile(
    rf"""(?: (?P<couple> (?i:mr\.?\ ?(?:&|/|and\ )\ ?(?:mrs|ms)) ) (?:\ ?\.\ ?|\ )
        | (?P<title> (?i:{_TITLES}) ) (?:\ ?\.\ ?|\ )
        | (?P<either> (?i:{_TITLES_OR_NAMES}) ) (?:\ ?\.\ ?|\ (?=\S+\ \S))
        | (?P<dotted> (?i:{_NAMES_OR_TITLES}) ) \ ?\.\ ?(?=\S+\ \S)
        | (?P<capital> C[AS] | (?i:c[as])(?=\ ?\.) ) (?:\ ?\.\ ?|\ )
        ) (?=[^\W\d_])""",
    re.VERBOSE,
)

_EDGES: Final = ' ,;:._-‐‑‒–—―*"“”„«»'
_INITIALS: Final = re.compile(r"(?:^|[\s.])[^\W\d_]$")  # the last word is an initial, whose dot stays

# Inside a name these stay lower case; as its first or last word they do not.
_PARTICLES: Final = "van|von|zu|der|den|de|del|della|di|da|das|dos|du|la|las|los|bin|bint|ibn|ter|ten"
_JOINED_PARTICLES: Final = (
    "al|el|ul|ur|ud|us|de|la|du|van|der|den|von|bin"  # between hyphens: 'Zia-ur-Rehman'
)
_NUMERALS: Final = "ii|iii|iv|vii|viii"  # as last word; 'vi' is a name
_MC: Final = "mc[a-z]{2,}"
_MAC: Final = (
    "mac(?:alister|arthur|askill|aulay|donald|donnell|dougall|duff|farlane|gregor|innes|intosh|intyre|iver"
    "|kenna|kenzie|kinnon|lachlan|laren|lean|leod|millan|nab|nair|namara|naughton|neil|niven|phail|pherson"
    "|quarrie|rae|tavish)"
)
# Two or three consonants are initials ('RK Sharma'), but for these.
_CONSONANTS: Final = "[bcdfghjklmnpqrstvwxz]{2,3}"
_CONSONANT_WORDS: Final = "cs|md|mhd|ng|hng|sng|jr|sr|st|mr|mrs|ms|dr|smt|bhd|ltd|pvt"

_PARTICLE_WORDS: Final = frozenset(_PARTICLES.split("|"))
_JOINED_PARTICLE_WORDS: Final = frozenset(_JOINED_PARTICLES.split("|"))
_NUMERAL_WORDS: Final = frozenset(_NUMERALS.split("|"))
_ALL_CAPITALS: Final = re.compile(rf"(?!(?:{_CONSONANT_WORDS})$){_CONSONANTS}")
_SCOTTISH: Final = re.compile(rf"(?:{_MC}|{_MAC})")

# Columnar. Mixed case in printable ASCII with single spaces, from a capital to a letter or an initial:
# `clean_name` leaves it as it is, unless it begins like `_MAY_BE_TITLE` or names nobody. An accented letter
# of Latin may stand for a letter where no other is beside it: mojibake takes two, but for Â, Ã, Œ and œ.
_CAPITAL: Final = r"[A-ZÀÁÄ-ÖØ-Þ[\p{Lu}&&[Ā-őŔ-ž]]]"
_SMALL: Final = r"a-zà-öø-ÿ[\p{Ll}&&[Ā-őŔ-ž]]"
_SIGN: Final = rf"[!-~{_SMALL}]"
_MIXED_CASE: Final = (
    rf"^{_CAPITAL}(?: ?{_SIGN})*?[{_SMALL}](?:(?: ?{_SIGN})*?(?: ?[A-Z0-9){_SMALL}]|[ .][A-Z][.]))?$"
)
# So it does names of letters of scripts without case, and words that begin with the only capital of theirs;
# of each script the letters that do not change with what stands beside them.
_ONE_SCRIPT: Final = "|".join(
    f"^{word}(?: {word})*$"
    for word in (
        "[ء-غف-يپچژکگیٹڈڑںھہے]+",  # Arabic, Persian, Urdu
        "[א-ת]+",
        "[ऄ-ह][ऄ-हा-्]*",
        "[一-鿿]+",
        "[ぁ-ゖァ-ヺー]+",
        "[가-힣]+",
        "[А-ЯЁЄІЇҐ][а-яёєіїґ]+",
        "[ΆΈ-ΊΌΎΏΑ-ΡΣ-Ϋ][ά-ώ]+",
    )
)
_MAY_BE_MOJIBAKE: Final = "[^ -~][^ -~]"
_MAY_BE_TITLE: Final = rf"^(?i-u:(?:{_TITLES}|{_TITLES_OR_NAMES}|{_NAMES_OR_TITLES}|ca|cs|and)[ .&/])"
_COMMON_TITLE: Final = r"^(?i-u:(mr|mrs|ms|miss|dr|prof|shri|smt|er|adv|capt|maj))(?:\. ?| )"
_STRAY_END: Final = "([A-Za-z]{2})[ .,]+$"
_ONE_CASE: Final = (
    r"^(?:(?:[A-Z]\. ?)*[A-Z]+(?: [A-Z]+| [A-Z]\.)*|(?:[a-z]\. ?)*[a-z]+(?: [a-z]+| [a-z]\.)*)$"
)
_CASE_IS_SPECIAL: Final = rf"(?:^|[ .])(?:{_MC}|{_MAC}|{_PARTICLES}|{_NUMERALS}|{_CONSONANTS})(?: |$)"

# Lower-case words of a match form: two as they mostly are, and up to three in ASCII with what may be between.
_BETWEEN: Final = r"[\x00-&(-/:-@\[-`{-\x7f]"
_TWO_WORDS: Final = "^(?<one>[a-z]+)(?:[.]? (?<two>[a-z]+)[.]?)?$"
_THREE_WORDS: Final = (
    rf"^{_BETWEEN}*(?<one>[0-9a-z]+)(?:{_BETWEEN}+(?<two>[0-9a-z]+))?"
    rf"(?:{_BETWEEN}+(?<three>[0-9a-z]+))?{_BETWEEN}*$"
)


class CleanName(NamedTuple):
    """A name fit to be shown, or None and the reason."""

    name: str | None
    honorific: str | None = None
    reasons: tuple[Reason, ...] = ()


def clean_name(raw: str | None) -> CleanName:
    """The name in `raw`, without its honorific. No reason is given for an empty one.

    Honorifics come without dots, in title case ('Mr', 'Lt Col', 'Mr & Mrs'). 'Sri' is one only with a
    dot and two further words behind it, 'Kumari' and 'Col' only with either; 'CA' and 'CS' in capitals
    or with a dot; 'Md' never.
    """
    text, repaired, too_long = read_text(raw, READ_LIMIT)
    honorific, name = _split_honorific(_trim(text))
    name = change_case(name, _in_title_case)
    if too_long or len(name) > NAME_LIMIT:
        return CleanName(None, reasons=(Reason.NAME_TOO_LONG,))
    if not text:
        return CleanName(None)
    if reason := _names_nobody(name or text):
        return CleanName(None, reasons=(reason,))
    return CleanName(name, honorific, (Reason.TEXT_REPAIRED,) if repaired else ())


def clean_name_column(values: pl.Series) -> pl.DataFrame:
    """`clean_name` of each row: `name`, `honorific`, `name_reasons` (joined, or null)."""
    is_plain = values.to_frame("raw").select(_is_plain(pl.col("raw"))).to_series().fill_null(value=True)
    plain = values.filter(is_plain)
    return stitch(_unchanged(plain), _clean_rest(values.filter(~is_plain)), is_plain)


def match_name(name: str) -> str:
    """Key to match a clean name by, never to be shown: its words in ASCII, folded, sorted.

    Empty when nothing of the name can be written in ASCII.
    """
    return _sorted_words(decode_ascii(name).casefold())


def match_name_column(names: pl.Series) -> pl.Series:
    """`match_name` of each row; null stays null. Few have more than two words, fewer more than three."""
    words = names.str.to_lowercase().str.extract_groups(_TWO_WORDS).struct.unnest()
    is_settled = words["one"].is_not_null()
    settled = words.filter(is_settled).select(_joined(*_in_order("one", "two")))
    return stitch(settled, _match_three_words(names.filter(~is_settled)), is_settled).to_series()


def _match_three_words(names: pl.Series) -> pl.DataFrame:
    texts = decode_ascii_column(names).str.to_lowercase()
    words = texts.str.extract_groups(_THREE_WORDS).struct.unnest()
    is_settled = words["one"].is_not_null()
    ordered = words.filter(is_settled).with_columns(*_in_order("one", "two"))
    ordered = ordered.with_columns(*_in_order("two", "three"))
    settled = ordered.select(_joined(*_in_order("one", "two"), pl.col("three")))
    return stitch(settled, _match_any_words(texts.filter(~is_settled)), is_settled)


def _match_any_words(texts: pl.Series) -> pl.DataFrame:
    """Row by row: they are few, and to sort a list takes a column longer."""
    keys = [None if text is None else _sorted_words(text) for text in texts]
    return pl.DataFrame({"match_name": keys}, schema={"match_name": pl.String})


def _in_order(one: str, other: str) -> tuple[pl.Expr, pl.Expr]:
    """Two columns of words as they stand in the alphabet; nulls come first."""
    low, high = pl.col(one), pl.col(other)
    is_so = low < high
    return pl.when(is_so).then(low).otherwise(high), pl.when(is_so).then(high).otherwise(low).alias(other)


def _joined(*words: pl.Expr) -> pl.Expr:
    return pl.concat_str(*words, separator=" ", ignore_nulls=True).alias("match_name")


def _split_honorific(text: str) -> tuple[str | None, str]:
    found = []
    while title := _HONORIFIC.match(text):
        if shows_mojibake(text[title.end() :]):  # which it does not behind its title
            break
        found.append(_show_title(title))
        text = text[title.end() :]
    return " ".join(found) or None, text


def _show_title(title: re.Match[str]) -> str:
    if title["couple"]:
        return "Mr & Mrs"
    word = str(title[title.lastgroup or 0])
    return word.upper() if title["capital"] else word.capitalize()


def _trim(text: str) -> str:
    """Without stray punctuation at the ends; the dot of a last initial stays ('Ravi K.')."""
    bare = text.strip(_EDGES)
    while len(bare) > 1 and bare[0] == bare[-1] == "'":
        bare = bare[1:-1].strip(_EDGES)
    if f"{bare}." in text and _INITIALS.search(bare):
        return f"{bare}."
    return text if shows_mojibake(bare) else bare  # cut in two, a sign may look like mojibake


def _names_nobody(text: str) -> Reason | None:
    if says_nothing(text) and (fold(text) or _BLANKS.fullmatch(text)):
        return Reason.NAME_PLACEHOLDER
    if _NAMES_NOBODY.fullmatch(fold(text)):
        return Reason.NAME_PLACEHOLDER
    return None if any(map(str.isalpha, text)) else Reason.NAME_WITHOUT_LETTERS


def _in_title_case(text: str) -> str:
    """Lower-case `text` as a name is written: "sean o'brien iii" becomes "Sean O'Brien III"."""
    words = text.split(" ")
    last = len(words) - 1
    return " ".join(_case_word(word, is_first=i == 0, is_last=i == last) for i, word in enumerate(words))


def _case_word(word: str, *, is_first: bool, is_last: bool) -> str:
    if is_last and not is_first and word in _NUMERAL_WORDS:
        return word.upper()
    if word in _PARTICLE_WORDS and not (is_first or is_last):
        return word
    parts = word.split("-")
    return "-".join(
        part
        if part in _JOINED_PARTICLE_WORDS and i < len(parts) - 1 and not (is_first and i == 0)
        else LETTERS.sub(_case_letters, part)
        for i, part in enumerate(parts)
    )


def _case_letters(match: re.Match[str]) -> str:
    letters = match[0]
    if _ALL_CAPITALS.fullmatch(letters):
        return letters.upper()
    if letters[1:2] in {"'", "’"}:  # O'Brien, D'Souza
        return letters[0].upper() + letters[1] + letters[2:].capitalize()
    if _SCOTTISH.fullmatch(letters):
        prefix = 2 if letters.startswith("mc") else 3
        return letters[:prefix].capitalize() + letters[prefix:].capitalize()
    return letters.capitalize()


def _is_plain(text: pl.Expr) -> pl.Expr:
    """Rows that `clean_name` leaves as they are."""
    is_latin = (
        text.str.contains(_MIXED_CASE)
        & ~text.str.contains(_MAY_BE_MOJIBAKE)
        & ~text.str.contains(_MAY_BE_TITLE)
        & ~folds_to(text, f"{PLACEHOLDER}|{_NOBODY}")
    )
    return (is_latin | text.str.contains(_ONE_SCRIPT)) & (text.str.len_bytes() <= NAME_LIMIT)


def _unchanged(names: pl.Series) -> pl.DataFrame:
    null = pl.lit(None, dtype=pl.String)
    return names.to_frame("name").with_columns(honorific=null, name_reasons=null)


def _clean_rest(values: pl.Series) -> pl.DataFrame:
    """What is common (blanks, one title, upper or lower case) in columns, all else by `clean_name`."""
    tidied = tidied_column(pl.col("raw")).str.replace(_STRAY_END, "${1}")
    lower = pl.col("untitled").str.to_lowercase()
    can_be_cased = pl.col("untitled").str.contains(_ONE_CASE) & ~lower.str.contains(_CASE_IS_SPECIAL)
    repaired = (
        values.to_frame("raw")
        .lazy()
        .with_columns(tidied.alias("text"))
        .with_columns(
            pl.col("text").str.extract(_COMMON_TITLE).str.to_titlecase().alias("honorific"),
            pl.col("text").str.replace(_COMMON_TITLE, "").alias("untitled"),
        )
        .with_columns(
            pl.when(can_be_cased).then(lower.str.to_titlecase()).otherwise("untitled").alias("name"),
            pl.lit(None, dtype=pl.String).alias("name_reasons"),
        )
        .with_columns(is_settled=_is_plain(pl.col("name")) & (pl.col("raw").str.len_bytes() <= READ_LIMIT))
        .collect()
    )
    is_settled = repaired["is_settled"].fill_null(value=False)
    settled = repaired.filter(is_settled).select(_SCHEMA.names())
    return stitch(settled, by_distinct(values.filter(~is_settled), _clean_to_row, _SCHEMA), is_settled)


def _clean_to_row(raw: str | None) -> tuple[str | None, str | None, str | None]:
    name, honorific, reasons = clean_name(raw)
    return name, honorific, join_reasons(reasons)


def _sorted_words(text: str) -> str:
    return " ".join(sorted(re.sub(r"[^0-9a-z]+", " ", text.replace("'", "")).split()))
