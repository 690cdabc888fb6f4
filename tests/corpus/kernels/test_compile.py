"""Kernels are compiled into a cache of this machine and user; nobody else's is loaded as code."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

from corpus.kernels.compile import _local_cache, _sources, kernel


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's temporary directory, for this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_cache_is_the_users_alone(temporary: Path) -> None:
    cache = Path(_local_cache())
    assert cache.parent == temporary / f"tsugiki-numba-{os.getuid()}"
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o700
    assert _local_cache() == str(cache)


def test_code_that_was_compiled_from_other_sources_is_not_found(temporary: Path) -> None:
    assert Path(_local_cache()).name == _sources()
    assert _sources(Path(__file__).parents[3]) == _sources()
    (temporary / "corpus").mkdir()
    of_none = _sources(temporary)
    (temporary / "corpus" / "kernel.py").write_text("A = 1\n")
    assert _sources(temporary) not in (of_none, _sources())


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702], ids=oct)
def test_a_cache_that_others_may_write_is_not_used(temporary: Path, mode: int) -> None:
    foreign = temporary / f"tsugiki-numba-{os.getuid()}"
    foreign.mkdir()
    foreign.chmod(mode)
    cache = Path(_local_cache())
    assert foreign not in (cache, cache.parent)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_cache_that_leads_elsewhere_is_not_used(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / f"tsugiki-numba-{os.getuid()}").symlink_to(temporary / "elsewhere")
    assert Path(_local_cache()).resolve().parent == temporary
    assert Path(_local_cache()).name != "elsewhere"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_cache_of_another_user_is_not_used(temporary: Path) -> None:
    foreign = temporary / f"tsugiki-numba-{os.getuid()}"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 65534, 65534)
    assert Path(_local_cache()).parent != foreign


def _double(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    for at in range(values.size):
        values[at] *= 2


def test_a_kernel_does_what_its_python_does() -> None:
    compiled, plain = np.arange(5), np.arange(5)
    kernel(_double)(compiled)
    _double(plain)
    assert compiled.tolist() == plain.tolist()
