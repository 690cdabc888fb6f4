"""The `slurm.preflight` section."""

from __future__ import annotations

from configs.schema.section import Section, operational


class Preflight(Section):
    """What is looked at on every node before a training begins; a node that is not as it must be is left out."""

    enabled: bool = operational(True)
    """Whether training jobs begin with it."""
    min_speed: float = operational(0.75, gt=0, le=1)
    """Least speed of a matrix product, a copy in memory and an all-reduce, as a share of that of the node in the
    middle. Sound GPUs of one kind differ by up to 22 %, and outliers are 1.5 times as slow as the one in the middle
    (Sinha et al., arXiv:2208.11035)."""
    min_write_speed: float = operational(0.1, gt=0, le=1)
    """The same of writing to the run directory. A file system that many share varies by several times; a node that is
    on a wrong path to it is slower by more."""
    min_free_gib: float = operational(1.0, ge=0)
    """Space that each node must see free in the run directory, in GiB. Logs and measurements need it; whether
    checkpoints fit is looked at by the training itself."""
    min_free_gpu: float = operational(0.9, ge=0, le=1)
    """Share of a GPU's memory that must be free. A program that just began takes about a hundredth; more is held by a
    process that should have ended."""
    max_clock_skew_s: float = operational(2.0, gt=0)
    """Most seconds between a node's clock and that of the node in the middle. Clocks that NTP serves differ by less
    than a tenth of a second; Slurm's own credentials (munge) are refused after 300 seconds."""
    wait_s: int = operational(120, ge=1)
    """Seconds in which every node must have answered; starting Python from a file system that many nodes share takes
    most of it."""
