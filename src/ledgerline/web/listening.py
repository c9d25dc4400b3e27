"""Where the service listens, taken before anything else begins: a port that is another's is told at once."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from ledgerline.errors import LedgerlineError

_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # `localhost` is ::1 too, also where there is no IPv6


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets at every address of the host, bound and not open yet.

    Raises LedgerlineError: no wrong use, as whoever holds a port may give it back.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in _addresses(host, port):
            try:
                bound.append(_bound(family, address))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if missing is not None and not bound:
            raise missing
    except OSError as error:
        for one in bound:
            one.close()
        raise LedgerlineError(
            f"Nothing can listen at {host}, port {port}: {error.strerror or error}.",
            hint="See whether Ledgerline runs there already, or choose another: --host, --port (HOST, PORT).",
        ) from error
    return bound


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _bound(family: int, address: Any) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows it would let two programs listen at one port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # `::` leaves IPv4 alone, as asyncio has it
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except BaseException:
        one.close()
        raise
    return one
