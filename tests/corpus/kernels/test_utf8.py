"""Code points out of UTF-8, and the finaliser."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.utf8 import code_point, mixed


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_every_code_point_of_every_plane_is_read(text: str) -> None:
    utf8 = np.frombuffer(text.encode(), np.uint8)
    at, points = 0, []
    while at < utf8.size:
        point, at = code_point(utf8, at)
        points.append(int(point))
    assert points == [ord(character) for character in text]


def test_the_edges_of_every_length_are_read() -> None:
    edges = [0x00, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]
    utf8 = np.frombuffer("".join(map(chr, edges)).encode(), np.uint8)
    at, points = 0, []
    while at < utf8.size:
        point, at = code_point(utf8, at)
        points.append(int(point))
    assert points == edges


def test_the_finaliser_is_splitmix64s() -> None:
    # First values of the reference generator seeded with 1234567, which adds the golden gamma each time.
    state, gamma = 1234567, 0x9E3779B97F4A7C15
    values = []
    for _ in range(3):
        state = (state + gamma) % 2**64
        values.append(int(mixed(np.uint64(state))))
    assert values == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, 2**64 - 1), st.integers(0, 63))
def test_every_bit_of_a_value_changes_many_bits_of_the_result(value: int, bit: int) -> None:
    changed = int(mixed(np.uint64(value))) ^ int(mixed(np.uint64(value ^ (1 << bit))))
    assert 8 <= changed.bit_count() <= 56
