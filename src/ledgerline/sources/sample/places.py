"""Places, and their telephone numbers."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Floats, Ints, edges_of, wheel_of
from ledgerline.sources.sample.lexicon import CULTURE_NUMBER


class _Lines(NamedTuple):
    """Number ranges by place: a prefix, then random digits."""

    prefixes: Ints  # (place, which), the first ones repeated where a place has fewer
    counts: Ints  # how many it has
    digits: Ints  # that follow
    area: Ints  # how many leading digits are written apart


class _Places(NamedTuple):
    edges: Floats
    code: Ints  # index of `codes`
    codes: list[str]
    culture: Ints  # (place, slot) → culture
    mobile: _Lines
    desk: _Lines
    forms: Ints  # (place, slot) → index of `form_texts`
    form_texts: pl.Series


PLACE_SLOTS = 256
_INDIAN_SHARE = 0.82


@cache
def known_places() -> _Places:
    cities = [_city(line) for line in words.CITIES.split("\n") if line]
    abroad = [_country(line) for line in words.COUNTRIES.split("\n") if line]
    everywhere = cities + abroad
    codes = sorted({place.code for place in everywhere})
    forms: list[str] = list(dict.fromkeys(form for place in everywhere for form, _ in place.forms))
    weights = [_INDIAN_SHARE * p.weight / sum(c.weight for c in cities) for p in cities]
    weights += [(1 - _INDIAN_SHARE) * p.weight / sum(c.weight for c in abroad) for p in abroad]
    return _Places(
        edges=edges_of(weights),
        code=np.asarray([codes.index(place.code) for place in everywhere], dtype=np.int64),
        codes=codes,
        culture=np.stack([_slots({CULTURE_NUMBER[c]: w for c, w in p.cultures}) for p in everywhere]),
        mobile=_lines([(place.mobile, 5 if place.code == words.INDIA_CODE else 2) for place in everywhere]),
        desk=_lines([(place.desk, place.area) for place in everywhere]),
        forms=np.stack([_slots({forms.index(f): w for f, w in place.forms}) for place in everywhere]),
        form_texts=pl.Series(forms),
    )


class _Place(NamedTuple):
    weight: float
    code: str
    mobile: str
    desk: str
    area: int
    cultures: list[tuple[str, float]]
    forms: list[tuple[str, float]]


def _city(line: str) -> _Place:
    weight, area, cultures = line.split()
    desk = f"{area}2,{area}4/{9 - len(area)}"
    forms = [
        (text, float(w)) for w, text in (entry.split(" ", 1) for entry in words.COMPANY_FORMS.split("|"))
    ]
    return _Place(
        float(weight), words.INDIA_CODE, words.INDIA_MOBILE, desk, len(area), _weights(cultures), forms
    )


def _country(line: str) -> _Place:
    weight, code, mobile, desk, cultures, forms = line.split(maxsplit=5)
    return _Place(
        float(weight), code, mobile, desk, 2, _weights(cultures), [(f, 1.0) for f in forms[2:].split("|")]
    )


def _weights(entries: str) -> list[tuple[str, float]]:
    return [(name, float(weight)) for name, weight in (entry.split(":") for entry in entries.split(","))]


def _slots(weights: dict[int, float]) -> Ints:
    return np.asarray(list(weights), dtype=np.int64)[wheel_of(list(weights.values()), PLACE_SLOTS)]


def _lines(ranges: list[tuple[str, int]]) -> _Lines:
    prefixes = [[int(prefix) for prefix in text.split("/")[0].split(",")] for text, _ in ranges]
    most = max(map(len, prefixes))
    return _Lines(
        prefixes=np.asarray([(row * most)[:most] for row in prefixes], dtype=np.int64),
        counts=np.asarray([len(row) for row in prefixes], dtype=np.int64),
        digits=np.asarray([int(text.split("/")[1]) for text, _ in ranges], dtype=np.int64),
        area=np.asarray([area for _, area in ranges], dtype=np.int64),
    )


SERIAL_BITS = 30


def phone_number(lines: _Lines, place: Ints, serial: Ints) -> Ints:
    """The national number of that serial number (below 2**30); in India no two serials give the same."""
    tens: Ints = 10 ** lines.digits[place]
    prefix: Ints = lines.prefixes[place, (serial // tens) % lines.counts[place]]
    return prefix * tens + serial % tens


def scattered(serial: Ints) -> Ints:
    """A permutation of the serial numbers: neighbours get numbers that have nothing in common."""
    mask = (1 << SERIAL_BITS) - 1
    for factor in (0x2545F491, 0x1B873593, 0x0E6546B5):
        serial = (serial * factor + 0x3C6EF35) & mask
        serial ^= serial >> (SERIAL_BITS // 2)
    return serial
