"""Which architectures can be trained, and what each must tell to be trained by every engine.

A family is one file in `pretrain/models/families`, named as the `model_type` of its config.json, with a `FAMILY` in
it. Its attention must go through transformers' AttentionInterface, which a test of every family proves.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol

from torch import nn
from transformers import PretrainedConfig

from pretrain.models import families
from pretrain.models.rows import Row

SUPPORTED = tuple(sorted(module.name for module in iter_modules(families.__path__)))
"""Values of `model_type` that can be trained."""


class Family(Protocol):
    """What is known of an architecture."""

    @property
    def models(self) -> str:
        """Published models of this kind, for those who ask what is supported."""
        ...

    def refusals(self, config: PretrainedConfig) -> list[str]:
        """What of a configuration cannot be trained; nothing if all can."""
        ...

    def rows(self, config: PretrainedConfig) -> list[Row]:
        """One row per parameter of megatron-core's whole model."""
        ...

    def transformer_config(self, config: PretrainedConfig) -> dict[str, Any]:
        """Keywords of megatron-core's `TransformerConfig` that the architecture decides."""
        ...

    def rotary(self, config: PretrainedConfig) -> nn.Module:
        """A module that gives (cos, sin) by position, as transformers' rotary modules do."""
        ...


def family(model_type: str) -> Family:
    """The family of a supported `model_type`."""
    found: Family = import_module(f"{families.__name__}.{model_type}").FAMILY
    return found


def supported() -> str:
    """What can be trained, for a message."""
    return ", ".join(f"{name} ({family(name).models})" for name in SUPPORTED)
