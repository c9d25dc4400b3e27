"""Files under a passphrase, in the age format (https://age-encryption.org/v1): authenticated, also their end.

A file is encrypted for a key of its own, and that key under the passphrase (scrypt), so that files of any
size pass through in chunks. Both are plain age: `age -d -i KEY FILE` opens them without Ledgerline.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pyrage

from ledgerline.errors import BackupDamaged, PassphraseWrong
from ledgerline.url import Secret

_HINT = "Set BACKUP_PASSPHRASE to the passphrase that was in force when it was written."


def new_key(passphrase: Secret) -> str:
    """A new key, encrypted under the passphrase (ASCII armoured)."""
    key = str(pyrage.x25519.Identity.generate()).encode()
    return seal(key, passphrase).decode()


def encrypt_file(source: Path, target: Path, key: str, passphrase: Secret) -> None:
    """Encrypt a file for a key of `new_key`."""
    pyrage.encrypt_file(str(source), str(target), [_opened(key, passphrase).to_public()])


def decrypt_file(source: Path, target: Path, key: str, passphrase: Secret | None) -> None:
    """Raises BackupDamaged where anything of the file is missing or changed, PassphraseWrong."""
    identity = _opened(key, passphrase)
    try:
        pyrage.decrypt_file(str(source), str(target), [identity])
    except (OSError, pyrage.DecryptError) as error:
        target.unlink(missing_ok=True)
        raise BackupDamaged(
            f"{source.name} is damaged, or is not the file of this backup: it does not decrypt.",
            hint="Choose another backup: ledgerline backup list",
        ) from error


def seal(data: bytes, passphrase: Secret) -> bytes:
    """Little data, encrypted under the passphrase itself (ASCII armoured)."""
    sealed: bytes = pyrage.passphrase.encrypt(data, passphrase.reveal(), armored=True)
    return sealed


def unseal(sealed: bytes, passphrase: Secret | None) -> bytes:
    """Raises PassphraseWrong, also where the data were changed: the two cannot be told apart."""
    if passphrase is None:
        raise PassphraseWrong("It is encrypted, and no passphrase is set.", hint=_HINT)
    try:
        data: bytes = pyrage.passphrase.decrypt(sealed, passphrase.reveal())
    except pyrage.DecryptError as error:
        raise PassphraseWrong("The passphrase does not fit, or the file is damaged.", hint=_HINT) from error
    return data


@lru_cache(maxsize=16)  # scrypt takes a second or more, as it should
def _opened(key: str, passphrase: Secret | None) -> Any:
    return pyrage.x25519.Identity.from_str(unseal(key.encode(), passphrase).decode())
