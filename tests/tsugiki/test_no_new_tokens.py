"""A run whose curve advises against new tokens goes all the way with the base's tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.artifact import Artifact
from tests.tiny import tiny_run
from tsugiki.__main__ import main

_STAGE = "tokens: 512, mixture: {inhouse: 1}"
_STAGES = f"pretrain.stages={{rows: {{{_STAGE}, train: new_rows}}, all: {{{_STAGE}}}}}"


@pytest.mark.slow
def test_a_stage_of_new_rows_goes_on_without_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(tmp_path)
    words = [str(tmp_path / "run.yaml"), "--set", "tokenizer.add=auto", "--set", _STAGES]
    assert main(["run", *words]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert main(["report", *words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["new_tokens"] == 0
    assert figures["gate_passed"]
    assert figures["new_tokens_reason"] == Artifact.open(tmp_path / "run" / "tokenizer").counts["choice"]["reason"]
    assert figures["new_tokens_reason"] in (tmp_path / "run" / "report" / "report.html").read_text().replace(
        "&#39;", "'"
    )
