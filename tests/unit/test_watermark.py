"""Watermarks as values: what is kept of them, what is cut off, when one is worth nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ledgerline.sources.watermark import (
    Clock,
    Mark,
    Watermark,
    moment,
    time_mark,
    version_mark,
    went_back,
)

NOON = datetime.fromisoformat("2026-03-01 12:00:00")


def clock(version: str | None = None) -> Clock:
    return Clock(NOON, NOON, version, None)


def test_a_watermark_survives_being_text() -> None:
    marks = {"contacts": Mark("0x00000000000007D1"), "customers": Mark(NOON.isoformat(), -3600.5)}
    watermark = Watermark(NOON, frozenset({"3/17", "801"}), marks, unique=True)
    assert Watermark.parse(watermark.text()) == watermark
    assert Watermark.parse(None) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-03-01T12:00:00.1234569", "2026-03-01T12:00:00.123456"),  # cut off: never behind what it says
        ("2026-03-01 17:30:00.5+05:30", "2026-03-01T12:00:00.500000"),
        ("2026-03-01 12:00:00+00", "2026-03-01T12:00:00"),
        ("infinity", None),
        ("31/12/2025", None),
        (None, None),
    ],
)
def test_moments(text: str | None, read: str | None) -> None:
    known = moment(text)
    assert (known and known.isoformat()) == read


def test_a_counter_that_went_back_is_another_database() -> None:
    before = version_mark(clock("0x00000000000007D1"))
    assert went_back(clock("0x00000000000007D0"), before)
    assert not went_back(clock("0x00000000000007D1"), before)
    assert not went_back(clock("0x0000000000001000"), before)


def test_a_moment_is_no_counter() -> None:
    assert not went_back(clock("0x00000000000007D1"), Mark(NOON.isoformat(), 0.0))
    assert not went_back(clock(), Mark("0x00000000000007D1"))
    assert not went_back(clock("0x00000000000007D1"), None)


def test_a_server_that_tells_of_no_counter_gives_no_mark() -> None:
    assert version_mark(clock()).base is None


@pytest.mark.parametrize("every", [timedelta(minutes=20), timedelta(hours=5)])
def test_a_clock_in_another_zone_that_goes_back_in_autumn_loses_nothing(every: timedelta) -> None:
    """New York's, seen from a server in UTC: what was written since a run is where the next reads from on."""
    summer, winter, since_written = timedelta(hours=-4), timedelta(hours=-5), timedelta(minutes=1)
    now = datetime.fromisoformat("2026-10-31 12:00:00")
    mark = time_mark(Clock(now, now, None, None), now, now + summer - since_written, None)
    for _ in range(6):
        now += timedelta(days=2)
        mark = time_mark(Clock(now, now, None, None), now, now + winter - since_written, mark)
        assert mark.base is not None
        assert datetime.fromisoformat(mark.base) <= now + winter
        now += every


def test_a_clock_that_is_nearly_the_server_s_costs_no_hour() -> None:
    newest = NOON - timedelta(minutes=5)
    assert time_mark(Clock(NOON, NOON, None, None), NOON, newest, None).base == newest.isoformat()
