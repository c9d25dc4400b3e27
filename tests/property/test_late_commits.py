"""Whoever commits when: what was committed before a run began is in the main database after it.

Once on a model of a server that tells of its transactions, with any of them open for any time; once on real
databases that do not tell, with writers that are late by less than the overlap and clocks of any kind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.house import Installation, contact

from ledgerline.sources.watermark import Clock, Mark, Watermark, certain_until, time_mark

EPOCH = datetime.fromisoformat("2026-03-01 12:00:00")


def at(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


# -- a model of a server ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Writer:
    """A transaction whose row has the time of its beginning, on the column's clock."""

    name: str
    begins: int
    lasts: int

    @property
    def ends(self) -> int:
        return self.begins + self.lasts


@dataclass
class Model:
    """A table, read by runs of which each looks at the clock, waits a while, and then reads."""

    writers: list[Writer]
    clock_ahead: int  # seconds that the column's clock is ahead of the server's
    zone: int  # seconds that the server's own zone is ahead of UTC
    watermark: Watermark | None = None
    read: set[str] = field(default_factory=set)

    def run(self, begins: int, waits: int) -> None:
        first, last = self._clock(begins), self._clock(begins + waits)
        newest = max((self._time(w) for w in self.writers if w.ends <= begins), default=None)
        since = None if self.watermark is None else self.watermark.marks["t"]
        for writer in self.writers:
            if writer.ends <= begins + waits and _is_read(self._time(writer), since):
                self.read.add(writer.name)
        mark = time_mark(last, certain_until(first, last, self.watermark), newest, since)
        text = Watermark(first.utc, first.open or frozenset(), {"t": mark}).text()
        self.watermark = Watermark.parse(text)

    def committed(self, second: int) -> set[str]:
        return {writer.name for writer in self.writers if writer.ends <= second}

    def _clock(self, second: int) -> Clock:
        open_now = frozenset(w.name for w in self.writers if w.begins <= second < w.ends)
        return Clock(at(second), at(second + self.zone), None, open_now)

    def _time(self, writer: Writer) -> datetime:
        return at(writer.begins + self.clock_ahead)


def _is_read(time: datetime, since: Mark | None) -> bool:
    return since is None or since.base is None or time >= datetime.fromisoformat(since.base)


@st.composite
def models(draw: st.DrawFn) -> Model:
    spans = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=12))
    writers = [Writer(f"w{number}", begins, lasts) for number, (begins, lasts) in enumerate(spans)]
    zone = draw(st.sampled_from((0, 19_800, -18_000)))
    # The column's clock: UTC, the server's zone, or somebody's who is behind both.
    ahead = draw(st.sampled_from((0, zone, min(0, zone) - 28_800)))
    return Model(writers, ahead, zone)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    model=models(), runs=st.lists(st.tuples(st.integers(1, 90), st.integers(0, 20)), min_size=2, max_size=8)
)
def test_no_commit_is_lost_without_any_overlap(model: Model, runs: list[tuple[int, int]]) -> None:
    second = 0
    for pause, waits in runs:
        second += pause
        model.run(second, waits)
        assert model.committed(second) <= model.read
        second += waits
    end = max([second, *(writer.ends for writer in model.writers)]) + 1
    model.run(end, 0)
    assert model.read == {writer.name for writer in model.writers}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(model=models())
def test_a_server_that_is_quiet_is_not_read_again(model: Model) -> None:
    end = max(writer.ends for writer in model.writers)
    model.run(end + 1, 0)
    model.run(end + 2, 0)
    model.run(end + 100_000, 0)
    assert model.watermark is not None
    base = model.watermark.marks["t"].base
    assert base is not None
    assert datetime.fromisoformat(base) > max(model._time(writer) for writer in model.writers)


# -- real databases --------------------------------------------------------------------------------------

OVERLAP = 600
NAMES = ("Asha Rao", "Bram de Vries", "Cara Lind", "Dara Singh", "Eva Novak", "test")

commits = st.tuples(
    st.integers(1, 6),  # which row
    st.sampled_from(NAMES),
    st.sampled_from(("N", "N", "N", "Y")),
    st.integers(0, OVERLAP - 60),  # seconds between the time that it has and its commit
)
steps = st.lists(st.one_of(commits, st.just("run")), min_size=3, max_size=12)


def installations(ahead: int) -> Iterator[tuple[Installation, timedelta]]:
    with tempfile.TemporaryDirectory() as folder:
        house = Installation("sqlite", Path(folder), INVOICE_OVERLAP="10m")
        column = sa.Column("updated_at", sa.DateTime, index=True)
        house.write_invoice([], further=[column])
        yield house, timedelta(seconds=ahead)


@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, ahead=st.sampled_from((0, 19_800, -28_800)))
def test_writers_that_are_late_by_less_than_the_overlap(
    steps: list[tuple[int, str, str, int] | str], ahead: int
) -> None:
    for house, clock_ahead in installations(ahead):
        truth: dict[int, tuple[str, str]] = {}
        # So that the column's clock is known: a row of right now, on that clock.
        house.add({**contact(99, "Zoe Zero", email="zoe@zero.example"), "updated_at": _now(clock_ahead, 0)})
        house.ingest()
        for step in [*steps, "run"]:
            if isinstance(step, str):
                run = house.ingest()
                assert run.since is not None
                _compare(house, truth)
            else:
                key, name, deleted, late = step
                _commit(house, key, name, deleted, _now(clock_ahead, late), known=key in truth)
                truth[key] = (name, deleted)


def _now(ahead: timedelta, late: int) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) + ahead - timedelta(seconds=late)


def _commit(house: Installation, key: int, name: str, deleted: str, moment: datetime, *, known: bool) -> None:
    values = {"contact_person_name": name, "del_sts": deleted, "updated_at": moment}
    if known:
        house.update(key, **values)
    else:
        house.add({**contact(key, None, email=f"p{key}@person{key}.example"), **values})


def _compare(house: Installation, truth: dict[int, tuple[str, str]]) -> None:
    """Every live row is there as it is now; one with a name that rejects it keeps its last good values."""
    live = {
        row["source_record_id"]: row["name"]
        for row in house.table("source_records")
        if row["is_live"] and row["source_record_id"] != "99"
    }
    wanted = {str(key): name for key, (name, deleted) in truth.items() if deleted == "N" and name != "test"}
    rejected = {str(key) for key, (name, deleted) in truth.items() if deleted == "N" and name == "test"}
    assert {key: name for key, name in live.items() if key not in rejected} == wanted
