"""Where alerts go: one file a channel. Each has a function `channel` that makes it out of the settings."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import datetime
from typing import Final, Protocol

from ledgerline.errors import ChannelFailed
from ledgerline.operations.alert_messages import Message
from ledgerline.operations.bounded import Bounded
from ledgerline.settings import AlertSettings

SECONDS = 10  # that a channel may wait for a single answer of its server
_LONGEST: Final = 30.0  # seconds for all of it: whoever sends is taken for dead after sixty


class Channel(Protocol):
    name: str

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        """Raises ChannelFailed, which tells no secret.

        delivery_id  the same whenever this message is tried again
        """


class _Timely:
    """A channel that fails where its server takes too long, be it by one byte after the other."""

    def __init__(self, channel: Channel, seconds: float) -> None:
        self.name = channel.name
        self._channel = channel
        self._bounded = Bounded(seconds, lambda: _late(channel.name, seconds))

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        try:
            self._bounded.call(lambda: self._channel.send(delivery_id, message, now))
        except ChannelFailed:
            raise
        except Exception as error:  # else those behind it would never be told
            raise _unexpected(self.name, error) from error


def _late(name: str, seconds: float) -> ChannelFailed:
    return ChannelFailed(
        f"The server of the channel {name} took longer than {seconds:g} seconds.",
        hint="Its log tells why. Whether it got the message is not known.",
    )


def _unexpected(name: str, error: Exception) -> ChannelFailed:
    return ChannelFailed(
        f"The channel {name} failed in a way that nobody thought of: {type(error).__name__}.",
        hint="Check its settings: ledgerline alerts test",
    )


def channels(settings: AlertSettings, seconds: float = _LONGEST) -> list[Channel]:
    """Those that are set up."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    made = [importlib.import_module(f"{__name__}.{name}").channel(settings) for name in names]
    return [_Timely(channel, seconds) for channel in made if channel is not None]
