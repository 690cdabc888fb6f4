"""The suite cannot reach other machines; what runs on this one can talk to itself."""

from __future__ import annotations

import errno
import socket

import pytest


@pytest.mark.parametrize(
    ("family", "address"),
    [
        pytest.param(socket.AF_INET, ("192.0.2.1", 80), id="IPv4"),
        pytest.param(socket.AF_INET, ("example.com", 80), id="by name"),
        pytest.param(socket.AF_INET6, ("2001:db8::1", 80), id="IPv6"),
    ],
)
def test_a_connection_to_another_machine_fails_and_names_it(
    family: socket.AddressFamily, address: tuple[str, int]
) -> None:
    with socket.socket(family) as caller, pytest.raises(OSError, match=f"not even to {address[0]}") as caught:
        caller.connect(address)
    assert caught.value.errno == errno.ENETUNREACH


def test_a_datagram_to_another_machine_fails() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(OSError, match=r"not even to 192\.0\.2\.1"),
    ):
        sender.sendto(b"x", ("192.0.2.1", 9))


def test_another_machine_is_not_looked_up() -> None:
    with pytest.raises(socket.gaierror, match=r"not even example\.com"):
        socket.create_connection(("example.com", 80), timeout=1)


def test_processes_of_this_machine_can_talk() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        answering, _ = server.accept()
        with answering:
            caller.sendall(b"x")
            assert answering.recv(1) == b"x"
