"""How long a reader rests after a range that took long."""

from __future__ import annotations

import pytest

from ledgerline.ingest.pace import Pace, rest


@pytest.mark.parametrize(
    ("took", "usual", "seconds"),
    [
        (0.4, 0.01, 0.0),  # over too soon to disturb anybody
        (1.0, 0.6, 0.0),  # within twice the usual
        (3.0, 1.0, 2.0),  # what it took beyond the usual
        (500.0, 1.0, 10.0),  # no longer than this
    ],
)
def test_rest(took: float, usual: float, seconds: float) -> None:
    assert rest(took, usual) == seconds


def test_what_is_usual_is_learned_by_the_row() -> None:
    pace = Pace()
    assert pace.noted(5.0, 50_000) == 0.0  # the first one tells what is usual
    assert pace.noted(1.0, 10_000) == 0.0
    assert pace.noted(4.0, 10_000) == pytest.approx(3.0)
    assert [pace.noted(4.0, 10_000) for _ in range(6)][-1] == 0.0  # so slow always: that is usual now


def test_few_rows_are_no_measure() -> None:
    pace = Pace()
    pace.noted(1.0, 10_000)
    assert pace.noted(0.45, 1) == 0.0
    assert pace.noted(2.0, 1) == pytest.approx(2.0 - (0.1 + 0.45) / 2)
