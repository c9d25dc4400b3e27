"""What the outside sees, as JSON documents: the CLI's `--json` and the API answer with the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ledgerline.databases.alerts import Alert, Delivery
from ledgerline.databases.keys import StoredKey
from ledgerline.databases.queries import LoggedQuery, SavedQuery
from ledgerline.databases.runs import Run
from ledgerline.databases.settling import Pause
from ledgerline.errors import LedgerlineError
from ledgerline.ingest.history import Change, Field, History
from ledgerline.ingest.undo import Undone
from ledgerline.ingest.unmerge import Unmerged
from ledgerline.operations.backup_manifest import Manifest
from ledgerline.operations.doctor_findings import Check, Diagnosis
from ledgerline.operations.duty_status import ScheduleState
from ledgerline.operations.keys import Key
from ledgerline.operations.status import DatabaseStatus


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, as JavaScript writes it."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_document(run: Run, progress: Mapping[str, Any] | None = None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "runId": run.id,
        "kind": run.kind,
        "sourceSystem": run.source_system,
        "status": run.status,
        "startedAt": timestamp(run.started_at),
        "finishedAt": timestamp(run.finished_at),
        "progress": None if progress is None else progress_document(progress),
        "counts": dict(run.counts),
    }
    if run.undoes_run is not None:
        document["undoesRun"] = run.undoes_run
    if run.since is not None:
        document["incremental"] = True
        document["reconciled"] = run.reconciles
    if run.advice:
        document["advice"] = run.advice.splitlines()
    if run.foreseen is not None:
        document["plan"] = plan_document(json.loads(run.foreseen))
    if run.error_code:
        document["error"] = {"code": run.error_code, "detail": run.error_detail, "hint": run.error_hint}
    return document


def plan_document(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a run would do, by kind: how many, and samples with their names in the API's spelling."""
    return {
        name: {
            **section,
            "samples": [{camel(key): value for key, value in row.items()} for row in section["samples"]],
        }
        for name, section in told.items()
    }


def progress_document(progress: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stage": progress["stage"],
        "done": progress["done"],
        "total": progress["total"],
        "rows": progress["rows"],
        "rowsPerSecond": progress["rows_per_second"],
        "secondsLeft": progress["seconds_left"],
    }


def reject_document(reject: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "runId": reject["run_id"],
        "sourceSystem": reject["source_system"],
        "sourceRecordId": reject["source_record_id"],
        "reasons": reject["reasons"].split(","),
        "raw": json.loads(reject["raw"]),
        "resolvedRun": reject["resolved_run"],
    }


def change_document(change: Mapping[str, Any]) -> dict[str, Any]:
    """A field of a contact that a run changed, of a row of `changes`."""
    return {
        "contactId": change["contact_id"],
        "field": camel(change["field"]),
        "oldValue": change["old_value"],
        "newValue": change["new_value"],
        "rule": change["rule"],
        "sourceSystem": change["source_system"],
        "sourceRecordId": change["source_record_id"],
    }


def undo_document(undone: Undone) -> dict[str, Any]:
    return {
        **run_document(undone.run),
        "dryRun": undone.dry_run,
        "contacts": undone.contacts,
        "records": undone.records,
        "kept": [kept_document(asdict(one)) for one in undone.kept],
    }


def kept_document(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What an undo left, of a row of `undo_kept`."""
    return {
        "contactId": kept["contact_id"],
        "sourceRecordId": kept["source_record_id"],
        "field": camel(kept["field"]),
        "value": kept["value"],
        "valueBefore": kept["value_before"],
        "reason": str(kept["reason"]),
        "changedBy": kept["changed_by"],
    }


def history_document(history: History) -> dict[str, Any]:
    contact = history.contact
    return {
        "contactId": contact["id"],
        "askedFor": history.asked_for,
        "isActive": contact["is_active"],
        "createdRun": contact["created_run"],
        "updatedRun": contact["updated_run"],
        "fields": [_field_document(field) for field in history.fields],
        "sources": [_source_document(record) for record in history.records],
        "joined": [{"contactId": row["id"], "runId": row["run_id"]} for row in history.joined],
    }


def _field_document(field: Field) -> dict[str, Any]:
    document = {
        "field": camel(field.name),
        "value": field.value,
        "rule": field.rule,
        "runId": field.run_id,
        "sourceRecordId": field.source_record_id,
        "editedBy": field.edited_by,
        "editedAt": timestamp(field.edited_at),
        "changes": [_change_document(change) for change in field.changes],
    }
    if field.has_suggestion:
        document["suggestion"] = field.suggestion
    return document


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "at": timestamp(change.at),
        "oldValue": change.old,
        "newValue": change.new,
        "rule": change.rule,
        "runId": change.run_id,
        "sourceRecordId": change.source_record_id,
        "editedBy": change.edited_by,
    }


def _source_document(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sourceSystem": record["source_system"],
        "sourceRecordId": record["source_record_id"],
        "isLive": record["is_live"],
        "runId": record["run_id"],
        "matchRule": record["match_rule"],
        "matchPartner": record["match_partner"],
        "matchScore": record["match_score"],
    }


def unmerge_document(unmerged: Unmerged) -> dict[str, Any]:
    records = [
        {"sourceRecordId": record, "contactId": contact_id}
        for record, contact_id in unmerged.contacts.items()
    ]
    return {**run_document(unmerged.run), "records": records}


def camel(name: str | None) -> str | None:
    """A column's name as JSON has it: company_name → companyName."""
    if name is None:
        return None
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def logged_query_document(entry: LoggedQuery) -> dict[str, Any]:
    return {
        "queryId": entry.query_id,
        "key": entry.key_name,
        "database": entry.database,
        "fingerprint": entry.fingerprint,
        "statement": entry.statement,
        "startedAt": timestamp(entry.started_at),
        "outcome": entry.outcome,
        "errorCode": entry.error_code,
        "rowCount": entry.row_count,
        "elapsedMs": entry.elapsed_ms,
    }


def saved_query_document(query: SavedQuery) -> dict[str, Any]:
    return {
        "name": query.name,
        "database": query.database,
        "query": query.sql,
        "description": query.description,
        "createdBy": query.created_by,
        "createdAt": timestamp(query.created_at),
        "updatedAt": timestamp(query.updated_at),
    }


def key_document(key: Key | StoredKey) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes.split(",") if isinstance(key, StoredKey) else sorted(key.scopes),
        "expiresAt": timestamp(key.expires_at),
    }
    if isinstance(key, StoredKey):
        document |= {"createdAt": timestamp(key.created_at), "revokedAt": timestamp(key.revoked_at)}
    return document


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """`remedy` has a step a line."""
    document: dict[str, Any] = {"connected": diagnosis.connected, "latencyMs": diagnosis.latency_ms}
    if diagnosis.code is not None:
        document["code"] = diagnosis.code.value
    return {**document, "checks": [_check_document(check) for check in diagnosis.checks]}


def _check_document(check: Check) -> dict[str, Any]:
    document: dict[str, Any] = {"layer": check.layer.value, "ok": check.ok, "detail": check.detail}
    if check.code is not None:
        document["code"] = check.code.value
    if check.remedy:
        document["remedy"] = "\n".join(check.remedy)
    return document


def status_document(status: DatabaseStatus) -> dict[str, Any]:
    """`estimated` and `errors` are there when they name a table; `error` when it is not connected."""

    def told(error: LedgerlineError) -> dict[str, str]:
        return {"code": error.code, "detail": error.public_detail, "hint": error.hint}

    document: dict[str, Any] = {
        "connected": status.connected,
        "tables": list(status.tables),
        "recordCounts": dict(status.counts),
    }
    if status.estimated:
        document["estimated"] = list(status.estimated)
    if status.errors:
        document["errors"] = {name: told(error) for name, error in status.errors.items()}
    return document if status.fault is None else {**document, "error": told(status.fault)}


def housekeeping_document(
    paused: Sequence[Pause], states: Sequence[ScheduleState], last_proven: Manifest | None
) -> dict[str, Any]:
    """What stands beside the databases in a status, as far as there is something to tell."""
    document: dict[str, Any] = {}
    if paused:
        document["paused"] = [
            {
                "source": one.system,
                "runId": one.run_id,
                "since": timestamp(one.since),
                "detail": one.reason,
                "hint": one.remedy,
            }
            for one in paused
        ]
    if states:
        document["schedules"] = [_schedule_document(state) for state in states]
    if last_proven is not None and last_proven.proven_at is not None:
        at = last_proven.proven_at.astimezone(UTC).replace(tzinfo=None)
        document["lastProvenRestore"] = {"backup": last_proven.id, "at": timestamp(at)}
    return document


def _schedule_document(state: ScheduleState) -> dict[str, Any]:
    schedule, last = state.schedule, state.last
    document: dict[str, Any] = {
        "name": schedule.name,
        "expression": schedule.expression,
        "timeZone": schedule.zone,
        "next": timestamp(state.next_at),
    }
    if last is not None:
        document["last"] = {
            "dueAt": timestamp(last.due_at),
            "outcome": last.outcome,
            "startedAt": timestamp(last.fired_at),
            "finishedAt": timestamp(last.finished_at),
            "runId": last.run_id,
            "code": last.error_code,
        }
    return document


def alert_document(alert: Alert, made: Sequence[Delivery]) -> dict[str, Any]:
    return {
        "id": alert.id,
        "subject": alert.subject,
        "kind": alert.kind,
        "code": alert.code,
        "title": alert.title,
        "detail": alert.detail,
        "remedy": alert.remedy.splitlines(),
        "command": alert.command,
        "openedAt": timestamp(alert.opened_at),
        "recoveredAt": timestamp(alert.recovered_at),
        "notices": alert.notices,
        "deliveries": [
            {
                "id": delivery.id,
                "channel": delivery.channel,
                "status": delivery.status,
                "attempts": delivery.attempts,
                "createdAt": timestamp(delivery.created_at),
                "endedAt": timestamp(delivery.ended_at),
                "error": delivery.error,
            }
            for delivery in made
        ],
    }
