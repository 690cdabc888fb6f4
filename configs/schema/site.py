"""A cluster, as the scripts for it need to know it; a file in configs/sites/ or anywhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from configs.errors import UserError
from configs.load import load
from configs.schema.section import Section, rule

SITES = Path(__file__).resolve().parents[1] / "sites"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY")


class Container(Section):
    """The image that everything runs in; it must hold tsugiki."""

    by: Literal["apptainer", "pyxis", "singularity"]
    """What starts it: the program of that name, or srun's plugin pyxis."""
    image: str = Field(min_length=1)
    """File, or for pyxis also a name in a registry."""
    mounts: tuple[str, ...] = ()
    """Folders of the node that are seen inside, as FOLDER or FOLDER:NAME_INSIDE."""


class Network(Section):
    """How the nodes of a training speak to each other."""

    interface: str | None = None
    """Interface that NCCL and gloo open their sockets on, such as bond0; none leaves the choice to them."""
    nccl: dict[str, str] = Field(default={})
    """More of NCCL's variables, such as IB_HCA: mlx5; NCCL_ is put before each name."""

    @rule("nccl")
    def names_without_prefix(self) -> str | None:
        wrong = [name for name in self.nccl if not _NAME.fullmatch(name) or name.startswith("NCCL_")]
        return f"names are written without NCCL_, as in IB_HCA, which {', '.join(wrong)} is not" if wrong else None


class Site(Section):
    """What is the same for all runs on a cluster."""

    partition: str | None = None
    """Partition (queue); none takes the cluster's default."""
    account: str | None = None
    """Account that is charged."""
    qos: str | None = None
    """Quality of service."""
    options: tuple[str, ...] = ()
    """More options of sbatch for every job, such as --exclusive."""
    srun_options: tuple[str, ...] = ()
    """More options of srun for the training, such as --auto-resume=1 on HyperPod."""
    modules: tuple[str, ...] = ()
    """Environment modules to load, in this order."""
    python: str | None = None
    """The interpreter that has tsugiki, on the nodes or in the container; none is the one that writes the scripts, and
    python in a container."""
    environment: dict[str, str] = Field(default={})
    """Variables for every job; never a secret, for anybody can read a job's script."""
    container: Container | None = None
    """None runs everything on the node itself."""
    network: Network = Network()
    scratch: str | None = None
    """Folder of the node's own disk for temporary files; the shell fills in variables such as $USER."""
    requeue: bool = True
    """Whether a job may be put back into the queue; where it may not, several jobs of training follow one another."""

    @rule("environment")
    def variables_without_secrets(self) -> str | None:
        wrong = [name for name in self.environment if not _NAME.fullmatch(name)]
        if wrong:
            return f"{wrong[0]!r} is no name of a variable"
        secret = [name for name in self.environment if _SECRET.search(name.upper())]
        return f"{secret[0]} looks like a secret, which anybody could read in a job's script" if secret else None

    @rule("options")
    def options_of_sbatch(self) -> str | None:
        return _no_options(self.options)

    @rule("srun_options")
    def options_of_srun(self) -> str | None:
        return _no_options(self.srun_options)


def _no_options(words: tuple[str, ...]) -> str | None:
    wrong = [word for word in words if not word.startswith("-") or "\n" in word]
    return f"an option begins with -, which {wrong[0]!r} does not" if wrong else None


def site_named(name: str | None) -> Site:
    """The site of a run file: a file of configs/sites without its ending, or a path.

    Raises:
        UserError: if there is none of that name.
        ConfigError: with every mistake in it, and its line.
    """
    if name is None:
        return Site()
    path = SITES / f"{name}.yaml" if "/" not in name and not name.endswith(".yaml") else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in SITES.glob("*.yaml")))
        raise UserError(f"slurm.site: no site {name!r} ({path}); known: {known}; or name a YAML file by its path")
    return load(path, Site)
