from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from configs.artifact import Artifact
from configs.errors import UserError
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus
from corpus.documents import documents, shards_of
from pretrain.document_format import DocumentFormat
from tests.tokenizer.sp_models import trained
from tokenizer.extend import extend_tokenizer
from tokenizer.open import open_tokenizer
from tokenizer.recipe import Recipe
from tokenizer.stage import tokenizer_plan
from tokenizer.units import UnitCounter
from tsugiki.__main__ import main

RUN_FILE = """
run: {{name: t, dir: {root}/run, seed: 1}}
corpus:
  sources:
    inhouse: {{path: {root}/ja, language: ja, access: internal}}
    english: {{path: {root}/en, language: en}}
  held_out: {{share: 0.2}}
  dedup: {{lines: null}}
tokenizer: {{add: 30, min_count: 3}}
pretrain:
  base: {root}/base
  stages: {{all: {{tokens: 1000, mixture: {{inhouse: 1}}}}}}
"""

SENTENCES = [
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "流量センサーの校正は年に一度行い、結果は品質保証課が保管する。",
    "本日の会議では、ポンプの不具合について報告があった。",
    "出荷の前には、点検表に結果を記入して課長の確認を受ける。",
]


def write_run(tmp_path: Path) -> Path:
    """Write a run file and the few documents of its corpus."""
    for folder in ("ja", "en"):
        (tmp_path / folder).mkdir()
    for number in range(12):
        text = "".join(SENTENCES[(number * k + k) % 4] + f"番号は{number}-{k}です。" for k in range(1, 5))
        (tmp_path / "ja" / f"{number:02}.txt").write_text(text)
        english = f"Document {number} tells how pump {number * 7} is checked. " * 2
        (tmp_path / "en" / f"{number:02}.txt").write_text(english + "The valve is closed first, then the hose.")
    (tmp_path / "run.yaml").write_text(RUN_FILE.format(root=tmp_path))
    return tmp_path / "run.yaml"


@pytest.fixture
def run(tmp_path: Path, base_folder: Path) -> Run:
    """A run with a corpus of a few documents."""
    return load(write_run(tmp_path), Run)


def test_the_folder_loads_through_autotokenizer_with_equal_ids(run: Run) -> None:
    build_corpus(run)
    artifact = extend_tokenizer(run)
    ours = open_tokenizer(artifact.dir / "hf")
    loaded = AutoTokenizer.from_pretrained(artifact.dir / "hf")
    assert len(loaded) == ours.size == artifact.counts["vocabulary"]
    for text in [*SENTENCES, "Check 12 valves.", "か\u3099 ＴＰ－１２０"]:
        assert loaded.encode(text, add_special_tokens=False) == ours.encode(text)


def test_what_belongs_to_the_base_is_kept(run: Run, base_folder: Path) -> None:
    build_corpus(run)
    folder = extend_tokenizer(run).dir / "hf"
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert config["model_max_length"] == 8192
    assert config["eos_token"] == "<|im_end|>"
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "auto_map" not in config
    assert AutoTokenizer.from_pretrained(folder).chat_template == {
        "default": "{{ messages }}\n",
        "tool_use": "{{ tools }}\n",
    }


def test_the_recipe_spells_every_new_token_with_old_ones(run: Run, base_folder: Path) -> None:
    build_corpus(run)
    artifact = extend_tokenizer(run)
    base, extended = open_tokenizer(base_folder), open_tokenizer(artifact.dir / "hf")
    recipe = json.loads(artifact.path("new_rows.json").read_text())
    assert recipe["first_new_row"] == base.size
    assert len(recipe["spellings"]) == artifact.counts["new_tokens"] > 0
    for number, spelling in enumerate(recipe["spellings"], start=base.size):
        assert all(old < base.size for old in spelling)
        assert b"".join(base.bytes_of[old] for old in spelling) == extended.bytes_of[number]


def test_two_runs_from_scratch_give_the_same_bytes(run: Run) -> None:
    build_corpus(run)
    first = extend_tokenizer(run)
    digest = first.digest
    shutil.rmtree(first.dir)
    assert extend_tokenizer(run).digest == digest


def test_units_that_were_counted_serve_another_number_of_tokens(run: Run, tmp_path: Path) -> None:
    build_corpus(run)
    shutil.rmtree(extend_tokenizer(run).dir)
    units = run.run.dir / "units"
    before = {path.name: path.stat().st_mtime_ns for path in units.rglob("*")}
    extend_tokenizer(_with(run, tmp_path, "tokenizer.add=7"))
    assert {path.name: path.stat().st_mtime_ns for path in units.rglob("*")} == before
    counted = Artifact.open(units, kind="units", check="sha256")
    kept = Artifact.open(run.run.dir / "corpus").counts["kept"]["inhouse"]
    assert counted.counts["documents"] == kept["documents"]


def test_run_again_it_is_complete(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    build_corpus(run)
    before = (extend_tokenizer(run).dir / "manifest.json").stat().st_mtime_ns
    after = extend_tokenizer(run)
    assert (after.dir / "manifest.json").stat().st_mtime_ns == before


def test_japanese_gains_and_english_keeps_its_tokens(run: Run) -> None:
    build_corpus(run)
    figures = extend_tokenizer(run).counts["chars_per_token"]
    assert figures["ja"]["extended"] > figures["ja"]["base"]
    assert figures["en"]["extended"] == figures["en"]["base"]


def _with(run: Run, tmp_path: Path, *overrides: str) -> Run:
    return load(tmp_path / "run.yaml", Run, overrides)


def test_without_new_tokens_the_base_is_copied(run: Run, tmp_path: Path, base_folder: Path) -> None:
    build_corpus(run)
    artifact = extend_tokenizer(_with(run, tmp_path, "tokenizer.add=0"))
    ours, base = open_tokenizer(artifact.dir / "hf"), open_tokenizer(base_folder)
    assert ours.definition == base.definition
    assert artifact.counts["new_tokens"] == 0


def test_auto_takes_what_the_curve_recommends_and_says_why(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_corpus(run)
    picture = tmp_path / "curve.svg"
    words = [str(tmp_path / "run.yaml"), "--set", "tokenizer.auto.max_seldom=1"]
    assert (
        main(["tokenizer", "curve", *words, "--json", "--plot", str(picture), "--against", f"{run.pretrain.base}"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    first, last = told["points"][0], told["points"][-1]
    assert told["against"] == {run.pretrain.base: first["chars_per_token"]}
    assert list(first["chars_per_token"]) == ["ja", "en", "in-house"]
    assert picture.read_text().startswith("<?xml")
    chosen = _with(run, tmp_path, "tokenizer.add=auto", "tokenizer.auto.max_seldom=1")
    units = (run.run.dir / "units" / "manifest.json").stat().st_mtime_ns
    artifact = extend_tokenizer(chosen)
    assert (run.run.dir / "units" / "manifest.json").stat().st_mtime_ns == units
    assert artifact.counts["choice"] == told["recommendation"]
    assert artifact.counts["new_tokens"] == told["recommendation"]["add"] == last["new_tokens"] > 30
    digest = artifact.digest
    shutil.rmtree(artifact.dir)
    assert extend_tokenizer(chosen).digest == digest


def test_a_training_that_meets_new_tokens_too_seldom_keeps_the_base(
    run: Run, tmp_path: Path, base_folder: Path
) -> None:
    build_corpus(run)
    artifact = extend_tokenizer(_with(run, tmp_path, "tokenizer.add=auto"))
    assert artifact.counts["choice"]["add"] == artifact.counts["new_tokens"] == 0
    assert "would be seen fewer than 500 times" in artifact.counts["choice"]["reason"]
    assert open_tokenizer(artifact.dir / "hf").definition == open_tokenizer(base_folder).definition


def test_a_corpus_without_the_language_is_an_error_with_a_way_out(run: Run, tmp_path: Path) -> None:
    build_corpus(run)
    with pytest.raises(UserError) as raised:
        extend_tokenizer(_with(run, tmp_path, "tokenizer.languages=[ko]"))
    assert str(raised.value) == (
        "tokenizer.languages: the corpus has no text in ko to learn tokens from; "
        "set tokenizer.add=0 to keep the base's tokenizer"
    )


def test_another_number_of_tokens_in_the_same_directory_is_refused(run: Run, tmp_path: Path) -> None:
    build_corpus(run)
    extend_tokenizer(run)
    with pytest.raises(UserError, match=r"was made differently: add: 30 -> 31\."):
        extend_tokenizer(_with(run, tmp_path, "tokenizer.add=31"))


def test_a_base_without_tokenizer_is_an_error(run: Run, base_folder: Path) -> None:
    build_corpus(run)
    (base_folder / "tokenizer.json").unlink()
    with pytest.raises(
        UserError, match=r"has no tokenizer\.json and no tokenizer\.model \(found: tokenizer_config\.json\)"
    ):
        extend_tokenizer(run)
    assert not (run.run.dir / "tokenizer").exists()


def test_a_base_that_is_neither_folder_nor_in_reach_is_an_error(run: Run, tmp_path: Path) -> None:
    build_corpus(run)
    missing = _with(run, tmp_path, f"pretrain.base={tmp_path}/nowhere")
    with pytest.raises(UserError, match="no such folder"):
        extend_tokenizer(missing)


def test_the_sample_that_is_learned_from_is_chosen_by_document(run: Run, tmp_path: Path) -> None:
    build_corpus(run)
    small = extend_tokenizer(_with(run, tmp_path, "tokenizer.sample_bytes=1500", "tokenizer.min_count=1"))
    counts = [json.loads(line)["count"] for line in small.path("new_tokens.jsonl").read_text().splitlines()]
    shutil.rmtree(small.dir)
    shutil.rmtree(run.run.dir / "units")
    whole = extend_tokenizer(_with(run, tmp_path, "tokenizer.min_count=1"))
    more = [json.loads(line)["count"] for line in whole.path("new_tokens.jsonl").read_text().splitlines()]
    assert 0 < counts[0] < more[0]
    assert Artifact.open(whole.dir).counts["new_tokens"] == 30


def test_a_base_of_a_sentencepiece_model_alone_gets_both_files_and_what_belongs_to_it(
    run: Run, base_folder: Path
) -> None:
    (base_folder / "tokenizer.json").unlink()
    (base_folder / "tokenizer.model").write_bytes(trained("bpe").serialised())
    settings = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_prefix_space": None, "padding_side": "left"}
    settings |= {"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", "eos_token": "</s>"}
    settings |= {"model_max_length": 4096, "sp_model_kwargs": {}, "clean_up_tokenization_spaces": False}
    (base_folder / "tokenizer_config.json").write_text(json.dumps(settings))
    build_corpus(run)
    folder = extend_tokenizer(run).dir / "hf"
    ours, loaded = open_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    theirs, rust = (
        SentencePieceProcessor(str(folder / "tokenizer.model")),
        Tokenizer.from_file(f"{folder}/tokenizer.json"),
    )
    assert len(loaded) == theirs.vocab_size() == rust.get_vocab_size() == ours.size > open_tokenizer(base_folder).size
    for text in [*SENTENCES, "Check 12 valves.", " か\u3099 ＴＰ－１２０", ""]:
        ids = theirs.encode(text)
        assert loaded.encode(text, add_special_tokens=False) == rust.encode(text, add_special_tokens=False).ids == ids
        assert loaded.encode(text) == [1, *ids]
    assert (loaded.model_max_length, loaded.padding_side, loaded.eos_token) == (4096, "left", "</s>")
    assert loaded.chat_template == AutoTokenizer.from_pretrained(base_folder).chat_template
    form = DocumentFormat.from_folder(folder, None)
    assert form.encode(["点検"]) == [[1, *theirs.encode("点検"), 2]]


def test_align_is_told_every_spelling_and_how_often_it_stands_there(
    run: Run, tmp_path: Path, base_folder: Path
) -> None:
    build_corpus(run)
    artifact = extend_tokenizer(_with(run, tmp_path, "tokenizer.init.method=align"))
    base, extended = open_tokenizer(base_folder), open_tokenizer(artifact.dir / "hf")
    recipe = Recipe.read(artifact.path("new_rows.json"))
    assert len(recipe.spellings) == artifact.counts["new_tokens"]
    for number, spellings in enumerate(recipe.spellings, start=base.size):
        for _, pieces in spellings:
            assert b"".join(base.bytes_of[old] for old in pieces) == extended.bytes_of[number]
    kept = [text for _, text in documents(shards_of(Artifact.open(run.run.dir / "corpus"), "kept", "inhouse"))]
    emitted = Counter(number for text in kept for number in extended.encode(text))
    counted = {number: sum(count for count, _ in some) for number, some in enumerate(recipe.spellings, base.size)}
    # A text is encoded without morphemes, so it may have more of a token than stood between their boundaries.
    assert sum(counted.values()) > 0
    assert all(count <= emitted[number] for number, count in counted.items())


@pytest.mark.parametrize(("method", "same"), [("random", False), ("mean", True)])
def test_the_seed_counts_only_where_rows_are_drawn(run: Run, tmp_path: Path, method: str, same: bool) -> None:
    plans = [
        tokenizer_plan(_with(run, tmp_path, f"tokenizer.init.method={method}", f"run.seed={seed}")) for seed in (1, 2)
    ]
    assert (plans[0].config == plans[1].config) is same


@pytest.mark.slow
def test_units_are_the_same_bytes_however_the_corpus_is_cut_and_counted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for task_bytes, workers, room in (("256000000", 1, 1 << 14), ("1000", 2, 7), ("2000", 3, 40)):
        changed = (f"run.dir={tmp_path}/{workers}", f"corpus.limits.task_bytes={task_bytes}")
        cut = _with(run, tmp_path, *changed, f"tokenizer.workers={workers}")
        monkeypatch.setattr(UnitCounter.__init__, "__defaults__", (room, "morphemes"))
        monkeypatch.setattr("corpus.workers._WORTH_A_PROCESS_BYTES", 0)
        build_corpus(cut)
        extend_tokenizer(cut)
        units = Artifact.open(cut.run.dir / "units")
        digests.add(units.files["units.parquet"]["sha256"])
    assert len(digests) == 1
