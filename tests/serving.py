"""A service for a test: `ledgerline serve` as a process of its own, on a free loopback port."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.postgres import free_port

KEY = "a-key-for-tests-of-the-service"


class Service:
    """`with Service(folder, **settings) as service:` … `service.get("/health")`, `service.output()`."""

    program: tuple[str, ...] = ("-m", "ledgerline")

    def __init__(self, folder: Path, *, key: str | None = KEY, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"PORT": str(self.port), **({"API_KEY": key} if key else {}), **settings}
        self.key = key
        self.out, self.err = folder / f"out-{self.port}.txt", folder / f"err-{self.port}.txt"
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def __enter__(self) -> Service:
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "serve"],
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self.settings},
                stdout=out,
                stderr=err,
            )
        try:
            self._wait()
        except BaseException:
            self.process.kill()
            raise
        return self

    def _wait(self) -> None:
        for _ in range(1200):
            if self.process.poll() is not None:
                raise AssertionError(f"It ended with {self.process.returncode}: {self.output()}")
            try:
                self.client.get("/health")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                break
        else:
            raise AssertionError(f"It does not answer: {self.output()}")
        if self.key is None and (made := re.search(r"X-API-Key: (\S+?)\"", self.out.read_text())):
            self.key = made[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """By SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def output(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def logged(self, text: str) -> list[str]:
        """The lines of the log with this text, of which there is one soon: it is written after the answer."""
        deadline = time.monotonic() + 30
        while not (lines := [line for line in self.err.read_text().splitlines() if text in line]):
            assert time.monotonic() < deadline, f"Nothing was logged of {text}: {self.output()}"
            time.sleep(0.02)
        return lines

    # -- asking --------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, *, key: str | None = "", **options: Any) -> httpx.Response:
        """With the service's own key; `key=None`: without any."""
        used = self.key if key == "" else key
        headers = {**({"X-API-Key": used} if used else {}), **options.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def ask(self, query: str, database: str = "invoice", accept: str = "", **body: Any) -> httpx.Response:
        headers = {"Accept": accept} if accept else {}
        return self.post(f"/database/query/{database}", json={"query": query, **body}, headers=headers)
