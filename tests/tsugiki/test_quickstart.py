"""`make quickstart` as it is: the sample of the repository, SmolLM2-135M, every stage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quickstart import report, run_quickstart
from benchmarks.watched import Watched
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus
from pretrain.pack import pack_tokens
from tokenizer.extend import extend_tokenizer

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "models" / "smollm2-135m-instruct"
SHARED = REPOSITORY / "../shared/data/corpus/quickstart_ja.jsonl.zst"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(not BASE.exists(), reason="the base model is not there; `make setup` fetches it"),
]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart") / "run"


@pytest.fixture(scope="module")
def done(run_dir: Path) -> Watched:
    """The run, gone to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        return run_quickstart(run_dir)


@pytest.fixture(scope="module")
def figures(done: Watched, run_dir: Path) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        return report(run_dir)


def test_it_ends_with_the_results_and_without_a_traceback(done: Watched) -> None:
    assert done.exit_code == 0, done.stderr
    assert "Traceback" not in done.stderr
    for words in ("with 150 new tokens", "bits per character, ja", "passed, logits of transformers' reload within"):
        assert words in done.stdout


def test_it_needs_less_than_eight_gigabytes(done: Watched) -> None:
    assert 1e9 < done.peak_bytes < 8e9


def test_every_document_is_kept_or_has_a_reason(figures: dict[str, Any]) -> None:
    assert figures["documents_in"] == figures["documents_kept"] + sum(figures["dropped"].values())
    assert {"duplicate_exact", "duplicate_near", "mojibake", "held_out"} <= figures["dropped"].keys()


def test_the_model_learned_japanese_and_kept_its_english(figures: dict[str, Any]) -> None:
    japanese, english = figures["bits_per_character"]["ja"], figures["bits_per_character"]["en"]
    assert japanese["trained"] <= 0.92 * japanese["base"]
    assert english["trained"] <= 1.05 * english["base"]


def test_a_token_carries_more_text_than_before(figures: dict[str, Any]) -> None:
    assert figures["new_tokens"] == 150
    assert figures["chars_per_token"]["extended"] > 1.3 * figures["chars_per_token"]["base"]


def test_the_gate_was_passed_and_the_folder_opens_with_transformers_alone(
    figures: dict[str, Any], run_dir: Path
) -> None:
    gate = json.loads((run_dir / "model" / "manifest.json").read_text())["counts"]["gate"]
    assert figures["gate_passed"]
    assert figures["logits_max_abs_diff"] <= gate["tolerance"] < 1e-2
    program = (
        "import sys\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "ids = tokenizer('定量ポンプの点検では、', return_tensors='pt')\n"
        "print(tokenizer.decode(model.generate(**ids, max_new_tokens=4, do_sample=False)[0]))\n"
    )
    command = [sys.executable, "-c", program, figures["hf_dir"]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    assert printed.startswith("定量ポンプの点検では、")


def test_run_again_it_says_that_everything_is_complete(done: Watched, run_dir: Path) -> None:
    command = [sys.executable, "-m", "tsugiki", "run", "configs/quickstart.yaml", "--set", f"run.dir={run_dir}"]
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert "everything is complete" in again.stderr
    assert again.stdout == done.stdout


def test_a_second_one_from_scratch_has_the_same_corpus_tokenizer_and_tokens(
    done: Watched, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done.exit_code == 0
    monkeypatch.chdir(REPOSITORY)
    run = load(Path("configs/quickstart.yaml"), Run, [f"run.dir={tmp_path}/run", "corpus.workers=1"])
    for stage, build in (("corpus", build_corpus), ("tokenizer", extend_tokenizer), ("tokens", pack_tokens)):
        build(run)
        manifests = [(root / stage / "manifest.json").read_bytes() for root in (run_dir, tmp_path / "run")]
        assert manifests[0] == manifests[1]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data set is not beside the checkout")
def test_the_larger_one_reads_extends_and_packs_the_shared_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    run = load(Path("configs/quickstart-large.yaml"), Run, [f"run.dir={tmp_path}/run"])
    corpus = build_corpus(run)
    assert {"japanese", "english", "code"} == corpus.counts["kept"].keys()
    tokenizer = extend_tokenizer(run)
    assert (
        tokenizer.counts["chars_per_token"]["ja"]["extended"] > 1.2 * tokenizer.counts["chars_per_token"]["ja"]["base"]
    )
    assert (
        tokenizer.counts["chars_per_token"]["code"]["extended"] == tokenizer.counts["chars_per_token"]["code"]["base"]
    )
    assert {"japanese", "english", "code"} == pack_tokens(run).counts["sources"].keys()


def test_the_base_is_a_plain_float_model_that_splits_numbers_into_digits() -> None:
    from transformers import AutoTokenizer

    config = json.loads((BASE / "config.json").read_bytes())
    assert "quantization_config" not in config
    assert config["model_type"] == "llama"
    tokens = AutoTokenizer.from_pretrained(BASE).tokenize("in 2024")
    assert tokens[-4:] == ["2", "0", "2", "4"]
