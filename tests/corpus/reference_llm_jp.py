"""llm-jp-corpus v1's decision about Japanese web text, slowly: what its filters say, read once more in plain Python."""

from __future__ import annotations

import re
import zlib
from urllib.parse import urlparse

DOMAINS = {"jp", "com", "net", "org", "work", "info", "xyz", "biz", "me", "tv", "site", "tokyo", "cc"}
KANA = re.compile("[ぁ-んァ-ン]")


def first_reason(text: str, url: str | None, *, strict: bool) -> str | None:
    """The first filter that drops a text, None if it stays; without an address nothing is said of it."""
    if url is not None:
        host = urlparse(url).hostname
        if url.startswith("https://ja.wikipedia.org/") or host is None or host.split(".")[-1] not in DOMAINS:
            return "other_domain"
    if text.strip() == "":
        return "nothing_visible"
    if not KANA.search(text[:50]):
        return "no_kana_at_the_beginning"
    if text.count("。") < len(text) / (80 if strict else 250):
        return "few_full_stops"
    ratio = len(zlib.compress(text.encode(), level=9)) / len(text.encode())
    if ratio < (0.375 if strict else 0.30):
        return "too_repetitive"
    return "too_random" if ratio > 0.70 else None
