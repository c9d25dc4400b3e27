"""Telephone numbers: from whatever stands in a phone field to E.164.

`phonenumbers` is the authority: what it calls valid is valid, and its E.164 is ours (`parse_phone`).
A field, however, holds more than one number: labels, extensions, several values, placeholders. What
is done about those is policy, and `clean_phones` is its reference, value by value. Its rules, in order:

- An extension (`x12`, `ext. 12`, `extn 12`, `#12`) ends its number and is left out: E.164 has none.
- A label (`Mob:`, `Tel.`, `M-`, `(O)`, `WhatsApp`, …) separates numbers and is left out.
- `,` `;` `|` `&` tab, newline, `or` and `and` always separate.
- `/`, or several spaces, separate where every part is a number of its own; else they are punctuation, if
  the whole is a number: `(022) 2345/6789` is one number, `9876543210/9876543211` are two. Otherwise
  each part of a slash is judged alone: the `90` of `022-23456789/90` is never completed, but reported.
- A single space, a dash or a plus separates only where the whole is no number and every part is one.
- A number that a spreadsheet wrote as `9876543210.0` is recovered; `9.87654321E+9` has lost digits.
- Letters never become digits. A word set apart from the digits (`Ramesh 98765 43210`) is left out, unless
  it can be read as a part of a longer valid number (`0800 1234 HILFE`).
- Placeholders: words (`NA`, `nil`, `test`, …), one digit repeated, ascending and descending runs, the
  overflow values of 32-bit integers. Of the runs only 9876543210 passes: it can be a real mobile number.

`clean_phone_column` gives the same answers for a whole column. Most values are digits and punctuation,
for which the library's parsing is a sequence of tests of regular expressions in its metadata: those are
run as columnar expressions. What they cannot decide goes, each distinct value once, to `clean_phones`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
import polars as pl
from phonenumbers import PhoneMetadata, PhoneNumberDesc, PhoneNumberType

from ledgerline.contacts.model import REASON_SEPARATOR, VALUE_SEPARATOR, PhoneType, Reason

# Without it, numbers of many countries overflow the cache of `re` and are parsed ten times slower.
phonenumbers.enable_pattern_cache()

MAX_FIELD_LENGTH: Final = 1_000

COLUMNS: Final = pl.Schema(
    {"phone": pl.String, "phone_type": pl.String, "further_phones": pl.String, "phone_reasons": pl.String}
)


class Phone(NamedTuple):
    """A valid number."""

    e164: str
    type: PhoneType


class CleanPhones(NamedTuple):
    """What one field holds: the best number (mobile first, then by order), the others, what did not pass."""

    phone: str | None
    phone_type: PhoneType | None
    further: tuple[str, ...]
    reasons: tuple[Reason, ...]


# --- one number ---------------------------------------------------------------------------------

_TYPES: Final = {
    PhoneNumberType.MOBILE: PhoneType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: PhoneType.MOBILE,
    PhoneNumberType.FIXED_LINE: PhoneType.FIXED,
}


def parse_phone(text: str, region: str) -> Phone | None:
    """Return the one number that `text` is to `phonenumbers`, or None where it is no valid number.

    `region` is the ISO code of the country to which a number without a country code belongs.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    line = phonenumbers.number_type(number)
    if line == PhoneNumberType.UNKNOWN:  # the library's own definition of an invalid number
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164, _TYPES.get(line, PhoneType.OTHER))


# --- placeholders -------------------------------------------------------------------------------

_PLACEHOLDER_WORDS: Final = frozenset(
    {
        *("na", "nil", "none", "null", "nan", "no", "unknown", "undefined", "blank", "empty", "tbd", "tba"),
        *("notavailable", "notapplicable", "notprovided", "notgiven", "notknown", "nophone", "nonumber"),
        *("nomobile", "nocontact", "test", "testing", "dummy", "sample", "pending"),
    }
)
_OVERFLOWS: Final = frozenset({"2147483647", "2147483648", "4294967295"})
_LONGEST_PLACEHOLDER: Final = 17  # of those listed: no valid number has more digits
_ASCENDING: Final = "1234567890" * 3
_RUNS: Final = frozenset(
    run[start : start + length]
    for run in (_ASCENDING, _ASCENDING[::-1])
    for length in range(3, _LONGEST_PLACEHOLDER + 1)
    for start in range(10)
) - {"9876543210"}
_REPEATED: Final = frozenset(
    digit * length for digit in "0123456789" for length in range(1, _LONGEST_PLACEHOLDER + 1)
)
_PLACEHOLDERS: Final = _OVERFLOWS | _RUNS | _REPEATED
# A valid number must be this long to be taken for a placeholder: small countries use numbers like 22222.
_VALID_PLACEHOLDERS: Final = frozenset(number for number in _PLACEHOLDERS if len(number) >= 7)


def _is_placeholder_text(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.casefold())
    letters = "".join(words)
    return letters in _PLACEHOLDER_WORDS or set(letters) == {"x"} or _PLACEHOLDER_WORDS.issuperset(words)


def _is_placeholder(phone: Phone | None, digits: str, region: str) -> bool:
    if phone:
        return _national_number(phone.e164) in _VALID_PLACEHOLDERS
    forms = (digits, digits.lstrip("0"), digits.removeprefix(_calling_code(region)))
    return len(set(digits)) == 1 or not _PLACEHOLDERS.isdisjoint(forms)


def _national_number(e164: str) -> str:
    length = next(n for n in (1, 2, 3) if int(e164[1 : 1 + n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    return e164[1 + length :]


def _calling_code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region) or "")


# --- one field ----------------------------------------------------------------------------------

_parse: Final = lru_cache(maxsize=1024)(parse_phone)  # the parts of a field are tried more than once

_NOTHING: Final = CleanPhones(None, None, (), ())


def clean_phones(raw: str | None, region: str) -> CleanPhones:
    """Read every number of a field; the module's docstring has the rules.

    A blank field gives nothing, not even a reason.
    """
    if raw is None or not raw.strip():
        return _NOTHING
    if len(raw) > MAX_FIELD_LENGTH:
        return _NOTHING._replace(reasons=(Reason.PHONE_TOO_LONG,))
    text = _tidy(raw)
    if not text:
        return _NOTHING
    candidates = _candidates(text)
    if not candidates:
        return _NOTHING._replace(reasons=(Reason.PHONE_PLACEHOLDER,))
    return _assemble(result for candidate in candidates for result in _read(candidate, region))


def _assemble(results: Iterable[Phone | Reason]) -> CleanPhones:
    found = list(results)
    phones = sorted(
        dict.fromkeys(result for result in found if isinstance(result, Phone)),
        key=lambda phone: phone.type != PhoneType.MOBILE,
    )
    reasons = tuple(dict.fromkeys(result for result in found if isinstance(result, Reason)))
    if not phones:
        return _NOTHING._replace(reasons=reasons)
    best, *further = phones
    return CleanPhones(best.e164, best.type, tuple(phone.e164 for phone in further), reasons)


def _tidy(text: str) -> str:
    """Digits, spaces, dashes and full-width forms as ASCII; invisible characters out."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_plain, text))
    return text.strip()


_KEPT_CONTROLS: Final = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"  # they separate


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Zs":
        return " "
    if category == "Pd" or char in "−ー":
        return "-"
    if char in _KEPT_CONTROLS:
        return "\n"
    if category in {"Cc", "Cf"}:
        return ""
    return chr(ord(char) - 0xFEE0) if "！" <= char <= "～" else char


_LABEL_WORDS: Final = (
    r"mobiles?|mob|cellphone|cell|phones?|ph|telephone|tele|tel|landline|office|off|residence|resi?|home|work"
    r"|direct|dir|whats ?app|wa|w/a|h/p|hp|contacts?|call|numbers?|num|nos?|fax|board|personal|alternate|alt"
)
_LABEL_LETTERS: Final = "[MOPRTHWF]"
_LABEL_END: Final = r"\s*\)?[\s.:)=#-]*"
_LABEL: Final = re.compile(
    rf"\(?\s*(?<![^\W_])(?:(?:{_LABEL_WORDS})(?![^\W\d_])|{_LABEL_LETTERS}(?=\s*[.:)-]|\s+[\d+(]|\s*$))"
    rf"{_LABEL_END}",
    re.IGNORECASE,
)
_EXTENSION: Final = re.compile(
    r"(?<=[\d)])\s*[,;]?\s*(?:extension|extns?|ext|xtn|x|#)(?![^\W\d_])[\s.:=#-]*"
    r"(?:\d{1,4}(?!\d)|\d{5,7}(?![ -]*\d))(?:\s*[/&,]\s*\d{1,4}(?![ -]*\d))*#?",
    re.IGNORECASE,
)
_CONJUNCTION: Final = re.compile(r"(?<![^\W_])(?:or|and)(?![^\W_])", re.IGNORECASE)
_SEPARATOR: Final = re.compile(r"[,;|&\t\n\r]+")


def _candidates(text: str) -> list[str]:
    """Return what stands between separators that always separate, if there is a letter or a digit in it."""
    text = _EXTENSION.sub("\n", text)
    if _has_letter(text):
        text = _CONJUNCTION.sub("\n", _LABEL.sub("\n", text))
    return _alphanumeric(_SEPARATOR.split(text))


_FLOAT: Final = re.compile(r"(\d{7,15})\.0{1,2}")
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:\.\d+)?e[+-]?\d+", re.IGNORECASE)
_SLASH: Final = re.compile(r"[/\\]")
_MARKED: Final = re.compile(r"\s{2,}|[/\\]")
_SPACE: Final = re.compile(r"[\s/\\]+|(?=\+)")
_SPACE_OR_DASH: Final = re.compile(r"[\s/\\-]+|(?=\+)")
_WORDS: Final = re.compile(r"(?<=[\d)])[\s.:(]+[^\W\d_][^\d+]*?[\s.:)]+(?=[\d+(])")
_MAX_TOKENS: Final = 100
_MAX_GROUPS: Final = 8  # in which one number is written
# Digits of a number that is told from its neighbour without a separator that always separates: those of the
# shortest and the longest possible number in the metadata, country code included.
_MIN_DIGITS: Final = 6
_MAX_DIGITS: Final = 19


def _read(candidate: str, region: str) -> list[Phone | Reason]:
    """Read a candidate: mostly one result, several where separators turn out to separate."""
    if _SCIENTIFIC.fullmatch(candidate):
        return [Reason.PHONE_INVALID]
    if not _has_letter(candidate):
        return _read_digits(candidate, region)
    if not _digits(candidate):
        return [Reason.PHONE_PLACEHOLDER if _is_placeholder_text(candidate) else Reason.PHONE_INVALID]
    return _read_worded(candidate, region)


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


_CORE: Final = re.compile(r"([\d+].*\d|\d)", re.DOTALL)


def _read_worded(candidate: str, region: str) -> list[Phone | Reason]:
    """Read a candidate that holds letters and digits; letters among or touching the digits are refused."""
    before, core, after = _CORE.split(candidate, maxsplit=1)
    if before[-1:].isalpha() or after[:1].isalpha():
        return [Reason.PHONE_HAS_LETTERS]
    if _has_letter(core):
        return _read_list(candidate, core, region)
    results = _read_digits(core, region)
    if _has_letter(after) and (
        results == [Reason.PHONE_INVALID] or _parse(candidate, region) not in {None, *results}
    ):
        return [Reason.PHONE_HAS_LETTERS]
    return results


def _read_list(candidate: str, core: str, region: str) -> list[Phone | Reason]:
    """Read numbers that slashes or words separate: 'Asha 98765 43210 / Ravi 98765 43211'."""
    parts = _alphanumeric(_SLASH.split(candidate))
    if len(parts) > 1:
        return [result for part in parts for result in _read(part, region)]
    numbers = _WORDS.split(core)
    if len(numbers) > 1 and all(_is_number(number, region) for number in numbers):
        return [result for number in numbers for result in _read_digits(number, region)]
    return [Reason.PHONE_HAS_LETTERS]


def _alphanumeric(parts: Iterable[str]) -> list[str]:
    return [part.strip(" /\\") for part in parts if any(map(str.isalnum, part))]


def _read_digits(candidate: str, region: str) -> list[Phone | Reason]:
    """Read a candidate without letters: one number, or several that space, slash, dash or plus separate."""
    candidate = _integer(candidate)
    parts = [_integer(part) for part in _alphanumeric(_MARKED.split(candidate))]
    if len(parts) > 1 and all(_is_number(part, region) for part in parts):
        return [_judge(part, region) for part in parts]
    if _parse(candidate, region) is None:
        if numbers := _partition(candidate, region):
            return [_judge(number, region) for number in numbers]
        slashed = _alphanumeric(_SLASH.split(candidate))
        if len(slashed) > 1:
            return [result for part in slashed for result in _read_digits(part, region)]
    return [_judge(candidate, region)]


def _integer(text: str) -> str:
    match = _FLOAT.fullmatch(text)
    return match[1] if match else text


def _judge(candidate: str, region: str) -> Phone | Reason:
    phone = _parse(candidate, region)
    if _is_placeholder(phone, _digits(candidate), region):
        return Reason.PHONE_PLACEHOLDER
    return phone or Reason.PHONE_INVALID


def _is_number(text: str, region: str) -> bool:
    """Tell whether `text` is a number, of a length that makes this no accident."""
    digits = _digits(text)
    if "+" in text.lstrip(" (")[1:] or not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS:
        return False
    return _parse(text, region) is not None or digits in _VALID_PLACEHOLDERS


def _partition(candidate: str, region: str) -> tuple[str, ...]:
    """Cut at spaces and pluses, else at dashes too, into parts that are all numbers; () if that cannot be."""
    return _cut(_SPACE.split(candidate), region) or _cut(_SPACE_OR_DASH.split(candidate), region)


def _cut(pieces: list[str], region: str) -> tuple[str, ...]:
    tokens = [piece for piece in pieces if piece]
    if not 2 <= len(tokens) <= _MAX_TOKENS:
        return ()
    tails: dict[int, tuple[str, ...]] = {len(tokens): ()}  # from each token on, where the rest can be cut
    for start in reversed(range(len(tokens))):
        for end in range(min(start + _MAX_GROUPS, len(tokens)), start, -1):
            number = _integer(" ".join(tokens[start:end]))
            if end in tails and _is_number(number, region):
                tails[start] = (number, *tails[end])
                break
    return tails.get(0, ())


# --- a column of numbers: the library's parsing, as expressions ------------------------------------
#
# A number here is an optional plus and ASCII digits. The steps, their order and their terms are those of
# `phonenumbers.parse` and `phonenumbers.number_type`; what the library does by rewriting digits (national
# prefixes of a few countries) or by trying again (an unknown country code) is left undecided.

_NUMBER: Final = pl.col("number")
_BARE: Final = pl.col("bare")
_TYPE: Final = pl.col("phone_type")

_CALLING_CODES: Final = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


class _Plan:
    """The numbering plan of one region, as expressions over a column of national numbers."""

    def __init__(self, calling_code: int, region: str) -> None:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region)
        if metadata is None or metadata.general_desc is None:
            raise LookupError(f"phonenumbers has no numbering plan of {region} (+{calling_code})")
        self.general = metadata.general_desc
        self.fixed = metadata.fixed_line
        self.mobile = metadata.fixed_line if metadata.same_mobile_and_fixed_line_pattern else metadata.mobile
        self.others = (
            *(metadata.premium_rate, metadata.toll_free, metadata.shared_cost, metadata.voip),
            *(metadata.personal_number, metadata.pager, metadata.uan, metadata.voicemail),
        )
        self.international_prefix = metadata.international_prefix
        self.national_prefix = metadata.national_prefix_for_parsing
        self.rewrites_prefix = bool(metadata.national_prefix_transform_rule)
        self.leading_digits = metadata.leading_digits

    def line_type(self, number: pl.Expr) -> pl.Expr:
        """A PhoneType, or null where the number is not valid in this region."""
        return (
            pl.when(~_fits(number, self.general))
            .then(None)
            .when(_fits(number, *self.others))
            .then(pl.lit(PhoneType.OTHER.value))
            .when(_fits(number, self.mobile))
            .then(pl.lit(PhoneType.MOBILE.value))
            .when(_fits(number, self.fixed))
            .then(pl.lit(PhoneType.FIXED.value))
        )

    def claims(self, number: pl.Expr) -> pl.Expr:
        """Whether a typed number is this region's, valid or not, unless an earlier region claims it."""
        return (
            number.str.contains(_start(self.leading_digits)) if self.leading_digits else _TYPE.is_not_null()
        )

    def without_prefix(self, number: pl.Expr) -> pl.Expr:
        return _without(self.national_prefix, number) if self.national_prefix else number

    def strips(self, number: pl.Expr, bare: pl.Expr) -> pl.Expr:
        """Whether `number` gives up its national prefix to become `bare`: not if only it fits the plan."""
        return self.is_general(bare) | ~self.is_general(number)

    def is_general(self, number: pl.Expr) -> pl.Expr:
        return _matches(number, self.general)

    def is_too_long(self, number: pl.Expr) -> pl.Expr:
        length = number.str.len_bytes()
        return (length > max(self.general.possible_length)) & ~self._is_local(length)

    def is_possible(self, number: pl.Expr) -> pl.Expr:
        length = number.str.len_bytes()
        return length.is_in(self.general.possible_length) & ~self._is_local(length)

    def _is_local(self, length: pl.Expr) -> pl.Expr:
        return length.is_in(self.general.possible_length_local_only)


def _fits(number: pl.Expr, *kinds: PhoneNumberDesc | None) -> pl.Expr:
    """Whether the number has the length and the pattern of one of the kinds."""
    tests = [
        number.str.len_bytes().is_in(kind.possible_length) & _matches(number, kind)
        for kind in kinds
        if kind is not None
    ]
    return pl.any_horizontal(tests) if tests else pl.lit(value=False)


def _matches(number: pl.Expr, kind: PhoneNumberDesc) -> pl.Expr:
    pattern = kind.national_number_pattern
    return number.str.contains(f"{_start(pattern)}$") if pattern else pl.lit(value=False)


def _without(prefix: str, number: pl.Expr) -> pl.Expr:
    return number.str.strip_prefix(prefix) if prefix.isdecimal() else number.str.replace(_start(prefix), "")


def _start(pattern: str) -> str:
    """The pattern at the start of a text; `\\d` is any digit of Unicode to Polars, and slower."""
    return "^(?:" + pattern.replace(r"\d", "[0-9]") + ")"


@lru_cache(maxsize=512)
def _plans(calling_code: int) -> tuple[_Plan, ...]:
    """The plans that share a calling code, the main region's first."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]
    return tuple(_Plan(calling_code, region) for region in regions)


@lru_cache(maxsize=32)
def _home_plan(region: str) -> _Plan:
    return _Plan(phonenumbers.country_code_for_region(region), region)


def _recognise(numbers: pl.DataFrame, region: str) -> pl.DataFrame:
    """Add `phone` and `phone_type`, both null where the library would call `number` invalid.

    Rows that cannot be decided here, and placeholders, are left out; the order changes.
    """
    home = phonenumbers.country_code_for_region(region)
    inland, coded = _split_by_code(numbers, region)
    is_home = _NUMBER.str.starts_with(str(home))
    own = _cut_code(coded.filter(is_home), home)
    return pl.concat(
        [
            _typed(_national(inland, region), home),
            _typed(_significant(own, _plans(home)[0]), home),
            _abroad(coded.filter(~is_home)),
        ]
    )


def _split_by_code(numbers: pl.DataFrame, region: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part numbers dialled within the country from those with a plus or international prefix, which goes."""
    has_plus = _NUMBER.str.starts_with("+")
    coded = numbers.filter(has_plus).with_columns(_NUMBER.str.strip_prefix("+"))
    inland = numbers.filter(~has_plus)
    prefix = _home_plan(region).international_prefix
    if not prefix:
        return inland, coded
    has_prefix = _NUMBER.str.contains(_start(prefix))
    dialled = inland.filter(has_prefix).with_columns(bare=_without(prefix, _NUMBER))
    is_inland = _BARE.str.starts_with("0")  # no country code does
    return (
        pl.concat([inland.filter(~has_prefix), dialled.filter(is_inland).drop("bare")]),
        pl.concat([coded, dialled.filter(~is_inland).with_columns(number=_BARE).drop("bare")]),
    )


def _cut_code(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    return numbers.with_columns(_NUMBER.str.strip_prefix(str(calling_code)))


def _national(numbers: pl.DataFrame, region: str) -> pl.DataFrame:
    """Reduce numbers without an international prefix, maybe with the country code, to significant ones."""
    home = phonenumbers.country_code_for_region(region)
    plan, main = _home_plan(region), _plans(home)[0]
    starts = _NUMBER.str.starts_with(str(home))
    rest = pl.col("rest")
    maybe = numbers.filter(starts).with_columns(rest=_NUMBER.str.strip_prefix(str(home)))
    maybe = maybe.with_columns(bare=plan.without_prefix(rest))
    if plan.rewrites_prefix:
        maybe = maybe.filter(rest == _BARE)
    maybe = maybe.with_columns(bare=pl.when(plan.strips(rest, _BARE)).then(_BARE).otherwise(rest))
    has_code = (~plan.is_general(_NUMBER) & plan.is_general(_BARE)) | plan.is_too_long(_NUMBER)
    coded = maybe.filter(has_code).with_columns(number=_BARE)
    inland = pl.concat([numbers.filter(~starts), maybe.filter(~has_code).select(numbers.columns)])
    return pl.concat([_significant(inland, plan), _significant(coded.select(numbers.columns), main)])


def _significant(numbers: pl.DataFrame, plan: _Plan) -> pl.DataFrame:
    """Reduce national numbers to significant ones; those that the library would rewrite are left out."""
    numbers = numbers.with_columns(bare=plan.without_prefix(_NUMBER))
    unprefixed = numbers.filter(_BARE == _NUMBER).drop("bare")
    if plan.rewrites_prefix:
        return unprefixed
    strips = plan.strips(_NUMBER, _BARE) & (plan.is_possible(_BARE) | plan.is_too_long(_BARE))
    prefixed = numbers.filter(_BARE != _NUMBER).with_columns(
        pl.when(strips).then(_BARE).otherwise(_NUMBER).alias("number")
    )
    return pl.concat([unprefixed, prefixed.drop("bare")])


def _typed(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    """Add to significant numbers of one calling code their type and E.164 form; leave placeholders out."""
    typed = _placed(numbers, calling_code).filter(_TYPE.is_null() | ~_NUMBER.is_in(_VALID_PLACEHOLDERS))
    e164 = pl.concat_str(pl.lit(f"+{calling_code}"), _NUMBER)
    return typed.with_columns(phone=pl.when(_TYPE.is_not_null()).then(e164))


def _placed(numbers: pl.DataFrame, calling_code: int) -> pl.DataFrame:
    """Add the type that a number has in its region, the first to claim it of those that share the code."""
    plans = _plans(calling_code)
    if len(plans) == 1:
        return numbers.with_columns(phone_type=plans[0].line_type(_NUMBER))
    placed = []
    for plan in plans:
        typed = numbers.with_columns(phone_type=plan.line_type(_NUMBER))
        placed.append(typed.filter(plan.claims(_NUMBER)))
        numbers = typed.filter(~plan.claims(_NUMBER)).drop("phone_type")
        if numbers.is_empty():
            break
    return pl.concat([*placed, numbers.with_columns(phone_type=pl.lit(None, pl.String))])


def _abroad(numbers: pl.DataFrame) -> pl.DataFrame:
    """Recognise numbers that begin with the code of another country.

    One by one: a batch holds a few of each of many countries, and to compile their plans into expressions,
    which Polars does anew each time, costs more than the numbers do.
    """
    lines = [_line_abroad(number) for number in numbers["number"]]
    line = pl.Series("phone_type", lines, pl.String)
    decided = numbers.with_columns(line).filter(line.is_not_null())
    decided = decided.with_columns(_TYPE.replace(_INVALID, None))
    settled = decided.with_columns(
        phone=pl.when(_TYPE.is_not_null()).then(pl.concat_str(pl.lit("+"), _NUMBER))
    )
    return pl.concat([settled, _ask_all(numbers.filter(line.is_null()))])


_INVALID: Final = ""


def _line_abroad(number: str) -> str | None:
    """The type of a number with its country code, `_INVALID` where it is not valid; None: undecided."""
    end = _CODE_LENGTHS.get(number[:2], 3)
    plan = _foreign_plan(number[:end])
    if plan is None:
        return None
    test = plan.by_length[len(number) - end]
    kind = test.fullmatch(number, end)
    if kind is None:
        return _INVALID if plan.is_sole else None
    if kind.lastgroup == _PREFIXED or number[end:] in _VALID_PLACEHOLDERS:
        return None
    return _TYPE_OF_GROUP[(kind.lastgroup or "")[:1]]


def _ask_all(numbers: pl.DataFrame) -> pl.DataFrame:
    """Recognise such numbers by the library; what it would change, and placeholders, are left out."""
    answers = [(number, *answer) for number in numbers["number"].unique() if (answer := _asked(number))]
    schema = {"number": pl.String, "phone_type": pl.String, "phone": pl.String}
    return numbers.join(pl.DataFrame(answers, schema=schema, orient="row"), on="number")


def _asked(number: str) -> tuple[str | None, str | None] | None:
    """Type and E.164 form of a number with its country code; None where it is invalid, or a placeholder."""
    phone = parse_phone(f"+{number}", "ZZ")
    if phone is None or _national_number(phone.e164) in _VALID_PLACEHOLDERS:
        return None
    return phone.type.value, phone.e164


class _ByLength(dict[int, re.Pattern[str]]):
    """Tests of national numbers by their length; the group that matches tells the kind.

    Each is compiled when it is needed: of most countries a batch holds a few numbers, all of one length.
    """

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        kinds = (
            *((PhoneType.OTHER, other) for other in plan.others),
            (PhoneType.MOBILE, plan.mobile),
            (PhoneType.FIXED, plan.fixed),
        )
        self._kinds = [
            (line_type, kind) for line_type, kind in kinds if kind and kind.national_number_pattern
        ]
        self._lengths = frozenset(plan.general.possible_length)
        self._prefixed = f"(?P<{_PREFIXED}>(?:{plan.national_prefix or '(?!)'}).*)"
        self._general = f"(?=(?:{plan.general.national_number_pattern or ''})$)"

    def __missing__(self, length: int) -> re.Pattern[str]:
        kinds = f"|{self._general}(?:{_alternatives(self._kinds, length)})" if length in self._lengths else ""
        self[length] = test = re.compile(self._prefixed + kinds, re.ASCII)
        return test


class _ForeignPlan(NamedTuple):
    """The plan of a code's main region, for one number at a time; the tests are those of `_Plan.line_type`.

    The main region is the first to claim a number. What it does not claim is decided only where the region
    `is_sole`, the one that has the code; and where a national prefix may be dropped, nothing is.
    """

    is_sole: bool
    by_length: _ByLength


_TYPE_OF_GROUP: Final = {line_type.value[0]: line_type.value for line_type in PhoneType}
_PREFIXED: Final = "prefixed"
# Calling codes are prefix-free: the first two digits tell how long one is (three digits, where not here).
_CODE_LENGTHS: Final = {
    code + further: len(code)
    for code in _CALLING_CODES
    if len(code) < 3
    for further in ("0123456789" if len(code) == 1 else ("",))
}


@lru_cache(maxsize=1024)
def _foreign_plan(calling_code: str) -> _ForeignPlan | None:
    """None: there is no such code, or the library first asks other regions than the main one."""
    if calling_code not in _CALLING_CODES:
        return None
    main, *more = _plans(int(calling_code))
    if main.leading_digits or re.match(main.national_prefix or "0", ""):
        return None
    return _ForeignPlan(is_sole=not more, by_length=_ByLength(main))


def _alternatives(kinds: Iterable[tuple[PhoneType, PhoneNumberDesc]], length: int) -> str:
    """The patterns of the kinds that can be so long, in their order, each a group with its type's initial."""
    groups = [
        f"(?P<{line_type.value[0]}{number}>{kind.national_number_pattern})"
        for number, (line_type, kind) in enumerate(kinds)
        if length in kind.possible_length
    ]
    return "|".join(groups) or "(?!)"


# --- a column of fields --------------------------------------------------------------------------

_ODD_SPELLINGS: Final = {
    char: _plain(char)
    for start, end in (
        ("\u00a0", "\u00a0"),
        ("\u00ad", "\u00ad"),
        ("\u2000", "\u2015"),
        ("\u202a", "\u202f"),
        ("！", "～"),
    )
    for char in map(chr, range(ord(start), ord(end) + 1))
} | {char: _plain(char) for char in "\u2060\u2212\ufeff"}
# Digits of the scripts in which the world writes numbers; those of rarer ones are left to `_tidy`.
_ODD_SPELLINGS.update((chr(ord(zero) + value), str(value)) for zero in "٠۰०০੦૦୦௦౦೦൦๐" for value in range(10))
# Labels that need no look at their neighbours, where nothing but digits and punctuation is left without them.
_SURE_LABEL: Final = rf"(?:{_LABEL_WORDS})(?:[\s.]+nos?)?|{_LABEL_LETTERS}\s*[.:)-]"
_LEADING_LABEL: Final = rf"^(?i-u:\s*\(?\s*(?:{_SURE_LABEL})\s*\)?[\s.:)=-]*)"
_TRAILING_LABEL: Final = rf"(?i-u:\s*\(\s*(?:{_LABEL_WORDS}|{_LABEL_LETTERS})\s*\)\s*$)"
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
_COMPACT_FORM: Final = r"^[+]?[0-9]{3,}$"
_LIBRARY_LIMIT: Final = 250  # characters that `phonenumbers.parse` reads

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
    rows = [_as_row(clean_phones(text, region)) for text in texts]
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
        glued.filter(count.is_between(2, _MAX_GROUPS)).with_columns(at=pl.int_ranges(1, count)).explode("at")
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
    return digits.is_between(_MIN_DIGITS, _MAX_DIGITS)


def _read_pieces(pieces: pl.DataFrame, region: str) -> pl.DataFrame:
    """Add phone and phone_type to pieces on which the library's answer is sure; leave the others out."""
    integer = _PIECE.str.strip_chars_end("0").str.strip_suffix(".")
    compact = (
        pl.when(_PIECE.str.contains(_FLOAT_PIECE))
        .then(integer)
        .otherwise(_PIECE)
        .str.replace_all("[ ().-]", "")
    )
    is_readable = (
        _COMPACT.str.contains(_COMPACT_FORM) & (_PIECE.str.len_bytes() <= _LIBRARY_LIMIT) & ~_HAS_GAP
    )
    readable = pieces.with_columns(compact=compact).filter(is_readable)
    return _recognise(readable.with_columns(number=_COMPACT), region)


def _is_sound() -> pl.Expr:
    """Whether a piece is a valid number, if it is cut off also by the length that `_is_number` asks for."""
    return _PHONE.is_not_null() & (~_IS_CUT | _has_length(_COMPACT.str.strip_prefix("+").str.len_bytes()))


def _is_junk(region: str) -> pl.Expr:
    """Whether an invalid number is no placeholder and too short, or too plain, to be several numbers."""
    digits = _COMPACT.str.strip_prefix("+")
    forms = (digits, digits.str.strip_chars_start("0"), digits.str.strip_prefix(_calling_code(region)))
    is_placeholder = pl.any_horizontal([form.is_in(_PLACEHOLDERS) for form in forms])
    is_short = digits.str.len_bytes() < 2 * _MIN_DIGITS
    is_plain = (digits.str.len_bytes() <= _LONGEST_PLACEHOLDER) & ~_PIECE.str.contains("[ -]")
    return ~is_placeholder & (is_short | is_plain)


def _gathered(pieces: pl.DataFrame) -> pl.DataFrame:
    """Bring together the pieces of each field of which none is missing: → row, `COLUMNS`."""
    none = pl.lit(None, pl.String).alias("further_phones")
    single = pieces.filter(_OF == 1).select("row", "phone", "phone_type", none, _reason(_PHONE.is_null()))
    several = pieces.filter(_OF > 1).sort("row", _TYPE.ne(PhoneType.MOBILE.value), "id", nulls_last=True)
    rows = several.group_by("row", maintain_order=True).agg(
        "phone", _TYPE.first(), _OF.first(), _reason(_PHONE.null_count() > 0), pl.len().alias("known")
    )
    phones = _PHONE.list.unique(maintain_order=True)  # a null comes last
    further = phones.list.slice(1).list.join(VALUE_SEPARATOR, ignore_nulls=True).replace("", None)
    rows = rows.filter(pl.col("known") == _OF).select(
        "row", _PHONE.list.first(), "phone_type", further.alias("further_phones"), "phone_reasons"
    )
    return pl.concat([single, rows])


def _reason(is_invalid: pl.Expr) -> pl.Expr:
    return pl.when(is_invalid).then(pl.lit(Reason.PHONE_INVALID.value)).alias("phone_reasons")
