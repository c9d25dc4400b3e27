"""Backups of the main database: take, list, prove, restore, prune.

A backup counts once it was restored: `prove` does that in scratch, where nothing can be harmed, checks what
the server and the application say of it, and compares it with what the database held when it was taken.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledgerline import __version__
from ledgerline.databases.environments import EnvironmentMark
from ledgerline.databases.migrate import newest_revision, revision
from ledgerline.errors import (
    BackupDamaged,
    BackupError,
    BackupMissing,
    ConnectionStringError,
    DatabaseError,
    RestoreRefused,
    UsageError,
)
from ledgerline.operations import vault
from ledgerline.operations.backup_checks import application_checks, differences
from ledgerline.operations.backup_content import Content
from ledgerline.operations.backup_engines import (
    BackupEngine,
    Copy,
    contents_of,
    engine_for,
    opened,
    tables_with_rows,
)
from ledgerline.operations.backup_folder import Folder, lacking, new_id
from ledgerline.operations.backup_manifest import Check, Manifest, Proof, Stored
from ledgerline.operations.backup_runs import give_up_what_went_on
from ledgerline.safety import place
from ledgerline.settings import Settings
from ledgerline.url import DatabaseUrl, Engine, parse_url

# Written by every installation, however little it holds.
_NO_DATA = frozenset({"alembic_version", "installation"})


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    database: str  # without secrets
    old: str | None  # where the database that was there is now
    proof: Proof


class Backups:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url: DatabaseUrl = settings.main.url
        self.folder = Folder(settings.backups.url)

    # -- taking ------------------------------------------------------------------------------------------

    def create(self, *, prove: bool = True, prune: bool = True) -> Manifest:
        """Take a backup, prove it and prune, unless told otherwise.

        Raises BackupDamaged when the proof fails (the backup stays, marked as bad), BackupError.
        """
        taken_at = datetime.now(UTC)
        backup = new_id(taken_at, self.settings.environment)
        try:
            manifest = self._take(backup, taken_at)
        except BaseException:
            self.folder.discard(backup)  # or each failure would leave the disk a little fuller
            raise
        if prove:
            manifest = self.prove(backup)
            _demand(manifest)
        if prune:
            self.prune()
        return manifest

    def _take(self, backup: str, taken_at: datetime) -> Manifest:
        began = time.monotonic()
        with _workspace() as workspace, opened(self.url) as main:
            taken = self._engine.take(main, workspace, backup)
            if (at := revision(main)) is None:
                raise BackupError(
                    f"{self.url.render()} holds no tables of Ledgerline: such a backup would only take the"
                    " place of good ones.",
                    hint="Check DATABASE_URL and the folder that this runs in; a new one: ledgerline migrate",
                )
            stored, key = self._store(backup, taken.copy, workspace)
            manifest = Manifest(
                id=backup,
                taken_at=taken_at,
                seconds=round(time.monotonic() - began, 3),
                environment=self.settings.environment.value,
                engine=self.url.engine.value,
                database=self.url.render(),
                ledgerline=__version__,
                server=taken.server,
                revision=at,
                files=tuple(stored),
                server_file=taken.copy.server_file,
                key=key,
                tables=taken.tables,
                moved=taken.moved,
            )
            self.folder.write_manifest(manifest)
        return manifest

    def _store(self, backup: str, copy: Copy, workspace: Path) -> tuple[list[Stored], str | None]:
        passphrase = self.settings.backups.passphrase
        key = vault.new_key(passphrase) if passphrase and copy.files else None
        stored = []
        for part, path in copy.files.items():
            name, file = f"{backup}.{path.name}", path
            if key is not None and passphrase is not None:
                name, file = f"{name}.age", workspace / f"{path.name}.age"
                vault.encrypt_file(path, file, key, passphrase)
            stored.append(self.folder.store(file, part, name))
        return stored, key

    # -- looking -----------------------------------------------------------------------------------------

    def known(self) -> list[Manifest]:
        """The backups whose manifest can be read, the newest first; also those of other environments."""
        return [manifest for manifest in map(self._readable, self.folder.ids()) if manifest is not None]

    def damaged(self) -> list[str]:
        """Backups whose manifest cannot be read."""
        return [one for one in self.folder.ids() if self._readable(one) is None]

    def unfinished(self) -> list[str]:
        """Files of backups that have no manifest."""
        return self.folder.unfinished()

    def _readable(self, backup: str) -> Manifest | None:
        try:
            return self.folder.manifest(backup)
        except BackupDamaged:
            return None

    def last_proven(self) -> Manifest | None:
        """The newest backup of this database and environment that was found good when it was last proven.

        One that has lost a file since is none.
        """
        proven = [manifest for manifest in self._own() if manifest.proven_at]
        lost = self.lacking(proven)
        return next((manifest for manifest in proven if manifest.id not in lost), None)

    def lacking(self, manifests: Sequence[Manifest]) -> dict[str, list[str]]:
        """Those of these backups that are not whole: id → files that are missing, or of another length."""
        sizes = self.folder.sizes()
        return {one.id: files for one in manifests if (files := lacking(one, sizes))}

    def _own(self) -> list[Manifest]:
        """Of the same place: its login and the options of its URL may change."""
        environment, here = self.settings.environment.value, place(self.url)
        return [one for one in self.known() if one.environment == environment and _place_of(one) == here]

    def _chosen(self, backup: str | None) -> Manifest:
        if backup is not None:
            return self.folder.manifest(backup)
        newest = next(iter(self._own()), None)
        if newest is None:
            raise BackupMissing(
                f"There is no backup of this database in {self.folder.url}.",
                hint="One of another server or name is given by its id, see: ledgerline backup list; to take"
                " the first: ledgerline backup create",
            )
        return newest

    # -- proving -----------------------------------------------------------------------------------------

    def prove(self, backup: str | None = None) -> Manifest:
        """Restore a backup (the newest) into scratch, check it, and note the result in its manifest.

        A bad one is told by the proof in the manifest. Raises what keeps it from being tried at all:
        BackupMissing, BackupDamaged (of the manifest itself), PassphraseWrong, PermissionDenied, BackupError
        (no space, for instance).
        """
        manifest = self._chosen(backup)
        began = time.monotonic()
        with _workspace() as workspace:
            scratch = self._engine.scratch(self.url, workspace, f"scratch-{secrets.token_hex(6)}")
            try:
                self._build(manifest, scratch, workspace)
                checks = self._checks(manifest, scratch)
            except BackupDamaged as error:
                checks = [Check("it can be restored", False, error.detail)]
            finally:
                self._engine.drop(scratch)
        proof = Proof(datetime.now(UTC), round(time.monotonic() - began, 3), tuple(checks))
        if manifest.id not in self.folder.ids():  # noted now, it would look like a backup
            raise BackupMissing(
                f"Backup {manifest.id} was deleted while it was proven.",
                hint="Another process has pruned: see BACKUP_KEEP and BACKUP_KEEP_FOR.",
            )
        proven = replace(manifest, proofs=(*manifest.proofs, proof))
        self.folder.write_manifest(proven)
        return proven

    def _build(self, manifest: Manifest, url: DatabaseUrl, workspace: Path) -> None:
        if manifest.engine != self.url.engine.value:
            raise UsageError(
                f"The backup is of {Engine(manifest.engine).product}, not of {self.url.engine.product}.",
                hint="Point DATABASE_URL to a server of the same kind.",
            )
        fetched = {stored.part: self._fetch(manifest, stored, workspace) for stored in manifest.files}
        self._engine.build(url, Copy(fetched, manifest.server_file), self.url)

    def _fetch(self, manifest: Manifest, stored: Stored, workspace: Path) -> Path:
        file = workspace / f"fetched-{stored.part}"
        self.folder.fetch(stored, file)
        if manifest.key is None:
            return file
        opened = workspace / f"opened-{stored.part}"
        vault.decrypt_file(file, opened, manifest.key, self.settings.backups.passphrase)
        file.unlink()
        return opened

    def _checks(self, manifest: Manifest, url: DatabaseUrl) -> list[Check]:
        with opened(url) as database:
            checks = self._engine.integrity(database)
            at = revision(database)
            checks.append(
                Check("schema revision", at == manifest.revision, f"{at}, expected {manifest.revision}")
            )
            if all(check.ok for check in checks):
                checks.append(_compared(manifest, contents_of(self._engine.parts(url))))
            if at == newest_revision():
                checks += application_checks(database)
        return checks

    # -- restoring ---------------------------------------------------------------------------------------

    def restore(
        self, backup: str | None = None, *, replace_existing: bool = False, drop_old: bool = False
    ) -> Restored:
        """Put a backup (the newest) in place of the main database. Until the very end that is as it was.

        replace_existing  also where it holds data; the old database is kept beside the new one
        drop_old          unless this is said

        Raises RestoreRefused, EnvironmentMismatch, BackupMissing, BackupDamaged (it is checked before it
        takes its place).
        """
        manifest = self._chosen(backup)
        self._demand_ours()
        stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        if self._holds_data() and not replace_existing:
            raise RestoreRefused(
                f"{self.url.render()} holds data.",
                hint="To put the backup in its place, and keep it: ledgerline backup restore --replace",
            )
        built = self._engine.beside(self.url, f"restoring-{stamp}")
        began = time.monotonic()
        try:
            with _workspace() as workspace:
                self._build(manifest, built, workspace)
            proof = Proof(
                datetime.now(UTC),
                round(time.monotonic() - began, 3),
                tuple(self._checks(manifest, built)),
            )
            _demand(replace(manifest, proofs=(proof,)))
            with opened(built) as database:
                give_up_what_went_on(database)
            with _explained():
                old = self._engine.swap(built, self.url, f"before-{stamp}")
        finally:
            self._engine.drop(built)
        if old is not None and drop_old:
            self._engine.drop(old)
            old = None
        return Restored(manifest, self.url.render(), old.render() if old else None, proof)

    def _demand_ours(self) -> None:
        """Raises EnvironmentMismatch where the database that would be replaced belongs to another."""
        if not self._engine.exists(self.url):
            return
        with suppress(DatabaseError), opened(self.url) as main:  # what cannot be read tells no owner
            EnvironmentMark(main, self.settings.environment).check()

    def _holds_data(self) -> bool:
        if not self._engine.exists(self.url):
            return False
        try:
            return not tables_with_rows(self._engine.parts(self.url)) <= _NO_DATA
        except DatabaseError:  # what cannot be read may still be all that somebody has
            return True

    # -- pruning -----------------------------------------------------------------------------------------

    def prune(self, *, dry_run: bool = False, now: datetime | None = None) -> list[Manifest]:
        """Delete backups of this database beyond BACKUP_KEEP or older than BACKUP_KEEP_FOR; those that went.

        The last one that was proven always stays, and so does the newest.
        """
        kept, own = self.settings.backups, self._own()
        gone = superfluous(own, kept.keep, kept.keep_for, now or datetime.now(UTC), lacking=self.lacking(own))
        for manifest in gone if not dry_run else ():
            self.folder.delete_backup(manifest)
        return gone

    # ----------------------------------------------------------------------------------------------------

    @property
    def _engine(self) -> BackupEngine:
        return engine_for(self.url.engine)


@contextmanager
def _workspace() -> Iterator[Path]:
    """A folder that nobody else can read, gone afterwards: files lie in it unencrypted."""
    with _explained(), tempfile.TemporaryDirectory(prefix="ledgerline-backup-") as name:
        yield Path(name)


@contextmanager
def _explained() -> Iterator[None]:
    """What the disks of this machine refuse. Raises BackupError."""
    try:
        yield
    except OSError as error:
        file = error.filename2 or error.filename or tempfile.gettempdir()
        raise BackupError(
            f"{file} cannot be read or written: {error.strerror or error}.",
            hint="Check the rights and the space there. Copies pass through the folder for temporary files,"
            " which TMPDIR names.",
        ) from error


def superfluous(
    newest_first: Sequence[Manifest],
    keep: int,
    keep_for: timedelta,
    now: datetime,
    lacking: Collection[str] = (),
) -> list[Manifest]:
    """The backups that need not be kept. `lacking`: the ids of those that have lost a file."""
    proven = next((one.id for one in newest_first if one.proven_at and one.id not in lacking), None)
    return [
        one
        for number, one in enumerate(newest_first)
        if number and (number >= keep or now - one.taken_at > keep_for) and one.id != proven
    ]


def _place_of(manifest: Manifest) -> tuple[object, ...] | None:
    try:
        return place(parse_url(manifest.database))
    except ConnectionStringError:
        return None


def _compared(manifest: Manifest, found: dict[str, Content]) -> Check:
    wrong = [*differences(manifest.tables, found, frozenset(manifest.moved))]
    rows = sum(content.rows for content in found.values())
    detail = "; ".join(wrong[:5]) or f"{rows:,} rows in {len(found)} tables"
    return Check("rows and hashes are those of the database", not wrong, detail)


def _demand(manifest: Manifest) -> None:
    """Raises BackupDamaged where the last proof failed."""
    failed = [check for check in manifest.proofs[-1].checks if not check.ok]
    if failed:
        listed = "".join(f"\n  {check.name}: {check.detail}" for check in failed)
        raise BackupDamaged(
            f"Backup {manifest.id} is not good:{listed}",
            hint="Take another: ledgerline backup create",
            public=f"Backup {manifest.id} is not good: {', '.join(check.name for check in failed)}.",
        )
