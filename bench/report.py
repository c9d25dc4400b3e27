"""What was measured: a table for people, JSON for programs, and the results in docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import psutil

from bench.figures import FIGURES, Figure, Measured, Pair
from bench.measure import ROOT
from bench.workspace import SEED, SERVER_SETTINGS

OUT: Final = ROOT / "bench" / "out"
LATEST: Final = OUT / "latest.json"
DOCS: Final = ROOT / "docs" / "benchmarks.md"
NOMINAL_ROWS: Final = 1_000_000

_BEGIN, _END = "<!-- results: python -m bench --render -->", "<!-- end of results -->"
_HEADINGS: Final = ("figure", "measured", "must", "want", "verdict", "from")
_BY_NAME: Final = {figure.name: figure for figure in FIGURES}


def document(measured: Sequence[Measured], rows: int, pairs: int, postgres: str) -> dict[str, Any]:
    return {
        "finishedAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "pairs": pairs,
        "seed": SEED,
        "machine": _machine(postgres),
        "serverSettings": SERVER_SETTINGS,
        "figures": {one.name: _figure_document(one) for one in measured},
        "stages": stages(next((one.pairs for one in measured if one.name == "load"), ())),
    }


def _figure_document(measured: Measured) -> dict[str, Any]:
    figure = _BY_NAME[measured.name]
    marks = {"title": figure.title.strip(), "unit": figure.unit, "must": figure.must, "want": figure.want}
    return {**marks, "verdict": figure.verdict(measured.value), **measured.as_dict()}


def _machine(postgres: str) -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count(),
        "memoryGb": round(psutil.virtual_memory().total / 1e9),
        "loadAverage": [round(load, 2) for load in psutil.getloadavg()],
        "python": platform.python_version(),
        "polars": pl.__version__,
        "postgresql": postgres,
    }


def stages(pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Medians over runs of what each stage took: seconds, and CPU-seconds of client and database."""
    if not pairs:
        return {}
    runs = [pair.details["stages"] for pair in pairs]
    return {
        stage: {kind: round(statistics.median(run[stage][kind] for run in runs), 3) for kind in costs}
        for stage, costs in runs[0].items()
    }


def write(result: dict[str, Any]) -> Path:
    OUT.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromisoformat(result["finishedAt"]).strftime("%Y%m%dT%H%M%SZ")
    path = OUT / f"bench-{stamp}.json"
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    for file in (path, LATEST):
        file.write_text(text, encoding="utf-8")
    return path


# -- for people ----------------------------------------------------------------------------------------------


def text(result: dict[str, Any]) -> str:
    """The whole report for a terminal."""
    blocks = [
        _aligned([_HEADINGS, *_figure_rows(result)], left=(0, 5)),
        _aligned(_stage_rows(result), left=(0,)) if result["stages"] else "",
        *_disagreements(result),
        "\n".join(_footer(result)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _figure_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        _figure_row(figure, result["figures"][figure.name])
        for figure in FIGURES
        if figure.name in result["figures"]
    ]


def _figure_row(figure: Figure, found: dict[str, Any]) -> tuple[str, ...]:
    sign = "≥" if figure.higher else "≤"
    must, want = ("" if mark is None else f"{sign} {mark:g}" for mark in (found["must"], found["want"]))
    value = f"{found['value']:.{figure.digits}f} {figure.unit}".rstrip()
    return figure.title, value, must, want, found["verdict"], found["note"]


def _stage_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("stage of the first load", "seconds", "client CPU-s", "database CPU-s")]
    for stage, cost in result["stages"].items():
        rows.append((stage, *(f"{cost[kind]:.2f}" for kind in ("wall", "client_cpu", "database_cpu"))))
    return rows


def _disagreements(result: dict[str, Any]) -> Iterable[str]:
    for name, found in result["figures"].items():
        if found.get("examples"):
            listed = "\n".join(f"  {example}" for example in found["examples"])
            yield f"{name}: disagreements, for example\n{listed}"


def _footer(result: dict[str, Any]) -> list[str]:
    machine = result["machine"]
    versions = f"Python {machine['python']}, Polars {machine['polars']}, PostgreSQL {machine['postgresql']}"
    settings = ", ".join(f"{name} = {value}" for name, value in result["serverSettings"].items())
    lines = [
        f"{result['rows']:,} rows, median of {result['pairs']} pairs, on {result['finishedAt'][:10]}.",
        f"{machine['system']}, {machine['cores']} cores, {machine['memoryGb']} GB; {versions}.",
        f"PostgreSQL's settings for both sides of each pair: {settings}; all else by default.",
    ]
    if result["rows"] != NOMINAL_ROWS:
        lines.append(
            f"The marks are set for {NOMINAL_ROWS:,} rows; with {result['rows']:,} they are only a hint."
        )
    return lines


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = tuple("─" * width for width in widths)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (rows[0], rule, *rows[1:])
    )


# -- for the documentation -----------------------------------------------------------------------------------


def render() -> Path:
    """Put the newest results into docs/benchmarks.md. FileNotFoundError: there are none yet."""
    result = json.loads(LATEST.read_text(encoding="utf-8"))
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    DOCS.write_text(f"{before}{_BEGIN}\n\n{markdown(result)}\n\n{_END}{after}", encoding="utf-8")
    return DOCS


def markdown(result: dict[str, Any]) -> str:
    tables = [_markdown_table([_HEADINGS, *_figure_rows(result)])]
    if result["stages"]:
        tables.append(_markdown_table(_stage_rows(result)))
    return "\n\n".join([*tables, "\n".join(_footer(result))])


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join(f"| {' | '.join(cell.strip() for cell in row)} |" for row in (rows[0], rule, *rows[1:]))
