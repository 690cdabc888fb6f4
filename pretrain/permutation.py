"""Keyed permutations of 0 .. n - 1, computed one place at a time."""

from __future__ import annotations

_ROUNDS = 6
_MASK = 0xFFFFFFFFFFFFFFFF


def permuted(place: int, n: int, key: int) -> int:
    """Where `place` goes in the permutation of range(n) that `key` names, in constant memory.

    A Feistel network permutes the smallest power of four that holds n; places beyond n are sent through it again
    until they fall inside.

    Source: cycle walking, Black and Rogaway, Ciphers with Arbitrary Finite Domains (CT-RSA 2002).

    >>> sorted(permuted(place, 5, key=7) for place in range(5))
    [0, 1, 2, 3, 4]
    """
    half, mask = _network(place, n)
    value = place
    while True:
        left, right = value >> half, value & mask
        for number in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right, key, number) & mask)
        value = left << half | right
        if value < n:
            return value


def restored(value: int, n: int, key: int) -> int:
    """The place that `permuted` sends to `value`.

    >>> [restored(permuted(place, 5, key=7), 5, key=7) for place in range(5)]
    [0, 1, 2, 3, 4]
    """
    half, mask = _network(value, n)
    place = value
    while True:
        left, right = place >> half, place & mask
        for number in reversed(range(_ROUNDS)):
            left, right = right ^ (_mixed(left, key, number) & mask), left
        place = left << half | right
        if place < n:
            return place


def _network(number: int, n: int) -> tuple[int, int]:
    """Bits of a half block, and the mask of as many."""
    if not 0 <= number < n:
        raise ValueError(f"{number} is not in range({n})")
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    return half, (1 << half) - 1


def _mixed(value: int, key: int, number: int) -> int:
    """A 64-bit hash of a half block; the finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (value * 0x9E3779B97F4A7C15 + key + number * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
