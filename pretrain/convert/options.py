"""Which options a conversion takes, by what it writes."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from configs.errors import UserError
from configs.schema.export import Gate
from pretrain.convert.source import DTYPES, Format
from pretrain.convert.target import Options

_TAKES: dict[Format, tuple[str, ...]] = {
    "hf": ("dtype", "max_shard_size"),
    "checkpoint": (),
    "deepspeed": ("dtype", "zero", "ranks", "groups"),
    "megatron": ("dtype", "tp", "pp"),
}
_SIZE = re.compile(r"\d*[1-9]\d*(KB|MB|GB|TB)")
_DEFAULTS = {field.name: field.default for field in fields(Options)}


def asked_for(to: Format, options: Options, gate: Gate | None = None) -> dict[str, Any]:
    """What decides the result's bytes beside the source; JSON data.

    Raises:
        UserError: if an option has no meaning for this format, or no possible value.
    """
    given = [name for name, default in _DEFAULTS.items() if getattr(options, name) != default]
    if to == "checkpoint" and options.dtype == "float32":
        given.remove("dtype")
    for name in given:
        if name not in _TAKES[to]:
            why = "; its numbers are float32" if (to, name) == ("checkpoint", "dtype") else ""
            raise UserError(f"--{name.replace('_', '-')} says nothing about --to {to}{why}; leave it out")
    size = options.max_shard_size
    if isinstance(size, str) and not _SIZE.fullmatch(size):
        raise UserError(f"--max-shard-size {size}: expected a number and KB, MB, GB or TB, such as 5GB")
    if options.dtype is not None and options.dtype not in DTYPES:
        raise UserError(f"--dtype {options.dtype}: expected one of {', '.join(DTYPES)}")
    if gate is not None and to != "hf":
        raise UserError(f"the gate is of Hugging Face folders and says nothing about --to {to}")
    asked = {"to": to, **{name: getattr(options, name) for name in _TAKES[to]}}
    return asked if gate is None else {**asked, "gate": gate.model_dump(mode="json")}
