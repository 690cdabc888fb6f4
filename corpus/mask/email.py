"""E-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.mask.kind import Kind

# Local part and domain as people have them; a Japanese character ends an address, so no word boundary is needed.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)


def find_emails(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand.

    >>> list(find_emails("連絡先はtanaka.h@example.co.jpまで。"))
    [(4, 26)]
    """
    return (match.span() for match in _ADDRESS.finditer(text))


EMAIL = Kind("email", find_emails, words=("@", "＠"))
