"""Reading settings one by one, and the mistakes with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ledgerline.errors import SettingsError
from ledgerline.settings.files import Given
from ledgerline.settings.model import DEFAULTS

T = TypeVar("T")


class Reader:
    """Reads settings one by one and collects the mistakes instead of stopping at the first."""

    def __init__(self, given: Mapping[str, Given], mistakes: list[str], notices: list[str]) -> None:
        self.given = given
        self.mistakes = mistakes
        self.notices = notices

    def text(self, name: str) -> str:
        return self.given[name].text if name in self.given else DEFAULTS[name]

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The parsed value, or None where it is not set or is wrong."""
        text = self.text(name)
        try:
            return parse(text) if text else None
        except SettingsError as error:
            self.refuse(name, error)
        return None

    def read(self, name: str, parse: Callable[[str], T]) -> T:
        """The parsed value; where it is wrong, that of the default, so that the reading can go on."""
        try:
            return parse(self.text(name))
        except SettingsError as error:
            self.refuse(name, error)
        return parse(DEFAULTS[name])

    def refuse(self, name: str, error: SettingsError) -> None:
        self.mistakes.append(f"{name}: {error.detail} {error.hint}".rstrip())
