"""Where alerts go: one file a channel. Each has a function `channel` that makes it out of the settings."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import datetime
from typing import Protocol

from ledgerline.operations.alert_messages import Message
from ledgerline.settings import AlertSettings

SECONDS = 10  # that a channel may take


class Channel(Protocol):
    name: str

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        """Raises ChannelFailed, which tells no secret.

        delivery_id  the same whenever this message is tried again
        """


def channels(settings: AlertSettings) -> list[Channel]:
    """Those that are set up."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    made = [importlib.import_module(f"{__name__}.{name}").channel(settings) for name in names]
    return [channel for channel in made if channel is not None]
