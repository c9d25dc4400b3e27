"""Processes that take no time to start: forked from one that has imported everything, and done nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

_PATIENCE = 300  # seconds

PROCESSES = get_context("forkserver")
# Not the command line itself: what it is to print on is decided when it is imported.
PROCESSES.set_forkserver_preload(["tests.crash.victim", "tests.forking", "ledgerline.app", "rich.progress"])


def run_ledgerline(
    folder: Path,
    arguments: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    given: str = "",
) -> subprocess.CompletedProcess[str]:
    """`ledgerline` with these arguments, in a folder and an environment of its own; what it printed."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / name for name in ("in", "out", "err")]
        files[0].write_text(given, encoding="utf-8")
        process = PROCESSES.Process(target=_ledgerline, args=(str(folder), arguments, dict(environ), files))
        process.start()
        process.join(_PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, _PATIENCE)
        out, err = (file.read_text(encoding="utf-8") for file in files[1:])
    return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _ledgerline(folder: str, arguments: tuple[str, ...], environ: dict[str, str], files: list[Path]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", encoding="utf-8", closefd=False) for fd in (1, 2))
    sys.argv = ["ledgerline", *arguments]
    from ledgerline.cli.main import main

    main()
