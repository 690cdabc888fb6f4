from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.sorted_runs import at_least, floor_for, in_groups, merged
from tokenizer.units import UNITS, pack_unit, to_batch, unpack_unit

UNIT = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(pack_unit)
RUN = st.dictionaries(UNIT, st.integers(1, 9)).map(lambda counts: Counter(counts))


def rows(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(list(batches), UNITS).combine_chunks()


def cut(run: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [run.slice(at, size) for at in range(0, run.num_rows, size)]


@given(st.lists(RUN, max_size=5), st.integers(1, 4))
def test_merging_runs_is_counting_at_once(runs: list[Counter[bytes]], size: int) -> None:
    whole: Counter[bytes] = Counter()
    for run in runs:
        whole.update(run)
    assert rows(list(merged([cut(to_batch(run), size) for run in runs]))) == rows([to_batch(whole)])


@given(RUN, st.integers(0, 12), st.integers(0, 30), st.integers(1, 4))
def test_the_floor_keeps_as_many_units_and_tokens_as_there_is_room_for(
    run: Counter[bytes], units: int, tokens: int, size: int
) -> None:
    def there_is_room(least: int) -> bool:
        kept = [unit for unit, count in run.items() if count >= least]
        return len(kept) <= units and sum(len(unpack_unit(unit)) for unit in kept) <= tokens

    floor = floor_for(cut(to_batch(run), size), units, tokens)
    assert there_is_room(floor.least)
    assert floor.least == 1 or not there_is_room(floor.least - 1)
    assert floor.units == sum(count >= floor.least for count in run.values())


@pytest.mark.parametrize(("floor", "kept"), [(3, 1), (4, 0)], ids=["exactly often enough", "one short"])
def test_the_floor_is_applied_to_counts_that_were_added_up(floor: int, kept: int) -> None:
    one, other = Counter({pack_unit([1, 2]): 2}), Counter({pack_unit([1, 2]): 1})
    both = merged([[to_batch(one)], [to_batch(other)]])
    assert rows(list(at_least(floor, both))).num_rows == kept


@given(RUN, st.integers(1, 4), st.integers(1, 4))
def test_groups_do_not_depend_on_how_rows_come(run: Counter[bytes], size: int, group: int) -> None:
    groups = list(in_groups(cut(to_batch(run), size), group))
    assert [table.num_rows for table in groups[:-1]] == [group] * (len(groups) - 1)
    assert pa.concat_tables([UNITS.empty_table(), *groups]).combine_chunks() == rows([to_batch(run)])
