"""`tsugiki tokenizer extend RUN.yaml`, and the same of files without a run file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Literal

from configs.cli import add_set, do_stage, say

_STAGE = "tokenizer.extend:extend_tokenizer"


def add_extend(commands: Any) -> None:
    """Add the verb."""
    parser = commands.add_parser("extend", help="add frequent units of a corpus, or of files, to a tokenizer")
    parser.add_argument("run_file", nargs="?", type=Path, metavar="RUN.yaml", help="the run file")
    add_set(parser, "override one key of the run file, or, without one, of its section tokenizer; may be given again")
    files = parser.add_argument_group("without a run file")
    files.add_argument("--base", metavar="DIR", help="folder of the base, or its name on the hub")
    files.add_argument("--text", nargs="+", default=[], metavar="PATH", help="files, folders or globs to learn from")
    files.add_argument("--add", type=_number, metavar="N|auto", help="new tokens")
    files.add_argument(
        "--terms",
        nargs="+",
        default=[],
        metavar="PATH",
        help="lists of terms that become tokens: one a line, # remarks",
    )
    files.add_argument("--out", type=Path, metavar="DIR", help="where the extended tokenizer is written")
    files.add_argument("--language", default="ja", help="language of the texts (default ja)")
    files.add_argument("--text-key", default="text", metavar="KEY", help="field that holds the text (default text)")
    files.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default: one per CPU)")
    files.add_argument("--json", action="store_true", help="print for machines")
    parser.set_defaults(do=lambda arguments: _extend(parser, arguments))


def _number(text: str) -> int | Literal["auto"]:
    return "auto" if text == "auto" else int(text)


def _extend(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    needed = {"--base": arguments.base, "--text": arguments.text, "--add": arguments.add, "--out": arguments.out}
    given = [option for option, value in needed.items() if value is not None and value != []]
    if arguments.run_file is not None:
        given += ["--terms"] if arguments.terms else []
        if given:
            parser.error(f"{', '.join(given)}: the run file says that; remove it, or the run file")
        do_stage(arguments, _STAGE)
    elif len(given) < len(needed):
        missing = ", ".join(option for option in needed if option not in given)
        parser.error(f"name a run file, or give {missing}")
    else:
        _extend_files(arguments)


def _extend_files(arguments: argparse.Namespace) -> None:
    import json

    from configs import log
    from configs.load import assigned
    from configs.schema.tokenizer import Tokenizer
    from tokenizer.extend_files import extend_by_files

    log.set_up()
    of_options = [f"add={arguments.add}", f"languages=[{arguments.language}]"]
    if arguments.terms:
        of_options.append(f"terms={json.dumps(arguments.terms, ensure_ascii=False)}")
    settings = assigned([*arguments.overrides, *of_options], Tokenizer)
    made = extend_by_files(
        arguments.base, arguments.text, arguments.out, settings, arguments.workers, text_key=arguments.text_key
    )
    if arguments.json:
        say(json.dumps(dict(made.counts), ensure_ascii=False, indent=1))
        return
    counts = made.counts
    say(f"{counts['new_tokens']:>12,}  new tokens, {counts['vocabulary']:,} together")
    for language, figures in counts["chars_per_token"].items():
        base, extended = figures["base"], figures["extended"]
        if base and extended:
            say(f"{base:.3f} -> {extended:.3f}  characters per token, {language} ({extended / base - 1:+.1%})")
    if "terms" in counts:
        terms = counts["terms"]
        say(f"{terms['terms']:>12,}  terms, by {terms['tokens']:,} of the new tokens; all in terms.jsonl")
        for why, number in terms["left_out"].items():
            say(f"{number:>12,}  left out: {why}")
    if "choice" in counts:
        say(counts["choice"]["reason"])
    say(str(made.dir / "hf"))
