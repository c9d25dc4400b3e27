"""API keys on real databases: made, verified, revoked, expired, and verified while the database is down."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.servers import MAIN_ENGINES, new_database

from ledgerline.databases.database import Database
from ledgerline.databases.migrate import migrate
from ledgerline.databases.runs import utc_now
from ledgerline.errors import (
    AnswerLate,
    AuthNotConfigured,
    DatabaseUnreachable,
    Forbidden,
    TooManyAttempts,
    Unauthorised,
    UsageError,
)
from ledgerline.operations.attempts import Attempts
from ledgerline.operations.keys import ALL_SCOPES, Keys, Scope
from ledgerline.url import Secret

HERE = "127.0.0.1"


class House:
    """A main database that can go down, and a clock that can be moved."""

    def __init__(self, main: Database) -> None:
        self.main = main
        self.is_down = False
        self.hangs = threading.Event()
        self.answers = threading.Event()
        self.asked = 0
        self.seconds = 0.0
        self.start = utc_now()

    def database(self) -> Database:
        self.asked += 1
        if self.is_down:
            raise DatabaseUnreachable("It is down.")
        if self.hangs.is_set():
            self.answers.wait(60)
        return self.main

    def keys(self, api_key: str | None = None, patience: float = 60.0) -> Keys:
        secret = Secret(api_key) if api_key else None
        return Keys(self.database, secret, patience=patience, clock=lambda: self.seconds, now=self.now)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds)


@pytest.fixture(params=MAIN_ENGINES)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    with new_database(request.param, tmp_path_factory.mktemp("keys"), postgres) as url:
        main = Database(url)
        migrate(main)
        yield House(main)
        main.close()


def test_a_key_is_verified(house: House) -> None:
    keys = house.keys()
    made, token = keys.create("app", {Scope.READ, Scope.QUERY}, timedelta(days=90))
    assert re.fullmatch(r"llk_[0-9a-f]{12}_[0-9a-f]{72}", token)
    key = house.keys().verify(token, HERE)
    assert (key.id, key.name, key.scopes) == (made.id, "app", frozenset({Scope.READ, Scope.QUERY}))
    key.require(Scope.QUERY)
    with pytest.raises(Forbidden):
        key.require(Scope.INGEST)


def test_only_a_hash_is_stored(house: House) -> None:
    _, token = house.keys().create("app", {Scope.READ})
    with house.main.connect() as connection:
        stored = repr(connection.execute(sa.text("SELECT * FROM api_keys")).all())
    assert token not in stored
    assert token[17:] not in stored
    assert all(row.hash == "" for row in house.keys().list())


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: t[:-9] + "0" * 9]
)
def test_a_key_that_is_nearly_right_is_wrong(house: House, change: object) -> None:
    keys = house.keys()
    _, token = keys.create("app", {Scope.READ})
    assert callable(change)
    with pytest.raises(Unauthorised):
        keys.verify(change(token), HERE)


def test_right_form_but_another_secret(house: House) -> None:
    keys = house.keys()
    made, _ = keys.create("app", {Scope.READ})
    _, other = keys.create("other", {Scope.READ})
    with pytest.raises(Unauthorised):
        keys.verify(f"llk_{made.id}_{other.partition('_')[2].partition('_')[2]}", HERE)


@pytest.mark.parametrize("token", ["x", "ключ", "\ud800", "llk_", "\0", " ", "x" * 100_000, "llk_é"])
def test_what_is_no_key_is_unauthorised(house: House, token: str) -> None:
    keys = house.keys()
    keys.create("app", {Scope.READ})
    asked = house.asked
    with pytest.raises(Unauthorised):
        keys.verify(token, HERE)
    assert house.asked <= asked + 1


def test_without_a_key(house: House) -> None:
    with pytest.raises(AuthNotConfigured):
        house.keys().verify(None, HERE)
    with pytest.raises(AuthNotConfigured):
        house.keys().verify("anything", HERE)
    with pytest.raises(Unauthorised):
        house.keys("environment-key-1").verify(None, HERE)
    house.keys().create("app", {Scope.READ})
    with pytest.raises(Unauthorised):
        house.keys().verify(None, HERE)


def test_the_key_of_the_environment_may_all_and_needs_no_database(house: House) -> None:
    house.is_down = True
    keys = house.keys("environment-key-é")
    assert keys.verify("environment-key-é", HERE).scopes == ALL_SCOPES
    with pytest.raises(Unauthorised):
        keys.verify("environment-key-e", HERE)


def test_a_revoked_key_is_refused(house: House) -> None:
    keys, elsewhere = house.keys(), house.keys()
    made, token = keys.create("app", {Scope.READ})
    keys.create("still live", {Scope.READ})
    keys.verify(token, HERE)
    elsewhere.verify(token, HERE)
    keys.revoke(made.id)
    with pytest.raises(Unauthorised):
        keys.verify(token, HERE)
    house.seconds += 31
    with pytest.raises(Unauthorised):
        elsewhere.verify(token, HERE)
    with pytest.raises(UsageError):
        keys.revoke(made.id)


def test_an_expired_key_is_refused_also_when_it_is_remembered(house: House) -> None:
    keys = house.keys()
    _, token = keys.create("app", {Scope.READ}, timedelta(seconds=10))
    keys.create("still live", {Scope.READ})
    keys.verify(token, HERE)
    house.seconds += 11
    with pytest.raises(Unauthorised):
        keys.verify(token, HERE)
    house.is_down = True
    with pytest.raises((Unauthorised, DatabaseUnreachable)):
        keys.verify(token, HERE)


def test_a_verified_key_holds_for_five_minutes_without_the_database(house: House) -> None:
    keys = house.keys()
    _, token = keys.create("app", {Scope.READ})
    keys.verify(token, HERE)
    house.is_down = True
    for _ in range(9):
        house.seconds += 31
        assert keys.verify(token, HERE).name == "app"
    house.seconds += 31
    with pytest.raises(DatabaseUnreachable):
        keys.verify(token, HERE)


def test_a_remembered_key_asks_no_database(house: House) -> None:
    keys = house.keys()
    _, token = keys.create("app", {Scope.READ})
    keys.verify(token, HERE)
    asked = house.asked
    for _ in range(10):
        keys.verify(token, HERE)
    assert house.asked == asked


def test_two_live_keys_of_a_name(house: House) -> None:
    keys = house.keys()
    first, old = keys.create("app", {Scope.READ})
    _, new = keys.create("app", {Scope.READ})
    assert keys.verify(old, HERE).name == keys.verify(new, HERE).name == "app"
    with pytest.raises(UsageError, match="live keys"):
        keys.create("app", {Scope.READ})
    keys.revoke(first.id)
    keys.create("app", {Scope.READ})


def test_wrong_keys_have_to_wait(house: House) -> None:
    keys = house.keys("environment-key-1")
    for _ in range(10):
        with pytest.raises(Unauthorised):
            keys.verify("wrong", HERE)
    with pytest.raises(TooManyAttempts) as refusal:
        keys.verify("environment-key-1", HERE)
    assert refusal.value.retry_after > 0
    assert keys.verify("environment-key-1", "10.0.0.9").scopes == ALL_SCOPES
    house.seconds += 61
    assert keys.verify("environment-key-1", HERE).scopes == ALL_SCOPES


def test_no_key_is_in_a_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        keys = house.keys("environment-key-1")
        _, token = keys.create("app", {Scope.READ})
        keys.verify(token, HERE)
        with pytest.raises(Unauthorised):
            keys.verify(token + "x", HERE)
    assert token not in caplog.text
    assert token not in repr(keys.list())


@pytest.mark.parametrize(
    ("name", "scopes", "lifetime"),
    [
        ("", {Scope.READ}, None),
        ("x", set(), None),
        ("a\nb", {Scope.READ}, None),
        ("x", {Scope.READ}, timedelta(0)),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(
    house: House, name: str, scopes: set[Scope], lifetime: timedelta | None
) -> None:
    with pytest.raises(UsageError):
        house.keys().create(name, scopes, lifetime)
    assert house.keys().list() == []


def test_attempts_may_be_given(house: House) -> None:
    keys = Keys(house.database, Secret("environment-key-1"), attempts=Attempts(lambda: 0.0, limit=1))
    with pytest.raises(Unauthorised):
        keys.verify("wrong", HERE)
    with pytest.raises(TooManyAttempts):
        keys.verify("wrong", HERE)


def test_nobody_waits_for_a_main_database_that_hangs(house: House) -> None:
    _, known = house.keys().create("known", {Scope.READ})
    _, new = house.keys().create("new", {Scope.READ})
    keys = house.keys(patience=0.1)
    assert keys.verify(known, HERE).name == "known"
    house.seconds += 60
    house.hangs.set()
    try:
        for _ in range(12):  # more than may hang at once
            with pytest.raises(AnswerLate):
                keys.verify(new, HERE)
        assert keys.verify(known, HERE).name == "known"
    finally:
        house.answers.set()
        for thread in threading.enumerate():
            if thread.name == "bounded":
                thread.join()
    assert house.keys().verify(new, HERE).name == "new"
