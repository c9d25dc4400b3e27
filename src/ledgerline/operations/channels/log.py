"""Alerts in the log of the service; always on."""

from __future__ import annotations

import logging
from datetime import datetime

from ledgerline.operations.alert_messages import Message
from ledgerline.settings import AlertSettings

_log = logging.getLogger("ledgerline.alerts")


class Log:
    name = "log"

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:  # noqa: ARG002
        level = logging.INFO if message.is_good else logging.WARNING
        told = {"alert": message.kind, "code": message.code, "subject": message.subject, "id": delivery_id}
        _log.log(level, message.headline, extra={**told, "remedy": list(message.remedy)})


def channel(settings: AlertSettings) -> Log:  # noqa: ARG001
    return Log()
