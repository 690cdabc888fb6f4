"""Run files: what is right is read by its declared type, and every mistake is told with its line, all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ConfigError, UserError
from configs.load import load
from configs.schema.preset import Preset
from configs.schema.run import Run
from configs.schema.section import Section

Complaints = Callable[..., list[str]]

ONE_PROBLEM = "1 problem(s); nothing was started"


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
        "run.yaml:12:15: pretrain.optim.schedule: expected one of cosine, linear, constant, got 'cosin'",
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
            "batch_tokens: 16",
            "batch_tokens: 16\n  parallel: {processes: 2}",
            "run.yaml:9:13: pretrain.parallel: the engine 'single' is one process; choose deepspeed or megatron",
            id="two processes on one",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: deepspeed\n  parallel: {processes: 2, tensor: 2}",
            "run.yaml:10:13: pretrain.parallel: tensor and pipeline parallelism need the engine 'megatron'",
            id="tensor parallelism without Megatron",
        ),
        pytest.param(
            "batch_tokens: 16",
            "batch_tokens: 16\n  engine: megatron\n  parallel: {processes: 3, tensor: 2}",
            "run.yaml:10:13: pretrain.parallel: processes (3) must be a multiple of tensor x pipeline (2)",
            id="processes that do not divide",
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
            "run.yaml:10:5: pretrain.stages: stage 'all' mixes mails, notes, which corpus.sources lacks",
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


def test_an_empty_file_lacks_every_required_section(complaints: Complaints) -> None:
    assert complaints("") == [
        "run.yaml:1:1: corpus: required, but not given",
        "run.yaml:1:1: pretrain: required, but not given",
        "run.yaml:1:1: run: required, but not given",
        "3 problem(s); nothing was started",
    ]


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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("no", "no", id="a word that YAML 1.1 takes for false"),
        pytest.param("1e3", "1e3", id="a number"),
        pytest.param("'null'", "null", id="quoted null"),
        pytest.param("2024-01-01", "2024-01-01", id="a date"),
        pytest.param("0x10", "0x10", id="a hexadecimal number"),
    ],
)
def test_the_declared_type_reads_a_scalar_as_text(run_file: Path, text: str, name: str) -> None:
    assert load(run_file, Run, [f"run.name={text}"]).run.name == name


def test_the_declared_type_reads_a_scalar_as_number(run_file: Path) -> None:
    run = load(run_file, Run, ["pretrain.optim.lr=1e-5", "pretrain.stages.all.tokens=25_000", "pretrain.optim.eps=1"])
    assert (run.pretrain.optim.lr, run.pretrain.stages["all"].tokens, run.pretrain.optim.eps) == (1e-5, 25_000, 1.0)


def test_null_takes_the_option_that_a_key_has_for_nothing(run_file: Path) -> None:
    run = load(run_file, Run, ["corpus.dedup.lines=null"])
    assert run.corpus.dedup.lines is None
    assert load(run_file, Run).corpus.dedup.lines is not None


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        pytest.param(
            "{mesure: characters, min: 1, reason: r, source: s}",
            "preset.yaml:4:6: rules.0.mesure: unknown key; did you mean 'measure'?",
            id="unknown key",
        ),
        pytest.param(
            "{measure: characters, reason: r, source: s}",
            "preset.yaml:4:15: rules.0.measure: give min or max",
            id="no bound",
        ),
        pytest.param(
            "{measure: characters, min: nan, reason: r, source: s}",
            "preset.yaml:4:32: rules.0.min: expected a finite number, got 'nan'",
            id="bound that bounds nothing",
        ),
        pytest.param(
            "{measure: characters, min: 1, reason: Too short, source: s}",
            "preset.yaml:4:43: rules.0.reason: expected text of the form ^[a-z][a-z0-9_]*$, got 'Too short'",
            id="reason of two words",
        ),
    ],
)
def test_a_mistake_in_a_rule_of_a_preset_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("preset.yaml").write_text(f"description: d\nsteps: []\nrules:\n  - {rule}\n")
    with pytest.raises(ConfigError) as caught:
        load(Path("preset.yaml"), Preset)
    assert complaint in str(caught.value).splitlines()


class Choosing(Section):
    """A key that several types may read."""

    value: int | bool


def test_a_value_that_several_types_may_read_is_told_once(run_file: Path) -> None:
    run_file.write_text("value: much\n")
    with pytest.raises(ConfigError) as caught:
        load(run_file, Choosing)
    assert str(caught.value).splitlines() == [
        "run.yaml:1:8: value: expected an integer, got 'much'",
        ONE_PROBLEM,
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
