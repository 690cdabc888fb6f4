"""Chooses the kernel that attention runs on, from what is installed, what suits, and what proves itself here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from configs.errors import UserError
from configs.schema.pretrain import AttentionKernel
from pretrain import ranks
from pretrain.attention.kernels import KERNELS, Kernel
from pretrain.attention.need import Attend, Need
from pretrain.attention.proof import why_not

_log = logging.getLogger(__name__)

Proof = Callable[[Attend, Need], str | None]


@dataclass(frozen=True)
class Choice:
    """The same on every rank."""

    kernel: AttentionKernel
    passed_over: Mapping[AttentionKernel, str]
    """Why not those that come before it."""


def choose(
    asked: AttentionKernel | Literal["auto"],
    need: Need,
    kernels: Mapping[AttentionKernel, Kernel] = KERNELS,
    proof: Proof = why_not,
) -> Choice:
    """The kernel that was asked for, or the first that every rank can use; all ranks agree. Collective.

    The reference needs no proof, and on a CPU `auto` takes nothing else.

    Args:
        kernels: those there are, the preferred ones first.
        proof: says what is wrong with a kernel, or raises.
    Raises:
        UserError: if the one that was asked for cannot be used, with the reason.
    """
    if asked == "sdpa" or (asked == "auto" and need.device.type == "cpu"):
        return _chosen("sdpa", {})
    if asked != "auto":
        if (reason := _on_some_rank(_reason(kernels[asked], need, proof))) is not None:
            raise UserError(
                f"pretrain.attention: {asked!r} cannot be used: {reason}; choose another kernel, or auto for the first "
                "that can"
            )
        return _chosen(asked, {})
    passed_over: dict[AttentionKernel, str] = {}
    for name, kernel in kernels.items():
        reason = None if name == "sdpa" else _on_some_rank(_reason(kernel, need, proof))
        if reason is None:
            return _chosen(name, passed_over)
        passed_over[name] = reason
    raise AssertionError("sdpa, which has no reason not to, is missing")


def _reason(kernel: Kernel, need: Need, proof: Proof) -> str | None:
    """Why this rank cannot use it, or None."""
    if (impossible := kernel.impossible(need)) is not None:
        return impossible
    try:
        return proof(kernel.load(need), need)
    except Exception as error:  # whatever a foreign kernel raises, it is a reason not to take it
        first_line = str(error).strip().split("\n")[0]
        return f"it raises {type(error).__name__}: {first_line}"


def _on_some_rank(reason_here: str | None) -> str | None:
    """The reason of the first rank that has one, on all."""
    of_ranks = ranks.of_all(reason_here)
    rank, reason = next(((rank, one) for rank, one in enumerate(of_ranks) if one is not None), (0, None))
    return reason if reason is None or len(set(of_ranks)) == 1 else f"on rank {rank} {reason}"


def _chosen(name: AttentionKernel, passed_over: Mapping[AttentionKernel, str]) -> Choice:
    if ranks.rank() == 0:
        for other, reason in passed_over.items():
            _log.info("attention: %s is passed over: %s", other, reason)
        _log.info("attention runs on %s", name)
    return Choice(name, passed_over)
