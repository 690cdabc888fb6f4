"""Run files: what is right is read by its declared type, and every mistake is told with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.load import load
from configs.schema.run import Run
from tests.configs.conftest import ONE_PROBLEM, Complaints


def test_five_mistakes_are_told_at_once_each_with_line_and_column(complaints: Complaints) -> None:
    assert complaints(
        """\
run: {name: t, dir: runs/t, seed: 1}
corpus:
  sources: {a: {path: x, language: ja}}
sead: 3
pretrain:
  base: b
  seq_len: 10k
  batch_tokens: 16
  stages: {all: {tokens: 1, mixture: {a: 1}}}
  optim:
    warm_up_tokens: 5
    schedule: cosin
  seq_len: 8
"""
    ) == [
        "run.yaml:4:1: sead: unknown key; known here: run, corpus, tokenizer, pretrain, export, slurm",
        "run.yaml:7:12: pretrain.seq_len: expected an integer, got '10k'",
        "run.yaml:11:5: pretrain.optim.warm_up_tokens: unknown key; did you mean 'warmup_tokens'?",
        "run.yaml:12:15: pretrain.optim.schedule: expected one of cosine, linear, sqrt, wsd, constant, got 'cosin'",
        "run.yaml:13:3: pretrain.seq_len: given twice, first on line 7",
        "5 problem(s); nothing was started",
    ]


def test_a_key_given_twice_names_the_first_line_and_stops_an_otherwise_right_file(
    complaints: Complaints, run_text: str
) -> None:
    assert complaints(run_text + "run: {name: again, dir: x, seed: 2}\n") == [
        "run.yaml:11:1: run: given twice, first on line 1",
        ONE_PROBLEM,
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("seed: 12", "sed: 12", "run.yaml:1:37: run.sed: unknown key; did you mean 'seed'?", id="misspelt"),
        pytest.param(
            "language: ja",
            "lang: ja",
            "run.yaml:4:30: corpus.sources.manuals.lang: unknown key; did you mean 'language'?",
            id="in a section of a mapping",
        ),
        pytest.param(
            "seed: 12",
            "seed: 12, zzz: 1",
            "run.yaml:1:47: run.zzz: unknown key; known here: name, dir, seed",
            id="like no other",
        ),
        pytest.param(
            "mixture: {manuals: 1}",
            "mixture: {manuals: 1}, trains: all",
            "run.yaml:10:46: pretrain.stages.all.trains: unknown key; did you mean 'train'?",
            id="in a stage",
        ),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(
    complaints: Complaints, run_text: str, old: str, new: str, complaint: str
) -> None:
    assert complaint in complaints(run_text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("seed: 12", "seed: 1.5", "run.yaml:1:43: run.seed: expected an integer, got '1.5'", id="integer"),
        pytest.param("seed: 12", "seed: ~", "run.yaml:1:43: run.seed: expected an integer, got nothing", id="nothing"),
        pytest.param("seed: 12", "seed: [1]", "run.yaml:1:43: run.seed: expected an integer, got a list", id="list"),
        pytest.param(
            "seed: 12", "seed: {a: 1}", "run.yaml:1:43: run.seed: expected an integer, got a mapping", id="mapping"
        ),
        pytest.param(
            "seed: 12", "seed: -1", "run.yaml:1:43: run.seed: must be at least 0, got '-1'", id="below the bound"
        ),
        pytest.param(
            "seed: 12",
            "seed: 9223372036854775808",
            "run.yaml:1:43: run.seed: must be less than 9223372036854775808, got '9223372036854775808'",
            id="at an excluded bound",
        ),
        pytest.param(
            "tokens: 64",
            "tokens: 0",
            "run.yaml:10:19: pretrain.stages.all.tokens: must be at least 1, got '0'",
            id="in a stage",
        ),
        pytest.param(
            "base: base",
            "base: base\n  optim: {lr: fast}",
            "run.yaml:7:15: pretrain.optim.lr: expected a number, got 'fast'",
            id="number",
        ),
        pytest.param(
            "base: base",
            "base: base\n  optim: {lr: 0}",
            "run.yaml:7:15: pretrain.optim.lr: must be more than 0.0, got '0'",
            id="zero where it must be more",
        ),
        pytest.param(
            "base: base",
            "base: base\n  optim: {min_lr: 1.1}",
            "run.yaml:7:19: pretrain.optim.min_lr: must be at most 1.0, got '1.1'",
            id="above the bound",
        ),
        pytest.param(
            "base: base",
            "base: base\n  optim: {lr: inf}",
            "run.yaml:7:15: pretrain.optim.lr: expected a finite number, got 'inf'",
            id="infinite",
        ),
        pytest.param(
            "base: base",
            "base: base\n  guards: {max_grad_norm: nan}",
            "run.yaml:7:27: pretrain.guards.max_grad_norm: expected a finite number, got 'nan'",
            id="not a number",
        ),
        pytest.param(
            "base: base", "base: [a]", "run.yaml:6:9: pretrain.base: expected text, got a list", id="text, a list"
        ),
        pytest.param(
            "dir: runs/pumps", "dir: [a]", "run.yaml:1:25: run.dir: expected a path, got a list", id="path, a list"
        ),
        pytest.param(
            "run: {name: pumps, dir: runs/pumps, seed: 12}",
            "run: pumps",
            "run.yaml:1:6: run: expected a mapping of keys, got 'pumps'",
            id="section, a word",
        ),
        pytest.param(
            "manuals: {path: manuals, language: ja}",
            "manuals",
            "run.yaml:4:5: corpus.sources: expected a mapping of keys, got 'manuals'",
            id="sections by name, a word",
        ),
        pytest.param(
            "{path: manuals, language: ja}",
            "{path: manuals, language: ja, meta_keys: title}",
            "run.yaml:4:55: corpus.sources.manuals.meta_keys: expected a list, got 'title'",
            id="list, a word",
        ),
        pytest.param(
            "{manuals: 1}",
            "{manuals: much}",
            "run.yaml:10:42: pretrain.stages.all.mixture.manuals: expected a number, got 'much'",
            id="weight",
        ),
        pytest.param(
            "{manuals: 1}",
            "{}",
            "run.yaml:10:32: pretrain.stages.all.mixture: needs at least 1 item(s)",
            id="no weight",
        ),
        pytest.param(
            "language: ja",
            "language: Japanese",
            "run.yaml:4:40: corpus.sources.manuals.language: "
            "expected text of the form ^([a-z]{2,3}|code)$, got 'Japanese'",
            id="pattern",
        ),
        pytest.param(
            "{name: pumps, dir: runs/pumps, seed: 12}",
            "{name: pumps, dir: runs/pumps}",
            "run.yaml:1:1: run.seed: required, but not given",
            id="missing",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_would_be_right(
    complaints: Complaints, run_text: str, old: str, new: str, complaint: str
) -> None:
    assert complaints(run_text.replace(old, new)) == [complaint, ONE_PROBLEM]


def test_an_empty_file_lacks_every_required_section(complaints: Complaints) -> None:
    assert complaints("") == [
        "run.yaml:1:1: corpus: required, but not given",
        "run.yaml:1:1: pretrain: required, but not given",
        "run.yaml:1:1: run: required, but not given",
        "3 problem(s); nothing was started",
    ]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        pytest.param("none.yaml", "none.yaml: no such file", id="missing"),
        pytest.param("folder.yaml", "folder.yaml: is a directory, expected a YAML file", id="folder"),
    ],
)
def test_a_run_file_that_is_no_file_is_told(run_file: Path, path: str, complaint: str) -> None:
    Path("folder.yaml").mkdir()
    with pytest.raises(UserError) as caught:
        load(Path(path), Run)
    assert (str(caught.value), type(caught.value)) == (complaint, UserError)


@pytest.mark.parametrize("word", ["fp8", "fp8_e4m3"])
def test_fp8_is_refused_by_name_with_what_to_take(complaints: Complaints, run_text: str, word: str) -> None:
    assert complaints(run_text, f"pretrain.precision={word}") == [
        f"--set pretrain.precision={word}: pretrain.precision: fp8 is not trained in for now; choose bf16, or fp32 "
        f"for tests, got {word!r}",
        ONE_PROBLEM,
    ]


@pytest.mark.parametrize("word", ["bf16", "fp32"])
def test_the_other_precisions_are_taken(run_file: Path, word: str) -> None:
    assert load(run_file, Run, [f"pretrain.precision={word}"]).pretrain.precision == word
