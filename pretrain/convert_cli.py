"""`tsugiki pretrain convert` and `average`: between Hugging Face, DeepSpeed, Megatron and our own checkpoints."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from configs.cli import say

_WHOLE_UP_TO_GB = 4.0
"""A conversion needs little memory; its gate is not to need much more."""


def add_convert(commands: Any) -> None:
    """Add the verbs."""
    parser = commands.add_parser("convert", help="one checkpoint format into another, bit for bit")
    parser.add_argument("source", type=Path, metavar="IN", help="folder to convert; its format is found by itself")
    _add_target(parser, required=True)
    parser.set_defaults(do=_convert)
    mean = commands.add_parser("average", help="the mean of the weights of several checkpoints")
    mean.add_argument(
        "sources",
        type=Path,
        nargs="+",
        metavar="IN",
        help="folders of any format; with --last, one run",
    )
    mean.add_argument("--last", type=int, metavar="N", help="take the N newest checkpoints of a run")
    _add_target(mean, required=False)
    mean.set_defaults(do=_average)


def _add_target(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--to",
        required=required,
        choices=("hf", "checkpoint", "deepspeed", "megatron"),
        default="hf",
        help="format to write" + ("" if required else " (default: hf)"),
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write, not there yet")
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="HF folder with config.json and tokenizer, if IN does not say it"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="of the weights (default: as they are)"
    )
    parser.add_argument("--max-shard-size", metavar="SIZE", help="of a file of --to hf, e.g. 5GB (default: 50GB)")
    for name, help_ in (
        ("tp", "tensor parallelism of --to megatron"),
        ("pp", "pipeline parallelism of --to megatron"),
        ("zero", "ZeRO stage of --to deepspeed"),
        ("ranks", "data-parallel ranks of --to deepspeed"),
        ("groups", "groups of the optimizer of --to deepspeed, 2 for matrices and vectors apart"),
    ):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{help_} (default: 1)")
    parser.add_argument("--no-gate", action="store_true", help="name a folder of --to hf without comparing it")
    parser.add_argument(
        "--gate-texts", type=Path, metavar="FILE", help="texts for the gate: a JSON list of strings (default: three)"
    )
    parser.add_argument(
        "--gate-whole-up-to-gb",
        type=float,
        metavar="N",
        help=f"larger models are compared layer by layer, without greedy text ({_WHOLE_UP_TO_GB:g} GB of float32)",
    )
    parser.add_argument("--json", action="store_true", help="print for machines")


def _options(arguments: argparse.Namespace) -> Any:
    from dataclasses import fields

    from configs import log

    log.set_up()
    from pretrain.convert.target import Options

    given = {field.name: getattr(arguments, field.name) for field in fields(Options)}
    return Options(**{name: value for name, value in given.items() if value is not None})


def _gate(arguments: argparse.Namespace) -> Any:
    """What the gate asks for, or none where there is none."""
    from configs.errors import UserError
    from configs.schema.export import Gate
    from pretrain.convert.gate import read_texts

    set_ = [name for name in ("gate_texts", "gate_whole_up_to_gb") if getattr(arguments, name) is not None]
    if set_ and (arguments.no_gate or arguments.to != "hf"):
        raise UserError(f"--{set_[0].replace('_', '-')} says something about the gate of --to hf, and there is none")
    if arguments.to != "hf":
        return None
    if arguments.no_gate:
        logging.getLogger(__name__).warning("--no-gate: nobody compares %s with its source", arguments.out)
        return None
    limit = arguments.gate_whole_up_to_gb
    texts = Gate().texts if arguments.gate_texts is None else read_texts(arguments.gate_texts)
    return Gate(texts=texts, whole_up_to_gb=_WHOLE_UP_TO_GB if limit is None else limit)


def _convert(arguments: argparse.Namespace) -> None:
    options = _options(arguments)
    from pretrain.convert.convert import convert

    _tell(
        arguments,
        convert(arguments.source, arguments.to, arguments.out, options, arguments.model, gate=_gate(arguments)),
    )


def _average(arguments: argparse.Namespace) -> None:
    options = _options(arguments)
    from pretrain.convert.average import average

    report = average(
        arguments.sources,
        arguments.to,
        arguments.out,
        options,
        last=arguments.last,
        named=arguments.model,
        gate=_gate(arguments),
    )
    _tell(arguments, report)


def _tell(arguments: argparse.Namespace, report: Any) -> None:
    import json

    say(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if arguments.json else report.line())
