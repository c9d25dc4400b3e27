"""Alerts as signed HTTP requests, in the manner of Standard Webhooks (https://www.standardwebhooks.com).

`webhook-id` is the same for every attempt, so a receiver that has seen it can let it pass. A redirection is a
failure: what is signed for one place is not carried to another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import IO, Final
from urllib.parse import urlsplit

import orjson

from ledgerline import __version__
from ledgerline.errors import ChannelFailed
from ledgerline.operations.alert_messages import Message
from ledgerline.operations.channels import SECONDS
from ledgerline.settings import AlertSettings, WebhookSettings
from ledgerline.url import Secret

_PREFIX: Final = "whsec_"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,  # noqa: ARG002
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: http.client.HTTPMessage,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


class Webhook:
    name = "webhook"

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        body = orjson.dumps({"id": delivery_id, **message.document()})
        headers = self._headers(delivery_id, body, int(now.replace(tzinfo=UTC).timestamp()))
        request = urllib.request.Request(  # noqa: S310  the setting is http or https
            self._settings.url.reveal(), data=body, headers=headers, method="POST"
        )
        try:
            self._opener.open(request, timeout=SECONDS).close()
        except urllib.error.HTTPError as error:
            with error:
                raise self._failed(f"answered {error.code}") from None
        except urllib.error.URLError as error:
            raise self._failed(f"cannot be reached: {_reason(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(f"broke off: {_reason(error)}") from None

    def _headers(self, delivery_id: str, body: bytes, timestamp: int) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Ledgerline/{__version__}",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(timestamp),
        }
        if self._settings.secret is not None:
            headers["webhook-signature"] = signature(self._settings.secret, delivery_id, timestamp, body)
        return headers

    def _failed(self, how: str) -> ChannelFailed:
        """Names the host alone: the rest of such an address is often a password."""
        host = urlsplit(self._settings.url.reveal()).hostname
        return ChannelFailed(f"The webhook at {host} {how}.", hint="Check ALERT_WEBHOOK_URL.")


def signature(secret: Secret, delivery_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body. A secret that begins with `whsec_` is base64."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: Secret) -> bytes:
    text = secret.reveal()
    if text.startswith(_PREFIX):
        try:
            return base64.b64decode(text[len(_PREFIX) :], validate=True)
        except binascii.Error:
            pass  # then it only looks like one
    return text.encode()


def _reason(reason: object) -> str:
    if isinstance(reason, OSError):
        return reason.strerror or type(reason).__name__
    return type(reason).__name__


def channel(settings: AlertSettings) -> Webhook | None:
    return None if settings.webhook is None else Webhook(settings.webhook)
