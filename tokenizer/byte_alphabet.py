"""The printable characters by which byte-level tokenizers write bytes.

Source: the mapping of GPT-2's tokenizer, which every byte-level BPE since uses.
"""

from __future__ import annotations


def _alphabet() -> list[str]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(0x100 + place) for place, byte in enumerate(others)}
    return [characters[byte] for byte in range(256)]


_CHARACTER_OF = _alphabet()
_BYTE_OF = {character: byte for byte, character in enumerate(_CHARACTER_OF)}


def to_bytes(piece: str) -> bytes | None:
    """The bytes a piece stands for; None if it is no byte-level piece.

    >>> to_bytes("ãĤĴ").decode()
    'を'
    """
    try:
        return bytes(_BYTE_OF[character] for character in piece)
    except KeyError:
        return None


def to_piece(content: bytes) -> str:
    """Bytes as a vocabulary writes them.

    >>> to_piece("を".encode())
    'ãĤĴ'
    """
    return "".join(_CHARACTER_OF[byte] for byte in content)
