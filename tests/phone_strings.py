"""Telephone numbers of all the world in many notations, right and wrong: the same ones for the same seed.

Made from the example numbers in the metadata of `phonenumbers`, which has one for every region and type of
line: digits changed, cut and added; written as people write them in and out of the country; with
extensions, letters and digits of other scripts. Used by the tests and by the benchmark.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType

# Some share a country code.
REGIONS = ("IN", "US", "GB", "DE", "BR", "IT", "AR", "MX", "RU", "CA", "KZ", "GG")
_HOME_SHARE = 0.5  # of the strings are numbers of the region in which they are read
_INTERNATIONAL_PREFIXES = ("00", "011", "0011", "810", "8~10", "001", "+00", "0014", "119", "++")


def phone_strings(count: int, seed: int) -> list[tuple[str, str]]:
    """Return `count` pairs of a text and the region in which to read it."""
    rng = random.Random(seed)
    return [_phone_string(rng, rng.choice(REGIONS)) for _ in range(count)]


def _phone_string(rng: random.Random, region: str) -> tuple[str, str]:
    home = rng.random() < _HOME_SHARE
    number = rng.choice(_examples(region) if home else _world())
    code, significant = str(number.country_code), phonenumbers.national_significant_number(number)
    notation = rng.choice(_HOME_NOTATIONS if home else _NOTATIONS)
    text = notation(rng, number, code, _mutated(rng, significant))
    return _decorated(rng, text), region


@cache
def _examples(region: str) -> list[PhoneNumber]:
    numbers = (phonenumbers.example_number_for_type(region, line) for line in PhoneNumberType.values())
    return [number for number in numbers if number is not None]


@cache
def _world() -> list[PhoneNumber]:
    regional = [number for region in sorted(phonenumbers.SUPPORTED_REGIONS) for number in _examples(region)]
    codes = sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    worldwide = (phonenumbers.example_number_for_non_geo_entity(code) for code in codes)
    return regional + [number for number in worldwide if number is not None]


# --- digits -------------------------------------------------------------------------------------


def _mutated(rng: random.Random, digits: str) -> str:
    """Change the digits: mostly the last ones, so that many numbers stay valid."""
    kind = rng.random()
    if kind < 0.1:
        return digits
    if kind < 0.7:
        kept = rng.randrange(len(digits))
        return digits[:kept] + "".join(rng.choices("0123456789", k=len(digits) - kept))
    if kind < 0.8:
        return digits[: rng.randrange(1, len(digits) + 1)]
    if kind < 0.9:
        return digits + "".join(rng.choices("0123456789", k=rng.randrange(1, 6)))
    at = rng.randrange(len(digits))
    return digits[:at] + rng.choice("0123456789") + digits[at + 1 :]


# --- notations ----------------------------------------------------------------------------------

_Notation = Callable[[random.Random, PhoneNumber, str, str], str]


def _international(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return f"+{code}{digits}"


def _grouped(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return f"+{code}{rng.choice([' ', '-', '.', ' (0) ', ' (0)', ' 0', ')'])}{_punctuated(rng, digits)}"


def _formatted(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    if not digits.isascii() or len(digits) > 15:
        return digits
    changed = PhoneNumber(
        country_code=number.country_code,
        national_number=int(digits),
        italian_leading_zero=digits.startswith("0") or None,
    )
    forms = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.RFC3966)
    return phonenumbers.format_number(changed, rng.choice(forms))


def _dialled(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return (
        f"{rng.choice(_INTERNATIONAL_PREFIXES)}{rng.choice(['', ' ', '-'])}{code}{_punctuated(rng, digits)}"
    )


def _bare(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return digits


def _punctuated_bare(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return _punctuated(rng, digits)


def _with_code(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    return f"{code}{rng.choice(['', '', ' ', '-', '0', ' (0)'])}{digits}"


def _with_prefix(rng: random.Random, number: PhoneNumber, code: str, digits: str) -> str:
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    metadata = PhoneMetadata.metadata_for_region(region)
    prefix = (metadata and metadata.national_prefix) or rng.choice("018")
    return (
        f"{rng.choice([prefix, prefix, prefix * 2, '0', '1', '8', '0' + prefix])}{_punctuated(rng, digits)}"
    )


_NOTATIONS: tuple[_Notation, ...] = (
    *(_international, _international, _grouped, _grouped, _formatted),
    *(_dialled, _bare, _with_code, _with_prefix),
)
_HOME_NOTATIONS: tuple[_Notation, ...] = (*_NOTATIONS, _bare, _punctuated_bare, _with_prefix, _with_code)


def _punctuated(rng: random.Random, digits: str) -> str:
    mark = rng.choice(["", " ", "-", ".", " - ", "  ", "/", ")", "(", "\u00a0", "~", "*", "_"])
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(digits) + 1)
        digits = digits[:at] + mark + digits[at:]
    return digits


# --- what else stands in the field ----------------------------------------------------------------


def _decorated(rng: random.Random, text: str) -> str:
    kind = rng.random()
    if kind < 0.75:
        return text
    extension = "".join(rng.choices("0123456789", k=rng.randrange(1, 9)))
    mark = rng.choice([" x", "x", " ext. ", " extn ", "#", ",,", ";", " anexo ", "~", " - "])
    at = rng.randrange(len(text) + 1)
    return rng.choice(
        [
            f" {text} ",
            f"({text})",
            f"Tel: {text}",
            f"tel:{text};ext={extension}",
            f"{text};phone-context=+91",
            f"{text}{mark}{extension}",
            text[:at] + rng.choice(["A", "ABC", "x", "FLOWERS", "é", "+", "\x00", "\u200b"]) + text[at:],
            text.translate({ord("0") + digit: chr(0x0966 + digit) for digit in range(10)}),
            text.translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)}),
            f"{text}.",
            f"-{text}",
            f"{text}/{text}",
            f"{text} {text}",
            f"{text}.0",
        ]
    )
