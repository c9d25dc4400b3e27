"""Alerts as mails, by SMTP. The Message-ID is the same for every attempt, so a mailbox can show it once."""

from __future__ import annotations

import logging
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from ledgerline.errors import ChannelFailed
from ledgerline.operations.alert_messages import Message
from ledgerline.operations.channels import SECONDS
from ledgerline.settings import AlertSettings, MailSettings

_log = logging.getLogger(__name__)


class Mail:
    name = "mail"

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    def send(self, delivery_id: str, message: Message, now: datetime) -> None:
        try:
            with self._connected() as server:
                refused = server.send_message(self._mail(delivery_id, message, now))
        except smtplib.SMTPAuthenticationError:
            raise self._failed("refused the login", "Check ALERT_MAIL_USER and _PASSWORD.") from None
        except smtplib.SMTPRecipientsRefused:
            raise self._failed("refused every recipient", "Check ALERT_MAIL_TO.") from None
        except smtplib.SMTPResponseException as error:
            raise self._failed(f"answered {error.smtp_code}", "Its log tells why.") from None
        except (OSError, smtplib.SMTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            hint = "Check ALERT_MAIL_SERVER, _PORT and _SECURITY."
            if isinstance(error, ssl.SSLCertVerificationError):
                reason = f"certificate verify failed: {error.verify_message}"
                hint += " The certificate has to be of that name; SSL_CERT_FILE names a CA of your own."
            raise self._failed(f"cannot be spoken to: {reason}", hint) from None
        if refused:  # the others have it: trying again would send it to them once more
            _log.warning("The mail server refused %s.", ", ".join(refused))

    def _connected(self) -> smtplib.SMTP:
        """Logged in, and encrypted as it is asked for."""
        settings, context = self._settings, ssl.create_default_context()
        server: smtplib.SMTP
        if settings.security == "tls":
            server = smtplib.SMTP_SSL(settings.server, settings.port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(settings.server, settings.port, timeout=SECONDS)
        try:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                password = settings.password
                server.login(settings.user, "" if password is None else password.reveal())
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, delivery_id: str, message: Message, now: datetime) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(self._settings.to)
        mail["Subject"] = message.headline
        mail["Date"] = format_datetime(now.replace(tzinfo=UTC))
        mail["Message-ID"] = f"<{delivery_id}@ledgerline>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail

    def _failed(self, how: str, hint: str) -> ChannelFailed:
        place = f"{self._settings.server}:{self._settings.port}"
        return ChannelFailed(f"The mail server {place} {how}.", hint=hint)


def channel(settings: AlertSettings) -> Mail | None:
    return None if settings.mail is None else Mail(settings.mail)
