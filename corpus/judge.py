"""Measuring and deciding in one go: what is costly to measure is measured only where the decision hangs on it.

Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from configs.schema.preset import Rule
from corpus.batch import Batch
from corpus.measures.registry import Columns, OwnMeasures, measure, names_for
from corpus.rules import KEPT, Reasons, decide


def judge(batch: Batch, rules: Sequence[Rule], own: OwnMeasures | None = None) -> tuple[Columns, Reasons]:
    """Measure documents and decide about them.

    A costly measure is NaN for a document that a rule on the others drops; it then lacks nothing, since a rule passes
    what has no value, and some rule drops the document all the same.

    Args:
        own: measures that the run's lists add; costly ones.
    Returns:
        The measures that every document has and those that the rules use; the reason codes.
    """
    own = own or {}
    asked = [rule.measure for rule in rules]
    columns = measure(batch, [*names_for(asked, "always"), *names_for(asked, "asked")])
    late = names_for(asked, "undecided")
    columns |= {name: np.full(batch.num_rows, np.nan) for name in (*late, *own)}
    reason_N = decide(columns, rules, batch.column("language"))
    done: set[str] = set()
    for name in (name for name in asked if name in late or name in own):
        undecided_N = reason_N == KEPT
        if name in done or not undecided_N.any():
            continue
        some = batch.filter(pa.array(undecided_N))
        # One pass gives several measures.
        found = {name: own[name](some)} if name in own else measure(some, names_for([name], "undecided"))
        for one, values in found.items():
            columns[one][undecided_N] = values
        done |= set(found)
        reason_N = decide(columns, rules, batch.column("language"))
    return columns, reason_N
