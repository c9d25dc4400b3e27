"""Options that several commands take."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


def number(text: str) -> int:
    """Of a run or a contact: one that a database can be asked for."""
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise typer.BadParameter(f"{text!r} is no number of that kind.")
    return int(text)


class Which(StrEnum):
    """Of the two databases."""

    MAIN = "main"
    INVOICE = "invoice"
