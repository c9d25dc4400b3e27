"""Every setting stands in env.example and in the documentation, and nothing stands there that is none."""

from __future__ import annotations

import re
from pathlib import Path

from ledgerline.settings import DEFAULTS, load_settings
from ledgerline.url.properties import PROPERTIES

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "env.example").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ASSIGNMENT = re.compile(r"^(#?)([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]*)` \| (\S+) \|", re.MULTILINE)


def test_the_example_has_every_setting_once() -> None:
    names = [name for _, name, _ in ASSIGNMENT.findall(EXAMPLE)]
    assert sorted(names) == sorted(DEFAULTS)


def test_every_setting_of_the_example_has_a_comment() -> None:
    lines = EXAMPLE.splitlines()
    for line, above in zip(lines[1:], lines, strict=False):
        if line.startswith("#") and ASSIGNMENT.match(line):
            assert re.match(r"# \S", above), line


def test_the_example_loads_as_it_is_and_with_every_line_in_use(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(EXAMPLE, encoding="utf-8")
    assert load_settings({}, tmp_path).main.url.windows_auth
    (tmp_path / ".env").write_text(ASSIGNMENT.sub(r"\2=\3", EXAMPLE), encoding="utf-8")
    settings = load_settings({}, tmp_path)
    assert all("ignored" in notice for notice in settings.notices)
    shown = {name: shown for name, shown, _ in settings.described}
    by_default = {name: shown for name, shown, _ in load_settings({}, tmp_path / "none").described}
    same = {name for name in shown if shown[name] == by_default[name]}
    assert {"INVOICE_COLUMNS", "INVOICE_ACTIVE", "INVOICE_TABLE", "PORT", "DB_TIMEOUT"} <= same


def test_the_documentation_has_every_setting_with_its_default() -> None:
    documented = dict(ROW.findall(DOCS))
    assert documented == {name: f"`{default}`" if default else "–" for name, default in DEFAULTS.items()}


def test_no_unknown_name_stands_in_the_documentation() -> None:
    mentioned = set(re.findall(r"\b(?:DB|INVOICE|DATABASE)_[A-Z_]+\b|`([A-Z]{2,}(?:_[A-Z]+)+)`", DOCS)) - {""}
    mentioned |= set(re.findall(r"\b(?:DB|INVOICE|DATABASE)_[A-Z_]+\b", DOCS))
    assert mentioned <= set(DEFAULTS)


def test_every_property_of_a_url_is_documented() -> None:
    for table in PROPERTIES.values():
        for prop in table:
            in_authority = prop.field in {"host", "port", "database", "user", "password"}
            assert in_authority or f"`{prop.name}`" in DOCS, prop.name
