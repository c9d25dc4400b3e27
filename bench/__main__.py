"""`python -m bench`: measure, print the table, write JSON to bench/out."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from bench import report
from bench.figures import GROUPS, Bench, Measured
from bench.workspace import Server, Workspace
from ledgerline.errors import LedgerlineError


def main() -> int:
    given = _arguments()
    if given.render:
        tell(f"results written to {report.render()}")
        return 0
    _end_properly_when_terminated()
    _keep_to_cores(given.cores)
    with _folder(given.data, keep=given.keep) as folder, Server(folder / "postgresql") as server:
        workspace = Workspace(folder, server, tell)
        bench = Bench(workspace, given.rows, given.pairs, tell)
        measured, failed = _measured(bench, _chosen(given))
        result = report.document(
            measured, given.rows, given.pairs, server.value("postgres", "SHOW server_version")
        )
        workspace.drop("floor", "main", "source")
    print(f"\n{report.text(result)}\n")
    tell(f"written to {report.write(result)}")
    if failed:
        tell(f"could not be measured: {', '.join(failed)}")
    return 1 if failed else 0


def _measured(bench: Bench, groups: Iterable[str]) -> tuple[list[Measured], list[str]]:
    """What was measured, and the names of what could not be; one failure must not lose the others."""
    measured: list[Measured] = []
    failed: list[str] = []
    for group in groups:
        tell(f"{group} …")
        try:
            measured += bench.measure(group)
        except (RuntimeError, LedgerlineError, psycopg.Error) as error:
            tell(f"{group} failed: {error}")
            failed.append(group)
    return measured, failed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    groups = ", ".join(GROUPS)
    parser.add_argument(
        "--rows", type=_count, default=report.NOMINAL_ROWS, help="contacts (default: a million)"
    )
    parser.add_argument(
        "--pairs", type=_count, default=3, help="of reference run and run, for each ratio (default: 3)"
    )
    parser.add_argument("--only", type=_groups, default=GROUPS, metavar="NAMES", help=f"of: {groups}")
    parser.add_argument("--skip", type=_groups, default=(), metavar="NAMES", help="figures to leave out")
    parser.add_argument(
        "--data", type=Path, help="folder to keep the sample databases in, and to find them in again"
    )
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder, and say where it is")
    parser.add_argument(
        "--cores", type=_count, default=2, help="processor cores to use (default: 2; Linux only)"
    )
    parser.add_argument(
        "--render", action="store_true", help="put the newest results into docs/benchmarks.md"
    )
    return parser.parse_args()


def _count(text: str) -> int:
    count = int(text.replace("_", ""))
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in GROUPS]:
        raise argparse.ArgumentTypeError(f"no figure {', '.join(unknown)}; there are: {', '.join(GROUPS)}")
    return names


def _chosen(given: argparse.Namespace) -> list[str]:
    """In the order of the table, in which runs serve the figures after them."""
    return [group for group in GROUPS if group in given.only and group not in given.skip]


def _end_properly_when_terminated() -> None:
    """SIGTERM stops the server and removes what is temporary, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _keep_to_cores(count: int) -> None:
    """Let this process and all that it starts, the server included, use so many cores."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        process.cpu_affinity(process.cpu_affinity()[:count])


@contextmanager
def _folder(data: Path | None, *, keep: bool) -> Iterator[Path]:
    """The folder given, or a temporary one; the user that PostgreSQL runs as must be able to reach it."""
    folder = Path(tempfile.mkdtemp(prefix="ledgerline-bench-")) if data is None else data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        if data is None and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            tell(f"kept: {folder} (use it again with --data)")


_BEGAN = time.monotonic()


def tell(text: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
