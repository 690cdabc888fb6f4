"""E-mail addresses."""

from __future__ import annotations

import re

PLACEHOLDER = "<email>"

# Local part and domain as people have them; a Japanese character ends an address, so no word boundary is needed.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}[@＠]"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)


def mask_emails(text: str) -> tuple[str, int]:
    """The text with every address replaced, and how many there were.

    >>> mask_emails("連絡先はtanaka.h@example.co.jpまで。")
    ('連絡先は<email>まで。', 1)
    """
    if "@" not in text and "＠" not in text:
        return text, 0
    return _ADDRESS.subn(PLACEHOLDER, text)
