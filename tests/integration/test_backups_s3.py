"""Backups in a bucket: the same as in a folder, against a real S3 server on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from tests.house import Installation, contact
from tests.postgres import free_port

from ledgerline.errors import BackupError
from ledgerline.operations.backup import Backups


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def house(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Where the bucket is, and the keys to it, S3's own tools say."""
    set_endpoint(endpoint, monkeypatch)
    house = Installation("sqlite", tmp_path)
    house.environ["BACKUP_URL"] = "s3://backups/of/ledgerline"
    house.write_invoice([contact(n, f"Asha Rao{n}", f"98200 1{n:04}") for n in range(1, 4)])
    house.ingest()
    return house


def set_endpoint(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**values, "ENDPOINT_URL": endpoint, "MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def test_a_bucket_is_as_good_as_a_folder(house: Installation) -> None:
    backups = Backups(house.settings)
    assert (backups.known(), backups.last_proven()) == ([], None)
    first, second = backups.create(), backups.create()
    assert first.proven_at is not None
    assert [one.id for one in backups.known()] == [second.id, first.id]
    assert backups.damaged() == []

    before = house.dump()
    house.update(1, contact_person_name="Bela Iyer")
    house.ingest()
    assert house.dump() != before
    backups.restore(replace_existing=True)
    assert house.dump() == before

    house.environ["BACKUP_KEEP"] = "1"
    assert [one.id for one in Backups(house.settings).prune()] == [first.id]
    assert [one.id for one in backups.known()] == [second.id]


def test_what_was_changed_in_the_bucket_is_found(house: Installation) -> None:
    backups = Backups(house.settings)
    manifest = backups.create()
    storage, root = fsspec.core.url_to_fs(house.environ["BACKUP_URL"])
    path = f"{root}/{manifest.files[0].name}"
    content = bytearray(storage.cat_file(path))
    content[len(content) // 2] ^= 1
    storage.pipe_file(path, bytes(content))
    proof = backups.prove().proofs[-1]
    assert not proof.ok
    assert "SHA-256" in proof.checks[0].detail


def test_a_bucket_that_cannot_be_reached(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    set_endpoint(f"http://127.0.0.1:{free_port()}", monkeypatch)
    with pytest.raises(BackupError, match="cannot be read") as failed:
        Backups(house.settings).known()
    assert "BACKUP_URL" in failed.value.hint
