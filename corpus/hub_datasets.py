"""The datasets on the hub that a run reads: which commit of each, found out before anything is read."""

from __future__ import annotations

import logging

from configs.schema.corpus import Corpus
from configs.schema.run import Run
from corpus.read.dataset import open_dataset
from corpus.stage import hub_name

_log = logging.getLogger(__name__)


def pin_datasets(run: Run) -> None:
    """See that the run knows the commit of each, and that it can be read; the hub is asked once.

    Raises:
        UserError: if one is not in reach, has no such configuration or split, or needs code of its own.
    """
    for name, source in run.corpus.sources.items():
        named = hub_name(name, source)
        if named is None or named.commit(run.run.dir) is not None:
            continue
        commit = named.look_up()
        open_dataset(name, source.model_copy(update={"revision": commit}))
        named.pin(run.run.dir, commit)
        _log.info("%s is %s", named.key, named.fixed(run.run.dir))


def pinned(run: Run) -> Corpus:
    """The section with the commit of each as its revision.

    Raises:
        UserError: as `pin_datasets`.
    """
    pin_datasets(run)
    sources = dict(run.corpus.sources)
    for name, source in sources.items():
        named = hub_name(name, source)
        if named is not None:
            sources[name] = source.model_copy(update={"revision": named.commit(run.run.dir)})
    return run.corpus.model_copy(update={"sources": sources})
