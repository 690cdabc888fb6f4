from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.schema.tokenizer import Auto, Tokenizer
from tests.tokenizer.test_extend import SENTENCES
from tokenizer.extend_files import extend_by_files
from tokenizer.open import open_tokenizer
from tsugiki.__main__ import main


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A file of JSON lines, and one of plain text."""
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = [json.dumps({"body": "".join(SENTENCES) + f"番号は{number}です。"}) for number in range(60)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    (folder / "b.txt").write_text(SENTENCES[0] * 3)
    return folder


def test_files_give_a_tokenizer_that_gains_and_a_recipe(texts: Path, base_folder: Path, tmp_path: Path) -> None:
    settings = Tokenizer(add=30, min_count=3)
    made = extend_by_files(str(base_folder), [str(texts)], tmp_path / "out", settings, 1, text_key="body")
    extended, base = open_tokenizer(made.dir / "hf"), open_tokenizer(base_folder)
    assert extended.size == base.size + 30
    figures = made.counts["chars_per_token"]["ja"]
    assert figures["extended"] > 1.3 * figures["base"]
    assert json.loads(made.path("new_rows.json").read_text())["first_new_row"] == base.size
    again = extend_by_files(str(base_folder), [str(texts)], tmp_path / "out", settings, 1, text_key="body")
    assert again.manifest == made.manifest


def test_a_single_document_is_learned_from_or_held_out_and_measured_either_way(
    texts: Path, base_folder: Path, tmp_path: Path
) -> None:
    settings = Tokenizer(add=5, min_count=1)
    made = extend_by_files(str(base_folder), [str(texts / "b.txt")], tmp_path / "out", settings, 1)
    assert made.counts["chars_per_token"]["ja"]["extended"] > made.counts["chars_per_token"]["ja"]["base"]


def test_a_directory_of_other_work_is_refused(texts: Path, base_folder: Path, tmp_path: Path) -> None:
    for add in (5, 6):
        arguments = (str(base_folder), [str(texts / "b.txt")], tmp_path / "out", Tokenizer(add=add, min_count=1), 1)
        if add == 5:
            extend_by_files(*arguments)
        else:
            with pytest.raises(UserError, match=r"was made differently: add: 5 -> 6\."):
                extend_by_files(*arguments)


def test_auto_goes_by_the_gain_alone_and_says_so(texts: Path, base_folder: Path, tmp_path: Path) -> None:
    settings = Tokenizer(add="auto", min_count=3)
    files = ([str(texts)], tmp_path / "out", settings, 1)
    choice = extend_by_files(str(base_folder), *files, text_key="body").counts["choice"]
    assert choice["add"] > 30
    assert choice["reason"].endswith("(how often training meets them is not known without a run file)")
    settings = Tokenizer(add="auto", min_count=3, auto=Auto(min_gain=100))
    kept = extend_by_files(str(base_folder), [str(texts)], tmp_path / "kept", settings, 1, text_key="body")
    assert kept.counts["new_tokens"] == 0
    assert open_tokenizer(kept.dir / "hf").definition == open_tokenizer(base_folder).definition


def test_files_without_text_are_an_error(base_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"other": "点検"}\n')
    with pytest.raises(UserError, match=r"--text: there is no text in .*x\.jsonl"):
        extend_by_files(str(base_folder), [str(tmp_path / "x.jsonl")], tmp_path / "out", Tokenizer(add=5), 1)


def test_the_command_says_what_was_gained(
    texts: Path, base_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tokenizer", "extend", "--base", str(base_folder), "--text", str(texts), "--text-key", "body"]
    words += ["--out", str(tmp_path / "out"), "--set", "min_count=3"]
    assert main([*words, "--add", "30"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[:3] == ["30", "new", "tokens,"]
    assert "characters per token, ja (+" in said[1]
    assert said[-1] == str(tmp_path / "out" / "hf")
    assert main([*words, "--add", "30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new_tokens"] == 30


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--base", "x"], "name a run file, or give --text, --add, --out", id="half of it"),
        pytest.param(["run.yaml", "--add", "3"], "--add: the run file says that", id="both"),
        pytest.param(["--add", "many"], "argument --add: invalid", id="no number"),
    ],
)
def test_a_run_file_and_options_are_one_or_the_other(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["tokenizer", "extend", *words])
    assert told in capsys.readouterr().err
