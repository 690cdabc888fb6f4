"""What a site without a network needs to install this program, in one directory.

wheels/           this program and everything that it needs, for one Python on Linux, x86-64
constraints.txt   the versions
install.sh        checks the files and installs them, without a network
tsugiki.def       an image for Apptainer, made with install.sh
SHA256SUMS        of all of them
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from configs.artifact import Artifact, build
from configs.atomic_file import sha256_of
from configs.errors import UserError
from configs.lock import exclusive
from tsugiki.bundle.texts import apptainer_definition, install_script
from tsugiki.bundle.wheels import collect

SOURCES = Path(__file__).resolve().parents[2]
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What the bundle is for."""

    python: str = RUNNING
    """Of the closed site, as 3.12."""
    cuda: str | None = None
    """That torch is to be built for, as 12.8; none takes what the package index has."""
    extras: tuple[str, ...] = ("deepspeed", "megatron")
    """Optional parts of this program."""
    also: tuple[str, ...] = ()
    """More requirements, as pip has them."""
    torch: bool = True
    """Whether torch, and what only torch needs, is in it; an image or a module of the site may have it."""


def bundle(out: Path, wanted: Wanted, torch_index: str | None = None) -> Artifact:
    """Fill the directory; what is there already is not fetched again.

    Args:
        torch_index: package index that has torch for this CUDA, beside the one that pip is set to.
    Raises:
        UserError: if a word of it is wrong, this is no checkout, or pip fails.
    """
    _check(wanted)
    constraints = _constraints(wanted)
    inputs = {"constraints": hashlib.sha256(constraints.encode()).hexdigest(), "tsugiki": _digest_of_sources()}
    with exclusive(out, way_out="name another directory"):
        builder = build(out, kind="bundle", version=1, config=asdict(wanted), inputs=inputs)
        if builder.complete is not None:
            _log.info("%s is complete", out)
            return builder.complete
        if wanted.python != RUNNING:
            _log.warning(
                "pip reads conditions such as python_version < '3.13' by the Python that runs it, %s, not by %s; run "
                "this with Python %s if the installation misses something",
                *(RUNNING, wanted.python, wanted.python),
            )
        with builder.file("constraints.txt") as file:
            file.write(constraints.encode())
        wheels = collect(SOURCES, out, wanted.python, wanted.extras, wanted.also, torch_index, torch=wanted.torch)
        for path in wheels:
            builder.adopt(path.relative_to(out).as_posix())
        for name, text in (
            ("install.sh", install_script(wanted.python, torch=wanted.torch)),
            ("tsugiki.def", apptainer_definition(wanted.python, torch=wanted.torch)),
        ):
            with builder.file(name) as file:
                file.write(text.encode())
        with builder.file("SHA256SUMS") as file:
            sums = [f"{record['sha256']}  {name}\n" for name, record in sorted(builder.written.items())]
            file.write("".join(sums).encode())
        bytes_ = sum(record["bytes"] for record in builder.written.values())
        return builder.finish({"wheels": len(wheels), "bytes": bytes_})


def _check(wanted: Wanted) -> None:
    if not (SOURCES / "pyproject.toml").exists() or not (SOURCES / "constraints.txt").exists():
        raise UserError(f"{SOURCES}: no pyproject.toml and constraints.txt; run this in a checkout of the repository")
    if not re.fullmatch(r"3\.\d+", wanted.python):
        raise UserError(f"--python {wanted.python}: expected a version such as 3.12")
    if wanted.cuda is not None and not re.fullmatch(r"\d+\.\d+", wanted.cuda):
        raise UserError(f"--cuda {wanted.cuda}: expected a version such as 12.8")


def _constraints(wanted: Wanted) -> str:
    lines = (SOURCES / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if wanted.cuda is not None:
        # Else an index that has another build as well may win.
        build_of = f"+cu{wanted.cuda.replace('.', '')}"
        lines = [f"{line}{build_of}" if line.startswith("torch==") else line for line in lines]
    if wanted.python != RUNNING:
        # The newest for a Python may be newer, or older.
        lines = [line for line in lines if not line.startswith("megatron-core==")]
    return "\n".join(lines) + "\n"


def _digest_of_sources() -> str:
    packages = ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")
    files = [path for package in packages for path in sorted((SOURCES / package).rglob("*"))]
    found = hashlib.sha256(sha256_of(SOURCES / "pyproject.toml").encode())
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(SOURCES).as_posix()} {sha256_of(path)}\n".encode())
    return found.hexdigest()
