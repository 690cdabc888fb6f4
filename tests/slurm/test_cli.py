"""The command line of `tsugiki slurm`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from slurm.cli import verbs


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("run.yaml train --set a=b --lines 3", "train"),
        ("run.yaml --set a=b train --lines 3", "train"),
        ("run.yaml --set a=b --lines 3 train", "train"),
        ("--set a=b --lines 3 run.yaml train", "train"),
        ("run.yaml --set a=b --lines 3", None),
    ],
)
def test_the_stage_of_logs_may_stand_before_and_after_its_options(words: str, stage: str | None) -> None:
    parser = argparse.ArgumentParser()
    verbs(parser)
    found = parser.parse_args(["logs", *words.split()])
    assert (found.run_file, found.stage) == (Path("run.yaml"), stage)
    assert (found.overrides, found.lines) == (["a=b"], 3)


def test_what_is_no_stage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    verbs(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["logs", "run.yaml", "--set", "a=b", "trian"])
    assert "argument stage: invalid choice: 'trian'" in capsys.readouterr().err
