"""Lists that are the user's: words that a document may have only so often, and hosts that none may come from.

Each gives a measure and a rule behind those of the preset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache, partial
from urllib.parse import urlsplit

import numpy as np

from configs.schema.corpus import Corpus
from configs.schema.preset import Rule
from corpus.batch import Batch
from corpus.kernels.utf8 import Float64
from corpus.measures.registry import OwnMeasures
from corpus.words import WordList, load_words

_SOURCE = "the run file's own list"


def list_rules(settings: Corpus) -> tuple[Rule, ...]:
    """A rule for every list, in the order of the run file; hosts first, which cost least."""
    hosts = [
        Rule(measure=f"hosts.{name}", max=0, reason=f"host_{name}", source=_SOURCE) for name in settings.host_lists
    ]
    words = [
        Rule(measure=f"words.{name}", max=one.max_hits, reason=f"words_{name}", source=_SOURCE)
        for name, one in settings.word_lists.items()
    ]
    return (*hosts, *words)


def list_measures(settings: Corpus) -> OwnMeasures:
    """How each list is measured."""
    hosts = {f"hosts.{name}": partial(_from_hosts, path) for name, path in settings.host_lists.items()}
    words = {f"words.{name}": partial(_hits, one.path) for name, one in settings.word_lists.items()}
    return {**hosts, **words}


def list_digests(settings: Corpus) -> Mapping[str, str]:
    """SHA-256 of what each list holds, for the config that a corpus is known by.

    Raises:
        UserError: if a list is not there.
    """
    paths = {f"hosts.{name}": path for name, path in settings.host_lists.items()}
    paths |= {f"words.{name}": one.path for name, one in settings.word_lists.items()}
    return {name: hashlib.sha256("\n".join(load_words(path)).encode()).hexdigest() for name, path in paths.items()}


@lru_cache(maxsize=16)
def _list(path: str) -> WordList:
    return WordList(load_words(path))


def _hits(path: str, batch: Batch) -> Float64:
    words = _list(path)
    return np.array([len(words.hits(text)) for text in batch.column("text").to_pylist()], np.float64)


def _from_hosts(path: str, batch: Batch) -> Float64:
    hosts = frozenset(load_words(path))
    return np.array([_below(url, hosts) for url in batch.column("url").to_pylist()], np.float64)


def _below(url: str | None, hosts: frozenset[str]) -> float:
    """1 if the address's host is one of these or below one. 0 without an address: null would say, not looked at."""
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:  # e.g. a broken IPv6 address
        return 0.0
    labels = host.split(".")
    return float(any(".".join(labels[at:]) in hosts for at in range(len(labels))))
