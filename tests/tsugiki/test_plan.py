from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.build import build_corpus
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run of which only the corpus is made."""
    build_corpus(tiny_run(tmp_path))
    return tmp_path


def test_the_plan_tells_what_is_complete_and_what_is_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(root / "run.yaml"), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(row["stage"], row["state"]) for row in plan] == [
        ("corpus", "complete"),
        ("tokenizer", "to do"),
        ("tokenise", "to do"),
        ("pack", "to do"),
        ("train", "to do"),
        ("export", "to do"),
        ("report", "to do"),
    ]
    assert plan[0]["files"] == 28
    assert plan[0]["inputs"] == ["inhouse", "english"]
    assert plan[0]["input_bytes"] == sum(path.stat().st_size for path in root.glob("[je][an]/*.txt"))


def test_a_killed_stage_is_shown_as_begun(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "run" / "corpus" / "manifest.json").unlink()
    assert main(["plan", str(root / "run.yaml")]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("corpus     begun     28 files, ")


def test_the_plan_touches_nothing(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert main(["plan", str(root / "run.yaml")]) == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_changed_sources_are_told_by_the_plan(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "ja" / "99.txt").write_text("新しい文書です。")
    assert main(["plan", str(root / "run.yaml")]) == 1
    assert "was made differently: inhouse gained '99.txt'." in capsys.readouterr().err


_LOADED = """
import sys
from tsugiki.__main__ import main
status = main(sys.argv[1:])
heavy = ("torch", "transformers", "numba", "numpy", "pyarrow", "tokenizers", "datasets", "matplotlib")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize("words", [["plan", "RUN"], ["--help"], ["corpus", "build", "--help"]], ids=" ".join)
def test_nothing_heavy_is_imported(root: Path, words: list[str]) -> None:
    words = [str(root / "run.yaml") if word == "RUN" else word for word in words]
    code = (
        _LOADED
        if "--help" not in words
        else _LOADED.replace("status = main(", "status = 0\ntry: main(").replace(
            "heavy =", "except SystemExit: pass\nheavy ="
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
