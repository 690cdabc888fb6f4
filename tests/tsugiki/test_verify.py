"""Rehashing what was written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.tsugiki.conftest import STAGES
from tsugiki.__main__ import main


def test_verify_rehashes_everything(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(finished / "run")]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= len(STAGES)


@pytest.mark.parametrize(
    "file",
    [
        "corpus/kept/inhouse-00000.parquet",
        "tokenizer/hf/tokenizer.json",
        "tokens/inhouse-00000.bin",
        "checkpoints/step-00000012/part-00000-000.safetensors",
        "checkpoints/metrics.jsonl",
        "model/hf/model.safetensors",
        "report/report.html",
    ],
)
def test_verify_names_the_file_with_a_flipped_byte(
    finished: Path, tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished / "run", copy)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / file).write_bytes(content)
    assert main(["verify", str(copy)]) == 1
    assert f"{copy}/{file}: its bytes changed since it was written" in capsys.readouterr().err
