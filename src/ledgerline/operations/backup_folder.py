"""The folder in which backups are: a local one, or any that fsspec reaches (S3, Azure, GCS, SFTP, …)."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ledgerline.errors import BackupDamaged, BackupError, BackupMissing, DriverMissing
from ledgerline.operations import backup_manifest
from ledgerline.operations.backup_manifest import Manifest, Stored

_SUFFIX = ".json"
_CHUNK = 1 << 20
_ANOTHER = "Choose another backup: ledgerline backup list"
# What else lies in the folder is somebody else's, and left alone.
_OURS = re.compile(r"(?P<id>\d{8}T\d{9}Z-[a-z]+-[0-9a-f]{6})\..+")


def new_id(taken_at: datetime, environment: str) -> str:
    """In the order of time. `taken_at`: UTC."""
    stamp = f"{taken_at:%Y%m%dT%H%M%S}{taken_at.microsecond // 1000:03}Z"
    return f"{stamp}-{environment}-{secrets.token_hex(3)}"


class Folder:
    """Every method raises errors of `ledgerline.errors`, never those of a storage."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._storage, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise DriverMissing(
                f"What reaches {url.partition(':')[0]}: is not installed.",
                hint=f"fsspec says: {error}",
            ) from error
        except ValueError as error:
            raise BackupError("BACKUP_URL is of no known kind.", hint=f"fsspec says: {error}") from error
        except Exception as error:  # some connect here, and each has errors of its own
            raise _refused(url, "reached", error) from error

    def ids(self) -> list[str]:
        """The backups that were finished, the newest first."""
        return sorted(_finished(self.sizes()), reverse=True)

    def unfinished(self) -> list[str]:
        """Files of backups that have no manifest: one was interrupted, or goes on now."""
        names = self.sizes()
        finished = _finished(names)
        return sorted(name for name in names if name.partition(".")[0] not in finished)

    def sizes(self) -> dict[str, int]:
        """The files of backups, and how many bytes each has."""
        with self._explained("read"):
            self._storage.invalidate_cache()
            try:  # not `exists`, which says no of whatever cannot be asked
                found = self._storage.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
        named = ((str(one["name"]).rpartition("/")[2], one) for one in found if one["type"] == "file")
        return {name: int(one["size"]) for name, one in named if _OURS.fullmatch(name)}

    def manifest(self, backup: str) -> Manifest:
        """Raises BackupMissing, BackupDamaged."""
        if not _OURS.fullmatch(backup + _SUFFIX):
            raise _missing(backup)
        try:
            with self._explained("read", may_miss=True):
                data = self._storage.cat_file(self._path(backup + _SUFFIX))
        except FileNotFoundError:
            raise _missing(backup) from None
        return backup_manifest.read(data, backup)

    def write_manifest(self, manifest: Manifest) -> None:
        """At once or not at all, also where an older one is replaced."""
        name = manifest.id + _SUFFIX
        with self._explained("written"):
            with self._created(f"{name}.part") as target:
                target.write(backup_manifest.write(manifest))
                self._settle(target)
            self._storage.mv(self._path(f"{name}.part"), self._path(name))

    def store(self, file: Path, part: str, name: str) -> Stored:
        """Copy a file into the folder."""
        digest, size = hashlib.sha256(), 0
        with self._explained("written"):
            self._storage.makedirs(self._root, exist_ok=True)
            with file.open("rb") as source, self._created(name) as target:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
                self._settle(target)
        return Stored(part, name, size, digest.hexdigest())

    def fetch(self, stored: Stored, target: Path) -> None:
        """Copy a file out of the folder. Raises BackupDamaged when it is not what was stored."""
        digest = hashlib.sha256()
        with target.open("wb") as copy, closing(self._chunks(stored.name)) as chunks:
            for chunk in chunks:
                digest.update(chunk)
                copy.write(chunk)
        if (size := target.stat().st_size) != stored.size:
            detail = f"{stored.name} has {size:,} bytes; {stored.size:,} were written."
            raise BackupDamaged(detail, hint=_ANOTHER)
        if digest.hexdigest() != stored.sha256:
            detail = f"{stored.name} was changed since it was written (its SHA-256 differs)."
            raise BackupDamaged(detail, hint=_ANOTHER)

    def _chunks(self, name: str) -> Generator[bytes, None, None]:
        try:
            with (
                self._explained("read", may_miss=True),
                self._storage.open(self._path(name), "rb") as source,
            ):
                while chunk := source.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise BackupDamaged(f"{name} is missing from the backup.", hint=_ANOTHER) from None

    def _created(self, name: str) -> IO[bytes]:
        """An empty file. On this machine nobody but its owner can read it: people's data are in it."""
        path = self._path(name)
        if isinstance(self._storage, LocalFileSystem):
            Path(path).touch(mode=0o600)
        created: IO[bytes] = self._storage.open(path, "wb")
        return created

    def _settle(self, file: IO[bytes]) -> None:
        """On this machine: what is told to be stored outlives a power cut."""
        if isinstance(self._storage, LocalFileSystem):
            file.flush()
            os.fsync(file.fileno())

    def delete(self, *names: str) -> None:
        with self._explained("written"):
            for name in names:
                if self._storage.exists(path := self._path(name)):
                    self._storage.rm_file(path)

    def delete_backup(self, manifest: Manifest) -> None:
        """The manifest first: what then is left is an unfinished backup, never one that looks whole."""
        self.delete(manifest.id + _SUFFIX, *(file.name for file in manifest.files))

    def discard(self, backup: str) -> None:
        """Take away, as far as that can be done, what there is of a backup that failed."""
        with suppress(BackupError):
            names = (_OURS.fullmatch(name) for name in self.sizes())
            self.delete(*(name[0] for name in names if name is not None and name["id"] == backup))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _explained(self, done: str, *, may_miss: bool = False) -> Iterator[None]:
        """`may_miss`: the caller says what it means that a file is not there."""
        try:
            yield
        except Exception as error:  # each storage has errors of its own, not all of them an OSError
            if may_miss and isinstance(error, FileNotFoundError):
                raise
            raise _refused(self.url, done, error) from error


def _missing(backup: str) -> BackupMissing:
    return BackupMissing(f"There is no backup {backup}.", hint="See: ledgerline backup list")


def _refused(url: str, done: str, error: Exception) -> BackupError:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return BackupError(
        f"The backup folder {url} cannot be {done}: {reason}.",
        hint="Check BACKUP_URL, the rights there, and the space that is left.",
    )


def _finished(names: Iterable[str]) -> set[str]:
    return {name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)}


def lacking(manifest: Manifest, sizes: Mapping[str, int]) -> list[str]:
    """The files of a backup that are not in the folder, or not as long as they were; see `Folder.sizes`."""
    return [file.name for file in manifest.files if sizes.get(file.name) != file.size]
