"""`tsugiki corpus measure PATH… --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


def add_measure(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("measure", help="measure files and judge them by a preset, without a run file")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or glob")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where measures are written")
    parser.add_argument("--preset", default="inhouse", help="rules: a name in configs/presets, or a YAML file")
    parser.add_argument("--language", default="ja", help="language of the documents (default ja)")
    parser.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per CPU)")
    parser.add_argument("--json", action="store_true", help="print for machines")
    parser.set_defaults(do=_measure)


def _measure(arguments: argparse.Namespace) -> None:
    import json

    from configs import log
    from corpus.measures.files import measure_files
    from corpus.quarantine import put_aside, quarantine_lines

    log.set_up()
    measured = measure_files(
        arguments.paths,
        arguments.out,
        arguments.preset,
        arguments.workers,
        language=arguments.language,
        text_key=arguments.text_key,
    )
    counts = measured.counts
    if arguments.json:
        say(json.dumps({**counts, "put_aside": put_aside(measured)}, ensure_ascii=False))
        return
    say(f"{counts['documents']:>12,}  documents")
    for word, count in sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0])):
        say(f"{-count:>12,}  {word}")
    say(f"{counts['passing']:>12,}  pass the rules of {arguments.preset}")
    for line in quarantine_lines(measured, sources=False):
        say(line)
