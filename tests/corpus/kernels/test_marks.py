"""What is flagged as idle is left alone by the steps themselves."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import utf8_of
from corpus.kernels.marks import look
from corpus.normalise.characters import japanese_punctuation, remove_invisible

SIGNS = "a漢あ𠮷é、。，．\n\t\r\x00\x1f\x7f\x80\x9f\xad\xa0\u200b\u200f\u2028\u202a\u2064\ufeff。 0"
TEXTS = st.lists(
    st.text(SIGNS, max_size=12) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=5
)


@given(TEXTS)
def test_a_document_that_is_not_flagged_has_nothing_to_change(texts: list[str]) -> None:
    invisible_N, western_N = look(*utf8_of(pa.array(texts, pa.large_string())))
    for text, invisible, western in zip(texts, invisible_N.tolist(), western_N.tolist(), strict=True):
        assert invisible == (remove_invisible(text) != text)
        assert western == (text.count("，") + text.count("．") > text.count("、") + text.count("。"))
        assert western or japanese_punctuation(text) == text


def test_ordinary_text_is_not_flagged() -> None:
    invisible_N, western_N = look(*utf8_of(pa.array(["点検、𠮷é\n\tA。", "次に，弁を．"], pa.large_string())))
    assert (invisible_N.tolist(), western_N.tolist()) == ([False, False], [False, True])
