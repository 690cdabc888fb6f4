"""`tsugiki corpus build|share|on-ray|audit|retune|decode|dedup|measure|mask`."""

from __future__ import annotations

import argparse

from configs.artifact import Share
from configs.cli import add_run_file, add_stage, load_run, say
from corpus.decode_cli import add_decode
from corpus.dedup.cli import add_dedup
from corpus.mask.cli import add_mask
from corpus.measures.cli import add_measure


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    add_stage(commands, "build", "corpus.build:build_corpus", "make the corpus: read, clean, deduplicate, hold out")
    share = commands.add_parser("share", help="do a part of the corpus's work beside others; build then finishes it")
    add_run_file(share)
    share.add_argument("share", type=_share_of, metavar="K/N", help="the K-th of N, from 0, as in 0/4")
    share.set_defaults(do=_share)
    on_ray = commands.add_parser("on-ray", help="make the corpus on a Ray cluster; once on each of its nodes")
    add_run_file(on_ray)
    on_ray.add_argument("--node", type=int, required=True, metavar="K", help="number of this node; 0 is the head")
    on_ray.add_argument("--head", required=True, metavar="HOST", help="the head's name or address")
    on_ray.add_argument("--port", type=int, required=True, metavar="N", help="the head's port")
    on_ray.set_defaults(do=_on_ray)
    audit = commands.add_parser("audit", help="show what was kept and what was dropped, and why")
    add_run_file(audit)
    audit.add_argument("--reason", help="show documents that were dropped for this reason")
    audit.add_argument("--show", type=int, default=3, metavar="N", help="how many (default 3)")
    audit.add_argument("--json", action="store_true", help="print for machines")
    audit.set_defaults(do=_audit)
    retune = commands.add_parser("retune", help="show what other rules would change, from the measures that were kept")
    add_run_file(retune)
    retune.add_argument("--show", type=int, default=3, metavar="N", help="examples of every kind of change (default 3)")
    retune.add_argument("--json", action="store_true", help="print for machines")
    retune.set_defaults(do=_retune)
    add_decode(commands)
    stats = commands.add_parser("stats", help="show what the corpus consists of, per source and licence")
    add_run_file(stats)
    stats.add_argument("--json", action="store_true", help="print for machines")
    stats.set_defaults(do=_stats)
    add_dedup(commands)
    add_measure(commands)
    add_mask(commands)


def _share_of(text: str) -> Share:
    number, _, of = text.partition("/")
    share = Share(int(number), int(of))
    if not 0 <= share.number < share.of:
        raise ValueError
    return share


def _share(arguments: argparse.Namespace) -> None:
    from configs import log
    from configs.lock import together
    from corpus.build import share_corpus

    run = load_run(arguments)
    log.set_up()
    with together(run.run.dir):
        share_corpus(run, arguments.share)


def _on_ray(arguments: argparse.Namespace) -> None:
    import signal

    from configs import log
    from configs.lock import together
    from corpus.ray_nodes import build_on_ray

    run = load_run(arguments)
    log.set_up()
    # How a batch system ends it; nothing that it has started is to be left.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with together(run.run.dir):
        build_on_ray(run, arguments.node, arguments.head, arguments.port)


def _stats(arguments: argparse.Namespace) -> None:
    import json

    from configs.stage import refuse_unfinished
    from corpus.stage import corpus_plan
    from corpus.stats import read_stats, stats_lines

    run = load_run(arguments)
    stats = read_stats(refuse_unfinished(corpus_plan(run)), run)
    if arguments.json:
        say(json.dumps(stats, ensure_ascii=False, indent=1))
    else:
        for line in stats_lines(stats):
            say(line)


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


def _retune(arguments: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    from configs.load import load
    from configs.schema.run import Run
    from configs.stage import refuse_unfinished
    from corpus.retune import retune, retuned_lines
    from corpus.stage import corpus_plan

    built = load(arguments.run_file, Run)
    plan = corpus_plan(built)
    corpus = refuse_unfinished(plan)
    plan.check()
    found = retune(corpus, built, load_run(arguments), arguments.show)
    if arguments.json:
        changes = [{"before": was, "after": would, "documents": n} for (was, would), n in found.counts.items()]
        examples = [asdict(one) for one in found.examples]
        told = {"changes": changes, "examples": examples, "measured_again": found.measured_again}
        say(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        for line in retuned_lines(found, corpus):
            say(line)
