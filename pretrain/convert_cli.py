"""`tsugiki pretrain convert` and `average`: between Hugging Face, DeepSpeed, Megatron and our own checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


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
    ):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{help_} (default: 1)")
    parser.add_argument("--json", action="store_true", help="print for machines")


def _options(arguments: argparse.Namespace) -> Any:
    from dataclasses import fields

    from configs import log

    log.set_up()
    from pretrain.convert.target import Options

    given = {field.name: getattr(arguments, field.name) for field in fields(Options)}
    return Options(**{name: value for name, value in given.items() if value is not None})


def _convert(arguments: argparse.Namespace) -> None:
    options = _options(arguments)
    from pretrain.convert.convert import convert

    _tell(arguments, convert(arguments.source, arguments.to, arguments.out, options, arguments.model))


def _average(arguments: argparse.Namespace) -> None:
    options = _options(arguments)
    from pretrain.convert.average import average

    report = average(
        arguments.sources, arguments.to, arguments.out, options, last=arguments.last, named=arguments.model
    )
    _tell(arguments, report)


def _tell(arguments: argparse.Namespace, report: Any) -> None:
    import json

    say(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if arguments.json else report.line())
