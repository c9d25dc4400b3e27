"""What is told beside a line of the log fits into one: logging refuses some names, and only when it logs."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import ledgerline

_TAKEN = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}


def _extras() -> Iterator[tuple[str, str]]:
    """Each `extra={…}` of a call: where it is, and a key of it."""
    for path in Path(ledgerline.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                for key in node.value.keys:
                    if isinstance(key, ast.Constant):
                        yield f"{path.name}:{node.lineno}", str(key.value)


def test_no_line_of_the_log_uses_a_name_of_logging() -> None:
    extras = list(_extras())
    assert "code" in dict(extras).values()
    assert [(where, key) for where, key in extras if key in _TAKEN] == []
