"""What an address says of its document."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np

from corpus.batch import Batch
from corpus.measures.registry import Columns, measures

_DOMAINS = frozenset(["biz", "cc", "com", "info", "jp", "me", "net", "org", "site", "tokyo", "tv", "work", "xyz"])


@measures(
    "llm_jp_domain",
    source="llm-jp-corpus v1 (scripts/filters.py, has_valid_domain, and dict/ja_valid_domains.txt)",
)
def llm_jp_domain(batch: Batch) -> Columns:
    """1 if the address is below one of the top-level domains that are taken, 0 if not; null without an address.

    Japanese Wikipedia's are not: llm-jp reads its dump. An address without a host is below none.
    """
    return {"llm_jp_domain": np.array([_taken(url) for url in batch.column("url").to_pylist()], np.float64)}


def _taken(url: str | None) -> float:
    if url is None:
        return np.nan
    try:
        host = urlsplit(url).hostname
    except ValueError:  # e.g. a broken IPv6 address
        host = None
    if host is None or url.startswith("https://ja.wikipedia.org/"):
        return 0.0
    return float(host.rsplit(".", 1)[-1] in _DOMAINS)
