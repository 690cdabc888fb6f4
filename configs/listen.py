"""A port that is open at one address of this machine, where torch's own would be open at all of them."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import ip_address


def bound_to(host: str, port: int) -> socket.socket | None:
    """A socket at the address that the other machines know this one by; it does not listen yet.

    None where that cannot be told from here: a machine often knows itself, by its own name, as 127.0.1.1.

    >>> with bound_to("127.0.0.1", 0) as bound:
    ...     bound.getsockname()[0]
    '127.0.0.1'
    """
    with suppress(OSError):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # IPv4 first: whoever connects tries one address after the other.
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        if ip_address(str(address[0])).is_loopback and host not in ("localhost", address[0]):
            return None
        mine = socket.socket(family, kind, protocol)
        try:
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            mine.bind(address)
        except OSError:
            mine.close()
            raise
        return mine
    return None
