"""`python -m bench.sizes 1 2 4 8`: what a first load costs as the table grows, in millions of rows.

One run each, for the page on large tables: not a figure with a mark, and not a part of `make bench`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.__main__ import tell
from bench.measure import run_measured
from bench.workspace import Server, Workspace

_SHOWN = "{:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("millions", type=float, nargs="+", help="sizes to load, one after the other")
    parser.add_argument("--data", type=Path, required=True, help="folder for the databases, kept")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    given.data.chmod(0o755)
    with Server(given.data / "postgresql") as server:
        workspace = Workspace(given.data, server, tell)
        measured = list(_measured(workspace, [int(size * 1_000_000) for size in given.millions]))
        workspace.drop("main")
    print(
        _SHOWN.format("rows", "wall s", "stage", "match", "merge", "write", "client s", "server s", "peak MB")
    )
    for result in measured:
        print(_SHOWN.format(*_row(result)))
    print(json.dumps(measured))


def _measured(workspace: Workspace, sizes: Iterable[int]) -> Iterator[dict[str, Any]]:
    server = workspace.server
    for rows in sizes:
        sample = workspace.postgres_sample(rows)
        server.create_database("main")
        server.settle("main", sample)
        log = server.value("main", "SELECT pg_current_wal_lsn()")
        urls = server.url("main"), server.url(sample)
        result = run_measured("bench.ingest_once", *urls, "--server", str(server.process.pid))
        written = server.value("main", f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{log}')")
        tell(f"{rows:,} rows: {result['wall']:.1f} s, {int(written) / 1e9:.1f} GB of write-ahead log")
        yield {"rows": rows, "wal_bytes": int(written), **result}


def _row(result: dict[str, Any]) -> list[str]:
    stages = [f"{result['stages'][stage]['wall']:.1f}" for stage in ("stage", "match", "merge", "write")]
    costs = [f"{result[name]:.1f}" for name in ("client_cpu", "database_cpu")]
    return [f"{result['rows']:,}", f"{result['wall']:.1f}", *stages, *costs, f"{result['peak_mb']:.0f}"]


if __name__ == "__main__":
    main()
