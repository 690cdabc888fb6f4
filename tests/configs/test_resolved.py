"""The resolved run file: every value with its origin, and itself a run file that gives an equal run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.load import load, read_placed, validate
from configs.places import override, parse_yaml
from configs.resolved import resolved_lines
from configs.schema.run import Run
from configs.schema.section import Section


def resolved(path: Path, overrides: list[str]) -> tuple[Run, str]:
    """The run and its resolved text."""
    placed = read_placed(path, overrides)
    run = validate(placed, Run)
    return run, "\n".join(resolved_lines(run, placed)) + "\n"


def test_every_value_names_its_origin(run_file: Path) -> None:
    _, text = resolved(run_file, ["pretrain.optim.lr=2e-5", "tokenizer={add: 7}"])
    lines = text.splitlines()
    assert lines[:4] == [
        "run:",
        "  name: pumps  # run.yaml:1:13",
        '  dir: "runs/pumps"  # run.yaml:1:25',
        "  seed: 12  # run.yaml:1:43",
    ]
    assert "    lr: 2e-05  # --set pretrain.optim.lr=2e-5" in lines
    assert "  add: 7  # --set tokenizer={add: 7}" in lines
    assert "  min_count: 5  # default" in lines
    assert "      meta_keys: []  # default" in lines
    assert "  base: null  # default" in lines


def test_it_holds_every_key_of_the_run(run_file: Path) -> None:
    run, text = resolved(run_file, [])
    values = parse_yaml(text, "resolved.yaml").values

    def holds(section: object, values: Any) -> None:
        if isinstance(section, Section):
            assert list(values) == list(type(section).model_fields)
            for name in values:
                holds(getattr(section, name), values[name])

    holds(run, values)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param([], id="defaults"),
        pytest.param(["corpus.dedup.lines=null", "pretrain.end_of_document=</s>"], id="null and markup"),
        pytest.param(
            ["export.prompts=[定量ポンプ, 'null', '', '#no comment', \"line\\nend\"]"], id="difficult prompts"
        ),
        pytest.param(["pretrain.base=null-model", "tokenizer.base='null'", "run.name=no"], id="words like constants"),
        pytest.param(["pretrain.optim.lr=1e-300", "pretrain.optim.betas=[0.1, 0.30000000000000004]"], id="floats"),
        pytest.param(["corpus.sources.2024={path: x, language: ja}"], id="source like a number"),
        pytest.param(["corpus.sources.社内={path: x, language: ja}"], id="Japanese source"),
        pytest.param(['corpus.normalise.keep="a\nb"'], id="line end in an option"),
    ],
)
def test_the_resolved_file_loads_to_an_equal_run(run_file: Path, overrides: list[str]) -> None:
    run, text = resolved(run_file, overrides)
    Path("resolved.yaml").write_text(text, encoding="utf-8")
    assert load(Path("resolved.yaml"), Run) == run


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_comes_back_from_a_resolved_file(run_text: str, keep: str) -> None:
    placed = parse_yaml(run_text, "run.yaml")
    run = validate(placed, Run)
    run = run.model_copy(
        update={
            "corpus": run.corpus.model_copy(
                update={"normalise": run.corpus.normalise.model_copy(update={"keep": keep})}
            )
        }
    )
    again = validate(parse_yaml("\n".join(resolved_lines(run, placed)), "resolved.yaml"), Run)
    assert again == run


def test_resolving_twice_changes_only_the_origins(run_file: Path) -> None:
    _, once = resolved(run_file, ["run.seed=3"])
    Path("resolved.yaml").write_text(once)
    _, twice = resolved(Path("resolved.yaml"), [])
    assert [line.partition("  # ")[0] for line in twice.splitlines()] == [
        line.partition("  # ")[0] for line in once.splitlines()
    ]
    assert "  seed: 3  # resolved.yaml:4:9" in twice.splitlines()


def test_an_override_of_a_whole_section_is_the_origin_of_what_it_gives_and_of_no_default(run_text: str) -> None:
    placed = parse_yaml(run_text, "run.yaml")
    override(placed, "corpus.held_out={share: 0.5}")
    lines = list(resolved_lines(validate(placed, Run), placed))
    assert "    share: 0.5  # --set corpus.held_out={share: 0.5}" in lines
    assert "    max_documents: 2000  # default" in lines
