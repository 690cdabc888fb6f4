"""Keys that do not fit together are told at the key that is to change."""

from __future__ import annotations

import pytest

from tests.configs.conftest import ONE_PROBLEM, Complaints


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(
            "path: manuals, ",
            "",
            "run.yaml:4:5: corpus.sources.manuals.path: give either path or dataset",
            id="neither path nor dataset",
        ),
        pytest.param(
            "path: manuals",
            "path: manuals, dataset: x",
            "run.yaml:4:21: corpus.sources.manuals.path: give either path or dataset",
            id="both path and dataset",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 20",
            "run.yaml:8:17: pretrain.batch_tokens: must be a multiple of seq_len (8), got 20",
            id="no whole sequences",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 24\n  micro_batch: 2",
            "run.yaml:8:17: pretrain.batch_tokens: its 3 sequences must be a multiple of micro_batch (2)",
            id="no whole micro-batches",
        ),
        pytest.param(
            "{tokens: 64,",
            "{tokens: 64, seq_len: 12,",
            "run.yaml:8:17: pretrain.batch_tokens: must be a multiple of the seq_len of stage 'all' (12), got 16",
            id="no whole sequences of a stage",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: deepspeed\n  parallel: {processes: 4}",
            "run.yaml:8:17: pretrain.batch_tokens: stage 'all' has 2 sequences in a step, which 4 data ranks (nodes x "
            "processes / tensor / pipeline / context) with micro_batch 1 cannot share evenly",
            id="more processes than sequences",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  parallel: {processes: 2}",
            "run.yaml:9:13: pretrain.parallel: the engine 'single' is one process; choose deepspeed or megatron",
            id="two processes on one",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: deepspeed\n  parallel: {processes: 2, tensor: 2}",
            "run.yaml:10:13: pretrain.parallel: tensor, pipeline and context parallelism need the engine 'megatron'",
            id="tensor parallelism without Megatron",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: megatron\n  parallel: {processes: 3, tensor: 2}",
            "run.yaml:10:13: pretrain.parallel: nodes x processes (3) must be a multiple of "
            "tensor x pipeline x context (2)",
            id="processes that do not divide",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: megatron\n  parallel: {sequence: true}",
            "run.yaml:10:13: pretrain.parallel: sequence parallelism needs tensor parallelism; "
            "set parallel.tensor, or sequence: false",
            id="sequence parallelism alone",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: deepspeed\n  parallel: {zero: 2, offload: optimizer}",
            "run.yaml:10:13: pretrain.parallel: offload needs the engine 'deepspeed' and zero: 3",
            id="offload of nothing",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: deepspeed\n  parallel: {overlap: true}",
            "run.yaml:10:13: pretrain.parallel: overlap needs the engine 'megatron'",
            id="overlap without Megatron",
        ),
        pytest.param(
            "{manuals: 1}",
            "{manuals: 0}",
            "run.yaml:10:32: pretrain.stages.all.mixture: weights must be positive numbers, which manuals is not",
            id="weight of nothing",
        ),
        pytest.param(
            "{manuals: 1}",
            "{manuals: 1, mails: 1, notes: 1}",
            "run.yaml:10:5: pretrain.stages: stage 'all' mixes mails, notes, "
            "which corpus.sources and token_sources lack",
            id="stranger in the mixture",
        ),
        pytest.param(
            "manuals: {path",
            "../manuals: {path",
            r"run.yaml:4:17: corpus.sources.../manuals: "
            r"expected text of the form ^\w[\w.-]{0,62}$, got '../manuals'",
            id="source that would leave its folder",
        ),
    ],
)
def test_a_rule_across_keys_names_its_key_and_line(
    complaints: Complaints, run_text: str, old: str, new: str, complaint: str
) -> None:
    assert complaints(run_text.replace(old, new)) == [complaint, ONE_PROBLEM]
