"""Channels against real servers: a webhook's receiver, a mail server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from tests.postgres import free_port
from tests.receiving import Received, certificate, dripping_receiver, mail_receiver, webhook_receiver

from ledgerline.errors import ChannelFailed
from ledgerline.operations.alert_messages import test_message as message_to_try
from ledgerline.operations.channels import Channel, channels
from ledgerline.operations.channels.webhook import signature
from ledgerline.settings import load_settings
from ledgerline.url import Secret

NOW = datetime(2026, 5, 1, 12)  # noqa: DTZ001
MESSAGE = message_to_try(NOW, environment="staging", host="app1")
SECRET = "four words of nobody"


@pytest.fixture
def receiver() -> Iterator[Received]:
    with webhook_receiver() as received:
        yield received


def channel(name: str, folder: Path, **settings: Any) -> Channel:
    made = channels(load_settings({key: str(value) for key, value in settings.items()}, folder).alerts)
    return next(one for one in made if one.name == name)


def mail(folder: Path, port: int, **settings: str) -> Channel:
    given = {"ALERT_MAIL_TO": "ops@example.org,kim@example.org", "ALERT_MAIL_SERVER": "127.0.0.1"}
    return channel(
        "mail", folder, ALERT_MAIL_PORT=port, **{"ALERT_MAIL_SECURITY": "none", **given, **settings}
    )


def test_the_log_is_always_there_and_others_when_they_are_set_up(tmp_path: Path) -> None:
    assert [one.name for one in channels(load_settings({}, tmp_path).alerts)] == ["log"]


def test_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ledgerline.alerts"):
        channel("log", tmp_path).send("an-id", MESSAGE, NOW)
    assert caplog.messages == ["[staging] A test of Ledgerline's alerts"]


def test_a_webhook_is_signed(receiver: Received, tmp_path: Path) -> None:
    hook = channel("webhook", tmp_path, ALERT_WEBHOOK_URL=receiver.url, ALERT_WEBHOOK_SECRET=SECRET)
    hook.send("an-id", MESSAGE, NOW)
    ((headers, body),) = receiver.requests
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("an-id", "1777636800")
    signed = b"an-id.1777636800." + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (document,) = receiver.documents
    assert (document["id"], document["event"], document["environment"]) == ("an-id", "test", "staging")


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of their own libraries' tests."""
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed(receiver: Received, tmp_path: Path) -> None:
    channel("webhook", tmp_path, ALERT_WEBHOOK_URL=receiver.url).send("an-id", MESSAGE, NOW)
    assert "webhook-signature" not in receiver.requests[0][0]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_is_not_taken(status: int, receiver: Received, tmp_path: Path) -> None:
    receiver.answers = [status]
    with pytest.raises(ChannelFailed, match=f"127.0.0.1 answered {status}") as failed:
        channel("webhook", tmp_path, ALERT_WEBHOOK_URL=receiver.url).send("an-id", MESSAGE, NOW)
    assert "a-token" not in failed.value.detail + failed.value.hint
    assert len(receiver.requests) == 1  # it was not carried to another place


def test_a_webhook_that_takes_for_ever(tmp_path: Path) -> None:
    """Each byte comes in time; all of them together never do."""
    with dripping_receiver() as url:
        settings = load_settings({"ALERT_WEBHOOK_URL": url}, tmp_path).alerts
        hook = next(one for one in channels(settings, seconds=0.3) if one.name == "webhook")
        with pytest.raises(ChannelFailed, match="webhook took longer than"):
            hook.send("an-id", MESSAGE, NOW)


def test_a_webhook_that_nobody_answers(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/a-token"
    with pytest.raises(ChannelFailed, match="cannot be reached: Connection refused") as failed:
        channel("webhook", tmp_path, ALERT_WEBHOOK_URL=url).send("an-id", MESSAGE, NOW)
    assert "a-token" not in failed.value.detail


def test_a_mail(tmp_path: Path) -> None:
    with mail_receiver() as (port, mails):
        mail(tmp_path, port).send("an-id", MESSAGE, NOW)
    (came,) = mails
    assert came["Subject"] == "[staging] A test of Ledgerline's alerts"
    assert came["To"] == "ops@example.org, kim@example.org"
    assert came["From"] == "ops@example.org"
    assert came["Message-ID"] == "<an-id@ledgerline>"
    assert "somebody ran ledgerline alerts test" in came.get_content()


def test_a_mail_server_that_does_not_encrypt(tmp_path: Path) -> None:
    with mail_receiver() as (port, mails), pytest.raises(ChannelFailed, match="SMTPNotSupportedError"):
        mail(tmp_path, port, ALERT_MAIL_SECURITY="starttls").send("an-id", MESSAGE, NOW)
    assert mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_that_encrypts(security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only to one whose certificate is trusted a mail is sent, and the login before it."""
    public, context = certificate(tmp_path)
    logins: list[Any] = []

    def known(*given: Any) -> AuthResult:
        logins.append(given[-1])
        return AuthResult(success=True)

    options: dict[str, Any] = {"ssl_context" if security == "tls" else "tls_context": context}
    login = {"ALERT_MAIL_USER": "kim", "ALERT_MAIL_PASSWORD": "Hunter2"}
    # The library does not take a connection that is encrypted from the first byte for one.
    options |= {"authenticator": known, "auth_require_tls": security == "starttls"}
    with mail_receiver(**options) as (port, mails):
        hook = mail(tmp_path, port, ALERT_MAIL_SECURITY=security, **login)
        with pytest.raises(ChannelFailed, match="certificate verify failed") as failed:
            hook.send("an-id", MESSAGE, NOW)
        assert "SSL_CERT_FILE" in failed.value.hint
        assert (mails, logins) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
        hook.send("an-id", MESSAGE, NOW)
    assert (len(mails), len(logins)) == (1, 1)


def test_a_mail_server_that_refuses_the_mail(tmp_path: Path) -> None:
    with mail_receiver(data_size_limit=10) as (port, mails), pytest.raises(ChannelFailed, match="552"):
        mail(tmp_path, port).send("an-id", MESSAGE, NOW)
    assert mails == []


def test_a_mail_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChannelFailed, match="Connection refused"):
        mail(tmp_path, free_port()).send("an-id", MESSAGE, NOW)


def test_a_mail_server_that_knows_no_such_login(tmp_path: Path) -> None:
    login = {"ALERT_MAIL_USER": "kim", "ALERT_MAIL_PASSWORD": "Hunter2"}
    with mail_receiver() as (port, _), pytest.raises(ChannelFailed) as failed:
        mail(tmp_path, port, **login).send("an-id", MESSAGE, NOW)
    assert "Hunter2" not in failed.value.detail


def test_what_nobody_thought_of_is_a_failure_of_the_channel_and_tells_no_token(tmp_path: Path) -> None:
    hook = channel("webhook", tmp_path, ALERT_WEBHOOK_URL=f"http://{'a' * 70}.example/token")
    with pytest.raises(ChannelFailed) as failed:
        hook.send("1", MESSAGE, NOW)
    assert "token" not in failed.value.detail + failed.value.hint
