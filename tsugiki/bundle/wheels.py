"""Wheels, fetched and built by pip for another machine."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from configs.errors import UserError

FOLDER, _STAGING = "wheels", "wheels.partial"
_ONLY_SOURCES = ("unidic-lite", "deepspeed")
"""Have no wheel in the index; the wheel that is built of them is the same for every Python."""
_GLIBC = range(28, 16, -1)
"""Minor versions of glibc whose wheels are taken, the newest first; RHEL 8 and Ubuntu 20.04 have 2.28 or newer."""
_NO_TORCH = "torch-{version}+left.out-py3-none-any.whl"


def collect(
    sources: Path,
    out: Path,
    python: str,
    extras: Sequence[str],
    also: Sequence[str],
    torch_index: str | None,
    *,
    torch: bool,
) -> list[Path]:
    """Have every wheel in out/wheels; gives their paths.

    Args:
        sources: checkout of this program.
        out: has constraints.txt.
    Raises:
        UserError: with pip's last words if it fails, or if a wheel is damaged.
    """
    staging, wheels, constraints = out / _STAGING, out / FOLDER, out / "constraints.txt"
    if not wheels.exists():
        staging.mkdir(parents=True, exist_ok=True)
        pins = dict(line.split("==") for line in constraints.read_text().splitlines() if "==" in line)
        if not torch:
            _write_empty(staging / _NO_TORCH.format(version=pins["torch"].split("+")[0]))
        _build(staging, str(sources))
        for name in _ONLY_SOURCES:
            if name in extras or name not in _extras_of(sources):
                _build(staging, f"{name}=={pins[name]}")
        (own,) = staging.glob("tsugiki-*.whl")
        wanted = [f"{own}[{','.join(extras)}]" if extras else str(own), *also]
        index = ["--extra-index-url", torch_index] if torch_index is not None else []
        given = ["--find-links", str(staging), "--constraint", str(constraints), *_platform(python)]
        _pip("download", "--dest", str(staging), *given, *index, *wanted)
        for path in staging.glob(_NO_TORCH.format(version="*")):
            path.unlink()
        for path in staging.iterdir():
            _see_whole(path)
        os.replace(staging, wheels)
    return sorted(wheels.iterdir())


def _extras_of(sources: Path) -> set[str]:
    import tomllib

    return set(tomllib.loads((sources / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def _platform(python: str) -> list[str]:
    tags = [f"manylinux_2_{minor}_x86_64" for minor in _GLIBC] + ["manylinux2014_x86_64", "linux_x86_64"]
    abis = [f"cp{python.replace('.', '')}", "abi3", "none"]
    return [
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={python}",
        *(f"--abi={abi}" for abi in abis),
        *(f"--platform={tag}" for tag in tags),
    ]


def _build(staging: Path, what: str) -> None:
    """Build a wheel of what is Python only, with the tools of this environment."""
    # DeepSpeed compiles its kernels when they are needed, on the machine that needs them.
    environment = {**os.environ, "DS_BUILD_OPS": "0"}
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(staging), what, environment=environment)


def _write_empty(path: Path) -> None:
    """A torch with nothing in it, so that pip looks for none; it does not stay in the bundle."""
    name, version = path.name.split("-")[:2]
    folder = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")


def _see_whole(path: Path) -> None:
    if path.suffix != ".whl":
        raise UserError(f"{path}: pip left what is no wheel; a closed site could not install it without more")
    try:
        with zipfile.ZipFile(path) as wheel:
            damaged = wheel.testzip()
    except zipfile.BadZipFile:
        damaged = "the whole file"
    if damaged is not None:
        raise UserError(f"{path}: damaged ({damaged}); remove it and run the same command again")


def _pip(*words: str, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise UserError(f"pip {words[0]} fails: {' '.join(' '.join(errors[-3:]).split())}")
