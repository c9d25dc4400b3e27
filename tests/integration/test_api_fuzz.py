"""The OpenAPI document tells the truth: schemathesis sends what fits it and what does not; all its checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_api import invoice_database
from tests.serving import KEY, Service

# `make fuzz` sends many more, and goes through the bounds of every value.
EXAMPLES = os.environ.get("LEDGERLINE_FUZZ_EXAMPLES", "4")
PHASES = "examples,fuzzing" if EXAMPLES == "4" else "examples,coverage,fuzzing"

CONFIG = """
[phases.coverage]
# Of the methods that a path does not have one stands for all: the router refuses them, not we.
unexpected-methods = ["PATCH"]

[[operations]]
include-path-regex = "/query/|/saved-queries/"
# A text that fits the schema need not be a query that may run, nor the name of one that was saved.
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "422"]

[[operations]]
include-path-regex = "/queries/"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "404"]
"""


class Patient(Service):
    """It never makes an address wait for its wrong keys: schemathesis sends many."""

    program = (
        "-c",
        """
from ledgerline.operations.attempts import Attempts
Attempts.__init__.__kwdefaults__["limit"] = 10**9
from ledgerline.cli.main import main
main()
""",
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("fuzz")
    invoice_database(folder)
    with Patient(folder, PROBE_SLOW="10000") as service:
        yield service


def test_schemathesis_finds_nothing(service: Service, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    options = ["--max-examples", EXAMPLES, "--seed", "7", "--generation-deterministic", "--workers", "1"]
    options += ["--checks", "all", "--phases", PHASES, "--no-color"]
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(tmp_path / "schemathesis.toml"), "run", f"{service.url}/openapi.json"),
            *("--header", f"X-API-Key: {KEY}", *options),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_every_answer_has_an_example(service: Service) -> None:
    document = service.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    assert "example" in content or content.get("examples"), (method, path, status, kind)
                assert answer.get("content") or status in ("202", "204"), (method, path, status)


def test_examples_are_what_their_schemas_say(service: Service) -> None:
    """Each problem has the members of a problem; no schema that is referred to is missing."""
    document = service.get("/openapi.json").json()
    text = json.dumps(document)
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted <= set(document["components"]["schemas"])
    required = set(document["components"]["schemas"]["Problem"]["required"])
    for example in _problems(document):
        assert required <= set(example)


def _problems(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                examples = answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
                yield from (example["value"] for example in examples.values())
