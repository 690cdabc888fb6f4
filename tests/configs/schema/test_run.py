"""The run file's schema: shipped files load, every key is described, digests hold what decides the outcome."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from configs.errors import ConfigError
from configs.load import load, validate
from configs.places import override, parse_yaml
from configs.schema.corpus import Source
from configs.schema.run import Run

CONFIGS = Path(__file__).parents[3] / "configs"
RUN_FILES = sorted(CONFIGS.glob("*.yaml"))


def run_of(text: str, *overrides: str) -> Run:
    """The run of a text with `--set` options."""
    placed = parse_yaml(text, "run.yaml")
    for assignment in overrides:
        override(placed, assignment)
    return validate(placed, Run)


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The sections below one, itself included."""
    found = [model]
    for info in model.model_fields.values():
        for part in (info.annotation, *typing.get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += sections(part)
    return found


def test_there_are_run_files() -> None:
    assert "quickstart.yaml" in [path.name for path in RUN_FILES]


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.name)
def test_a_shipped_run_file_loads(path: Path) -> None:
    run = load(path, Run)
    assert set(run.corpus.sources) >= {name for stage in run.pretrain.stages.values() for name in stage.mixture}


@pytest.mark.parametrize("section", sections(Run))
def test_every_key_says_what_it_is(section: type[BaseModel]) -> None:
    keys = {name for name, info in section.model_fields.items() if info.annotation not in sections(Run)}
    assert {name for name in keys if not section.model_fields[name].description} == set()


OPERATIONAL = [
    "corpus.workers=7",
    "tokenizer.workers=7",
    "pretrain.checkpoint={every_steps: 7, keep_last: 9}",
    "pretrain.log={every_steps: 7, straggler: 0.5, straggler_intervals: 5}",
    "pretrain.forgetting={budgets: {manuals: 0.1}, action: stop}",
]


@pytest.mark.parametrize("override", OPERATIONAL)
def test_how_the_work_is_done_is_in_no_digest(run_text: str, override: str) -> None:
    assert run_of(run_text, override) != run_of(run_text)
    assert run_of(run_text, override).digested() == run_of(run_text).digested()


@pytest.mark.parametrize(
    "override",
    [
        "run.seed=13",
        "corpus.dedup.threshold=0.7",
        "corpus.sources.manuals.license=MIT",
        "corpus.held_out.share=0.02",
        "corpus.limits.task_bytes=1000",
        "tokenizer.init.norm=2",
        "pretrain.optim.lr=1",
        "pretrain.stages.all.mixture.manuals=2",
    ],
)
def test_what_decides_the_outcome_is_in_the_digest(run_text: str, override: str) -> None:
    assert run_of(run_text, override).digested() != run_of(run_text).digested()


@pytest.mark.parametrize(
    ("override", "base"),
    [pytest.param("run.seed=1", "base", id="the model's"), pytest.param("tokenizer.base=t", "t", id="its own")],
)
def test_the_tokenizer_that_is_extended_is_the_models_unless_another_is_named(
    run_text: str, override: str, base: str
) -> None:
    assert run_of(run_text, override).tokenizer_base == base


@pytest.mark.parametrize("name", ["a", "9", "社内", "a.b-c_d", "x" * 63])
def test_a_source_may_be_called(run_text: str, name: str) -> None:
    text = run_text.replace("manuals: {path", f"{name!r}: {{path").replace("{manuals: 1}", f"{{{name!r}: 1}}")
    assert list(run_of(text).corpus.sources) == [name]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "-x", "x" * 64, "a\\b", "a\n"], ids=repr)
def test_a_source_may_not_be_called_what_no_file_may(run_text: str, name: str) -> None:
    run = run_of(run_text)
    with pytest.raises(ValueError, match="should match pattern"):
        run.corpus.model_validate({"sources": {name: Source(path="x", language="ja")}})


@pytest.mark.parametrize("name", ["manuals", "ja"])
def test_a_budget_is_of_a_source_or_a_language(run_text: str, name: str) -> None:
    assert run_of(run_text, f"pretrain.forgetting.budgets={{{name}: 0}}").pretrain.forgetting.budgets == {name: 0}


@pytest.mark.parametrize(
    ("budgets", "complaint"),
    [
        pytest.param("{english: 0.1}", "names english; sources and languages are ja, manuals", id="of no source"),
        pytest.param(
            "{ja: -0.01}", "budgets must be shares of 0 or more, which ja is not", id="just below what may be demanded"
        ),
    ],
)
def test_a_budget_that_nothing_can_keep_is_refused(run_text: str, budgets: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=rf"pretrain\.forgetting\.budgets: {complaint}"):
        run_of(run_text, f"pretrain.forgetting.budgets={budgets}")
