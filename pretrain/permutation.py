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
    if not 0 <= place < n:
        raise ValueError(f"{place} is not in range({n})")
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    value = place
    while True:
        left, right = value >> half, value & mask
        for number in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right, key, number) & mask)
        value = left << half | right
        if value < n:
            return value


def _mixed(value: int, key: int, number: int) -> int:
    """A 64-bit hash of a half block; the finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    z = (value * 0x9E3779B97F4A7C15 + key + number * 0xD1B54A32D192ED03) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
