"""For every test: no network, no flaky deadlines, Ctrl-C as on a terminal."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A job in the background of a script ignores Ctrl-C, and so would the programs that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Before huggingface_hub is imported, which reads it once; without it every look-up is tried six times.
os.environ["HF_HUB_OFFLINE"] = "1"

# Two shared cores: the time of one example says nothing. The same examples every time, and no folder for them.
settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("suite")


_SHARED = {
    f"tests/pretrain/engines/{name}.py": "the jobs of all layouts"
    for name in ("test_parity", "test_bf16", "test_other_megatron")
}
"""Files of tests that share what takes minutes to make, and the name of it: `pytest -n` gives them to one process."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with files that belong together as one."""
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None
    scheduler = LoadFileScheduling(config, log)
    file_of = scheduler._split_scope

    def split_scope(nodeid: str) -> str:
        file: str = file_of(nodeid)
        return _SHARED.get(file, file)

    scheduler._split_scope = split_scope
    return scheduler


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to other machines fail, with a message that says why, as they do where there is no network."""
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    monkeypatch.setattr(socket, "getaddrinfo", _guarded_look_up(socket.getaddrinfo))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Gives a disk of its own of the size that is asked for, such as 200k; asked again, the same with another size."""
    place = tmp_path / "disk"

    def sized(size: str) -> Path:
        again = "remount," if place.exists() else ""
        place.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            place.rmdir()
            pytest.skip("mounting a small file system needs root")
        return place

    yield sized
    if place.exists():
        subprocess.run(["umount", str(place)], check=True)


def _guarded(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise OSError(errno.ENETUNREACH, f"tests do not connect to other machines, not even to {address[0]}")
        return call(self, *arguments)

    return guarded


def _guarded_look_up(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *arguments: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in (None, "", socket.gethostname()) and not _is_loopback(name):
            raise socket.gaierror(socket.EAI_NONAME, f"tests do not look up other machines, not even {name}")
        return call(host, *arguments, **more)

    return guarded


def _is_loopback(host: Any) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
