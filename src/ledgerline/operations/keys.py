"""API keys: made here, shown once, stored as hashes, verified in constant time.

    llk_<id: 12 digits>_<secret: 64 digits><checksum: 8 digits>        all hexadecimal

The id finds the row, the checksum tells a mistyped key without asking the database. A secret of 256 random
bits needs no slow hash: nobody can try them all. No key is ever written to a log.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ledgerline.databases import keys as rows
from ledgerline.databases.database import Database
from ledgerline.databases.keys import StoredKey
from ledgerline.databases.runs import utc_now
from ledgerline.errors import (
    AnswerLate,
    AuthNotConfigured,
    DatabaseError,
    Forbidden,
    TooManyAttempts,
    Unauthorised,
    UsageError,
)
from ledgerline.operations.attempts import Attempts
from ledgerline.operations.bounded import Bounded
from ledgerline.url import Secret


class Scope(StrEnum):
    READ = "read"
    QUERY = "query"
    INGEST = "ingest"
    ADMIN = "admin"
    METRICS = "metrics"


ALL_SCOPES: Final = frozenset(Scope)
ENVIRONMENT_KEY: Final = "API_KEY"
LIVE_KEYS_OF_A_NAME: Final = 2  # the old one and the new one, while it is being replaced

_TOKEN: Final = re.compile(r"llk_([0-9a-f]{12})_([0-9a-f]{64})([0-9a-f]{8})", re.ASCII)
_TRUSTED: Final = 30.0  # seconds until a key that was verified is looked up again
_REMEMBERED: Final = 300.0  # seconds that it holds while the main database is down
_MAX_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Key:
    """Who asks, and what they may."""

    id: str
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None = None

    def require(self, scope: Scope) -> None:
        """Raises Forbidden."""
        if scope not in self.scopes:
            raise Forbidden(
                f"The key {self.name!r} lacks the scope {scope.value}.",
                hint=f"Make one that has it: ledgerline keys create --name … --scope {scope.value}",
            )


@dataclass(slots=True)
class _Known:
    key: Key
    seen: float  # when the database said so
    looked: float  # when it was last asked


class Keys:
    """Verifies and makes keys. Threads may share it."""

    def __init__(
        self,
        main: Callable[[], Database],
        environment_key: Secret | None,
        *,
        attempts: Attempts | None = None,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`patience`: seconds that whoever sent a key waits for the main database."""
        self._main = main
        self._bounded = Bounded(patience, _late)
        self._environment_hash = _digest(environment_key.reveal()) if environment_key else None
        self._attempts = attempts or Attempts(clock)
        self._clock = clock
        self._now = now
        self._known: dict[str, _Known] = {}
        self._configured_until = 0.0
        self._lock = threading.Lock()

    # -- verifying ---------------------------------------------------------------------------------

    def verify(self, token: str | None, address: str) -> Key:
        """The key that a caller sent.

        Raises Unauthorised, TooManyAttempts, AuthNotConfigured; and, when a key that was not verified
        within five minutes has to be looked up, AnswerLate and what the main database says.
        """
        if (key := self.verify_at_once(token, address)) is not None:
            return key
        if not token:
            self._require_configured()
            raise _unauthorised("The request has no key.")
        key = self._stored(token, _digest(token))
        if key is None:
            self._require_configured()
            self._attempts.failed(address)
            raise _unauthorised("The key is wrong, expired or revoked.")
        return key

    def verify_at_once(self, token: str | None, address: str) -> Key | None:
        """As `verify`, where that need not ask the database; None: it has to. Raises TooManyAttempts."""
        if wait := self._attempts.wait(address):
            raise TooManyAttempts(
                "Too many wrong keys came from this address.",
                retry_after=wait,
                hint=f"Try again in {wait} seconds with the right key.",
            )
        if not token:
            return None
        digest = _digest(token)
        if self._is_environment_key(digest):
            return _environment_key()
        known = self._remembered(digest)
        return None if known is None or self._clock() - known.looked >= _TRUSTED else known.key

    def remembered(self, token: str | None, address: str) -> Key | None:
        """The key, if that is known without asking the database: for answers that wait for nothing.

        What can be no key of the database counts as a wrong one: else API_KEY could be guessed here.
        """
        if not token or self._attempts.wait(address):
            return None
        digest = _digest(token)
        if self._is_environment_key(digest):
            return _environment_key()
        if _id_in(token) is None:
            self._attempts.failed(address)
            return None
        known = self._remembered(digest)
        return None if known is None else known.key

    def is_configured(self) -> bool:
        """Whether there is a key at all. Raises what the main database says."""
        try:
            self._require_configured()
        except AuthNotConfigured:
            return False
        return True

    def _stored(self, token: str, digest: bytes) -> Key | None:
        if (key_id := _id_in(token)) is None:
            return None
        asked = self._clock()
        try:
            row = self._bounded.call(lambda: rows.stored(self._main(), key_id))
        except DatabaseError:
            if (known := self._remembered(digest)) is None:
                raise
            known.looked = asked
            return known.key
        return self._remember(digest, self._fitting(row, digest))

    def _fitting(self, row: StoredKey | None, digest: bytes) -> Key | None:
        expected = bytes.fromhex(row.hash) if row else bytes(len(digest))
        is_equal = hmac.compare_digest(digest, expected)
        if row is None or not is_equal or not row.is_live(self._now()):
            return None
        return _key(row)

    def _is_environment_key(self, digest: bytes) -> bool:
        return self._environment_hash is not None and hmac.compare_digest(digest, self._environment_hash)

    def _remembered(self, digest: bytes) -> _Known | None:
        """What was verified within five minutes, and has not expired since."""
        with self._lock:
            known = self._known.get(digest.hex())
        if known is None or self._clock() - known.seen >= _REMEMBERED:
            return None
        return known if _is_current(known.key, self._now()) else None

    def _remember(self, digest: bytes, key: Key | None) -> Key | None:
        moment, remembered = self._clock(), digest.hex()
        with self._lock:
            self._known.pop(remembered, None)
            if key is not None:
                if len(self._known) >= _MAX_REMEMBERED:
                    self._known.pop(next(iter(self._known)))
                self._known[remembered] = _Known(key, moment, moment)
        return key

    def _require_configured(self) -> None:
        if self._environment_hash is not None or self._clock() < self._configured_until:
            return
        if not self._bounded.call(lambda: rows.any_live(self._main(), self._now())):
            raise AuthNotConfigured(
                "There is no API key yet, so nobody may ask.",
                hint="Make one: ledgerline keys create --name me --scope read,query; or set API_KEY.",
            )
        self._configured_until = self._clock() + _TRUSTED

    # -- making and revoking -------------------------------------------------------------------------

    def create(
        self, name: str, scopes: Collection[Scope], lifetime: timedelta | None = None
    ) -> tuple[Key, str]:
        """A new key, and the text of it, which nobody can show again. Raises UsageError."""
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise UsageError("A key's name has 1 to 100 printable characters.")
        if not scopes:
            raise UsageError("A key has at least one scope.", hint=f"Scopes: {', '.join(Scope)}.")
        if lifetime is not None and lifetime <= timedelta(0):
            raise UsageError("A key's life is longer than nothing.", hint="For example: --expires 90d")
        now = self._now()
        live = [row for row in rows.all_keys(self._main()) if row.name == name and row.is_live(now)]
        if len(live) >= LIVE_KEYS_OF_A_NAME:
            raise UsageError(
                f"{name!r} has {len(live)} live keys already, which is enough to replace one by the other.",
                hint=f"Revoke the older: ledgerline keys revoke {live[-1].id}",
            )
        key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
        token = f"llk_{key_id}_{secret}{_checksum(secret)}"
        row = StoredKey(
            id=key_id,
            name=name,
            hash=_digest(token).hex(),
            scopes=",".join(sorted(scopes)),
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            revoked_at=None,
        )
        rows.insert(self._main(), {field: getattr(row, field) for field in row.__dataclass_fields__})
        return _key(row), token

    def list(self) -> list[StoredKey]:
        """All keys, the newest first. Their hashes are of no use to anybody."""
        return [replace(row, hash="") for row in rows.all_keys(self._main())]

    def revoke(self, key_id: str) -> None:
        """From now on here, and within half a minute in other processes. Raises UsageError."""
        if not rows.revoke(self._main(), key_id, self._now()):
            raise UsageError(f"There is no live key {key_id[:40]}.", hint="See: ledgerline keys list")
        with self._lock:
            self._known = {digest: known for digest, known in self._known.items() if known.key.id != key_id}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "backslashreplace")).digest()


def _id_in(token: str) -> str | None:
    """The id of the row that a token belongs to; None: it is mistyped, or no key of ours."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match is not None and _checksum(match[2]) == match[3] else None


def _checksum(secret: str) -> str:
    return f"{zlib.crc32(secret.encode()):08x}"


def _key(row: StoredKey) -> Key:
    known = {scope.value: scope for scope in Scope}
    scopes = frozenset(known[name] for name in row.scopes.split(",") if name in known)
    return Key(row.id, row.name, scopes, row.expires_at)


def _environment_key() -> Key:
    return Key(ENVIRONMENT_KEY, ENVIRONMENT_KEY, ALL_SCOPES)


def _is_current(key: Key, now: datetime) -> bool:
    return key.expires_at is None or key.expires_at > now


def _late() -> AnswerLate:
    return AnswerLate(
        "The main database does not answer in time, so the key cannot be verified.",
        hint="Try again. API_KEY, and keys that were used within five minutes, are accepted meanwhile.",
    )


def _unauthorised(detail: str) -> Unauthorised:
    return Unauthorised(detail, hint="Send a valid key in the header X-API-Key.")
