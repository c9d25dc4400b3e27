"""What is in `deploy/` fits the program: files, commands, settings and units that are there."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer.main
import yaml

from ledgerline.cli.main import app
from ledgerline.errors import SettingsError
from ledgerline.settings import DEFAULTS, Environment, Settings, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in (".service", ".timer"))


def test_the_page_names_every_file_and_no_command_that_is_not() -> None:
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    for path in DEPLOY.iterdir():
        assert f"`deploy/{path.name}`" in page, path.name
    for name in set(re.findall(r"\bdeploy/([\w.-]+\w)", page)) - {"ledgerline.env", ".env"}:
        assert (DEPLOY / name).exists(), name
    named = re.findall(r"(?:exec ledgerline ledgerline|as_service|`ledgerline) ([a-z-]+)", page)
    assert set(named) <= COMMANDS
    assert {"config", "doctor", "migrate", "keys", "backup", "invoice-contract"} <= set(named)


# -- containers --------------------------------------------------------------------------------------------


def test_what_the_image_is_made_of_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)", CONTAINERFILE, re.MULTILINE)
    for source in (part for line in copied for part in line.split()[:-1]):
        assert (ROOT / source).exists(), source
    # By number: Kubernetes' runAsNonRoot cannot tell what a name stands for.
    assert re.search(r"^USER 10001:10001$", CONTAINERFILE, re.MULTILINE)
    assert "--require-hashes --only-binary :all: -r requirements/server.lock" in CONTAINERFILE


def test_no_more_is_sent_to_a_build_than_it_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)", CONTAINERFILE, re.MULTILINE)
    sources = {part for line in copied for part in line.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored  # .env files and data are never in a build
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == sources


def test_the_lock_of_the_image_has_every_driver_and_no_tool() -> None:
    lock = (ROOT / "requirements/server.lock").read_text(encoding="utf-8")
    for name in ("psycopg", "mssql-python", "pymysql", "uvicorn", "hatchling"):
        assert re.search(rf"^{name}==", lock, re.MULTILINE), name
    assert "pytest==" not in lock


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (400, True), (500, False), (None, False)])
def test_the_health_check(monkeypatch: pytest.MonkeyPatch, status: int | None, is_well: bool) -> None:
    command = re.search(r"HEALTHCHECK .*? CMD (\[.*\])", CONTAINERFILE)
    assert command is not None
    program, option, code = json.loads(command[1])
    assert (program, option) == ("python", "-c")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 0)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("PORT", str(server.server_port if status else 9))
        with pytest.raises((SystemExit, OSError)) as ended:
            exec(code, {})
        server.shutdown()
    assert (isinstance(ended.value, SystemExit) and not ended.value.code) is is_well


def test_the_services_fit_together() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for needed in service.get("depends_on", {}):
            assert needed in services, name
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"], name
    own = {name: service for name, service in services.items() if service["image"] == "ledgerline"}
    assert set(own) == {"migrate", "ledgerline"}
    for service in own.values():
        assert service["command"][0] in COMMANDS
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    (build,) = [service["build"] for service in own.values() if "build" in service]  # twice leaves one behind
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Containerfile")
    assert services["ledgerline"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def _example() -> dict[str, str]:
    lines = (DEPLOY / "ledgerline.env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))


def test_production_takes_the_settings(tmp_path: Path) -> None:
    example = _example()
    assert set(example) <= set(DEFAULTS)
    assert _loaded(example, tmp_path).main.url.host == "db.example"
    given = COMPOSE["services"]["ledgerline"]["environment"]
    password = {name: value.replace("${POSTGRES_PASSWORD:?}", "0a1b2c") for name, value in given.items()}
    composed = {name: re.sub(r"\$\{SUBNET:-(.*)\}", r"\1", value) for name, value in password.items()}
    settings = _loaded({**example, **composed}, tmp_path)
    main = settings.main.url
    assert (main.host, main.database, main.user) == ("/var/run/postgresql", "main", "ledgerline")
    # Who comes in from this machine is seen at the address of the network of the containers.
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert network["subnet"] == given["TRUSTED_PROXIES"]
    assert settings.service.proxies != ("127.0.0.1",)


def _loaded(values: dict[str, str], folder: Path) -> Settings:
    settings = load_settings(values, folder)
    assert settings.environment is Environment.PRODUCTION
    assert not settings.notices
    return settings


# -- services ----------------------------------------------------------------------------------------------


class _Unit(configparser.RawConfigParser):
    def __init__(self, name: str) -> None:
        super().__init__(strict=False, delimiters=("=",))
        self.read(DEPLOY / name, encoding="utf-8")


def test_the_unit_runs_commands_that_are_there() -> None:
    unit = _Unit("ledgerline.service")["Service"]
    assert unit["execstart"] == "/opt/ledgerline/.venv/bin/ledgerline serve"
    # Only the exit code of ExecStart keeps systemd from starting it again; that of serve tells of settings.
    assert "execstartpre" not in unit
    assert unit["restartpreventexitstatus"] == str(SettingsError.exit_code)


def test_commands_leave_the_files_of_the_service_to_itself() -> None:
    """systemd sets the mode of the folder anew each time that something runs in it."""
    unit = _Unit("ledgerline.service")["Service"]
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    for name in ("StateDirectory", "StateDirectoryMode", "UMask"):
        assert f"--property={name}={unit[name.lower()]} " in page
    assert f"--setenv={unit['environment']} " in page
    ticket = _Unit("ledgerline-ticket.service")["Service"]
    for name in ("statedirectory", "statedirectorymode", "umask"):
        assert ticket[name] == unit[name]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(DEPLOY / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "ledgerline" in line]
    assert [line for line in said if not line.endswith("is not executable: No such file or directory")] == []


def test_the_service_of_windows() -> None:
    service = ElementTree.parse(DEPLOY / "ledgerline-service.xml").getroot()
    assert service.findtext("arguments") in COMMANDS
    assert str(service.findtext("serviceaccount/username")).endswith("$")
