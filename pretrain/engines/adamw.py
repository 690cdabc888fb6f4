"""What is trained and how: the groups of AdamW, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from configs.schema.pretrain import Optim, Trained
from pretrain.engines.base import Group


def freeze(parameters: Mapping[str, torch.nn.Parameter], embeddings: frozenset[str], train: Trained) -> None:
    """Take from training what the stage leaves as it is; old rows of the embeddings are the engine's to keep."""
    for name, parameter in parameters.items():
        parameter.requires_grad_(train == "all" or name in embeddings)


def group_of(name: str, dims: int, embeddings: frozenset[str]) -> Group:
    """Treatment of a parameter; new rows are part of the embeddings and told apart by the engine."""
    if name in embeddings:
        return "embeddings"
    return "matrices" if dims >= 2 else "vectors"


def build(
    parameters: Mapping[str, torch.nn.Parameter],
    embeddings: frozenset[str],
    optim: Optim,
    *,
    dims_of: Callable[[torch.nn.Parameter], int] = torch.Tensor.dim,
) -> torch.optim.AdamW:
    """AdamW over what is not frozen, with one group per treatment that has a `name` to set its rate by.

    A group may be empty: a pipeline stage can be without anything to train.

    Args:
        embeddings: which of the names are embeddings.
        dims_of: dimensions of the whole parameter, where a framework has cut it up.
    """
    members: dict[Group, list[torch.nn.Parameter]] = {"matrices": [], "vectors": [], "embeddings": []}
    for name, parameter in parameters.items():
        if parameter.requires_grad:
            members[group_of(name, dims_of(parameter), embeddings)].append(parameter)
    groups = [
        {"params": parameters, "name": name, "weight_decay": optim.weight_decay if name == "matrices" else 0.0}
        for name, parameters in members.items()
    ]
    # fused: one pass over the memory of a step instead of a dozen, on CPU as on GPU.
    return torch.optim.AdamW(groups, lr=0.0, betas=optim.betas, eps=optim.eps, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, lr_by_group: Mapping[Group, float]) -> None:
    """Give each group its learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = lr_by_group[group["name"]]
