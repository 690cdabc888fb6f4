"""That docs/training.md says what is so: its example loads, its keys exist, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from configs.load import load
from configs.reference import reference
from configs.schema.run import Run

REPOSITORY = Path(__file__).parents[1]
GUIDE = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")

_REST = """\
run: {name: guide, dir: runs/guide, seed: 1}
corpus:
  sources:
    web: {path: web, language: ja}
    english: {path: english, language: en}
    inhouse: {path: inhouse, language: ja}
tokenizer: {add: 10}
"""


def test_the_example_is_a_run_file(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "run.yaml"
    path.write_text(_REST + example.replace("pretrain:\n", "pretrain:\n  base: some/model\n"))
    stages = load(path, Run).pretrain.stages
    assert list(stages) == ["rows", "main", "anneal", "long"]
    assert stages["long"].seq_len == 16384


@pytest.mark.parametrize("key", sorted(set(re.findall(r"`([a-z]+\.(?!json)[a-z_]+)`", GUIDE))))
def test_a_key_that_is_named_exists(key: str) -> None:
    section, name = key.split(".")
    if section == "pretrain":
        assert f"| `{name}` |" in reference()
    else:
        below = reference().split(f"## `pretrain.{section}`")[1].split("\n## ")[0]
        assert f"| `{name}` |" in below


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (REPOSITORY / "docs" / target).exists(), target
