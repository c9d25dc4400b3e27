"""Trying again: what is, how often and how long apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledgerline.databases.retry import patiently
from ledgerline.errors import (
    Cancelled,
    DatabaseUnreachable,
    LedgerlineError,
    LoginRefused,
    TransientFault,
)


class Work:
    """Fails with these errors, one after the other, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.done = 0

    def __call__(self) -> str:
        self.done += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


@pytest.mark.parametrize("kind", [TransientFault, DatabaseUnreachable])
def test_what_may_pass_is_tried_again(kind: type[LedgerlineError]) -> None:
    work, pauses = Work(kind("once"), kind("twice")), list[float]()
    assert patiently(work, 3, 100, sleep=pauses.append) == "done"
    assert (work.done, len(pauses)) == (3, 2)


@pytest.mark.parametrize("error", [LoginRefused("no"), Cancelled("stop"), ValueError("never")])
def test_nothing_else_is(error: Exception) -> None:
    work = Work(error)
    with pytest.raises(type(error)):
        patiently(work, 3, 100, sleep=_never)
    assert work.done == 1


def _never(_seconds: float) -> None:
    raise AssertionError("It slept.")


def test_after_the_last_try_the_error_is_raised_and_tried_by_nobody_else() -> None:
    work = Work(*(TransientFault(f"{n}") for n in range(10)))

    def inner() -> str:
        return patiently(work, 2, 1, sleep=lambda _: None)

    with pytest.raises(TransientFault, match="2") as caught:
        patiently(inner, 5, 1, sleep=_never)
    assert caught.value.given_up
    assert work.done == 3


def test_pauses_are_random_below_a_bound_that_doubles() -> None:
    longest = [max(pause[n] for pause in _pauses(200)) for n in range(4)]
    shortest = [min(pause[n] for pause in _pauses(200)) for n in range(4)]
    for n, (least, most) in enumerate(zip(shortest, longest, strict=True)):
        assert least < 0.2 * 2**n
        assert 0.7 * 2**n < most <= 2**n


def _pauses(times: int) -> list[list[float]]:
    def one() -> list[float]:
        slept = list[float]()
        patiently(Work(*(TransientFault("") for _ in range(4))), 4, 1_000, sleep=slept.append)
        return slept

    return [one() for _ in range(times)]


def test_a_pause_may_stop_it() -> None:
    def stop(_seconds: float) -> None:
        raise Cancelled("stop")

    work: Callable[[], str] = Work(TransientFault("once"))
    with pytest.raises(Cancelled):
        patiently(work, 3, 100, sleep=stop)
