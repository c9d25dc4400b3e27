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
- A single space, a dash or a plus separates only where the whole is no number and every part is one; where
  the first begins with 0 or a plus, the others should as well: `030/2345679 0171/2345679` are two.
- A number that a spreadsheet wrote as `9876543210.0`, or a money column as `9876543210.0000`, is recovered;
  `9.87654321E+9` has lost digits.
- Letters never become digits. A word set apart from the digits (`Ramesh 98765 43210`) is left out, unless
  it can be read as a part of a longer valid number (`0800 1234 HILFE`).
- Placeholders: words (`NA`, `nil`, `test`, …), one digit repeated, ascending and descending runs, the
  overflow values of 32-bit integers. Of the runs only 9876543210 passes: it can be a real mobile number.

`phone_columns` gives the same answers for a whole column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

import phonenumbers
from phonenumbers import PhoneNumberType

from ledgerline.contacts.model import PhoneType, Reason

# Without it, numbers of many countries overflow the cache of `re` and are parsed ten times slower.
phonenumbers.enable_pattern_cache()

MAX_FIELD_LENGTH: Final = 1_000


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
LONGEST_PLACEHOLDER: Final = 17  # of those listed: no valid number has more digits
_ASCENDING: Final = "1234567890" * 3
_RUNS: Final = frozenset(
    run[start : start + length]
    for run in (_ASCENDING, _ASCENDING[::-1])
    for length in range(3, LONGEST_PLACEHOLDER + 1)
    for start in range(10)
) - {"9876543210"}
_REPEATED: Final = frozenset(
    digit * length for digit in "0123456789" for length in range(1, LONGEST_PLACEHOLDER + 1)
)
PLACEHOLDERS: Final = _OVERFLOWS | _RUNS | _REPEATED
# A valid number must be this long to be taken for a placeholder: small countries use numbers like 22222.
VALID_PLACEHOLDERS: Final = frozenset(number for number in PLACEHOLDERS if len(number) >= 7)


def _is_placeholder_text(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.casefold())
    letters = "".join(words)
    return letters in _PLACEHOLDER_WORDS or set(letters) == {"x"} or _PLACEHOLDER_WORDS.issuperset(words)


def _is_placeholder(phone: Phone | None, digits: str, region: str) -> bool:
    if phone:
        return national_number(phone.e164) in VALID_PLACEHOLDERS
    forms = (digits, digits.lstrip("0"), digits.removeprefix(calling_code_of(region)))
    return len(set(digits)) == 1 or not PLACEHOLDERS.isdisjoint(forms)


def national_number(e164: str) -> str:
    length = next(n for n in (1, 2, 3) if int(e164[1 : 1 + n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    return e164[1 + length :]


def calling_code_of(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region) or "")


# --- one field ----------------------------------------------------------------------------------

Parse: TypeAlias = Callable[[str, str], Phone | None]  # `parse_phone`, or what gives the same

_parse: Final[Parse] = lru_cache(maxsize=1024)(parse_phone)  # the parts of a field are tried more than once

_NOTHING: Final = CleanPhones(None, None, (), ())


class _Reader(NamedTuple):
    """How the numbers of a field are read."""

    region: str
    parse: Parse


def clean_phones(raw: str | None, region: str, parse: Parse = _parse) -> CleanPhones:
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
    reader = _Reader(region, parse)
    return _assemble(result for candidate in candidates for result in _read(candidate, reader))


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
        text = "".join(map(plain, text))
    return text.strip()


_KEPT_CONTROLS: Final = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"  # they separate


@lru_cache(maxsize=4096)
def plain(char: str) -> str:
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


LABEL_WORDS: Final = (
    r"mobiles?|mob|cellphone|cell|phones?|ph|telephone|tele|tel|landline|office|off|residence|resi?|home|work"
    r"|direct|dir|whats ?app|wa|w/a|h/p|hp|contacts?|call|numbers?|num|nos?|fax|board|personal|alternate|alt"
)
LABEL_LETTERS: Final = "[MOPRTHWF]"
_LABEL_END: Final = r"\s*\)?[\s.:)=#-]*"
_LABEL: Final = re.compile(
    rf"\(?\s*(?<![^\W_])(?:(?:{LABEL_WORDS})(?![^\W\d_])|{LABEL_LETTERS}(?=\s*[.:)-]|\s+[\d+(]|\s*$))"
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
    is_worded = _has_letter(text)
    if is_worded or "#" in text:
        text = _EXTENSION.sub("\n", text)
    if is_worded:
        text = _CONJUNCTION.sub("\n", _LABEL.sub("\n", text))
    return _alphanumeric(_SEPARATOR.split(text))


_FLOAT: Final = re.compile(r"(\d{7,15})\.0{1,4}")
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:\.\d+)?e[+-]?\d+", re.IGNORECASE)
_SLASH: Final = re.compile(r"[/\\]")
_MARKED: Final = re.compile(r"\s{2,}|[/\\]")
_SPACE: Final = re.compile(r"[\s/\\]+|(?=\+)")
_SPACE_OR_DASH: Final = re.compile(r"[\s/\\-]+|(?=\+)")
_WORDS: Final = re.compile(r"(?<=[\d)])[\s.:(]+[^\W\d_][^\d+]*?[\s.:)]+(?=[\d+(])")
_MAX_TOKENS: Final = 100
MAX_GROUPS: Final = 8  # in which one number is written
# Digits of a number that is told from its neighbour without a separator that always separates: those of the
# shortest and the longest possible number in the metadata, country code included.
MIN_DIGITS: Final = 6
MAX_DIGITS: Final = 19


def _read(candidate: str, reader: _Reader) -> list[Phone | Reason]:
    """Read a candidate: mostly one result, several where separators turn out to separate."""
    if _SCIENTIFIC.fullmatch(candidate):
        return [Reason.PHONE_INVALID]
    if not _has_letter(candidate):
        return _read_digits(candidate, reader)
    if not _digits(candidate):
        return [Reason.PHONE_PLACEHOLDER if _is_placeholder_text(candidate) else Reason.PHONE_INVALID]
    return _read_worded(candidate, reader)


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


_CORE: Final = re.compile(r"([\d+].*\d|\d)", re.DOTALL)


def _read_worded(candidate: str, reader: _Reader) -> list[Phone | Reason]:
    """Read a candidate that holds letters and digits; letters among or touching the digits are refused."""
    before, core, after = _CORE.split(candidate, maxsplit=1)
    if before[-1:].isalpha() or after[:1].isalpha():
        return [Reason.PHONE_HAS_LETTERS]
    if _has_letter(core):
        return _read_list(candidate, core, reader)
    results = _read_digits(core, reader)
    if _has_letter(after) and (
        results == [Reason.PHONE_INVALID] or reader.parse(candidate, reader.region) not in {None, *results}
    ):
        return [Reason.PHONE_HAS_LETTERS]
    return results


def _read_list(candidate: str, core: str, reader: _Reader) -> list[Phone | Reason]:
    """Read numbers that slashes or words separate: 'Asha 98765 43210 / Ravi 98765 43211'."""
    parts = _alphanumeric(_SLASH.split(candidate))
    if len(parts) > 1:
        return [result for part in parts for result in _read(part, reader)]
    numbers = _WORDS.split(core)
    if len(numbers) > 1 and all(_is_number(number, reader) for number in numbers):
        return [result for number in numbers for result in _read_digits(number, reader)]
    return [Reason.PHONE_HAS_LETTERS]


def _alphanumeric(parts: Iterable[str]) -> list[str]:
    return [part.strip(" /\\") for part in parts if any(map(str.isalnum, part))]


def _read_digits(candidate: str, reader: _Reader) -> list[Phone | Reason]:
    """Read a candidate without letters: one number, or several that space, slash, dash or plus separate."""
    candidate = _integer(candidate)
    parts = [_integer(part) for part in _alphanumeric(_MARKED.split(candidate))]
    if len(parts) > 1 and all(_is_number(part, reader) for part in parts):
        return [_judge(part, reader) for part in parts]
    if reader.parse(candidate, reader.region) is None:
        if numbers := _partition(candidate, reader):
            return [_judge(number, reader) for number in numbers]
        slashed = _alphanumeric(_SLASH.split(candidate))
        if len(slashed) > 1:
            return [result for part in slashed for result in _read_digits(part, reader)]
    return [_judge(candidate, reader)]


def _integer(text: str) -> str:
    match = _FLOAT.fullmatch(text)
    return match[1] if match else text


def _judge(candidate: str, reader: _Reader) -> Phone | Reason:
    phone = reader.parse(candidate, reader.region)
    if _is_placeholder(phone, _digits(candidate), reader.region):
        return Reason.PHONE_PLACEHOLDER
    return phone or Reason.PHONE_INVALID


def _is_number(text: str, reader: _Reader) -> bool:
    """Tell whether `text` is a number, of a length that makes this no accident."""
    digits = _digits(text)
    if "+" in text.lstrip(" ().-")[1:] or not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return False
    return reader.parse(text, reader.region) is not None or digits in VALID_PLACEHOLDERS


def _partition(candidate: str, reader: _Reader) -> tuple[str, ...]:
    """Cut at spaces and pluses, else at dashes too, into parts that are all numbers; () if that cannot be."""
    numbers = _cut(_SPACE.split(candidate), reader)
    return numbers if numbers or "-" not in candidate else _cut(_SPACE_OR_DASH.split(candidate), reader)


def _cut(pieces: list[str], reader: _Reader) -> tuple[str, ...]:
    """German numbers may have nearly any length: '030/2345679 0171' would be one, and leave half of the next,
    but for the 0 with which each begins."""
    tokens = [piece for piece in pieces if piece]
    if not 2 <= len(tokens) <= _MAX_TOKENS:
        return ()
    begins = [token.lstrip("(").startswith(("0", "+")) for token in tokens]
    alike = _cut_before(tokens, begins, reader) if begins[0] else ()
    return alike or _cut_before(tokens, [True] * len(tokens), reader)


def _cut_before(tokens: list[str], begins: list[bool], reader: _Reader) -> tuple[str, ...]:
    """The numbers that tokens are, the longest first; only where `begins` says so may one begin."""
    before = list(accumulate((len(_digits(token)) for token in tokens), initial=0))  # digits, of each token
    if before[-1] < 2 * MIN_DIGITS:
        return ()
    tails: dict[int, tuple[str, ...]] = {len(tokens): ()}  # from each token on, where the rest can be cut
    for start in reversed(range(len(tokens))):
        if not begins[start]:
            continue
        for end in range(min(start + MAX_GROUPS, len(tokens)), start, -1):
            if end not in tails or before[end] - before[start] < MIN_DIGITS:
                continue
            number = _integer(" ".join(tokens[start:end]))
            if _is_number(number, reader):
                tails[start] = (number, *tails[end])
                break
    return tails.get(0, ())
