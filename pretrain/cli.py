"""`tsugiki pretrain pack|train|evaluate|export|estimate|trace`: verbs of a run file."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

from configs.cli import add_run_file, add_stage, load_run, say
from pretrain.convert_cli import add_convert
from pretrain.folder_cli import add_folder_verbs


def verbs(parser: argparse.ArgumentParser, train: str = "pretrain.train:train") -> None:
    """Add the verbs.

    Args:
        train: what trains; by default this process, alone or as one of those that a launcher started.
    """
    commands = parser.add_subparsers(metavar="VERB", required=True)
    add_stage(commands, "pack", "pretrain.pack:pack_tokens", "tokenise the corpus and pack it into sequences")
    add_stage(commands, "train", train, "continue pretraining")
    add_stage(commands, "export", "pretrain.export:export_model", "write the Hugging Face folder if it passes the gate")
    evaluate = commands.add_parser("evaluate", help="print the held-out bits per character of every evaluation")
    add_run_file(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print for machines")
    evaluate.set_defaults(do=_evaluate)
    trace = commands.add_parser(
        "trace", help="tell in which steps documents were trained, for a request to delete them"
    )
    add_run_file(trace)
    trace.add_argument("ids", nargs="+", metavar="ID", help="id of a document, as in the corpus")
    trace.add_argument("--json", action="store_true", help="print for machines")
    trace.set_defaults(do=_trace)
    add_convert(commands)
    add_folder_verbs(commands)
    estimate = commands.add_parser("estimate", help="memory, time, cost and layout of a run, without a GPU")
    add_run_file(estimate)
    estimate.add_argument(
        "--gpu", metavar="NAME", help="kind of GPU, of configs/tables/devices.yaml (default: slurm.gpu)"
    )
    measured = estimate.add_mutually_exclusive_group()
    measured.add_argument("--tokens-per-s", type=_positive, metavar="N", help="measured speed over all GPUs")
    measured.add_argument(
        "--measured", type=Path, metavar="DIR", help="checkpoints of a short run on the same GPUs; its speed counts"
    )
    estimate.add_argument(
        "--disk-gb-per-s", type=_positive, default=2.0, metavar="N", help="speed of the disk (default: 2)"
    )
    estimate.add_argument("--gpu-hour-price", type=_positive, metavar="N", help="price of one GPU for one hour")
    estimate.add_argument("--json", action="store_true", help="print for machines")
    estimate.set_defaults(do=_estimate)


def _positive(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")


def _evaluate(arguments: argparse.Namespace) -> None:
    import json

    run = load_run(arguments)
    from pretrain.metrics_file import read_metrics
    from pretrain.stage import checkpoints_dir

    lines = [line for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "evaluation"]
    if arguments.json:
        say(json.dumps(lines))
        return
    for line in lines:
        told = "  ".join(f"{name} {one['bits_per_character']:.3f}" for name, one in line["sources"].items())
        say(f"step {line['step']:>7}  {line['model']:<8} {told}")


def _trace(arguments: argparse.Namespace) -> None:
    import json

    run = load_run(arguments)
    from pretrain.trace import lines, trace

    traced = trace(run, arguments.ids)
    if arguments.json:
        say(json.dumps([one.to_json() for one in traced], ensure_ascii=False, indent=1))
        return
    for line in lines(traced):
        say(line)


def _estimate(arguments: argparse.Namespace) -> None:
    import json

    from configs.errors import UserError

    run = load_run(arguments)
    from pretrain.estimate.build import estimate, refusal
    from pretrain.estimate.duration import Rates, speed_of_run

    tokens_per_s = arguments.tokens_per_s if arguments.measured is None else speed_of_run(arguments.measured)
    rates = Rates(tokens_per_s, arguments.disk_gb_per_s, arguments.gpu_hour_price)
    found = estimate(run, arguments.gpu, rates)
    if arguments.json:
        say(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        from pretrain.estimate.screen import show

        show(found)
    if (why := refusal(found)) is not None:
        raise UserError(why)
