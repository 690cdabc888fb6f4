from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact
from configs.errors import ConfigError, UserError
from configs.load import load
from configs.schema.run import Run
from configs.schema.tokenizer import FoundWords, Tokenizer
from corpus.build import build_corpus
from tests.tokenizer.sp_models import sp_bpe
from tests.tokenizer.test_extend import SENTENCES, write_run
from tokenizer.extend import extend_tokenizer
from tokenizer.extend_files import extend_by_files
from tokenizer.open import open_tokenizer
from tokenizer.sp_bpe import SpBpe
from tokenizer.term_lists import ListedTerm
from tokenizer.terms import chosen_terms
from tokenizer.text_bytes import is_text
from tsugiki.__main__ import main

# Across morphemes and frequent; frequent; not in the text; once only.
TERMS = "定量ポンプの点検\n品質保証課\n# not here\n較正曲線\n鑽孔機\n"


def lines_of(artifact: Artifact) -> list[dict[str, Any]]:
    return [json.loads(line) for line in artifact.path("terms.jsonl").read_text().splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Texts in which each sentence stands 30 times, and a list of terms."""
    (tmp_path / "texts.jsonl").write_text(
        "".join(json.dumps({"text": "".join(SENTENCES) + f"番号は{number}。"}) + "\n" for number in range(30))
        + json.dumps({"text": "鑽孔機。"})
    )
    (tmp_path / "terms.txt").write_text(TERMS)
    return tmp_path


def test_terms_become_tokens_and_what_became_of_each_is_listed(
    files: Path, base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tokenizer", "extend", "--base", str(base_folder), "--text", str(files / "texts.jsonl"), "--add", "60"]
    words += ["--terms", str(files / "terms.txt"), "--out", str(files / "out"), "--set", "terms_min_count=10"]
    assert main([*words, "--set", "min_count=3"]) == 0
    said = capsys.readouterr()
    made, base = Artifact.open(files / "out"), open_tokenizer(base_folder)
    extended, by_text = open_tokenizer(made.dir / "hf"), {line["text"]: line for line in lines_of(made)}
    assert made.counts["new_tokens"] == 60
    for term in ("定量ポンプの点検", "品質保証課"):
        assert extended.encode(term) == [by_text[term]["id"]]
    assert by_text["品質保証課"]["where"] == "terms.txt:2"
    assert by_text["較正曲線"] == {
        "text": "較正曲線", "where": "terms.txt:4", "count": 0, "left_out": "rarer than tokenizer.terms_min_count"
    }  # fmt: skip
    assert by_text["鑽孔機"]["count"] <= 1
    counts = made.counts["terms"]
    assert (counts["listed"], counts["terms"], sum(counts["left_out"].values())) == (4, 2, 2)
    assert counts["not_held_to_I9"] == list(range(base.size, base.size + counts["tokens"]))
    assert "2  terms, by " in said.out
    assert "left out: rarer than tokenizer.terms_min_count" in said.out
    assert "品質保証課" not in said.out + said.err
    check = ["tokenizer", "check", str(base_folder), str(made.dir / "hf"), "--text", str(files / "texts.jsonl")]
    assert main(check) == 0
    assert "tokens of terms, as the manifest beside it says, are not held to I9" in capsys.readouterr().out
    (made.dir / "hf").rename(files / "hf")
    assert main([*check[:3], str(files / "hf"), *check[4:]]) == 1
    assert "I9  BROKEN" in capsys.readouterr().out


@pytest.mark.parametrize(("change", "kept"), [(0, True), (1, False)], ids=["exactly at the floor", "one below it"])
def test_the_floor_of_terms(files: Path, base_folder: Path, change: int, kept: bool) -> None:
    (files / "terms.txt").write_text("品質保証課\n")
    settings = Tokenizer(add=40, min_count=40, terms=(str(files / "terms.txt"),), terms_min_count=1)
    texts = [str(files / "texts.jsonl")]
    count = lines_of(extend_by_files(str(base_folder), texts, files / "counted", settings, 1))[0]["count"]
    assert 0 < count <= 30
    settings = settings.model_copy(update={"terms_min_count": count + change})
    made = extend_by_files(str(base_folder), texts, files / "out", settings, 1)
    assert ("id" in lines_of(made)[0]) is kept


def test_terms_that_need_more_tokens_than_asked_for_are_an_error(files: Path, base_folder: Path) -> None:
    settings = Tokenizer(add=5, terms=(str(files / "terms.txt"),), terms_min_count=10)
    with pytest.raises(
        UserError,
        match=r"tokenizer\.add: 2 terms, of lists and found, and what they .* need \d+ new tokens, more than the 5 of",
    ):
        extend_by_files(str(base_folder), [str(files / "texts.jsonl")], files / "out", settings, 1)


def test_auto_adds_the_terms_where_it_would_keep_the_base(files: Path, base_folder: Path) -> None:
    settings = Tokenizer.model_validate(
        {"add": "auto", "min_count": 3, "terms": [str(files / "terms.txt")], "terms_min_count": 10}
        | {"auto": {"min_gain": 100}}
    )
    made = extend_by_files(str(base_folder), [str(files / "texts.jsonl")], files / "out", settings, 1)
    assert made.counts["new_tokens"] == made.counts["terms"]["tokens"] > 2
    assert "new tokens for terms; beyond these: keep the base's tokenizer" in made.counts["choice"]["reason"]


def test_words_of_five_pieces_or_more_are_found_compounds_too(
    files: Path, base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, base = [str(files / "texts.jsonl")], open_tokenizer(base_folder)
    made = {}
    for most in (3, 100):
        settings = Tokenizer(add=200, min_count=3, found_words=FoundWords(most=most, min_count=20, min_pieces=5))
        made[most] = extend_by_files(str(base_folder), texts, files / f"out{most}", settings, 1)
    found = lines_of(made[100])
    assert len(lines_of(made[3])) == 3 < len(found)
    plain = open_tokenizer(made[100].dir / "hf").without_shortcut()
    for line in found:
        assert line["where"] == ""
        assert line["count"] >= 20
        assert len(base.spelt(line["text"].encode())) >= 5
        assert plain.encode(line["text"]) == [line["id"]]
    number_of = {line["text"]: line["id"] for line in found}
    assert {"品質保証課", "流量センサー", "校正"} <= number_of.keys()
    crossing = set(made[100].counts["terms"]["not_held_to_I9"])
    assert number_of["品質保証課"] in crossing
    assert number_of["校正"] not in crossing
    check = ["tokenizer", "check", str(base_folder), str(made[100].dir / "hf"), "--text", str(files / "texts.jsonl")]
    assert main(check) == 0
    assert "I9  holds" in capsys.readouterr().out


def test_a_term_that_the_base_knows_or_its_normaliser_changes_is_left_out_with_the_reason() -> None:
    definition = sp_bpe().copied_definition()
    definition["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, definition["normalizer"]]}
    base = SpBpe(definition, "the base of a test")
    known = next(content.decode() for content in base.bytes_of.values() if max(content) > 0x7F and is_text(content))
    texts = [known, "ＡＢＣ", "ﾎﾟﾝﾌﾟ", "ポンプ", "点検表"]
    listed = [ListedTerm(text, "t.txt", at) for at, text in enumerate(texts, start=1)]
    settings = Tokenizer(add=50, terms=("t.txt",), terms_min_count=10)
    terms = chosen_terms(base, settings, listed, lambda strings: ([10] * len(strings), 1000), [])
    assert [(one.text, one.count, one.left_out) for one in terms.outcomes] == [
        (known, 10, "one token of the base already"),
        ("ABC", 20, "ASCII only, to the base's normaliser"),
        ("ポンプ", 20, None),  # as it is listed, and as the base reads it
        ("ポンプ", 10, "another listed term, to the base's normaliser"),
        ("点検表", 10, None),
    ]


@pytest.fixture
def run(tmp_path: Path, base_folder: Path) -> Path:
    """A run file with a corpus of a few documents, and a list of terms."""
    (tmp_path / "terms.txt").write_text(TERMS)
    return write_run(tmp_path)


def test_a_run_with_terms_and_found_words(run: Path, base_folder: Path) -> None:
    words = [f"tokenizer.terms=[{run.parent}/terms.txt]", "tokenizer.terms_min_count=2", "tokenizer.add=80"]
    words += ["tokenizer.found_words={most: 2, min_count: 5}", "tokenizer.init.method=align"]
    settings = load(run, Run, words)
    build_corpus(settings)
    made = extend_tokenizer(settings)
    plain = open_tokenizer(made.dir / "hf").without_shortcut()
    tokens = [line for line in lines_of(made) if "id" in line]
    assert len(tokens) == 4
    assert [plain.encode(line["text"]) for line in tokens] == [[line["id"]] for line in tokens]
    units = Artifact.open(settings.run.dir / "units", check="sha256")
    assert units.counts["terms"] == made.counts["terms"]
    assert lines_of(units) == lines_of(made)
    digest = made.digest
    assert extend_tokenizer(settings).digest == digest
    (run.parent / "terms.txt").write_text(TERMS + "電源\n")
    with pytest.raises(UserError, match=r"terms0 changed 'terms\.txt'"):
        extend_tokenizer(settings)


def test_without_terms_the_directories_know_nothing_of_them(run: Path) -> None:
    settings = load(run, Run)
    build_corpus(settings)
    made = extend_tokenizer(settings)
    assert not {"terms", "terms_min_count", "found_words"} & made.manifest["config"].keys()
    assert "terms.jsonl" not in made.files
    assert list(Artifact.open(settings.run.dir / "units").files) == ["units.parquet"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        pytest.param(("tokenizer.terms=[x.txt]", "tokenizer.add=0"), "tokenizer.add is 0", id="terms and add 0"),
        pytest.param(("tokenizer.found_words.most=3", "tokenizer.add=0"), "tokenizer.add is 0", id="words and add 0"),
        pytest.param(
            ("tokenizer.found_words.most=3", "corpus.sources.inhouse.access=''"),
            "no source of tokenizer.languages has that key",
            id="nothing in-house",
        ),
    ],
)
def test_settings_that_do_not_go_together(run: Path, overrides: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(run, Run, overrides)


def test_a_list_that_is_not_there(run: Path) -> None:
    settings = load(run, Run, (f"tokenizer.terms=[{run.parent}/nowhere.txt]",))
    with pytest.raises(UserError, match=r"tokenizer\.terms: no such file or folder"):
        extend_tokenizer(settings)
