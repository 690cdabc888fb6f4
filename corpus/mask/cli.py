"""`tsugiki corpus mask PATH… --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import add_set, say


def add_mask(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("mask", help="mask personal data in files, without a run file")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or glob")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where masked documents are written")
    add_set(parser, "a key of corpus.mask, e.g. --set name=mask; may be given again", "KIND=ACTION")
    parser.add_argument("--language", default="ja", help="language of the documents (default ja)")
    parser.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per CPU)")
    parser.add_argument("--json", action="store_true", help="print every span for machines, never its text")
    parser.set_defaults(do=_mask)


def _mask(arguments: argparse.Namespace) -> None:
    import json

    from configs import log
    from configs.load import assigned
    from configs.schema.mask import Mask
    from corpus.mask.files import mask_files
    from corpus.quarantine import put_aside, quarantine_lines
    from corpus.shards import read_batches

    log.set_up()
    settings = assigned(arguments.overrides, Mask)
    masked = mask_files(
        arguments.paths,
        arguments.out,
        settings,
        arguments.workers,
        language=arguments.language,
        text_key=arguments.text_key,
    )
    if arguments.json:
        spans = [row for batch in read_batches(masked.below("spans")) for row in batch.to_pylist()]
        say(json.dumps({**masked.counts, "spans": spans, "put_aside": put_aside(masked)}, ensure_ascii=False))
        return
    say(f"{masked.counts['documents']:>12,}  documents")
    for kind, count in masked.counts["masked"].items():
        say(f"{count:>12,}  {kind}")
    for reason, count in masked.counts["dropped"].items():
        say(f"{-count:>12,}  {reason}")
    for line in quarantine_lines(masked, sources=False):
        say(line)
