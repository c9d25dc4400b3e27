"""Seconds, CPU-seconds and memory: of this process, of another one with its children, of a database server.

A measured run is a process of its own, so that neither memory nor imports of one run are in the next; it
tells its own seconds as JSON, from before the work to its end, without the start of the interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
MEGABYTE = 1_000_000
CORES = 2  # on which the figures are measured; a run has a thread more, for one waits for a database

_SAMPLED_EVERY = 0.05  # seconds
_CHILDREN_EVERY = 20  # samples: looking for new children reads all processes of the machine


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, and CPU-seconds on both sides."""

    wall: float
    client_cpu: float
    database_cpu: float

    def __sub__(self, before: Cost) -> Cost:
        return Cost(
            self.wall - before.wall,
            self.client_cpu - before.client_cpu,
            self.database_cpu - before.database_cpu,
        )

    @property
    def cpu(self) -> float:
        return self.client_cpu + self.database_cpu

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def spent(server: psutil.Process | None = None) -> Cost:
    """What has been spent until now, by this process, by its ended children, and by the database server."""
    own = os.times()
    return Cost(time.perf_counter(), sum(own[:4]), 0.0 if server is None else tree_cpu(server))


def tree_cpu(process: psutil.Process) -> float:
    """CPU-seconds of a process and its children, living or ended."""
    times = process.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        try:
            child_times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += child_times.user + child_times.system
    return float(seconds)


def own_peak() -> int:
    """The most memory that this process ever had resident, in bytes, as the kernel counts it; 0: it does not.

    Not `ru_maxrss`, which a new process inherits from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def run_measured(module: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m module`; the JSON that it printed, with `peak_mb` of it and its children.

    Raises RuntimeError when it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        sampler = _PeakMemory(process.pid)
        sampler.start()
        try:
            output, _ = process.communicate()
        finally:
            sampler.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}.")
    result: dict[str, Any] = json.loads(output)
    peak = max(sampler.peak, result.pop("own_peak", 0))
    return {**result, "peak_mb": round(peak / MEGABYTE, 1)}


def run_killed(module: str, *arguments: str, after: float) -> None:
    """Run `python -m module --tell`, and kill it so many seconds after it has told that it begins to work.

    Raises RuntimeError when it ended before.
    """
    command = [sys.executable, "-m", module, *arguments, "--tell"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        else:
            raise RuntimeError(f"{' '.join(command)} ended before it was to be killed.")


class _PeakMemory(threading.Thread):
    """Samples the resident memory of a process and its children, and keeps the highest sum.

    Pages that several of them share are counted for each: with one process the sum is exact, with more it
    is too high rather than too low.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(name="peak-memory", daemon=True)
        self.peak = 0
        self._tree = [psutil.Process(pid)]
        self._stopped = threading.Event()

    def run(self) -> None:
        samples = 0
        while not self._stopped.wait(_SAMPLED_EVERY):
            self.peak = max(self.peak, sum(map(_resident, self._tree)))
            # A child counts from the next sample on: one just being made still has its parent's memory.
            try:
                if samples % _CHILDREN_EVERY == 0:
                    self._tree[1:] = self._tree[0].children(recursive=True)
            except psutil.NoSuchProcess:
                return
            samples += 1

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
