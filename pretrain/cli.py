"""`tsugiki pretrain pack|train|evaluate|export|trace`."""

from __future__ import annotations

import argparse

from configs.cli import add_run_file, add_stage, load_run, say


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    add_stage(commands, "pack", "pretrain.pack:pack_tokens", "tokenise the corpus and pack it into sequences")
    add_stage(commands, "train", "pretrain.train:train", "continue pretraining; under torchrun, on all its processes")
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
