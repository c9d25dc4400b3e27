"""The layers below a driver: names, named instances, ports. Each answers within its seconds."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Final, TypeVar

T = TypeVar("T")

NAME_SECONDS: Final = 2.5
TCP_SECONDS: Final = 3.0
BROWSER_SECONDS: Final = 1.5
_BROWSER_PORT: Final = 1434


class NoAnswer(Exception):
    """Nothing came within the time."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """The result of something that cannot be told how long it may take; it is left to itself when it is late.

    Raises NoAnswer, and what the work raises.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            done.set_exception(error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    if not wait([done], seconds).done:
        raise NoAnswer
    return done.result()


def addresses(host: str) -> list[str]:
    """The IP addresses of a name, each once. Raises NoAnswer, OSError."""
    found = within(NAME_SECONDS, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(addresses: Sequence[str], port: int) -> str:
    """The first address that takes a connection at the port; the time is for all of them together.

    Raises ConnectionRefusedError when any refuses and none takes it, TimeoutError, OSError.
    """
    faults: list[OSError] = []
    for address in addresses[:4]:
        try:
            socket.create_connection((address, port), TCP_SECONDS / min(len(addresses), 4)).close()
        except OSError as error:
            faults.append(error)
        else:
            return address
    raise next((fault for fault in faults if isinstance(fault, ConnectionRefusedError)), faults[0])


def browse(addresses: Sequence[str], instance: str, port: int = _BROWSER_PORT) -> int | None:
    """The TCP port of a named instance, as the SQL Server Browser tells it; None: it knows of no such one.

    Raises TimeoutError and OSError when there is no Browser.
    https://learn.microsoft.com/openspecs/windows_protocols/mc-sqlr
    """
    address = addresses[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(BROWSER_SECONDS)
        asking.connect((address, port))  # so that a refusal is heard
        asking.send(b"\x04" + instance.encode("ascii", "replace") + b"\x00")
        answer = asking.recv(65_535)
    match = re.search(rb";tcp;([0-9]{1,5});", answer, re.IGNORECASE)
    return int(match[1]) if match else None
