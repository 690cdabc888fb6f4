"""`tsugiki corpus dedup PATH… --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


def add_dedup(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("dedup", help="remove copies and near-copies from files, without a run file")
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="file, folder or glob; of two copies the earlier stays"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where kept and dropped are written")
    parser.add_argument("--threshold", type=float, default=0.8, help="Jaccard similarity of 5-grams (default 0.8)")
    parser.add_argument(
        "--against", action="append", default=[], metavar="DIR", help="an existing corpus; again for more"
    )
    parser.add_argument("--memory-gb", type=float, default=4.0, metavar="N", help="memory that it may take (default 4)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per CPU)")
    parser.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    parser.add_argument("--id-key", default="id", metavar="KEY", help="field that names a record (default id)")
    parser.add_argument("--json", action="store_true", help="print the counts, and what was removed with its survivor")
    parser.set_defaults(do=_dedup)


def _dedup(arguments: argparse.Namespace) -> None:
    import json

    from pydantic import ValidationError

    from configs import log
    from configs.errors import UserError
    from configs.schema.dedup import Dedup
    from corpus.dedup.files import REMOVED, deduplicate_files
    from corpus.quarantine import put_aside, quarantine_lines

    log.set_up()
    try:
        settings = Dedup(threshold=arguments.threshold, against=tuple(arguments.against), memory_gb=arguments.memory_gb)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"--{first['loc'][0]}: {first['msg'].lower()}, got {first['input']!r}".replace("_", "-")
        ) from None
    corpus = deduplicate_files(
        arguments.paths,
        arguments.out,
        settings,
        arguments.workers,
        text_key=arguments.text_key,
        id_key=arguments.id_key,
    )
    if arguments.json:
        with open(corpus.path(REMOVED), encoding="utf-8") as lines:
            removed = [json.loads(line) for line in lines]
        say(json.dumps({**corpus.counts, "removed": removed, "put_aside": put_aside(corpus)}, ensure_ascii=False))
    else:
        for name, count in corpus.counts.items():
            say(f"{count:>12,}  {name}")
        for line in quarantine_lines(corpus, sources=False):
            say(line)
