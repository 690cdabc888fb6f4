"""What every format gives to a conversion: any box of any tensor under its Hugging Face name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, get_args

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.model import Model
from pretrain.engines.base import Kind

Format = Literal["hf", "checkpoint", "deepspeed", "megatron"]
"""hf: a Hugging Face folder. checkpoint: this program's own. deepspeed: ZeRO 1 to 3. megatron: torch_dist."""
FORMATS: tuple[Format, ...] = get_args(Format)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Number formats that are read and written, by torch's own names."""


class StateSource(Protocol):
    """A state on the disk, read box by box; threads may read at once."""

    @property
    def kind(self) -> Format:
        """Which format it is."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """HF names and shapes: a framework's padding of the vocabulary is cut off, a tied output embedding absent."""
        ...

    @property
    def has_moments(self) -> bool:
        """Whether there are Adam moments of any tensor."""
        ...

    @property
    def step(self) -> int:
        """Optimizer steps taken; 0 where it does not say."""
        ...

    @property
    def adam_steps(self) -> int:
        """Steps since the moments started, as Adam counts them; 0 where it does not say."""
        ...

    def dtype(self, name: str) -> torch.dtype:
        """Number format in which the weights of a tensor are stored."""
        ...

    def has(self, name: str, kind: Kind) -> bool:
        """Whether it holds this kind of a tensor; one that was never trained has no moments."""
        ...

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Values of a box as they are stored, in the box's shape; no more of the tensor is in memory than that takes.

        Raises:
            UserError: if a file is damaged, or does not hold the box.
        """
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


def refuse_leftovers(here: Mapping[str, tuple[int, ...]], model: Model, where: Path) -> None:
    """See that a source holds the tensors of the architecture, and nothing else.

    Args:
        here: HF names and shapes of the source.
        where: its path, for the message.
    Raises:
        UserError: names tensors that are missing, left over, or of another shape.
    """
    there = model.shapes
    complaints = [f"it has no {name}" for name in sorted(there.keys() - here.keys())]
    complaints += [f"the architecture has no place for {name}" for name in sorted(here.keys() - there.keys())]
    complaints += [
        f"{name} is {list(here[name])}, the architecture needs {list(shape)}"
        for name, shape in there.items()
        if name in here and tuple(here[name]) != tuple(shape)
    ]
    if complaints:
        rest = f"; and {len(complaints) - 8} more" if len(complaints) > 8 else ""
        raise UserError(
            f"{where}: does not fit {model.folder / 'config.json'}: {'; '.join(complaints[:8])}{rest}. "
            "Name the folder it was made from with --model"
        )
