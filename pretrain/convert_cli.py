"""`tsugiki pretrain convert`: between Hugging Face, DeepSpeed, Megatron and this program's own checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


def add_convert(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("convert", help="one checkpoint format into another, bit for bit")
    parser.add_argument("source", type=Path, metavar="IN", help="folder to convert; its format is found by itself")
    parser.add_argument(
        "--to", required=True, choices=("hf", "checkpoint", "deepspeed", "megatron"), help="format to write"
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
    parser.set_defaults(do=_convert)


def _convert(arguments: argparse.Namespace) -> None:
    import json
    from dataclasses import fields

    from configs import log

    log.set_up()
    from pretrain.convert.convert import convert
    from pretrain.convert.target import Options

    given = {field.name: getattr(arguments, field.name) for field in fields(Options)}
    options = Options(**{name: value for name, value in given.items() if value is not None})
    report = convert(arguments.source, arguments.to, arguments.out, options, arguments.model)
    say(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if arguments.json else report.line())
