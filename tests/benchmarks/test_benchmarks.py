"""That every benchmark runs and says what it should; how fast is nobody's business in a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.extension import extension_figures
from benchmarks.one_llama import Size
from benchmarks.pretrain import BYTES_ON_CPU, ON_CPU, ON_GPU, refuse_too_large
from configs.errors import UserError

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.alone
# The quickstart, ten minutes, is run by tests/tsugiki/test_quickstart.py, rows by test_rows.py in small.
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("quickstart", "rows")])
def test_a_benchmark_prints_figures_with_units_and_peers(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    # How fast a machine is that has other work too says nothing about the change; that the engines are equal does.
    assert done.returncode == 0 or (name != "engines" and "beyond the limit" in done.stderr), done.stderr
    figures = json.loads(done.stdout)
    assert figures
    for metric, figure in figures.items():
        assert metric.startswith(f"{name}/")
        # An engine may well give the very numbers of `single`.
        assert figure["value"] > 0 or (name == "engines" and figure["value"] == 0)
        assert figure["unit"]
        assert all(value > 0 for value in figure["peers"].values())


@pytest.mark.slow
def test_an_extension_gains_japanese_and_nothing_else() -> None:
    figures = extension_figures(megabytes=1, new_tokens=200)
    gained = {name: one["value"] / one["peers"]["base"] for name, one in figures.items() if "chars_per" in name}
    assert gained["tokenizer/chars_per_token_ja"] > 1.1
    # Its comments and its data have a little Japanese.
    assert 1 <= gained["tokenizer/chars_per_token_code"] < 1.05
    assert figures["tokenizer/chars_per_token_en"]["value"] >= figures["tokenizer/chars_per_token_en"]["peers"]["base"]


@pytest.mark.slow
def test_a_size_that_there_is_not_is_told_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "benchmarks", "pretrain", "--sizes", "5B"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 2
    assert "no model 5B for this device; there are 0." in done.stderr


@pytest.mark.parametrize("there", [ON_CPU, ON_GPU], ids=["CPU", "GPU"])
def test_sizes_from_a_tenth_of_a_billion_to_three_can_be_asked_for(there: tuple[Size, ...]) -> None:
    sizes = {size.name: size.parameters() / 1e9 for size in there}
    assert {"0.1B", "0.4B", "1.2B", "3B"} <= set(sizes)
    assert all(
        round(billions, len(name) - 3 if "." in name else 0) == float(name[:-1]) for name, billions in sizes.items()
    )


def test_a_size_that_the_memory_just_takes_is_trained_and_a_larger_one_is_told_before_any_is() -> None:
    small, large = ON_CPU[0], ON_CPU[-1]
    needed = BYTES_ON_CPU * large.parameters()
    refuse_too_large([small, large], needed)
    with pytest.raises(UserError, match=r"^3B takes 90 GB on a CPU, 90 GB are available; take smaller ones"):
        refuse_too_large([small, large], needed - 1)


def test_no_benchmark_is_left_out() -> None:
    modules = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    others = {
        "__init__",
        "__main__",
        "extension",
        "figures",
        "large_extension",
        "learning",
        "one_llama",
        "packed_text",
        "rules",
        "text",
        "tokenizers_of",
        "watched",
    }
    assert set(NAMES) == modules - others
