from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.raw_input import find_files
from tokenizer.term_lists import LONGEST_TERM, read_terms


def read(tmp_path: Path, content: str | bytes) -> list[str]:
    (tmp_path / "list.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    return [term.text for term in read_terms(find_files(str(tmp_path / "list.txt"), what="tokenizer.terms"))]


def test_a_term_a_line_with_remarks(tmp_path: Path) -> None:
    content = "\ufeff# pumps\n定量ポンプ\n  ダイヤフラム弁  # EHN\n  #弁\nＴＰ－１２０型\nC#言語\n3#釜 #4\n"
    assert read(tmp_path, content) == ["定量ポンプ", "ダイヤフラム弁", "ＴＰ－１２０型", "C#言語", "3#釜"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param("弁\n\n管\n", "list.txt:2: an empty line; remove it, or begin it with #", id="empty line"),
        pytest.param("valve\n", "list.txt:1: ASCII only", id="ASCII"),
        pytest.param("弁 室\n", "list.txt:1: a space in a term", id="a space inside"),
        pytest.param("弁\u3000室\n", "list.txt:1: a space in a term", id="a full-width space inside"),
        pytest.param("弁\u2581室\n", "list.txt:1: a space in a term", id="SentencePiece's space"),
        pytest.param("弁\u0007室\n", "list.txt:1: a control character", id="a control character"),
        pytest.param("弁\n管\n弁\n", r"list.txt:3: the term of .*list.txt:1 again; remove one", id="twice"),
        pytest.param("弁" * 65, "list.txt:1: 65 characters, a term has at most 64", id="one too long"),
        pytest.param("", "list.txt: has no terms", id="an empty file"),
        pytest.param("# nothing\n", "list.txt: has no terms", id="remarks only"),
        pytest.param("弁\n".encode("cp932"), "list.txt: not UTF-8 at byte 0; save it as UTF-8", id="Shift JIS"),
    ],
)
def test_what_no_token_can_be_made_of_is_named_by_file_and_line(
    tmp_path: Path, content: str | bytes, told: str
) -> None:
    with pytest.raises(UserError, match=rf"tokenizer\.terms: .*{told}") as raised:
        read(tmp_path, content)
    assert "弁" not in str(raised.value)


def test_the_longest_term_stays(tmp_path: Path) -> None:
    assert read(tmp_path, "弁" * LONGEST_TERM) == ["弁" * LONGEST_TERM]


def test_all_problems_are_named_at_once_and_many_are_counted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"list\.txt:1: ASCII only.*list\.txt:10: ASCII only.*; and 2 more$"):
        read(tmp_path, "\n".join(f"valve{number}" for number in range(12)))


def test_a_term_twice_in_two_lists_is_named_by_both(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("定量ポンプ\n")
    with pytest.raises(UserError, match=r"b\.txt:1: the term of .*a\.txt:1 again"):
        read_terms(find_files(str(tmp_path), what="tokenizer.terms"))
