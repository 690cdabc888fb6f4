"""Pseudonyms: the same word for the same value, for whoever has the key."""

from __future__ import annotations

import hashlib
import hmac
import os
import unicodedata
from pathlib import Path

from configs.artifact import Builder, Done
from configs.errors import UserError
from configs.schema.mask import Mask

_LETTERS = 12
"""Of 26: two values of a million share a pseudonym with a chance of 1 in 190,000."""
_LEAST_BYTES = 16


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """The word for a value, in whatever notation it stands; letters only, so that no number is found in it.

    >>> pseudonym(b"0" * 16, "phone", "03-0000-1234") == pseudonym(b"0" * 16, "phone", "(０３)００００ー１２３４")
    True
    """
    digest = hmac.digest(key, f"{kind}\0{_canonical(value)}".encode(), hashlib.sha256)
    number = int.from_bytes(digest)
    letters = []
    for _ in range(_LETTERS):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("a") + letter))
    return f"<{kind}:{''.join(letters)}>"


def _canonical(value: str) -> str:
    normal = unicodedata.normalize("NFKC", value).casefold()
    alphanumeric = "".join(character for character in normal if character.isalnum() and character != "ー")
    # A number in Japan's own form: +81 3 is 03.
    return f"0{alphanumeric[2:].removeprefix('0')}" if normal.startswith("+81") else alphanumeric


def needs_key(settings: Mask) -> bool:
    """Whether anything is pseudonymised."""
    return "pseudonymise" in settings.actions().values()


def read_key(settings: Mask, run_dir: Path | None = None) -> bytes:
    """The key, from its file or from the environment.

    Raises:
        UserError: if it is nowhere, too short, or inside the run directory, which is copied and shared.
    """
    if settings.key_file is not None:
        path = Path(settings.key_file)
        if run_dir is not None and path.resolve().is_relative_to(run_dir.resolve()):
            raise UserError(f"corpus.mask.key_file: {path} is inside the run directory; keep the key elsewhere")
        try:
            key = path.read_bytes().strip()
        except FileNotFoundError:
            raise UserError(f"corpus.mask.key_file: {path} does not exist") from None
        origin = str(path)
    else:
        key = os.environ.get(settings.key_env, "").encode()
        origin = f"the environment variable {settings.key_env}"
    if len(key) < _LEAST_BYTES:
        state = f"has {len(key)} bytes" if key else "has none"
        raise UserError(
            f"corpus.mask: pseudonyms need a key of at least {_LEAST_BYTES} bytes, {origin} {state};"
            " `openssl rand -hex 32` makes one"
        )
    return key


def keep_to_key(builder: Builder, key: bytes) -> None:
    """Note what tells this key from others, and tells nobody the key; all tasks of a directory must use one.

    Raises:
        UserError: if an earlier attempt used another key.
    """
    fingerprint = hmac.digest(key, b"tsugiki pseudonym key", hashlib.sha256).hex()[:16]
    state = builder.task("pseudonym-key")
    if not isinstance(state, Done):
        state.done(fingerprint)
    elif state.result != fingerprint:
        raise UserError(f"{builder.dir}: was begun with another pseudonym key; give that one or remove the directory")
