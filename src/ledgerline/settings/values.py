"""What a text means as a value; SettingsError says what it should have been."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from phonenumbers import SUPPORTED_REGIONS

from ledgerline.errors import SettingsError
from ledgerline.settings.model import Environment
from ledgerline.url import Secret


def did_you_mean(text: str, known: Iterable[str]) -> str:
    words = list(known)
    near = [word for word in words if text and word.startswith(text.lower())]
    near += difflib.get_close_matches(text.lower(), words, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def environment(text: str) -> Environment:
    if text not in set(Environment):
        known = [environment.value for environment in Environment]
        raise SettingsError(f"It is unknown.{did_you_mean(text, known)}", hint=f"Write {', '.join(known)}.")
    return Environment(text)


_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def flag(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise SettingsError("It is neither true nor false.", hint="Write true or false.")
    return _WORDS[text.lower()]


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
        if not least <= number <= most:
            raise SettingsError(f"It is not a whole number from {least} to {most}.")
        return number

    return parse


def share(text: str) -> float:
    share = float(text) if re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}", text) else -1.0
    if not 0 <= share <= 1:
        raise SettingsError("It is not a share from 0 to 1.", hint="Write 0.2 for 20 %.")
    return share


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)  # a calendar ends somewhere


def duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,5})\s*([smhdw])", text.lower())
    if match is None:
        raise SettingsError("It is not a time span.", hint="Write a number and a unit: 30m, 24h or 7d.")
    span = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if span > _LONGEST:
        raise SettingsError("It is longer than a hundred years.")
    return span


def region(text: str) -> str:
    region = text.upper()
    if region not in SUPPORTED_REGIONS:
        meant = " Did you mean 'GB'?" if region == "UK" else ""
        raise SettingsError(
            f"It is no region that phone numbers are known for.{meant}",
            hint="Write the ISO code of the country in two letters: IN, US, GB.",
        )
    return region


def scheduler(text: str) -> str | None:
    if text.lower() == "local":
        return None
    match = re.fullmatch(r"dask://((?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):[0-9]{1,5})", text)
    if match is None:
        raise SettingsError("It is unknown.", hint="Write local or dask://host:port.")
    return f"tcp://{match[1]}"


def cron(text: str) -> str:
    if len(text.split()) != 5 or not _ever_comes(text):  # the library takes seconds too
        raise SettingsError(
            "It is no cron expression, or names a day that never comes.",
            hint="Write minute, hour, day, month and weekday: '30 2 * * *' is nightly at 2:30.",
        )
    return " ".join(text.split())


def _ever_comes(cron: str) -> bool:
    try:
        return next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)), None) is not None
    except CronSimError:
        return False


def time_zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            "It is no time zone.",
            hint="Write a name of the IANA database: Europe/Berlin, Asia/Kolkata, UTC.",
        ) from error


def duration_or_off(text: str) -> timedelta | None:
    return None if text.lower() == "off" else duration(text)


def durations(text: str) -> tuple[timedelta, ...]:
    spans = tuple(duration(span.strip()) for span in text.split(","))
    if sorted(spans) != list(spans):
        raise SettingsError("The time spans do not grow.", hint="Write them in order: 1h,4h,24h.")
    return spans


def mail_security(text: str) -> str:
    if text.lower() not in ("starttls", "tls", "none"):
        raise SettingsError("It is unknown.", hint="Write starttls, tls or none.")
    return text.lower()


def web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@\\]+(?:/[\x21-\x7e]*)?", text):
        raise SettingsError(
            "It is no web address.", hint="Write https://host/path, without user or password."
        )
    return text


def folder(text: str) -> str:
    if re.match(r"[\w+.-]+://[^/@]*:.*@", text):
        raise SettingsError(
            "It holds a password.", hint="Give the storage's credentials as its own tools take them."
        )
    return text


def passphrase(text: str) -> Secret:
    if len(text) < 12:
        raise SettingsError("It is short and can be guessed.", hint="Write 12 characters or more.")
    return Secret(text)


def host(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text):
        raise SettingsError(
            "It is no host name or address.", hint="Write 127.0.0.1, 0.0.0.0 or a name, without a port."
        )
    return text


HOST = r"\*|[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]"
MAILBOX = r"[^\s@<>,;\"]+@[A-Za-z0-9.-]+"
ORIGIN = r"https?://(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"


def listed(pattern: str, what: str) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        items = tuple(item.strip().lower() for item in text.split(",") if item.strip())
        for item in items:
            if not re.fullmatch(pattern, item):
                raise SettingsError(f"'{item}' does not belong into it.", hint=f"Write {what}.")
        return items

    return parse


def networks(text: str) -> tuple[str, ...]:
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise SettingsError(
                f"'{item}' is no address and no network.",
                hint="Write such as 10.0.0.7,10.1.0.0/16.",
            ) from None
    return items


def key(text: str) -> Secret:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise SettingsError(
            "It holds characters that an HTTP header cannot carry.", hint="Use ASCII without blanks."
        )
    return Secret(text)
