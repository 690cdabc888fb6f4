"""The newest supported megatron-core computes what the installed one computes.

It needs Python 3.12, but is plain Python where we use it, and its unpacked wheel runs on 3.11 as well: `make slow` puts
it beside the installed one. Python 3.12 itself is not tried: torch's wheel for it, 527 MB, is a CUDA build and needs
CUDA's libraries besides; the CPU build is not in the package index.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.pretrain.engines.conftest import LAYOUTS, LOAD, MORE, evaluate, steps

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

OTHER = os.environ.get("TSUGIKI_OTHER_MEGATRON", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not OTHER,
        reason="TSUGIKI_OTHER_MEGATRON is not set to a PYTHONPATH with another megatron-core, as `make slow` does",
    ),
]

ON_TWO = [name for name, (framework, processes, _) in LAYOUTS.items() if (framework, processes) == ("megatron", 2)]


@pytest.fixture(scope="module")
def seen(jobs: Jobs) -> dict[str, list[Any]]:
    """Every layout on the other version, in fp32 and bf16."""
    version, held_out = ("version", {"module": "megatron.core"}), evaluate("held_out")
    fp32 = (version, LOAD, held_out, steps(0, 5), steps(5, 10))
    bf16 = (version, LOAD, steps(0, 2), steps(2, 4), held_out)
    cases = []
    for layout in ON_TWO:
        how = {"parallel": LAYOUTS[layout][2], **MORE.get(layout, {})}
        cases.append(jobs.lab.case(f"{layout} fp32", "megatron", *fp32, precision="fp32", **how))
        cases.append(jobs.lab.case(f"{layout} bf16", "megatron", *bf16, precision="bf16", **how))
    return jobs.lab.run(cases, processes=2, python_path=OTHER)


@pytest.mark.parametrize("layout", ON_TWO)
def test_another_version_of_megatron_core_computes_the_same(
    jobs: Jobs, seen: dict[str, list[Any]], layout: str
) -> None:
    fp32 = [seen for seen in jobs.seen(layout, "whole") if seen is not None]
    bf16 = [seen for seen in jobs.seen(layout, "bf16") if seen is not None]
    for rank in range(2):
        version, _, *same = seen[f"{layout} fp32"][rank]
        assert version.startswith("0.19.")
        assert same == fp32
        assert seen[f"{layout} bf16"][rank][2:] == bf16
