"""What a run is to read: everything, or what changed since the last one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledgerline.databases.runs import Run, SourceState
from ledgerline.errors import WithdrawalBreaker
from ledgerline.sources import Reading, Source


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. By default a run reads what changed, where that can be known."""

    full: bool = False  # read everything
    reconcile: bool = False  # compare the keys, to find rows that were deleted
    reconcile_every: timedelta = timedelta(hours=24)
    accept_withdrawals: bool = False  # however many
    withdrawal_breaker: float = 0.2  # share of the live records


@dataclass(frozen=True, slots=True)
class Scope:
    """What one run reads, and whether it finds rows that were deleted."""

    reading: Reading
    reconciles: bool


def scope(
    source: Source, state: SourceState | None, latest: Run | None, wanted: Wanted, now: datetime
) -> Scope:
    """
    state   how the source was left by its last successful run
    latest  its last run, whatever became of it
    now     UTC
    """
    reconciles = wanted.reconcile or wanted.accept_withdrawals or _is_due(state, wanted, now)
    goes_on = state is not None and state.layout == source.layout and not wanted.full
    # Which of several rows with one key is gone, keys alone do not tell.
    goes_on = goes_on and (not reconciles or source.unique_keys)
    goes_on = goes_on and not (wanted.accept_withdrawals and _stopped_a_full_run(latest))
    reading = source.begin(state.watermark if state is not None and goes_on else None)
    return Scope(reading, reconciles or reading.since is None)


def _is_due(state: SourceState | None, wanted: Wanted, now: datetime) -> bool:
    if state is None or state.reconciled_at is None:
        return True
    return now - state.reconciled_at >= wanted.reconcile_every


def _stopped_a_full_run(latest: Run | None) -> bool:
    return latest is not None and latest.error_code == WithdrawalBreaker.code and latest.since is None


def is_still_wanted(left: Run, source: Source, rules: str, wanted: Wanted) -> bool:
    """Whether a run that was left unfinished can be gone on with as it was begun."""
    reads_enough = left.since is None or not wanted.full
    finds_enough = left.reconciles or not (wanted.reconcile or wanted.accept_withdrawals)
    return left.rules == rules and left.layout == source.layout and reads_enough and finds_enough
