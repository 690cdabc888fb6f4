"""The kernels that attention may run on, those that are taken first on a GPU at the top.

The order is that of what their makers publish, not of what was measured here: on Hopper Transformer Engine takes
cuDNN's attention, which is faster than FlashAttention 2; flash-attn's and torch's are of one kind; flex_attention also
computes what it masks within blocks; and one call for each document leaves a GPU idle where documents are short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch

from configs.schema.pretrain import AttentionKernel
from pretrain.attention import cumulative, flex, sdpa
from pretrain.attention.need import Attend, Need

_MOST_NUMBERS_PER_HEAD = 256
"""Of FlashAttention 2's kernels, which are compiled for multiples of 8."""


@dataclass(frozen=True)
class Kernel:
    """A way to attend within documents."""

    load: Callable[[Need], Attend]
    """Imports it; what it cannot do it may also say by raising when it is called."""
    package: str | None = None
    """What must be installed for it, as it is imported; none comes with torch."""
    unsuited: Callable[[Need], str | None] = lambda need: None
    """Why it cannot do what is asked for, as far as its documentation says; or None."""

    def impossible(self, need: Need) -> str | None:
        """Why it cannot even be tried, or None."""
        if self.package is not None and find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        return self.unsuited(need)


def _for_half_precision(need: Need) -> str | None:
    if need.device.type != "cuda":
        return f"it runs on CUDA, not on {need.device.type}"
    if need.dtype not in (torch.bfloat16, torch.float16):
        return f"it has no kernel for {str(need.dtype).removeprefix('torch.')}"
    return None


def _for_flash(need: Need) -> str | None:
    if need.head_dim > _MOST_NUMBERS_PER_HEAD or need.head_dim % 8:
        return f"it takes heads of a multiple of 8 up to {_MOST_NUMBERS_PER_HEAD}, not of {need.head_dim}"
    return _for_half_precision(need)


KERNELS: Mapping[AttentionKernel, Kernel] = {
    "transformer_engine": Kernel(
        cumulative.transformer_engine, package="transformer_engine", unsuited=_for_half_precision
    ),
    "flash_attn": Kernel(cumulative.flash_attn, package="flash_attn", unsuited=_for_flash),
    "varlen": Kernel(cumulative.varlen, unsuited=_for_flash),
    "flex": Kernel(flex.flex),
    "sdpa": Kernel(lambda need: sdpa.attend),
}


@lru_cache
def loaded(name: AttentionKernel, need: Need) -> Any:
    """A kernel of the table, ready to be called; an `Attend`."""
    return KERNELS[name].load(need)
