"""All that differs between the supported versions of megatron-core: 0.16 (Python 3.11) to 0.19 (Python 3.12).

What the engine uses has the same names and meaning in both; found by running the same tests against both.
"""

from __future__ import annotations

import logging
from typing import Any

from megatron.core import __version__
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec

from configs.errors import UserError

OLDEST, NEWEST = (0, 16), (0, 19)


def check(version: str = __version__) -> None:
    """Refuse a version that nobody has run this with.

    Raises:
        UserError: names the version found and those that are supported.
    """
    if not OLDEST <= tuple(int(part) for part in version.split(".")[:2]) <= NEWEST:
        raise UserError(
            f"megatron-core {version} is installed, this engine knows {'.'.join(map(str, OLDEST))} "
            f"to {'.'.join(map(str, NEWEST))}: pip install 'tsugiki[megatron]'"
        )
    for name in _ADVICE:
        logging.getLogger(name).addFilter(_is_no_advice)


_ADVICE = {
    "megatron.core.models.gpt.gpt_model": "GPTModel IS DEPRECATED",
    "megatron.core.distributed.distributed_data_parallel": "DistributedDataParallel: full_param_layout not provided",
}
"""What 0.19 warns of at every start and a user can do nothing about, by logger."""


def _is_no_advice(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_ADVICE[record.name])


def layer_spec() -> Any:
    """A transformer layer of megatron-core's own modules, which need neither Transformer Engine nor Apex."""
    return get_gpt_layer_local_spec(normalization="RMSNorm")
