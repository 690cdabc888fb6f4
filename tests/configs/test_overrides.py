"""What --set changes, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.load import load
from configs.schema.run import Run
from tests.configs.conftest import ONE_PROBLEM, Complaints


def test_a_set_option_changes_one_key_and_leaves_the_others(run_file: Path) -> None:
    before = load(run_file, Run)
    after = load(run_file, Run, ["pretrain.optim.lr=2e-5", "run.name=other", "tokenizer={add: 7, init: {norm: 2}}"])
    assert (after.pretrain.optim.lr, after.run.name, after.tokenizer.add, after.tokenizer.init.norm) == (
        2e-5, "other", 7, 2,
    )  # fmt: skip
    assert after.pretrain.optim.model_copy(update={"lr": before.pretrain.optim.lr}) == before.pretrain.optim
    assert after.corpus == before.corpus


def test_of_two_set_options_for_a_key_the_last_one_holds(run_file: Path) -> None:
    assert load(run_file, Run, ["run.seed=1", "run.seed=2"]).run.seed == 2


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        pytest.param("run.seed", "--set run.seed: expected key=value, as in pretrain.optim.lr=2e-5", id="no value"),
        pytest.param("=5", "--set =5: expected key=value, as in pretrain.optim.lr=2e-5", id="no key"),
        pytest.param("run.seed=x", "--set run.seed=x: run.seed: expected an integer, got 'x'", id="wrong type"),
        pytest.param("run.seed=", "--set run.seed=: run.seed: expected an integer, got nothing", id="nothing"),
        pytest.param("run.sed=5", "--set run.sed=5: run.sed: unknown key; did you mean 'seed'?", id="unknown key"),
        pytest.param("run.seed.x=5", "--set run.seed.x=5: run.seed: holds no key 'x'", id="below a number"),
        pytest.param(
            "pretrain.optim.lr=[1",
            "--set pretrain.optim.lr=[1: not YAML: expected ',' or ']', but got '<stream end>'",
            id="not YAML",
        ),
        pytest.param(
            "tokenizer={add: 1, add: 2}",
            "--set tokenizer={add: 1, add: 2}: tokenizer.add: given twice, first on line 1",
            id="given twice",
        ),
        pytest.param(
            "tokenizer={ad: 1}",
            "--set tokenizer={ad: 1}: tokenizer.ad: unknown key; did you mean 'add'?",
            id="unknown key inside the value",
        ),
        pytest.param(
            "corpus.sources.manuals.meta_keys.0=x",
            "--set corpus.sources.manuals.meta_keys.0=x: corpus.sources.manuals.meta_keys: "
            "expected a list, got a mapping",
            id="item of a list that is not there",
        ),
    ],
)
def test_a_wrong_set_option_is_told_as_it_was_typed(
    complaints: Complaints, run_text: str, override: str, complaint: str
) -> None:
    assert complaints(run_text, override) == [complaint, ONE_PROBLEM]


def test_a_set_option_with_a_second_key_behind_a_line_end_is_refused(complaints: Complaints, run_text: str) -> None:
    assert complaints(run_text, "run.name=a\nrun.seed: 3")[-2:] == [
        "run.seed: 3: run.name: expected one value, got several lines of keys",
        ONE_PROBLEM,
    ]


def test_a_set_option_can_change_an_item_of_a_list(run_file: Path) -> None:
    run_file.write_text(run_file.read_text() + "export: {prompts: [一, 二]}\n")
    assert load(run_file, Run, ["export.prompts.1=三"]).export.prompts == ("一", "三")


def test_mistakes_in_the_file_and_on_the_command_line_are_told_together(complaints: Complaints, run_text: str) -> None:
    assert complaints(run_text.replace("seed: 12", "seed: x"), "pretrain.seq_len=y") == [
        "--set pretrain.seq_len=y: pretrain.seq_len: expected an integer, got 'y'",
        "run.yaml:1:43: run.seed: expected an integer, got 'x'",
        "2 problem(s); nothing was started",
    ]
