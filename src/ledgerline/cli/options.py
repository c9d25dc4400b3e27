"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]


class Which(StrEnum):
    """Of the two databases."""

    MAIN = "main"
    INVOICE = "invoice"
