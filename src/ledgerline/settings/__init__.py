"""The settings: the only reader of the environment and of .env files.

`.env` is read first, then `.env.<environment>`; real environment variables win over both. Everything
is checked at once, and one SettingsError lists every mistake with its remedy. What is odd but works is
a notice. Neither ever holds a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ledgerline.errors import SettingsError
from ledgerline.settings.build import build
from ledgerline.settings.files import gather, is_unprintable
from ledgerline.settings.model import (
    COMPANY_NAME_COLUMNS,
    DEFAULTS,
    INVOICE_COLUMNS,
    AlertSettings,
    BackupSettings,
    CustomersTable,
    DatabaseSettings,
    Environment,
    InvoiceTable,
    MailSettings,
    ProbeSettings,
    ServiceSettings,
    Settings,
    TableName,
    WebhookSettings,
)
from ledgerline.settings.reader import Reader

__all__ = [
    "COMPANY_NAME_COLUMNS",
    "DEFAULTS",
    "INVOICE_COLUMNS",
    "AlertSettings",
    "BackupSettings",
    "CustomersTable",
    "DatabaseSettings",
    "Environment",
    "InvoiceTable",
    "MailSettings",
    "ProbeSettings",
    "ServiceSettings",
    "Settings",
    "TableName",
    "WebhookSettings",
    "describe",
    "given_values",
    "load_settings",
    "render_env",
]


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings of this process: its environment and the .env files of `folder` (its own by default).

    Raises SettingsError, whose detail lists every mistake.
    """
    mistakes: list[str] = []
    notices: list[str] = []
    given = gather(os.environ if environ is None else environ, folder or Path.cwd(), mistakes, notices)
    settings = build(Reader(given, mistakes, notices))
    if mistakes:
        count = "A setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
        listed = "".join(f"\n  {mistake}" for mistake in mistakes)
        raise SettingsError(
            f"{count} wrong:{listed}",
            hint="docs/configuration.md explains every setting.",
            mistakes=tuple(mistakes),
        )
    return settings


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """(variable, value with secrets masked, where it came from) for every setting."""
    return list(settings.described)


def given_values(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> dict[str, str]:
    """Every setting that is given, as text, secrets included: for a file that is encrypted at once."""
    given = gather(os.environ if environ is None else environ, folder or Path.cwd(), [], [])
    return {name: given[name].text for name in DEFAULTS if name in given}


def render_env(values: Mapping[str, str]) -> str:
    """The text of a .env file that reads back as `values`. SettingsError: no line can hold one."""
    return "".join(f"{_checked_name(name)}={_quoted(name, value)}\n" for name, value in values.items())


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SettingsError("A variable's name holds more than letters, digits and '_'.")
    return name


def _quoted(name: str, value: str) -> str:
    if is_unprintable(value):
        raise SettingsError(f"{name}: the value holds a control character or is not UTF-8.")
    if re.fullmatch(r"[A-Za-z0-9_./:,@%+=-]+", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
