from __future__ import annotations

from collections import Counter

from tokenizer.extendable import Extension, Merge
from tokenizer.occurrences import occurrences
from tokenizer.units import pack_unit, to_batch

# a=1 b=2 ab=3 c=4; the new ones: 10 = "abc" from (ab, c), 11 = "cc", 12 = "abccc"
EXTENSION = Extension(
    10, (b"abc", b"cc", b"abccc"), (Merge(3, 4, 10), Merge(4, 4, 11), Merge(2, 4, 11), Merge(10, 11, 12)), (5, 4, 3)
)

SPELLINGS = [(3, 4), (4, 4), (3, 4, 4, 4)]


def _found(*units: tuple[list[int], int]) -> list[Counter[tuple[int, ...]]]:
    return occurrences(EXTENSION, SPELLINGS, [to_batch(Counter({pack_unit(unit): count})) for unit, count in units])


def test_a_spelling_counts_as_often_as_its_unit() -> None:
    assert _found(([3, 4], 5), ([1, 3, 4], 2)) == [Counter({(3, 4): 7}), Counter(), Counter()]


def test_a_token_with_two_merges_has_two_spellings() -> None:
    assert _found(([4, 4], 3), ([2, 4], 1))[1] == Counter({(4, 4): 3, (2, 4): 1})


def test_what_becomes_part_of_a_longer_token_does_not_count() -> None:
    assert _found(([3, 4, 4, 4], 6)) == [Counter(), Counter(), Counter({(3, 4, 4, 4): 6})]


def test_the_earlier_merge_goes_first_and_the_left_one_of_two() -> None:
    # c c c: the left pair joins. ab c c: (ab, c) was learned before (c, c).
    assert _found(([4, 4, 4], 1), ([3, 4, 4], 1)) == [Counter({(3, 4): 1}), Counter({(4, 4): 1}), Counter()]


def test_a_unit_without_new_tokens_counts_for_none() -> None:
    assert _found(([1, 2, 3], 9)) == [Counter(), Counter(), Counter()]


def test_a_character_that_no_merge_builds_is_put_together_first() -> None:
    # 10 = the bytes 6 7, 11 = the bytes 6 7 8 of another character, 12 = 10 and then 2
    extension = Extension(10, (b"x", b"y", b"xb"), (Merge(10, 2, 12),), (5, 4, 3))
    units = to_batch(Counter({pack_unit([6, 7, 2]): 2, pack_unit([1, 6, 7]): 3, pack_unit([6, 7, 8]): 4}))
    assert occurrences(extension, [(6, 7), (6, 7, 8), (6, 7, 2)], [units]) == [
        Counter({(6, 7): 3}),
        Counter({(6, 7, 8): 4}),
        Counter({(6, 7, 2): 2}),
    ]
