"""What a row holds as `contact_no`."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from ledgerline.sources.sample import words
from ledgerline.sources.sample.chance import Dice, Hashes, Ints, choice_of, wheel_of
from ledgerline.sources.sample.columns import edited, either, optional, spread, together
from ledgerline.sources.sample.people import (
    AGAIN,
    DESK,
    INVALID,
    JUNK,
    MOBILE,
    SECOND_MOBILE,
    SLIPS,
    WITHOUT_COUNTRY,
    Rows,
)
from ledgerline.sources.sample.places import SERIAL_BITS, known_places, phone_number


class _Formats(NamedTuple):
    """All notations of numbers in one list."""

    wheel: Ints  # (kind, slot) → notation
    lead: pl.Series  # by notation and country code
    cuts: Ints  # (notation, 2): where the digits are parted; 0 is behind the area code
    gaps: tuple[pl.Series, pl.Series]  # what stands there


_NOWHERE = 99


@cache
def _formats() -> _Formats:
    lists = (words.INDIAN_MOBILES, words.INDIAN_DESKS, words.FOREIGN_NUMBERS, words.DOMESTIC_NUMBERS)
    kinds = [choice_of(entries) for entries in lists]
    every = [_notation(text) for kind in kinds for text in kind.texts]
    starts = np.cumsum([0, *(len(kind.texts) for kind in kinds)])
    wheels = [
        start + wheel_of(np.diff(kind.edges, prepend=0.0), 1024)
        for start, kind in zip(starts[:-1], kinds, strict=True)
    ]
    return _Formats(
        wheel=np.stack(wheels),
        lead=pl.Series([lead.replace("C", code) for lead, _, _ in every for code in known_places().codes]),
        cuts=np.asarray([cuts for _, cuts, _ in every]),
        gaps=(pl.Series([gaps[0] for _, _, gaps in every]), pl.Series([gaps[1] for _, _, gaps in every])),
    )


def _notation(text: str) -> tuple[str, list[int], list[str]]:
    """What stands before the digits, where they are cut, and what stands there: from `+C {5}-{*}`."""
    lead, *groups = re.split(r"[{}]", text)
    sizes, gaps = groups[0:-2:2], groups[1:-2:2]
    cuts: list[int] = []
    for size in sizes:
        known = 0 if size == "a" else int(size)
        cuts.append(known if not cuts or cuts[-1] == 0 else cuts[-1] + known)
    return lead, [*cuts, _NOWHERE, _NOWHERE][:2], [*gaps, "", ""][:2]


@cache
def _number_order() -> Ints:
    """By what a field shows (and 16 for the desk first): its numbers in order, 0 for no more."""
    order = np.zeros((32, 3), dtype=np.int64)
    bits = ((_FIRST, MOBILE), (_SECOND, SECOND_MOBILE), (_AT_DESK, DESK), (_FIRST, AGAIN))
    for shown in range(32):
        numbers = [number for number, bit in bits if shown & bit][:3]
        order[shown, : len(numbers)] = sorted(numbers, key=lambda n: n != _AT_DESK) if shown & 16 else numbers
    return order


_FIRST, _SECOND, _AT_DESK = 1, 2, 3  # the numbers that a row may show


def phone_column(rows: Rows) -> pl.Series:
    dice, key, shown = rows.dice, rows.key, rows.fields.phone
    desk_first = np.where(dice.hits("desk first", key, 0.25), 16, 0)
    numbers = _number_order()[(shown & 15) | desk_first]
    separators = choice_of("36 , |20 / |14 /|12 ,|8 ; |4 ;|4 \n|2  & |3  or |4   |2  - ")
    phone = _labelled(rows, _dialled(rows, numbers[:, 0], 0, rows.fields.phone_slip))
    for which in (1, 2):
        chosen = numbers[:, which] > 0
        part = rows.only(chosen)
        more = _dialled(part, numbers[chosen, which], which, np.zeros_like(part.key))
        phone = together(phone, spread(together(dice.text("phones", part.key, separators), more), chosen))
    phone = either((shown & JUNK) > 0, dice.text("phone junk", key, choice_of(words.PHONE_JUNK)), phone)
    phone = either((shown & INVALID) > 0, _invalid_number(rows), phone)
    empty = either(dice.hits("null phone", key, 0.6), None, dice.text("empty", key, choice_of("4 |1  ")))
    phone = either(shown == 0, empty, phone)
    return edited(phone, dice.hits("other digits", key, 0.002), key.astype(np.uint64), _in_other_digits)


def _dialled(rows: Rows, number: Ints, which: int, slip: Ints) -> pl.Series:
    """A first or second mobile or a desk's number, as somebody wrote it."""
    world, dice, places, formats = rows.world, rows.dice, known_places(), _formats()
    desk = number == _AT_DESK
    place = np.where(desk, world.companies.place(rows.company), world.place(rows.person))
    desk_serial = dice.below("desk", rows.company, 1 << SERIAL_BITS)
    mobile = np.where(number == _SECOND, world.mobile(rows.person, 1), world.mobile(rows.person, 0))
    digits = pl.Series(np.where(desk, phone_number(places.desk, place, desk_serial), mobile)).cast(pl.String)
    foreign = places.code[place] != places.codes.index(words.INDIA_CODE)
    kind = np.where(foreign, 2, desk.astype(np.int64))
    kind = np.where(foreign & (slip == WITHOUT_COUNTRY), 3, kind)
    form = formats.wheel[kind, dice.below(f"format {which}", rows.key, 1024)]
    area = np.where(desk, places.desk.area[place], places.mobile.area[place])
    digits = edited(digits, (slip > 0) & (slip <= SLIPS), with_low_digit(dice, rows.key, slip), _with_slip)
    first, second = formats.cuts[form].T
    second = np.where((first == 0) & (second < _NOWHERE), area + second, second)
    first = np.where(first == 0, area, first)
    parts = pl.DataFrame({"digits": digits, "first": first, "second": second}).select(
        one=pl.col("digits").str.slice(0, "first"),
        two=pl.col("digits").str.slice("first", pl.col("second") - pl.col("first")),
        three=pl.col("digits").str.slice("second"),
    )
    lead = formats.lead.gather(form * len(places.codes) + places.code[place])
    gaps = [gap.gather(form) for gap in formats.gaps]
    return together(lead, parts["one"], gaps[0], parts["two"], gaps[1], parts["three"])


def with_low_digit(dice: Dice, key: Ints, digit: Ints) -> Hashes:
    """Chance whose last decimal digit says which slip it is to be."""
    return dice.roll("slip", key) // np.uint64(100) * np.uint64(10) + digit.astype(np.uint64)


def _with_slip(digits: str, chance: int) -> str:
    at = 2 + chance // 10 % (len(digits) - 2)
    other = str((int(digits[at]) + 1 + chance // 1000 % 9) % 10)
    slips = (
        digits[:at] + other + digits[at + 1 :],
        digits[:at] + digits[at + 1 :],
        digits[:at] + other + digits[at:],
        digits.replace("0", "O", 1) if "0" in digits else digits[:-1] + "l",
        digits + ".0" if chance % 20 < 10 else f"{float(digits):.5E}",
    )
    return slips[chance % 10 - 1]


def _labelled(rows: Rows, number: pl.Series) -> pl.Series:
    dice, key = rows.dice, rows.key
    desk_only = rows.fields.phone == DESK
    extension = together(
        dice.text("ext", key, choice_of(words.EXTENSIONS)),
        pl.Series(dice.below("extension", key, 890) + 10).cast(pl.String),
    )
    return together(
        optional(dice.text("label", key, choice_of(words.PHONE_LABELS)), dice.hits("labelled", key, 0.04)),
        number,
        optional(extension, desk_only & dice.hits("has extension", key, 0.15)),
        optional(
            dice.text("phone tail", key, choice_of(words.PHONE_TAILS)), dice.hits("phone tailed", key, 0.02)
        ),
    )


def _invalid_number(rows: Rows) -> pl.Series:
    """Nine digits, eleven digits, or ten that no mobile begins with."""
    dice, key = rows.dice, rows.key
    lowest = np.asarray([600_000_000, 20_000_000_000, 1_100_000_000])[dice.below("invalid kind", key, 3)]
    return pl.Series(lowest + dice.below("invalid", key, 1 << 28)).cast(pl.String)


_OTHER_DIGITS = tuple(
    str.maketrans("0123456789", digits) for digits in ("०१२३४५६७८९", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９")
)


def _in_other_digits(text: str, chance: int) -> str:
    return text.translate(_OTHER_DIGITS[(0, 0, 0, 1, 2)[chance % 5]])
