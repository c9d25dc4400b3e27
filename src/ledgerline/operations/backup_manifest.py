"""The manifest of a backup: what it is of, what was in it, whether that was proven. JSON beside the files.

It is written last, so that a backup without one was never finished, and carries a hash of itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ledgerline.errors import BackupDamaged
from ledgerline.operations.backup_content import Content

_PROOFS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a backup, as it lies in the folder."""

    part: str  # what it holds: `main`, `activity`
    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of restoring it into scratch."""

    at: datetime
    seconds: float
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Times are UTC with their zone."""

    id: str
    taken_at: datetime
    seconds: float
    environment: str
    engine: str
    database: str  # its URL without secrets
    ledgerline: str
    server: str
    revision: str | None  # of the schema
    files: tuple[Stored, ...]
    server_file: str | None  # SQL Server: the file on its own machine
    key: str | None  # of encrypted files, itself encrypted under the passphrase
    tables: Mapping[str, Content]
    moved: tuple[str, ...] = ()  # tables that changed while it was taken, so that no figure is certain
    proofs: tuple[Proof, ...] = ()  # the oldest first

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def proven_at(self) -> datetime | None:
        """When it was last found good; None where it never was, or was found bad since."""
        last = self.proofs[-1] if self.proofs else None
        return last.at if last is not None and last.ok else None


def to_document(manifest: Manifest) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "takenAt": _instant(manifest.taken_at),
        "seconds": manifest.seconds,
        "environment": manifest.environment,
        "engine": manifest.engine,
        "database": manifest.database,
        "ledgerlineVersion": manifest.ledgerline,
        "serverVersion": manifest.server,
        "schemaRevision": manifest.revision,
        "size": manifest.size,
        "encrypted": manifest.key is not None,
        "files": [
            {"part": file.part, "name": file.name, "size": file.size, "sha256": file.sha256}
            for file in manifest.files
        ],
        "serverFile": manifest.server_file,
        "key": manifest.key,
        "tables": {
            name: {"rows": content.rows, "hash": content.hash} for name, content in manifest.tables.items()
        },
        "changedMeanwhile": list(manifest.moved),
        "proofs": [_proof_document(proof) for proof in manifest.proofs[-_PROOFS_KEPT:]],
    }


def _proof_document(proof: Proof) -> dict[str, Any]:
    checks = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in proof.checks]
    return {"at": _instant(proof.at), "seconds": proof.seconds, "ok": proof.ok, "checks": checks}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(manifest: Manifest) -> bytes:
    document = to_document(manifest)
    return orjson.dumps({**document, "seal": _seal(document)}, option=orjson.OPT_INDENT_2)


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read(data: bytes, backup: str) -> Manifest:
    """The manifest of the backup of this id. Raises BackupDamaged: it is not what was written."""
    try:
        document = orjson.loads(data)
        seal = document.pop("seal")
        is_whole = seal == _seal(document) and document["id"] == backup
        manifest = _from(document) if is_whole and _names_its_own(document) else None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        manifest = None
    if manifest is None:
        raise BackupDamaged(
            f"The manifest of backup {backup} is damaged, or is that of another backup.",
            hint="Choose another backup: ledgerline backup list",
        )
    return manifest


def _names_its_own(document: Mapping[str, Any]) -> bool:
    """Whether its files are named as we name them: who can write to the folder may seal a manifest too, and
    what it names is read, written and, on SQL Server, restored."""
    backup = re.escape(document["id"])
    server_file = document["serverFile"]
    return (server_file is None or server_file == f"{document['id']}.bak") and all(
        re.fullmatch(r"[a-z]+", file["part"]) and re.fullmatch(rf"{backup}(\.\w+)+", file["name"])
        for file in document["files"]
    )


def _from(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        id=document["id"],
        taken_at=datetime.fromisoformat(document["takenAt"]),
        seconds=document["seconds"],
        environment=document["environment"],
        engine=document["engine"],
        database=document["database"],
        ledgerline=document["ledgerlineVersion"],
        server=document["serverVersion"],
        revision=document["schemaRevision"],
        files=tuple(Stored(**file) for file in document["files"]),
        server_file=document["serverFile"],
        key=document["key"],
        tables={name: Content(**content) for name, content in document["tables"].items()},
        moved=tuple(document["changedMeanwhile"]),
        proofs=tuple(
            Proof(
                datetime.fromisoformat(proof["at"]),
                proof["seconds"],
                tuple(Check(**check) for check in proof["checks"]),
            )
            for proof in document["proofs"]
        ),
    )
