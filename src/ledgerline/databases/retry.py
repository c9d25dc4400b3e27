"""Trying again after a fault that passes by itself, longer and longer apart; never after a refused login."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from ledgerline.errors import LedgerlineError

_log = logging.getLogger(__name__)
_LONGEST_SECONDS = 60.0

T = TypeVar("T")


def patiently(
    work: Callable[[], T], retries: int, delay_ms: int, *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """The result of `work`, which may be done any number of times.

    The pauses are random between nothing and twice the longest one before (full jitter), so that many who
    wait for one server do not come back all at once. What was tried so often is not tried again by whoever
    called: the error says that it is given up.
    """
    again = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(retries + 1),
        wait=wait_random_exponential(multiplier=delay_ms / 1000, max=_LONGEST_SECONDS),
        sleep=sleep,
        before_sleep=_tell,
        reraise=True,
    )
    try:
        return again(work)
    except LedgerlineError as error:
        error.given_up = True
        raise


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, LedgerlineError) and error.retryable and not error.given_up


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, LedgerlineError) and state.next_action is not None:
        _log.warning("%s Trying again in %.1f s.", error.detail, state.next_action.sleep)
