"""`tsugiki tokenizer check BASE EXTENDED --text PATH…`; exits with 1 if an invariant does not hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


def add_check(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("check", help="check the invariants between any tokenizer and an extension of it")
    parser.add_argument("base", type=Path, metavar="BASE", help="folder of the base's tokenizer")
    parser.add_argument("extended", type=Path, metavar="EXTENDED", help="folder of the extended tokenizer")
    parser.add_argument(
        "--text", nargs="+", required=True, metavar="PATH", help="files, folders or globs with texts to check on"
    )
    parser.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    parser.add_argument("--json", action="store_true", help="print for machines")
    parser.set_defaults(do=_check)


def _check(arguments: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    from configs import log
    from configs.errors import UserError
    from tokenizer.compare import compare
    from tokenizer.named_texts import named_texts
    from tokenizer.open import open_tokenizer
    from tokenizer.told_beside import Crossing

    log.set_up()
    base, extended = (open_tokenizer(folder) for folder in (arguments.base, arguments.extended))
    may_cross = Crossing.beside(arguments.extended.resolve())
    found = compare(base, extended, named_texts(arguments.text, text_key=arguments.text_key), may_cross)
    broken = {violation.invariant: violation.detail for violation in reversed(found.violations)}
    if arguments.json:
        say(json.dumps({**asdict(found), "holds": not broken}, ensure_ascii=False, indent=1))
    else:
        say(f"{found.kind}: {found.new_tokens:,} new tokens, {found.texts:,} texts")
        if may_cross.tokens:
            say(f"{len(may_cross.tokens):,} tokens of terms, as the manifest beside it says, are not held to I9")
        for name in sorted({*found.checked, *found.not_checked, *broken}):
            state = f"BROKEN: {broken[name]}" if name in broken else "holds on these texts"
            say(f"{name}  {f'not checked: {found.not_checked[name]}' if name in found.not_checked else state}")
    if broken:
        raise UserError(f"{arguments.extended}: {', '.join(sorted(broken))} of {arguments.base} do not hold in it")
