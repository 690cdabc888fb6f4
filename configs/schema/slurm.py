"""The `slurm` section."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.preflight import Preflight
from configs.schema.section import Section, operational


class Slurm(Section):
    """What the batch scripts ask the cluster for."""

    site: str | None = operational(None)
    """The cluster: a file of configs/sites without its ending, or a path to one like them; none is a cluster with
    nothing special."""
    partition: str | None = None
    """Partition (queue); none takes the site's."""
    account: str | None = None
    """Account that is charged; none takes the site's."""
    nodes: int = Field(default=1, ge=1)
    """Nodes of the training job; each job of another stage runs on one."""
    gpus_per_node: int = Field(default=0, ge=0)
    """GPUs of each node; 0 asks for none."""
    gpu: str | None = operational(None)
    """Kind of GPU, as configs/tables/devices.yaml names it; `pretrain estimate` checks the memory against it."""
    memory_gib: int | None = operational(None, ge=1)
    """Memory of each node, in GiB, that the training job asks for; none takes the site's default. `pretrain estimate`
    checks what the processes of a node need together against it."""
    cpus_per_task: int = Field(default=2, ge=1)
    """CPU cores of each process."""
    time: str = Field(default="24:00:00", pattern=r"^(\d+-)?\d{1,3}:\d{2}:\d{2}$")
    """Time limit of one job, as [days-]hours:minutes:seconds."""
    launcher: Literal["srun", "torchrun"] = operational("srun")
    """What starts the processes of training."""
    corpus_jobs: int = operational(1, ge=1)
    """Jobs that make the corpus together, as an array; one more then finishes it."""
    preflight: Preflight = operational(Preflight())
    jobs: int = operational(10, ge=1)
    """Jobs of training that follow one another where a site forbids requeue; those left over end at once."""
