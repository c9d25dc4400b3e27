"""The configuration goes to a new machine in one encrypted file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.integration.test_cli import ledgerline

from ledgerline.errors import BackupDamaged, PassphraseWrong
from ledgerline.operations.config_backup import open_config, read_config
from ledgerline.url import Secret

SETTINGS = {
    "BACKUP_PASSPHRASE": "four words of mine",
    "INVOICE_DATABASE_URL": "postgresql://reader:Hunter2@erp/invoice",
    "INVOICE_ACTIVE": "status=OK",
    "API_KEY": "s3cret-five-and-some-more",
}


def test_a_new_machine_gets_the_configuration(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    made = ledgerline(old, "keys", "create", "--name", "app", "--scope", "read", settings=SETTINGS)
    assert made.stdout.startswith("llk_")
    ledgerline(old, "config", "export", "all.age", settings=SETTINGS)
    sealed = (old / "all.age").read_bytes()
    for secret in (b"Hunter2", b"s3cret", b"status=OK", b"INVOICE_ACTIVE", b"settings"):
        assert secret not in sealed
    ledgerline(old, "config", "export", "all.age", code=2, settings=SETTINGS)

    (new / "all.age").write_bytes(sealed)
    wrong = {"BACKUP_PASSPHRASE": "another passphrase"}
    ledgerline(new, "config", "import", "all.age", code=2, settings=wrong)
    assert not (new / ".env").exists()
    passphrase = {"BACKUP_PASSPHRASE": SETTINGS["BACKUP_PASSPHRASE"]}
    ledgerline(new, "config", "import", "all.age", settings=passphrase)
    assert stat.S_IMODE((new / ".env").stat().st_mode) == 0o600
    assert "status=OK" in ledgerline(new, "config").stdout
    assert (
        ledgerline(new, "keys", "list", "--json").stdout
        == ledgerline(old, "keys", "list", "--json", settings=SETTINGS).stdout
    )
    ledgerline(new, "config", "import", "all.age", code=2, settings=passphrase)
    again = ledgerline(new, "config", "import", "all.age", "--force", settings=passphrase)
    assert "0 rows brought back into api_keys" in again.stdout


def test_a_machine_of_another_environment_takes_nothing(tmp_path: Path) -> None:
    """The file names the database of its environment, which would be written to."""
    production = {
        "BACKUP_PASSPHRASE": SETTINGS["BACKUP_PASSPHRASE"],
        "ENVIRONMENT": "production",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'production.db'}",
    }
    done = ledgerline(tmp_path, "config", "export", "all.age", settings=production)
    assert "Saved queries and keys are not in it" in done.stderr
    (tmp_path / "production.db").unlink(missing_ok=True)
    passphrase = {"BACKUP_PASSPHRASE": SETTINGS["BACKUP_PASSPHRASE"]}
    staging = {**passphrase, "ENVIRONMENT": "staging"}
    refused = ledgerline(tmp_path, "config", "import", "all.age", code=2, settings=staging)
    assert "The file is of production, and this is staging" in refused.stderr
    assert not (tmp_path / ".env").exists()
    assert not (tmp_path / "production.db").exists()
    there = {**passphrase, "ENVIRONMENT": "production", "PORT": "4999", "DATABASE_URL": "sqlite:///else.db"}
    done = ledgerline(tmp_path, "config", "import", "all.age", settings=there)
    assert "DATABASE_URL is set otherwise in the environment" in done.stderr
    assert (tmp_path / "production.db").exists()


def test_what_is_no_configuration_is_refused() -> None:
    for content in (b"not JSON", b"[]", b'{"format": 99}'):
        with pytest.raises(BackupDamaged):
            read_config(content)
    with pytest.raises(PassphraseWrong):
        open_config(b"nothing of the kind", Secret("four words of mine"))
