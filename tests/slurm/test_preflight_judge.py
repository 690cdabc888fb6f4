"""Which nodes are named, and why: both sides of every threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.slurm import Slurm
from slurm.preflight.judge import faults
from slurm.preflight.meeting import turns
from slurm.preflight.report import Gpu, NodeReport, Pair, Report, read, write

ASKED = Slurm.model_validate({"nodes": 3, "gpus_per_node": 1, "gpu": "h100", "memory_gib": 64})
NAMES = ("node1", "node2", "node3")


def sound() -> NodeReport:
    """A node as it must be."""
    return NodeReport(
        gpus=[Gpu("NVIDIA H100 80GB HBM3", 79.1, 78.5)],
        memory_gib=64.0,
        free_disk_gib=1.0,
        versions={"torch": "2.13.0"},
        speeds={"matrix product": 600.0, "copy in memory": 1000.0, "writing": 400.0, "all-reduce": 40.0},
    )


def report(bad: NodeReport, *more: NodeReport) -> Report:
    """Of node2, which may be bad, and of others."""
    return Report(dict(zip(NAMES, (sound(), bad, *(more or (sound(),))), strict=False)), complete=True)


def test_nodes_that_are_as_they_must_be_have_no_fault() -> None:
    assert faults(report(sound()), NAMES, ASKED) == {}


@pytest.mark.parametrize(
    ("change", "on_the_bound", "beyond", "reason"),
    [
        pytest.param(
            lambda node, count: replace(node, gpus=node.gpus * count),
            1, 0, "0 GPU(s), slurm.gpus_per_node asks for 1", id="GPUs",
        ),
        pytest.param(
            lambda node, gib: replace(node, gpus=[Gpu("NVIDIA A100", gib, gib)]),
            79.0, 78.9, "GPU 0, NVIDIA A100: 78.9 GiB, slurm.gpu: h100 has 79", id="memory of a GPU",
        ),
        pytest.param(
            lambda node, gib: replace(node, gpus=[Gpu("NVIDIA H100", 80.0, gib)]),
            72.0, 71.9, "GPU 0: 71.9 of 80.0 GiB free, another process holds the rest", id="free memory of a GPU",
        ),
        pytest.param(
            lambda node, gib: replace(node, memory_gib=gib),
            64.0, 63.0, "63 GiB of memory, slurm.memory_gib asks for 64", id="memory",
        ),
        pytest.param(
            lambda node, gib: replace(node, free_disk_gib=gib),
            1.0, 0.99, "0.99 GiB free in the run directory, preflight.min_free_gib is 1", id="disk",
        ),
        pytest.param(
            lambda node, speed: replace(node, speeds={**node.speeds, "matrix product": speed}),
            450.0, 449.0, "matrix product: 449 TFLOP/s, the node in the middle has 600", id="matrix product",
        ),
        pytest.param(
            lambda node, speed: replace(node, speeds={**node.speeds, "copy in memory": speed}),
            750.0, 749.0, "copy in memory: 749 GB/s, the node in the middle has 1e+03", id="copy",
        ),
        pytest.param(
            lambda node, speed: replace(node, speeds={**node.speeds, "all-reduce": speed}),
            30.0, 29.9, "all-reduce: 29.9 GB/s, the node in the middle has 40", id="all-reduce",
        ),
        pytest.param(
            lambda node, speed: replace(node, speeds={**node.speeds, "writing": speed}),
            40.0, 39.0, "writing: 39 MB/s, the node in the middle has 400", id="writing",
        ),
        pytest.param(
            lambda node, seconds: replace(node, clock_s=seconds),
            2.0, 2.1, "its clock is 2.1 s fast", id="a fast clock",
        ),
        pytest.param(
            lambda node, seconds: replace(node, clock_s=seconds),
            -2.0, -2.1, "its clock is 2.1 s slow", id="a slow clock",
        ),
        pytest.param(
            lambda node, version: replace(node, versions={"torch": version}),
            "2.13.0", "2.12.0", "torch 2.12.0, the others have 2.13.0", id="versions",
        ),
        pytest.param(
            lambda node, more: replace(node, versions={**node.versions, **more}),
            {}, {"flash-attn": "2.8"}, "flash-attn 2.8, the others have none", id="one more library",
        ),
        pytest.param(
            lambda node, words: replace(node, failed=words),
            [], ["CUDA error: uncorrectable ECC error"], "CUDA error: uncorrectable ECC error", id="what fails",
        ),
    ],
)  # fmt: skip
def test_a_node_beyond_a_bound_is_named_with_the_reason(
    change: Callable[[NodeReport, object], NodeReport], on_the_bound: object, beyond: object, reason: str
) -> None:
    assert faults(report(change(sound(), on_the_bound)), NAMES, ASKED) == {}
    assert faults(report(change(sound(), beyond)), NAMES, ASKED) == {"node2": [reason]}


def test_where_no_gpu_is_asked_for_none_is_missed() -> None:
    assert faults(report(replace(sound(), gpus=[])), NAMES, Slurm(nodes=3)) == {}


def test_the_clock_of_the_first_node_is_the_odd_one_if_the_others_agree() -> None:
    late = replace(sound(), clock_s=-5.0)
    assert faults(report(late, late), NAMES, ASKED) == {"node1": ["its clock is 5.0 s fast"]}
    two = Report({"node1": sound(), "node2": late}, complete=True)
    assert faults(two, NAMES[:2], ASKED) == {"node2": ["its clock is 5.0 s slow"]}


def test_of_two_the_slower_one_is_compared_with_the_faster_and_the_first_has_the_right_version() -> None:
    slow = replace(sound(), speeds={"matrix product": 100.0}, versions={"torch": "2.14.0"})
    found = faults(Report({"node1": sound(), "node2": slow}, complete=True), NAMES[:2], ASKED)
    assert found == {
        "node2": [
            "torch 2.14.0, the others have 2.13.0",
            "matrix product: 100 TFLOP/s, the node in the middle has 600",
        ]
    }


def test_who_does_not_answer_is_named_and_of_most_of_them_the_first_is_to_blame() -> None:
    two = Report({"node1": sound(), "node2": sound()}, complete=True)
    assert faults(two, NAMES, ASKED) == {"node3": ["did not answer"]}
    one = Report({"node1": sound()}, complete=True)
    assert faults(one, NAMES[:2], ASKED) == {"node2": ["did not answer"]}
    assert faults(one, NAMES, ASKED) == {"node1": ["2 of the other nodes do not reach it"]}
    assert set(faults(None, NAMES, ASKED)) == set(NAMES)


def test_a_look_that_did_not_end_is_the_fault_of_nobody_known() -> None:
    assert set(faults(replace(report(sound()), complete=False), NAMES, ASKED)) == set(NAMES)


def test_the_node_that_most_cannot_share_files_with_is_named_once() -> None:
    found = report(replace(sound(), unseen=["node1", "node3"]))
    found.nodes["node1"].unseen = ["node2"]
    assert faults(found, NAMES, ASKED) == {"node2": ["does not share the run directory with node1, node3"]}
    two = Report({"node1": replace(sound(), unseen=["node2"]), "node2": sound()}, complete=True)
    assert faults(two, NAMES[:2], ASKED) == {"node2": ["does not share the run directory with node1"]}


def test_a_node_without_an_all_reduce_that_works_is_named_and_its_partners_are_not() -> None:
    found = report(sound())
    found.pairs = [
        Pair(("node1", "node2"), None, "timed out"),
        Pair(("node2", "node3"), None, "timed out"),
        Pair(("node1", "node3"), 40.0),
    ]
    assert faults(found, NAMES, ASKED) == {"node2": ["no all-reduce with node1, node3: timed out"]}


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "preflight" / "7-0.json"
    assert read(path) is None
    # In an order that is not the alphabet's.
    found = Report({name: sound() for name in ("node9", "node10")}, [Pair(("node9", "node10"), None, "no")], True)
    write(path, found)
    again = read(path)
    assert again == found
    assert again is not None
    assert list(again.nodes) == ["node9", "node10"]


@given(st.lists(st.integers(0, 99), unique=True, min_size=2, max_size=20))
def test_everybody_tries_somebody_else_in_each_turn(numbers: list[int]) -> None:
    seen: set[frozenset[int]] = set()
    for turn in turns(numbers):
        busy = [number for pair in turn for number in pair]
        assert len(busy) == len(set(busy)) == len(numbers) - len(numbers) % 2
        pairs = {frozenset(pair) for pair in turn}
        assert not seen & pairs
        seen |= pairs
