"""Texts of a corpus on which an extension is checked and measured: held-out ones, or any where nothing is held out."""

from __future__ import annotations

from configs.artifact import Artifact
from configs.schema.run import Run
from corpus.documents import documents, shards_of

IN_HOUSE = "in-house"
"""Group of the sources that say who may see them."""
# Documents per source.
_DOCUMENTS = 200


def checked_texts(run: Run, corpus: Artifact) -> list[str]:
    """Texts of every source, of what is trained on too where too few are held out."""
    return [text for source in run.corpus.sources for text in _sample(corpus, source)]


def texts_by_language(run: Run, corpus: Artifact) -> dict[str, list[str]]:
    """Texts by language on which fertility is measured."""
    texts: dict[str, list[str]] = {}
    for name, source in run.corpus.sources.items():
        texts.setdefault(source.language, []).extend(measured_texts(corpus, name))
    return texts


def texts_by_group(run: Run, corpus: Artifact) -> dict[str, list[str]]:
    """The same, and those of all sources with `access`, which only some may see, as a group of their own."""
    marked = [name for name, source in run.corpus.sources.items() if source.access]
    in_house = [text for name in marked for text in measured_texts(corpus, name)]
    languages = texts_by_language(run, corpus)
    return {**languages, IN_HOUSE: in_house} if in_house else languages


def measured_texts(corpus: Artifact, source: str) -> list[str]:
    """Held-out texts of a source, or any where nothing is held out."""
    held_out = [text for _, text in documents(shards_of(corpus, "held_out", source))][:_DOCUMENTS]
    return held_out or _sample(corpus, source)


def _sample(corpus: Artifact, source: str) -> list[str]:
    texts = [text for _, text in documents(shards_of(corpus, "held_out", source))][:_DOCUMENTS]
    for _, text in documents(shards_of(corpus, "kept", source)):
        if len(texts) >= _DOCUMENTS:
            break
        texts.append(text)
    return texts
