"""What an alert says: one message for all channels, kept in the outbox as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from ledgerline.databases.alerts import Alert
from ledgerline.operations.alerting import Change

_WORDS = {
    Change.OPENED: "",
    Change.CHANGED: "Changed: ",
    Change.REPEATED: "Still: ",
    Change.RECOVERED: "Recovered: ",
}
TEST = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """`at`: when it was found out, ISO 8601. Nothing in it is secret."""

    event: str  # a `Change`, or TEST
    at: str
    environment: str
    host: str
    subject: str
    kind: str
    code: str
    title: str
    detail: str
    remedy: tuple[str, ...]
    command: str
    link: str
    opened_at: str
    notices: int

    @property
    def is_good(self) -> bool:
        return self.event in (Change.RECOVERED, TEST)

    @property
    def headline(self) -> str:
        """One line."""
        words = _WORDS.get(Change(self.event), "") if self.event != TEST else ""
        code = "" if self.is_good else f" ({self.code})"
        return " ".join(f"[{self.environment}] {words}{self.title}{code}".split())

    @property
    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.headline
        yield ""
        if self.event == Change.RECOVERED:
            yield f"It is over: {self.opened_at} to {self.at}."
        else:
            yield f"{self.detail}".strip() or self.title
            yield f"Since {self.opened_at}, seen from {self.host}."
            if self.remedy:
                yield "\nWhat to do:"
                yield from (f"- {step}" for step in self.remedy)
        yield ""
        if self.command:
            yield f"More: {self.command}"
        if self.link:
            yield self.link

    def document(self) -> dict[str, Any]:
        """What a webhook gets. `text` is what chat services show."""
        alert = {
            "subject": self.subject,
            "kind": self.kind,
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "remedy": list(self.remedy),
            "command": self.command,
            "link": self.link,
            "openedAt": self.opened_at,
            "notices": self.notices,
        }
        where = {"environment": self.environment, "host": self.host}
        return {"event": self.event, "timestamp": self.at, **where, "alert": alert, "text": self.text}

    def dump(self) -> str:
        return orjson.dumps(asdict(self)).decode()


def load(text: str) -> Message:
    values = orjson.loads(text)
    known = {name: values[name] for name in (field.name for field in fields(Message))}
    return Message(**{**known, "remedy": tuple(known["remedy"])})


def message_of(
    change: Change, alert: Alert, now: datetime, *, environment: str, host: str, public_url: str
) -> Message:
    return Message(
        event=change.value,
        at=instant(now),
        environment=environment,
        host=host,
        subject=alert.subject,
        kind=alert.kind,
        code=alert.code,
        title=alert.title,
        detail=alert.detail,
        remedy=tuple(alert.remedy.splitlines()),
        command=alert.command,
        link=f"{public_url}{alert.path}" if public_url and alert.path else "",
        opened_at=instant(alert.opened_at),
        notices=alert.notices,
    )


def test_message(now: datetime, *, environment: str, host: str) -> Message:
    return Message(
        event=TEST,
        at=instant(now),
        environment=environment,
        host=host,
        subject="test",
        kind="test",
        code="test",
        title="A test of Ledgerline's alerts",
        detail="Nothing is wrong: somebody ran ledgerline alerts test.",
        remedy=(),
        command="ledgerline alerts list",
        link="",
        opened_at=instant(now),
        notices=1,
    )


def instant(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
