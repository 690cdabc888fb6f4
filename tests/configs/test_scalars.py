"""What is written is read by its declared type."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.load import load
from configs.schema.run import Run
from configs.schema.section import Section
from tests.configs.conftest import ONE_PROBLEM


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
