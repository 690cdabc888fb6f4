"""ZeRO's ways of its own: what it keeps in host memory, and what it does to a model that it builds in bfloat16."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.pretrain.engines.conftest import LOAD, steps

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Lab


@pytest.mark.slow
def test_zero_3_in_bf16_is_single_in_bf16_with_the_optimizer_on_the_host_or_not(lab: Lab) -> None:
    if find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")

    def case(name: str, engine: str, **parallel: str) -> dict[str, Any]:
        do = (LOAD, steps(0, 2), steps(2, 3, grad_norm=0.1), steps(2, 4))
        return lab.case(name, engine, *do, precision="bf16", parallel=parallel)

    [right] = lab.run([case("single", "single")], processes=1)["single"]
    ways = [
        case("sharded", "deepspeed", zero="3"),
        case("offloaded", "deepspeed", zero="3", offload="optimizer"),
    ]
    seen = lab.run(ways, processes=2, timeout_s=200)
    assert seen["offloaded"] == seen["sharded"]
    for first, [(_, _, _, skipped)], second in (rank[1:] for rank in seen["sharded"]):
        assert skipped
        for (nll, tokens, norm, _), (right_nll, right_tokens, right_norm, _) in zip(
            [*first, *second], [*right[1], *right[3]], strict=True
        ):
            assert tokens == right_tokens
            assert nll == pytest.approx(right_nll, rel=2e-6)  # frequencies rounded to bfloat16 show as 1e-4
            assert norm == pytest.approx(right_norm, rel=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("zero", ["1", "3"])
def test_an_engine_prints_no_table_of_memory(lab: Lab, zero: str) -> None:
    if find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    case = lab.case(f"quiet {zero}", "deepspeed", LOAD, steps(0, 1), precision="bf16", parallel={"zero": zero})
    before = set(lab.root.glob("job-*"))
    lab.run([case], processes=1)
    [job] = set(lab.root.glob("job-*")) - before
    told = (job / "rank0.log").read_text()
    assert "Memory" not in told
    assert "MA " not in told
