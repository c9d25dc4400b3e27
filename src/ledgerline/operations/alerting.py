"""What is wrong, and what is told of it: decided from what was observed, without any effect.

    observed (databases, runs, backups) ──conditions──► what is wrong now
    what is wrong now + open alerts     ──decide──────► opened, changed, repeated, recovered

A subject has one alert at a time. What could not be observed stays as it is: that nobody can ask the main
database about its runs says nothing about them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ledgerline.databases.alerts import Alert
from ledgerline.databases.runs import Run
from ledgerline.databases.schedules import Fire, Outcome
from ledgerline.errors import LedgerlineError, WithdrawalBreaker
from ledgerline.operations.probe import Status
from ledgerline.settings import AlertSettings

_IDS: Final = uuid.UUID("5b1f4f0e-5c0e-4c8e-9d0b-2d1f6f3a7c11")
LEAST_ROWS: Final = 20  # of a run, below which a share says nothing

BLIND: Final = timedelta(hours=1)  # until it is told that the backups cannot be looked at

SETTLED: Final = timedelta(minutes=1)  # until a database that answers is called slow, or well again


class Kind(StrEnum):
    """docs/alerts.md explains every one."""

    DATABASE_DOWN = "database_down"
    DATABASE_DEGRADED = "database_degraded"
    RUN_FAILED = "run_failed"
    BREAKER = "withdrawal_breaker"
    RUN_STUCK = "run_stuck"
    REJECTS = "many_rejects"
    NO_SUCCESS = "no_successful_run"
    BACKUP_FAILED = "backup_failed"
    NO_BACKUP = "no_proven_backup"


class Change(StrEnum):
    OPENED = "opened"
    CHANGED = "changed"  # it is wrong in another way than before
    REPEATED = "repeated"
    RECOVERED = "recovered"


# -- what was observed ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatabaseSeen:
    """How a database is, and what the doctor says of one that is down."""

    status: Status
    since: datetime
    code: str = ""
    detail: str = ""
    remedy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunsSeen:
    """The runs of one source."""

    system: str
    last: Run | None = None  # the last that succeeded or failed
    last_success: Run | None = None
    at_work: Run | None = None
    unmoved_since: datetime | None = None  # since when its progress is the same
    is_interrupted: bool = False  # nobody works on it
    by_schedule: Fire | None = None  # the last by schedule that succeeded or failed


@dataclass(frozen=True, slots=True)
class BackupsSeen:
    is_known: bool = True  # whether the folder of the backups could be looked at, ever
    last_proven_at: datetime | None = None
    last: Fire | None = None  # the last by schedule that succeeded or failed
    blind_since: datetime | None = None  # since when the folder cannot be looked at
    blind_for: LedgerlineError | None = None  # why


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was observed. None: it could not be. `since`: when the installation began."""

    databases: Mapping[str, DatabaseSeen] = field(default_factory=dict)
    runs: RunsSeen | None = None
    backups: BackupsSeen | None = None
    since: datetime | None = None


# -- what is wrong ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    subject: str
    kind: Kind
    code: str
    title: str
    detail: str
    remedy: tuple[str, ...]
    command: str
    path: str = ""


def conditions(seen: Seen, bounds: AlertSettings, now: datetime) -> list[Condition]:
    """All that is wrong."""
    found = [_database(name, database, now) for name, database in seen.databases.items()]
    if seen.runs is not None:
        found += _runs(seen.runs, seen.since, bounds, now)
    if seen.backups is not None:
        found += _backups(seen.backups, seen.since, bounds, now)
    return [condition for condition in found if condition is not None]


def observed(seen: Seen, now: datetime) -> set[str]:
    """The subjects of which something is known, be it that nothing is wrong.

    A database that comes and goes is one alert, not one each time.
    """
    subjects = {f"database.{name}" for name, database in seen.databases.items() if _is_settled(database, now)}
    if seen.runs is not None:
        subjects |= {f"{about}.{seen.runs.system}" for about in ("run", "stuck", "rejects", "success")}
    if seen.backups is not None:
        is_told = seen.backups.is_known or _is_blind(seen.backups, now)
        subjects |= {"backup.schedule", *(["backup.proven"] if is_told else [])}
    return subjects


def _is_settled(seen: DatabaseSeen, now: datetime) -> bool:
    return seen.status is Status.DOWN or now - seen.since >= SETTLED


def _database(name: str, seen: DatabaseSeen, now: datetime) -> Condition | None:
    if seen.status is Status.UP or not _is_settled(seen, now):
        return None
    is_down = seen.status is Status.DOWN
    return Condition(
        subject=f"database.{name}",
        kind=Kind.DATABASE_DOWN if is_down else Kind.DATABASE_DEGRADED,
        code=seen.code or seen.status.value,
        title=f"The {name} database {'does not answer' if is_down else 'answers slowly'}",
        detail=seen.detail,
        remedy=seen.remedy,
        command=f"ledgerline doctor --database {name}",
        path="/health/database",
    )


def _runs(
    seen: RunsSeen, since: datetime | None, bounds: AlertSettings, now: datetime
) -> Iterator[Condition | None]:
    yield _failed_run(seen)
    yield _stuck_run(seen, bounds, now)
    yield _many_rejects(seen, bounds)
    yield _no_success(seen, since, bounds, now)


def _failed_run(seen: RunsSeen) -> Condition | None:
    run, fire = seen.last, seen.by_schedule
    if fire is not None and _began_nothing(fire) and (run is None or run.started_at < fire.fired_at):
        return _not_begun(seen.system, fire)
    if run is None or run.status != "failed":
        return None
    is_breaker = run.error_code == WithdrawalBreaker.code
    return Condition(
        subject=f"run.{seen.system}",
        kind=Kind.BREAKER if is_breaker else Kind.RUN_FAILED,
        code=run.error_code or "run_failed",
        title=f"Run {run.id} of {seen.system} {'was stopped by the breaker' if is_breaker else 'failed'}",
        detail=run.error_detail or "",
        remedy=_lines(run.error_hint),
        command="ledgerline runs",
        path=f"/ingestion/runs/{run.id}",
    )


def _began_nothing(fire: Fire) -> bool:
    return fire.outcome == Outcome.FAILED and fire.run_id is None


def _not_begun(system: str, fire: Fire) -> Condition:
    return Condition(
        subject=f"run.{system}",
        kind=Kind.RUN_FAILED,
        code=fire.error_code or "run_failed",
        title=f"The run of {system} by schedule could not begin",
        detail=fire.error_detail or "",
        remedy=(*_lines(fire.error_hint), "Find out why: ledgerline doctor"),
        command="ledgerline doctor",
    )


def _stuck_run(seen: RunsSeen, bounds: AlertSettings, now: datetime) -> Condition | None:
    run, since = seen.at_work, seen.unmoved_since
    if run is None or since is None or now - since < bounds.stuck_after:
        return None
    if seen.is_interrupted:
        detail = f"Nobody works on it; it began at {_utc(run.started_at)}."
        remedy: tuple[str, ...] = ("Go on with it: ledgerline ingest",)
    else:
        detail = f"It has not moved since {_utc(since)}."
        remedy = (
            "See where it stands: ledgerline runs --watch",
            "See whether the invoice database is slow or locked: ledgerline doctor --database invoice",
            "Stop it, and go on where it was: ledgerline cancel, then ledgerline ingest",
        )
    return Condition(
        subject=f"stuck.{seen.system}",
        kind=Kind.RUN_STUCK,
        code="run_stuck",
        title=f"Run {run.id} of {seen.system} is stuck",
        detail=detail,
        remedy=remedy,
        command="ledgerline runs --watch",
        path=f"/ingestion/runs/{run.id}",
    )


def _many_rejects(seen: RunsSeen, bounds: AlertSettings) -> Condition | None:
    run = seen.last_success
    if run is None:
        return None
    fetched, rejected = run.counts["fetched"], run.counts["rejected"]
    if fetched < LEAST_ROWS or rejected <= bounds.reject_share * fetched:
        return None
    return Condition(
        subject=f"rejects.{seen.system}",
        kind=Kind.REJECTS,
        code="many_rejects",
        title=f"Run {run.id} of {seen.system} rejected {rejected / fetched:.0%} of its rows",
        detail=f"{rejected:,} of {fetched:,} rows; ALERT_REJECT_SHARE is {bounds.reject_share:g}.",
        remedy=(
            f"See which rows, and why: ledgerline rejects {run.id}",
            "If columns were mixed up: INVOICE_COLUMNS. If the source is wrong, tell its owners.",
        ),
        command=f"ledgerline rejects {run.id}",
        path=f"/ingestion/runs/{run.id}/rejects",
    )


def _no_success(
    seen: RunsSeen, since: datetime | None, bounds: AlertSettings, now: datetime
) -> Condition | None:
    run = seen.last_success
    last = since if run is None else run.finished_at
    if bounds.no_success is None or last is None or now - last <= bounds.no_success:
        return None
    when = "never" if run is None else f"last at {_utc(last)}"
    return Condition(
        subject=f"success.{seen.system}",
        kind=Kind.NO_SUCCESS,
        code="no_successful_run",
        title=f"No run of {seen.system} has succeeded for {_span(bounds.no_success)}",
        detail=f"A run succeeded {when}.",
        remedy=(
            "Run it: ledgerline ingest",
            "See that INGEST_SCHEDULE is set and a service runs: ledgerline status",
        ),
        command="ledgerline runs",
        path="/ingestion/runs",
    )


def _backups(
    seen: BackupsSeen, since: datetime | None, bounds: AlertSettings, now: datetime
) -> Iterator[Condition | None]:
    yield _failed_backup(seen)
    if bounds.no_backup is not None:
        yield _no_backup(seen, since, bounds.no_backup, now) or _unseen_backups(seen, now)


def _is_blind(seen: BackupsSeen, now: datetime) -> bool:
    return seen.blind_since is not None and now - seen.blind_since >= BLIND


def _unseen_backups(seen: BackupsSeen, now: datetime) -> Condition | None:
    """Nobody knows whether there is one."""
    why = seen.blind_for
    if why is None or not _is_blind(seen, now):
        return None
    return Condition(
        subject="backup.proven",
        kind=Kind.NO_BACKUP,
        code=why.code,
        title="The backups cannot be looked at",
        detail=why.public_detail,
        remedy=_lines(why.hint),
        command="ledgerline backup list",
    )


def _no_backup(
    seen: BackupsSeen, since: datetime | None, longest: timedelta, now: datetime
) -> Condition | None:
    last = seen.last_proven_at or since
    if not seen.is_known or last is None or now - last <= longest:
        return None
    when = "never" if seen.last_proven_at is None else f"last at {_utc(last)}"
    return Condition(
        subject="backup.proven",
        kind=Kind.NO_BACKUP,
        code="no_proven_backup",
        title=f"No backup has been proven for {_span(longest)}",
        detail=f"A backup was restored and found good {when}.",
        remedy=(
            "Take one and prove it: ledgerline backup create",
            "See that BACKUP_SCHEDULE is set and a service runs: ledgerline status",
        ),
        command="ledgerline backup list",
    )


def _failed_backup(seen: BackupsSeen) -> Condition | None:
    """Until a backup is proven, by schedule or by hand."""
    last = seen.last
    if last is None or last.outcome != Outcome.FAILED:
        return None
    if seen.last_proven_at is not None and seen.last_proven_at > (last.finished_at or last.fired_at):
        return None
    return Condition(
        subject="backup.schedule",
        kind=Kind.BACKUP_FAILED,
        code=last.error_code or "backup_failed",
        title="The backup by schedule failed",
        detail=last.error_detail or "",
        remedy=(*_lines(last.error_hint), "Then take another: ledgerline backup create"),
        command="ledgerline backup list",
    )


def _lines(hint: str | None) -> tuple[str, ...]:
    return tuple((hint or "").splitlines())


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours > 48 and not hours % 24 else f"{hours:g} hours"


# -- what is told -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell, and the alert as it is from now on."""

    change: Change
    alert: Alert


@dataclass(frozen=True, slots=True)
class Decision:
    events: Sequence[Event]
    silent: Sequence[Alert]  # changed, and nothing is told


def decide(
    open_alerts: Sequence[Alert],
    wrong: Iterable[Condition],
    known: set[str],
    repeat: Sequence[timedelta],
    now: datetime,
) -> Decision:
    """What has changed since the alerts were what they are.

    known   the subjects that were observed; alerts of others stay as they are
    repeat  how long after its first notice an alert is told again, after its second, …
    """
    first: dict[str, Alert] = {}
    for alert in open_alerts:
        first.setdefault(alert.subject, alert)
    # Of a database that was down for several machines each told by itself.
    silent = [_over(alert, now) for alert in open_alerts if first[alert.subject] is not alert]
    events: list[Event] = []
    for condition in wrong:
        told = first.pop(condition.subject, None)
        if told is None:
            events.append(Event(Change.OPENED, _opened(condition, now)))
        elif told.kind != condition.kind:
            events.append(Event(Change.CHANGED, _again(told, condition, now, notices=1)))
        elif now - told.told_at >= repeat[min(told.notices, len(repeat)) - 1]:
            events.append(Event(Change.REPEATED, _again(told, condition, now, told.notices + 1)))
    events += [
        Event(Change.RECOVERED, _over(alert, now)) for alert in first.values() if alert.subject in known
    ]
    return Decision(events, silent)


def _opened(condition: Condition, now: datetime) -> Alert:
    return Alert(
        id=str(uuid.uuid5(_IDS, f"{condition.subject} {now.isoformat()}")),
        subject=condition.subject,
        kind=condition.kind.value,
        code=condition.code,
        title=condition.title,
        detail=condition.detail,
        remedy="\n".join(condition.remedy),
        command=condition.command,
        path=condition.path,
        opened_at=now,
        told_at=now,
    )


def _again(alert: Alert, condition: Condition, now: datetime, notices: int) -> Alert:
    """The same alert, as the condition is now."""
    now_told = replace(_opened(condition, now), id=alert.id, opened_at=alert.opened_at)
    return replace(now_told, notices=notices, version=alert.version + 1)


def _over(alert: Alert, now: datetime) -> Alert:
    return replace(alert, recovered_at=now, version=alert.version + 1)


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts to send that failed: 10 s, 20 s, 40 s, … up to 15 minutes."""
    return min(timedelta(seconds=10 * 2 ** min(attempts - 1, 10)), timedelta(minutes=15))
