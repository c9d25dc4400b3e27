"""The documentation names everything that a user can type or meet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from ledgerline import errors
from ledgerline.cli.main import app
from ledgerline.contacts.model import Reason
from ledgerline.databases.schema import activity, metadata

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_and_option_is_documented(command: str) -> None:
    page = _text("docs/cli.md")
    assert re.search(rf"^\| `{command}\b", page, re.MULTILINE), f"docs/cli.md has no row for {command}"
    for parameter in COMMANDS[command].params:
        for option in parameter.opts:
            if option.startswith("--") and option not in ("--help", "--json"):
                assert f"`{option}" in page, f"docs/cli.md does not name {option} of {command}"


def test_no_documented_command_is_made_up() -> None:
    documented = set(re.findall(r"ledgerline ([a-z]+)\b", _text("README.md") + _text("docs/cli.md")))
    assert documented <= set(COMMANDS)


def test_every_exit_code_is_documented() -> None:
    page = _text("docs/cli.md")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    for code in {kind.exit_code for kind in kinds if issubclass(kind, errors.LedgerlineError)}:
        assert f"| {code} |" in page


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason.value}`" in _text("docs/ingestion.md")


@pytest.mark.parametrize(
    "table", ["contacts", "contact_points", "contact_owners", "source_records", "changes"]
)
def test_the_tables_of_a_run_are_documented(table: str) -> None:
    assert table in {**metadata.tables, **activity.tables}
    assert f"`{table}`" in _text("docs/ingestion.md")


def test_every_decision_record_is_listed() -> None:
    records = {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
    assert records == set(re.findall(r"\((0[^)]+\.md)\)", _text("docs/adr/README.md")))


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
