"""A load tool: keep-alive connections over plain sockets in one thread, so cheap that the server is measured.

It knows of HTTP what the two servers that it is used on send: a body with Content-Length, or in chunks.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

_PIECE: Final = 1 << 18
_BODY_BEGINS: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_PATIENCE: Final = 120.0  # seconds without a byte, after which a server is taken for dead


def request(
    method: str, port: int, path: str, headers: Mapping[str, str] | None = None, body: Any = None
) -> bytes:
    """The bytes of a request; `body` is sent as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{name}: {value}\r\n" for name, value in {**kind, **(headers or {})}.items()]
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{''.join(lines)}\r\n".encode() + content


class Connection:
    """One connection; `send`, then `receive` until it says that the answer is whole."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begin()

    def _begin(self) -> None:
        self._head = b""
        self._left: int | None = None  # bytes of the body; None: it comes in chunks, or has not begun
        self._tail = b""
        self.received = 0

    def send(self, data: bytes) -> None:
        self._begin()
        self.socket.sendall(data)

    def receive(self) -> bool:
        """Take what is there. Raises RuntimeError when it is not a 200, or breaks off."""
        data = self.socket.recv(_PIECE)
        if not data:
            raise RuntimeError(f"The server hung up: {self._head[:300]!r}")
        if not self._head.endswith(_BODY_BEGINS):
            head, separator, data = (self._head + data).partition(_BODY_BEGINS)
            self._head = head + separator
            if not separator:
                return False
            self._read_head()
        self.received += len(data)
        if self._left is not None:
            return self.received >= self._left
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        return self._tail == _LAST_CHUNK

    def _read_head(self) -> None:
        if not self._head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"It answered {self._head[:300]!r}")
        for line in self._head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                self._left = int(line.partition(b":")[2])

    def ask(self, data: bytes) -> float:
        """Seconds until the whole answer is there."""
        began = time.perf_counter()
        self.send(data)
        while not self.receive():
            pass
        return time.perf_counter() - began

    def close(self) -> None:
        self.socket.close()


def requests_per_second(port: int, data: bytes, seconds: float, connections: int) -> float:
    """How often it is answered, when each connection asks again as soon as it has its answer."""
    selector = selectors.DefaultSelector()
    open_ones = [Connection(port) for _ in range(connections)]
    try:
        for one in open_ones:
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.send(data)
        return _answered(selector, data, seconds) / seconds
    finally:
        selector.close()
        for one in open_ones:
            one.close()


def _answered(selector: selectors.BaseSelector, data: bytes, seconds: float) -> int:
    answers, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(timeout=0.1):
            one: Connection = key.data
            if one.receive():
                answers += 1
                one.send(data)
    return answers


def latencies(port: int, data: bytes, rate: float, number: int) -> list[float]:
    """Seconds that each of `number` requests took, of which `rate` a second are due.

    From when it was due, not from when it could be sent: a server that hangs makes all later ones wait too.
    """
    one = Connection(port)
    found = []
    try:
        began = time.perf_counter()
        for place in range(number):
            due = began + place / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            one.ask(data)
            found.append(time.perf_counter() - due)
    finally:
        one.close()
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
