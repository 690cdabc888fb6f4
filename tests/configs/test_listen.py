from __future__ import annotations

import socket

import pytest

from configs.listen import bound_to


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("localhost", "127.0.0.1")]
)
def test_only_the_address_that_was_named_is_open(host: str, address: str) -> None:
    bound = bound_to(host, 0)
    assert bound is not None
    with bound:
        assert bound.getsockname()[0] == address
        bound.listen()
        port = bound.getsockname()[1]
        socket.create_connection((address, port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.3", port), timeout=5)


def test_a_name_that_means_only_this_machine_to_itself_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: own)
    assert bound_to("node1", 0) is None


def test_an_address_of_another_machine_is_left_to_torch() -> None:
    assert bound_to("192.0.2.1", 0) is None
