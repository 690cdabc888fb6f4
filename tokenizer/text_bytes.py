"""Whether bytes are text."""

from __future__ import annotations


def is_text(content: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_text_or_beginning(content: bytes) -> bool:
    """Whether bytes are valid UTF-8, or the beginning of a single character.

    >>> is_text_or_beginning("点".encode()), is_text_or_beginning("点".encode()[:2])
    (True, True)
    >>> is_text_or_beginning("点検".encode()[:4]), is_text_or_beginning("点検".encode()[1:])
    (False, False)
    """
    try:
        content.decode()
    except UnicodeDecodeError as error:
        # From the first byte on, and only because it ends too early.
        return error.start == 0 and error.reason == "unexpected end of data"
    return True
