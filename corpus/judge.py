"""Measuring and deciding in one go: what is costly to measure is measured only where the decision hangs on it.

Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from configs.schema.preset import Rule
from corpus.batch import Batch
from corpus.measures.registry import Columns, measure, names_for
from corpus.rules import KEPT, Reasons, decide


def judge(batch: Batch, rules: Sequence[Rule]) -> tuple[Columns, Reasons]:
    """Measure documents and decide about them.

    A costly measure is NaN for a document that a rule on the others drops; it then lacks nothing, since a rule passes
    what has no value, and some rule drops the document all the same.

    Returns:
        The measures that every document has and those that the rules use; the reason codes.
    """
    asked = [rule.measure for rule in rules]
    columns = measure(batch, [*names_for(asked, "always"), *names_for(asked, "asked")])
    late = names_for(asked, "undecided")
    if not late:
        return columns, decide(columns, rules, batch.column("language"))
    columns |= {name: np.full(batch.num_rows, np.nan) for name in late}
    for name in dict.fromkeys(one for one in asked if one in late):
        undecided_N = decide(columns, rules, batch.column("language")) == KEPT
        if np.isnan(columns[name]).all() and undecided_N.any():
            # One pass gives several measures; those that came with an earlier one are here already.
            some = measure(batch.filter(pa.array(undecided_N)), names_for([name], "undecided"))
            for one, values in some.items():
                columns[one][undecided_N] = values
    return columns, decide(columns, rules, batch.column("language"))
