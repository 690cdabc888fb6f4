"""The funnel of a finished corpus, and the documents that fell out of it, for people."""

from __future__ import annotations

from collections.abc import Iterator

from configs.artifact import Artifact
from configs.errors import UserError
from corpus.quarantine import quarantine_lines
from corpus.shards import read_batches

_SHOWN_CHARACTERS = 400


def funnel_lines(corpus: Artifact) -> Iterator[str]:
    """Documents in, dropped by reason, kept; then the quarantined files."""
    counts = corpus.counts
    kept = sum(source["documents"] for source in counts["kept"].values())
    yield f"{counts['documents_in']:>10,}  documents in"
    for reason, count in sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0])):
        yield f"{-count:>10,}  {reason}"
    yield f"{kept:>10,}  kept"
    yield from quarantine_lines(corpus, sources=True)


def dropped_documents(corpus: Artifact, reason: str, count: int) -> Iterator[str]:
    """The beginnings of some documents that were dropped for a reason; personal data in them is masked.

    Raises:
        UserError: if nothing was dropped for it; names the reasons there are.
    """
    reasons = corpus.counts["dropped"]
    if reason not in reasons:
        raise UserError(f"--reason: nothing was dropped as {reason!r}; there are {', '.join(sorted(reasons))}")
    if reason == "quarantined":
        yield from quarantine_lines(corpus, sources=True)
        return
    left = count
    folder = "held_out" if reason == "held_out" else "dropped"
    for batch in read_batches(corpus.below(folder)):
        for row in batch.to_pylist():
            if left > 0 and row.get("reason", "held_out") == reason:
                survivor = f", like {row['survivor']}" if row.get("survivor") else ""
                yield f"--- {row['id']}  {row['source']}: {row['path']} at {row['position']}{survivor}"
                yield row["text"][:_SHOWN_CHARACTERS]
                left -= 1
