"""`tsugiki corpus build|audit`."""

from __future__ import annotations

import argparse

from configs.cli import add_run_file, add_stage, load_run, say


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    add_stage(commands, "build", "corpus.build:build_corpus", "make the corpus: read, clean, deduplicate, hold out")
    audit = commands.add_parser("audit", help="show what was kept and what was dropped, and why")
    add_run_file(audit)
    audit.add_argument("--reason", help="show documents that were dropped for this reason")
    audit.add_argument("--show", type=int, default=3, metavar="N", help="how many (default 3)")
    audit.add_argument("--json", action="store_true", help="print for machines")
    audit.set_defaults(do=_audit)


def _audit(arguments: argparse.Namespace) -> None:
    import json

    from configs.stage import refuse_unfinished
    from corpus.audit import dropped_documents, funnel_lines
    from corpus.stage import corpus_plan

    corpus = refuse_unfinished(corpus_plan(load_run(arguments)))
    if arguments.reason is not None:
        for line in dropped_documents(corpus, arguments.reason, arguments.show):
            say(line)
    elif arguments.json:
        say(json.dumps(dict(corpus.counts), ensure_ascii=False, indent=1))
    else:
        for line in funnel_lines(corpus):
            say(line)
