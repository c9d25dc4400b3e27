"""All settings, from their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ledgerline import safety
from ledgerline.errors import SettingsError
from ledgerline.settings import values
from ledgerline.settings.databases import databases
from ledgerline.settings.invoice import invoice_table
from ledgerline.settings.model import (
    DAY_MS,
    DEFAULTS,
    SECRETS,
    AlertSettings,
    BackupSettings,
    Environment,
    MailSettings,
    ProbeSettings,
    ServiceSettings,
    Settings,
    WebhookSettings,
)
from ledgerline.settings.reader import Reader
from ledgerline.url import MASK, DatabaseUrl, Secret


def build(reader: Reader) -> Settings:
    environment = reader.read("ENVIRONMENT", values.environment)
    main, invoice = databases(reader)
    if environment is Environment.PRODUCTION:
        risks = safety.risks(main.url, invoice.url, reader.text("API_KEY"))
        reader.mistakes += [f"{risk.setting}: {risk.detail} {risk.remedy}" for risk in risks]
    return Settings(
        environment=environment,
        main=main,
        invoice=invoice,
        invoice_table=invoice_table(reader),
        withdrawal_breaker=reader.read("WITHDRAWAL_BREAKER", values.share),
        reconcile_every=reader.read("RECONCILE_EVERY", values.duration),
        default_country_code=reader.read("DEFAULT_COUNTRY_CODE", values.region),
        dask_scheduler=reader.read("EXECUTOR", values.scheduler),
        ingest_schedule=reader.optional("INGEST_SCHEDULE", values.cron),
        backup_schedule=reader.optional("BACKUP_SCHEDULE", values.cron),
        time_zone=reader.read("SCHEDULE_TIME_ZONE", values.time_zone),
        catch_up=reader.read("SCHEDULE_CATCH_UP", values.duration),
        backups=BackupSettings(
            reader.read("BACKUP_URL", values.folder),
            reader.optional("BACKUP_PASSPHRASE", values.passphrase),
            reader.read("BACKUP_KEEP", values.whole(1, 10_000)),
            reader.read("BACKUP_KEEP_FOR", values.duration),
        ),
        host=reader.read("HOST", values.host),
        port=reader.read("PORT", values.whole(1, 65535)),
        api_key=_api_key(reader),
        service=_service(reader),
        alerts=_alerts(reader),
        public_url=(reader.optional("PUBLIC_URL", values.web_address) or "").rstrip("/"),
        notices=tuple(reader.notices),
        described=tuple(_described(reader, {"": main.url, "INVOICE_": invoice.url})),
    )


def _described(reader: Reader, urls: Mapping[str, DatabaseUrl]) -> Iterator[tuple[str, str, str]]:
    shown_urls = {f"{prefix}DATABASE_URL": url.render() for prefix, url in urls.items()}
    by_parts = {f"{prefix}DATABASE_URL": f"{prefix}DB_SERVER" for prefix in urls}
    for name in DEFAULTS:
        text = shown_urls.get(name) or reader.text(name)
        origin = reader.given[name].origin if name in reader.given else "default"
        if origin == "default" and by_parts.get(name) in reader.given:
            origin = f"{reader.given[by_parts[name]].origin} ({by_parts[name]} and its kin)"
        yield name, MASK if name in SECRETS and text else text, origin


def _api_key(reader: Reader) -> Secret | None:
    key = reader.optional("API_KEY", values.key)
    if key is not None and len(key.reveal()) < 16:
        reader.notices.append("API_KEY is short and can be guessed: use 16 characters or more.")
    return key


def _service(reader: Reader) -> ServiceSettings:
    return ServiceSettings(
        hosts=reader.optional(
            "ALLOWED_HOSTS", values.listed(values.HOST, "host names, with commas between them")
        )
        or (),
        origins=reader.optional(
            "ALLOWED_ORIGINS", values.listed(values.ORIGIN, "origins such as https://app.example")
        )
        or (),
        proxies=reader.optional("TRUSTED_PROXIES", values.networks) or (),
        body_bytes=reader.read("MAX_BODY_BYTES", values.whole(1_000, 100_000_000)),
        request_ms=reader.read("REQUEST_TIMEOUT", values.whole(100, DAY_MS)),
        shutdown_ms=reader.read("SHUTDOWN_TIMEOUT", values.whole(100, 3_600_000)),
        probe=ProbeSettings(
            interval_ms=reader.read("PROBE_INTERVAL", values.whole(100, 3_600_000)),
            timeout_ms=reader.read("PROBE_TIMEOUT", values.whole(10, 3_600_000)),
            slow_ms=reader.read("PROBE_SLOW", values.whole(1, 3_600_000)),
            rise=reader.read("PROBE_RISE", values.whole(1, 100)),
            fall=reader.read("PROBE_FALL", values.whole(1, 100)),
        ),
    )


def _alerts(reader: Reader) -> AlertSettings:
    url = reader.optional("ALERT_WEBHOOK_URL", values.web_address)
    secret = reader.optional("ALERT_WEBHOOK_SECRET", values.passphrase)
    return AlertSettings(
        webhook=WebhookSettings(Secret(url), secret) if url else None,
        mail=_mail(reader),
        reject_share=reader.read("ALERT_REJECT_SHARE", values.share),
        stuck_after=reader.read("ALERT_STUCK_AFTER", values.duration),
        no_success=reader.read("ALERT_NO_SUCCESS", values.duration_or_off),
        no_backup=reader.read("ALERT_NO_BACKUP", values.duration_or_off),
        repeat=reader.read("ALERT_REPEAT", values.durations),
        outbox=reader.text("ALERT_OUTBOX"),
    )


def _mail(reader: Reader) -> MailSettings | None:
    to = reader.optional(
        "ALERT_MAIL_TO", values.listed(values.MAILBOX, "mail addresses, with commas between them")
    )
    sender = reader.optional("ALERT_MAIL_FROM", values.listed(values.MAILBOX, "one mail address"))
    server = reader.optional("ALERT_MAIL_SERVER", values.host)
    password = reader.text("ALERT_MAIL_PASSWORD")
    mail = MailSettings(
        to=to or (),
        sender=(sender or to or ("",))[0],
        server=server or "",
        port=reader.read("ALERT_MAIL_PORT", values.whole(1, 65535)),
        security=reader.read("ALERT_MAIL_SECURITY", values.mail_security),
        user=reader.text("ALERT_MAIL_USER"),
        password=Secret(password) if password else None,
    )
    if not to:
        return None
    if server is None:
        reader.refuse("ALERT_MAIL_SERVER", SettingsError("It is missing.", hint="Name the mail server."))
    if mail.security == "none" and mail.user and not safety.is_this_machine(mail.server):
        unsafe = SettingsError("It would send a password in clear.", hint="Write starttls or tls.")
        reader.refuse("ALERT_MAIL_SECURITY", unsafe)
    return mail
