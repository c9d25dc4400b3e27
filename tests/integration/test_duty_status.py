"""What somebody sees of schedules, alerts and backups: the API, the figures, the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import sqlalchemy as sa
import typer
from tests.house import Installation, contact
from tests.postgres import free_port
from tests.receiving import webhook_receiver

from ledgerline.app import App
from ledgerline.cli import alerts, diagnosis
from ledgerline.databases.duties import Contender
from ledgerline.databases.runs import utc_now
from ledgerline.databases.schema import duties
from ledgerline.operations.alert_desk import Desk
from ledgerline.operations.alerting import DatabaseSeen, Seen
from ledgerline.operations.channels.log import Log
from ledgerline.operations.duty_status import alerts_beside, known_alerts
from ledgerline.operations.probe import Status
from ledgerline.web.server import create_app
from ledgerline.worker.starting import Workers

KEY = "a-key-for-tests-of-duties"
DOWN = Seen({"invoice": DatabaseSeen(Status.DOWN, utc_now(), "port_refused", "Refused.", ("Start it.",))})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("duties")
    house = Installation("sqlite", folder)
    house.write_invoice([contact(1, "Asha Rao", "98200 12345")])
    house.environ |= {
        "API_KEY": KEY,
        "BACKUP_URL": str(folder / "backups"),
        "BACKUP_SCHEDULE": "30 2 * * *",
        "ALERT_OUTBOX": str(folder / "alerts.db"),
    }
    house.ingest()
    return house


@pytest.fixture
def app(installed: Installation) -> Iterator[App]:
    with installed.app() as app:
        yield app


@pytest.fixture
def here(installed: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Commands run in this process, with the settings of the installation."""
    monkeypatch.chdir(tmp_path)
    for name, value in installed.environ.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_last_proven_restore(installed: Installation, app: App) -> None:
    assert "lastProvenRestore" not in answers(app)["/database/status"]
    worker = Workers(installed.environ).start("backup", {})  # as a schedule does
    assert worker.wait(120)
    assert worker.error is None
    proven = app.backups.last_proven()
    assert proven is not None
    assert proven.proven_at is not None
    assert worker.document == {"backup": proven.id}
    found = answers(app)
    at = proven.proven_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    status = found["/database/status"]
    assert status["lastProvenRestore"] == {"backup": proven.id, "at": at}
    (schedule,) = status["schedules"]
    assert (schedule["name"], schedule["expression"], schedule["timeZone"]) == ("backup", "30 2 * * *", "UTC")
    assert schedule["next"].endswith("T02:30:00.000Z")
    assert found["/health/database"]["mainDatabase"]["lastProvenRestore"] == at
    assert "lastProvenRestore" not in found["/health/database"]["invoiceDatabase"]
    name = "ledgerline_last_proven_restore_timestamp_seconds"
    figure = next(line for line in found["/metrics"].splitlines() if line.startswith(name))
    assert float(figure.split()[1]) == pytest.approx(proven.proven_at.timestamp())


def answers(app: App) -> dict[str, Any]:
    """What the API says when its duties were done once."""

    async def asked() -> dict[str, Any]:
        api = create_app(app)
        api.state.duties.tick()
        transport, found = httpx.ASGITransport(api), {}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for path in ("/database/status", "/health/database", "/metrics"):
                answer = await client.get(path, headers={"X-API-Key": KEY})
                is_text = answer.headers["content-type"].startswith("text/plain")
                found[path] = answer.text if is_text else answer.json()
        return found

    return anyio.run(asked)


def test_the_service_does_its_duties_and_hands_them_over(app: App) -> None:
    async def served() -> str | None:
        api = create_app(app)
        async with api.router.lifespan_context(api):
            for _ in range(600):
                if (during := holder(app)) is not None:
                    return during
                await anyio.sleep(0.05)
        return None

    assert anyio.run(served) is not None
    assert holder(app) is None


def holder(app: App) -> str | None:
    with app.main.begin_activity() as connection:
        return connection.scalar(sa.select(duties.c.holder).where(duties.c.name == "background"))


def test_a_source_that_an_undo_paused(
    installed: Installation, app: App, here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.setenv("BACKUP_SCHEDULE", "")
    assert "paused" not in answers(app)["/database/status"]
    undone = app.undo(1)
    (told,) = answers(app)["/database/status"]["paused"]
    assert (told["source"], told["runId"]) == ("INVOICE", undone.run.id)
    assert "ledgerline ingest --resume" in told["hint"]
    with pytest.raises(typer.Exit):
        diagnosis.status(json=True)
    assert json.loads(capsys.readouterr().out)["paused"] == [told]
    with pytest.raises(typer.Exit):
        diagnosis.status(json=False)
    assert "ledgerline ingest --resume" in capsys.readouterr().out
    app.undo(undone.run.id)
    assert "paused" not in answers(app)["/database/status"]


@pytest.mark.usefixtures("here")
def test_status_shows_schedules_and_backups(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        diagnosis.status(json=False)
    said = capsys.readouterr().out
    assert "30 2 * * * UTC" in said
    assert "was proven" in said or "No backup is proven" in said


def test_alerts_test_tells_of_each_channel(
    here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.setenv("ALERT_MAIL_TO", "ops@example.org")
    here.setenv("ALERT_MAIL_SERVER", "127.0.0.1")
    here.setenv("ALERT_MAIL_PORT", str(free_port()))
    with webhook_receiver() as receiver:
        here.setenv("ALERT_WEBHOOK_URL", receiver.url)
        for as_json in (False, True):
            with pytest.raises(typer.Exit) as exit_:
                alerts.try_channels(json=as_json)
            assert exit_.value.exit_code == 1
    assert [document["event"] for document in receiver.documents] == ["test", "test"]
    said, _, document = capsys.readouterr().out.partition("{")
    assert "✓ webhook" in said
    assert "✗ mail" in said
    told = json.loads("{" + document)
    assert {name: one["sent"] for name, one in told.items()} == {"log": True, "mail": False, "webhook": True}


def test_alerts_list(app: App, here: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    alerts.list_alerts(limit=20, json=False)
    assert "There are no alerts." in capsys.readouterr().out
    now = utc_now()
    desk = Desk(app.settings, app.main.begin_activity, [Log()], "a:1")
    duty = Contender("background", app.main.begin_activity, "a:1").hold(now)
    assert duty is not None
    desk.update(duty, DOWN, now)
    desk.close()
    alerts.list_alerts(limit=20, json=False)
    said = capsys.readouterr().out
    assert "The invoice database does not answer (port_refused)" in said
    assert "open" in said
    alerts.list_alerts(limit=20, json=True)
    (document,) = json.loads(capsys.readouterr().out)
    assert document["remedy"] == ["Start it."]
    assert [one["status"] for one in document["deliveries"]] == ["sent"]
    here.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/gone")
    here.setenv("DB_RETRY_ATTEMPTS", "0")
    alerts.list_alerts(limit=20, json=False)  # from the copy in the file of this machine
    assert "The invoice database does not answer (port_refused)" in capsys.readouterr().out


def test_looking_makes_no_file(tmp_path: Path) -> None:
    house = Installation("sqlite", tmp_path, ALERT_OUTBOX=str(tmp_path / "alerts.db"))
    before = set(tmp_path.rglob("*"))
    assert known_alerts(house.settings, 10) == alerts_beside(house.settings, 10) == []
    assert set(tmp_path.rglob("*")) == before
