"""That README says what is so: every command runs, the tree and the reference are of today."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from configs.reference import reference
from docs import figures, tree
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[1]
READMES = ("README.md", "README.ja.md")


def commands(readme: str) -> list[str]:
    """The commands of the shell blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / readme).read_text(), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_tsugiki_command_runs_in_the_order_of_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_file = tmp_path / "run.yaml"
    tiny_run(tmp_path)
    found = [command for command in commands("README.md") if command.startswith("tsugiki ")]
    assert len(found) >= 13
    for command in found:
        words = command.replace("configs/quickstart.yaml", str(run_file)).replace("runs/quickstart", f"{tmp_path}/run")
        words = words.replace("--out scripts", f"--out {tmp_path}/scripts")
        words = words.replace("models/smollm2-135m-instruct", f"{tmp_path}/base").replace(
            "--out runs", f"--out {tmp_path}"
        )
        words = words.replace("configs/quickstart/inhouse", f"{tmp_path}/ja")
        # The small run has no near-copies; what it has instead shows the same.
        words = words.replace("--reason duplicate_near", "--reason held_out")
        words = words.replace("sft-check", "sft-check --steps 2")
        assert main(shlex.split(words)[1:]) == 0, f"{command}: {capsys.readouterr().err}"


@pytest.mark.parametrize("readme", READMES)
def test_every_other_command_is_a_make_target(readme: str) -> None:
    """`make test` is what runs this, `make check` runs before it in CI, and `make quickstart` is a slow test."""
    others = [command for command in commands(readme) if not command.startswith("tsugiki ")]
    assert others == ["make quickstart", "make test"]
    for command in others:
        subprocess.run([*command.split(), "--dry-run"], check=True, capture_output=True, cwd=REPOSITORY)


@pytest.mark.parametrize("readme", READMES)
def test_every_link_leads_somewhere(readme: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / readme).read_text()):
        assert (REPOSITORY / link).exists(), link


def test_the_tree_has_every_file_of_today() -> None:
    assert tree.shown() == tree.tree(), "run `python docs/tree.py`"


def test_the_figures_are_those_of_the_benchmarks() -> None:
    assert figures.shown() == figures.table(), "run `python docs/figures.py`"


def test_the_reference_of_the_run_file_is_of_today() -> None:
    assert (REPOSITORY / "docs" / "run-file.md").read_text() == reference(), (
        "run `python -m configs.reference > docs/run-file.md`"
    )


def test_both_pages_show_the_same_commands() -> None:
    assert commands("README.md") == commands("README.ja.md")
