"""`tsugiki tokenizer curve RUN.yaml`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import add_run_file, load_run, say


def add_curve(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser(
        "curve", help="show what more new tokens would bring and cost, and which number to take"
    )
    add_run_file(parser)
    parser.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="NAME",
        help="other tokenizers on the same texts: folder, tokenizer.json, .model, or name on the hub",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curve into a file: .svg or .png")
    parser.add_argument("--json", action="store_true", help="print for machines")
    parser.set_defaults(do=_curve)


def _curve(arguments: argparse.Namespace) -> None:
    import json

    from configs import log
    from configs.artifact import Artifact
    from configs.lock import exclusive
    from corpus.stage import corpus_dir
    from tokenizer.curve import curve_of_run
    from tokenizer.curve_lines import curve_lines
    from tokenizer.curve_picture import draw_curve, refuse_other_pictures
    from tokenizer.other_tokenizers import fertility_of
    from tokenizer.shown_texts import texts_by_group

    run = load_run(arguments)
    log.set_up()
    if arguments.plot is not None:
        refuse_other_pictures(arguments.plot)
    with exclusive(run.run.dir):
        curve = curve_of_run(run)
    texts = texts_by_group(run, Artifact.open(corpus_dir(run)))
    others = fertility_of(arguments.against, texts)
    if arguments.plot is not None:
        draw_curve(arguments.plot, curve.points, curve.recommendation.add, others)
    if arguments.json:
        say(json.dumps({**curve.to_json(), "against": others}, ensure_ascii=False, indent=1))
    else:
        for line in curve_lines(curve.points, curve.recommendation, others):
            say(line)
        if curve.boundaries == "soft":
            say("boundaries are soft: tokens may cross morphemes, and I9 is off")
