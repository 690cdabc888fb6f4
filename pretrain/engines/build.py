"""From the name of an engine to the engine; its framework is imported only then."""

from __future__ import annotations

import warnings
from importlib import import_module

from configs.errors import UserError
from configs.schema.pretrain import EngineName
from pretrain.engines.base import Engine, EngineSpec

_MODULES = {
    "single": "pretrain.engines.single",
    "deepspeed": "pretrain.engines.deepspeed",
    "megatron": "pretrain.engines.megatron.engine",
}


def build_engine(name: EngineName, spec: EngineSpec) -> Engine:
    """An engine on this process, with weights that are not yet anything.

    Raises:
        UserError: if its framework is not installed, or the layout is impossible for the model.
    """
    try:
        with warnings.catch_warnings():
            # megatron-core can do without Transformer Engine and Apex, and says so six times.
            warnings.filterwarnings("ignore", message="(Transformer Engine and )?Apex (is|are) not installed")
            module = import_module(_MODULES[name])
        engine: Engine = module.build(spec)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the engine {name!r} needs the package {error.name!r}, which is not installed: "
            f"pip install 'tsugiki[{name}]'"
        ) from error
    return engine
