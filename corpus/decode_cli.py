"""`tsugiki corpus decode PATH… --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from configs.cli import say


def add_decode(commands: Any) -> None:
    """Add the verb."""
    from configs.schema.corpus import Format

    parser = commands.add_parser("decode", help="read files of any format and encoding, without a run file")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or glob")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the documents are written")
    parser.add_argument(
        "--format", choices=get_args(Format), default="auto", help="of the files (default: by the ending)"
    )
    parser.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    parser.add_argument("--language", default="ja", metavar="CODE", help="language of the texts (default ja)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per CPU)")
    parser.add_argument("--json", action="store_true", help="print what became of every file, with its encoding")
    parser.set_defaults(do=_decode)


def _decode(arguments: argparse.Namespace) -> None:
    import json

    from pydantic import ValidationError

    from configs import log
    from configs.errors import UserError
    from configs.schema.corpus import Source
    from corpus.decode_files import FILES, decode_files

    log.set_up()
    try:
        source = Source(path="-", language=arguments.language, format=arguments.format, text_key=arguments.text_key)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{first['loc'][0]}: {first['msg'].lower()}, got {first['input']!r}") from None
    decoded = decode_files(arguments.paths, arguments.out, source, arguments.workers)
    with open(decoded.path(FILES), encoding="utf-8") as lines:
        files = [json.loads(line) for line in lines]
    if arguments.json:
        say(json.dumps({**decoded.counts, "files": files}, ensure_ascii=False))
        return
    for one in files:
        named = ", ".join(f"{encoding} {count:,}" for encoding, count in one["encodings"].items())
        say(f"{one['path']}: {one['format'] or 'unknown format'}: {named or 'nothing read'}")
        for aside in one["put_aside"]:
            say(f"  put aside: {aside['path']} at {aside['position']}: {aside['reason']} ({aside['detail']})")
