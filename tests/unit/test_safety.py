"""What production refuses, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledgerline.errors import SettingsError
from ledgerline.safety import risks
from ledgerline.settings import load_settings
from ledgerline.url import parse_url

GOOD_KEY = "f3b1c9d07a5e48262ac0d9b7e6f51834aa01"
MAIN = "postgresql://app@db.internal/main?sslmode=verify-full"
INVOICE = "sqlserver://erp;database=invoice;integratedSecurity=true"


def found(main: str = MAIN, invoice: str = INVOICE, key: str = GOOD_KEY) -> list[str]:
    return [risk.setting for risk in risks(parse_url(main), parse_url(invoice), key)]


@pytest.mark.parametrize("key", [GOOD_KEY, "", "llk_9546cffb582e_6d92e278a1b2c3d4e5f60718"])
def test_a_good_key_or_none_passes(key: str) -> None:
    assert found(key=key) == []


@pytest.mark.parametrize(
    "key",
    [
        GOOD_KEY[:31],
        "a" * 40,
        "0123456789ab" * 4,
        "change-me-to-something-long-and-longer",
        "Passw0rd" + GOOD_KEY,
    ],
)
def test_a_key_that_can_be_guessed_is_refused(key: str) -> None:
    assert found(key=key) == ["API_KEY"]


@pytest.mark.parametrize(
    ("main", "is_refused"),
    [
        ("postgresql://app@db/main", True),
        ("postgresql://app@db/main?sslmode=disable", True),
        ("postgresql://app@db/main?sslmode=prefer", True),
        ("postgresql://app@db/main?sslmode=require", False),
        ("postgresql://app@localhost/main?sslmode=disable", False),
        ("postgresql://app@127.0.0.9/main", False),
        ("postgresql://app@10.0.0.9/main", True),
        ("sqlserver://db;database=main;encrypt=false;user=a;password=b", True),
        ("sqlserver://db;database=main;encrypt=strict;user=a;password=b", False),
        ("sqlserver://db;database=main;user=a;password=b", False),
        ("sqlite:///data/main.db", False),
    ],
)
def test_unencrypted_connections(main: str, is_refused: bool) -> None:
    assert found(main) == (["DATABASE_URL"] if is_refused else [])


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("sqlite:///data/main.db", "sqlite:///data/main.db", True),
        ("sqlite:///data/main.db", "sqlite:///data/./main.db", True),
        ("sqlite:///data/main.db", "sqlite:///data/invoice.db", False),
        ("sqlite:///data/main.db", "sqlite:///data/../data/main.db", True),
        ("sqlite:///data/main.db", f"sqlite:///{(Path.cwd() / 'data/main.db').as_posix()}", True),
        ("postgresql://a@localhost/x", "postgresql://a@localhost/X", False),
        ("postgresql://a@localhost/x", "postgresql://b@127.0.0.1:5432/x", True),
        ("postgresql://a@localhost/x", "postgresql://b@127.0.0.1:5433/x", False),
        (
            "sqlserver://Db;database=X;user=a;password=b",
            "sqlserver://db:1433;database=x;user=c;password=d",
            True,
        ),
    ],
)
def test_one_database_in_both_roles(one: str, other: str, is_same: bool) -> None:
    assert found(one, other) == (["INVOICE_DATABASE_URL"] if is_same else [])


def test_only_production_refuses(tmp_path: Path) -> None:
    risky = {"DATABASE_URL": "postgresql://app:Hunter2@db/main", "API_KEY": "short-key-of-20-char"}
    assert load_settings({**risky, "ENVIRONMENT": "staging"}, tmp_path).api_key is not None
    with pytest.raises(SettingsError) as caught:
        load_settings({**risky, "ENVIRONMENT": "production"}, tmp_path)
    assert len(caught.value.mistakes) == 2
    assert "Hunter2" not in caught.value.detail
    assert "short-key" not in caught.value.detail
