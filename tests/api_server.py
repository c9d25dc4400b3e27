"""The runs of the API on a server of its own: `python -m tests.api_server PORT`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

import httpx
import uvicorn
from fastapi import FastAPI

from ledgerline.app import App
from ledgerline.settings import load_settings
from ledgerline.web.api import ingestion, problems
from ledgerline.worker.starting import Workers, resume_left

API_KEY = "key-of-this-test"
_ROOT = Path(__file__).parents[1]


def application() -> FastAPI:
    workers = Workers(command=[sys.executable, "-m", "tests.slow_worker"])

    @asynccontextmanager
    async def lifespan(server: FastAPI) -> AsyncIterator[None]:
        resume_left(server.state.ledgerline, workers)
        yield
        server.state.ledgerline.close()

    server = FastAPI(lifespan=lifespan)
    server.state.ledgerline = App(load_settings())
    server.state.workers = workers
    server.include_router(ingestion.router)
    problems.install(server)
    return server


class ApiServer:
    """That server in a process of its own, and a client of it."""

    def __init__(self, environ: Mapping[str, str], folder: Path, *, seconds_a_partition: float = 0) -> None:
        self._environ = {
            **os.environ,
            **environ,
            "API_KEY": API_KEY,
            "SECONDS_A_PARTITION": str(seconds_a_partition),
            "PYTHONPATH": str(_ROOT),
        }
        self._folder = folder
        self._port = _free_port()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}", headers={"X-API-Key": API_KEY}, timeout=60
        )

    def __enter__(self) -> ApiServer:
        with (self._folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.api_server", str(self._port)],
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self.client.get("/openapi.json").raise_for_status()
            except httpx.TransportError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.1)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)

    def log(self) -> str:
        return (self._folder / "server.log").read_text(encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        return int(there.getsockname()[1])


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
