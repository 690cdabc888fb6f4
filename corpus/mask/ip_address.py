"""IP addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from corpus.kernels.numbers import DOTTED, HEXADECIMAL
from corpus.mask.kind import Kind

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FOUR = re.compile(rf"(?<![0-9A-Za-z_])(?<![0-9A-Za-z_][-.]){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9A-Za-z_])(?!\.[0-9])")
# Four numbers with dots between them are as often a version or a chapter.
_COUNTED = re.compile(
    r"(?:[Vv]er(?:sion)?\.?|VERSION|バ[ー-]ジョン|リリ[ー-]ス|[Rr]elease|ファ[ー-]ムウェア|ビルド|[Bb]uild"
    r"|改訂|第|節|章|項|表|図|§|r|v|V)[ :=は]{0,3}$"
)
_COUNTS = re.compile(r"[ ]?(?:版|節|章|項|以降|以上|未満|系|リリ[ー-]ス|へ(?:の)?(?:更新|アップ))")
_CHAPTERS = 50
_SIX = re.compile(
    r"(?<![0-9A-Za-z.])(?<![0-9A-Fa-f:]:)(?=[23fF][0-9A-Fa-f]{3}:)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z:])"
)


def find_ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where addresses stand that are some machine's.

    >>> list(find_ip_addresses("192.0.2.7 と 127.0.0.1 と Version 1.2.3.4"))
    [(0, 9)]
    """
    for match in _FOUR.finditer(text):
        counted = _COUNTED.search(text[max(0, match.start() - 12) : match.start()]) or _COUNTS.match(text, match.end())
        if not counted and not _heads_a_chapter(match) and _is_a_machines(match[0]):
            yield match.span()
    for match in _SIX.finditer(text):
        try:
            IPv6Address(match[0])
        except AddressValueError:
            continue
        yield match.span()


def _heads_a_chapter(match: re.Match[str]) -> bool:
    """12.3.8.2 at the beginning of a line, and a title behind it."""
    begins = match.start() == 0 or match.string[match.start() - 1] == "\n"
    small = all(int(number) < _CHAPTERS for number in match[0].split("."))
    return (
        begins
        and small
        and not match[0].startswith("10.")
        and match.string[match.end() : match.end() + 1] in (" ", ".")
    )


def _is_a_machines(dotted: str) -> bool:
    address = IPv4Address(dotted)
    # 255.255.255.0 is a netmask, and 0.x and 224.x and above are nobody's.
    return not (address.is_loopback or address.is_multicast or address.packed[0] in (0, 255))


IP_ADDRESS = Kind("ip_address", find_ip_addresses, shapes=DOTTED | HEXADECIMAL)
