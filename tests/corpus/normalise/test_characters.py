"""Characters: compatibility forms, punctuation, what is invisible, and space."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.corpus import Normalise
from corpus.normalise.characters import japanese_punctuation, nfkc, remove_invisible, tidy_space

KEEP = Normalise().keep
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
# What the functions are about stands close together more often than in any text.
DENSE = st.text("あ漢aZ09 \u3000\t\n\r\x0b\u2028\u200b\ufeff，．、。①ｱﾞＡ１㈱がか\u3099", max_size=40)


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("一\r\n二\r三\n四", "一\n二\n三\n四", id="line ends of three systems"),
        pytest.param("一\u2028二\u2029三", "一\n二\n三", id="line and paragraph separators"),
        pytest.param("点\u200b検\ufeff表\u00ad", "点検表", id="zero width, BOM, soft hyphen"),
        pytest.param("\u202a左\u202c\u200e右\u200f", "左右", id="direction marks"),
        pytest.param("a\x00b\x1bc\x7fd\x85e\x9ff", "abcdef", id="controls"),
        pytest.param("一\t二", "一\t二", id="tab stays"),
        pytest.param("\r\r\n\n", "\n\n\n", id="mixed line ends"),
    ],
)
def test_one_kind_of_line_end_and_nothing_invisible(text: str, changed: str) -> None:
    assert remove_invisible(text) == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("一  \n二\u3000\n三\t", "一\n二\n三", id="space at line ends"),
        pytest.param("一\n\n二", "一\n\n二", id="one blank line stays"),
        pytest.param("一\n\n\n二", "一\n\n二", id="of two blank lines one stays"),
        pytest.param("一\n \n\u3000\n二", "一\n\n二", id="blank lines with spaces"),
        pytest.param("\n\n一\n\n", "一", id="none around the document"),
        pytest.param("  一　二", "  一　二", id="indent and space inside stay"),
        pytest.param("   ", "", id="nothing but space"),
    ],
)
def test_space_is_tidied(text: str, changed: str) -> None:
    assert tidy_space(text) == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("ﾎﾟﾝﾌﾟ", "ポンプ", id="half-width katakana"),
        pytest.param("ＴＰ－２００", "TP-200", id="full-width letters and digits"),
        pytest.param("㈱蓼原　㍑", "(株)蓼原 リットル", id="squared and ideographic space"),
        pytest.param("①と⑳", "①と⑳", id="circled numbers are kept"),
        pytest.param("はい！（〜？）：…‥；", "はい！（〜？）：…‥；", id="full-width marks are kept"),
        pytest.param("か\u3099", "が", id="composed"),
        pytest.param("ｶ\u3099①ｶﾞ", "ガ①ガ", id="around a kept character"),
        pytest.param("Ⅳ㎜½", "IVmm1\u20442", id="what is not kept"),
    ],
)
def test_compatibility_forms_become_ordinary_ones_but_for_those_kept(text: str, changed: str) -> None:
    assert nfkc(text, KEEP) == changed


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        pytest.param("弁を閉じ，次に開く．", "弁を閉じ、次に開く。", id="prose"),
        pytest.param("値は１．５で，2，000個．", "値は１．５で、2，000個。", id="numbers keep theirs"),
        pytest.param("ＴＰ．ｃｏｎｆを読む．弁，管．", "ＴＰ．ｃｏｎｆを読む。弁、管。", id="names keep theirs"),
        pytest.param("弁，管．", "弁、管。", id="two of one kind against none"),
        pytest.param("弁，管、栓。", "弁，管、栓。", id="one against two stays"),
        pytest.param("弁，管．栓、蓋。", "弁，管．栓、蓋。", id="two against two stays"),
        pytest.param("弁，管．栓，蓋、缶。", "弁、管。栓、蓋、缶。", id="three against two"),
        pytest.param("点検する。", "点検する。", id="nothing to do"),
    ],
)
def test_commas_and_full_stops_are_unified_where_they_are_the_documents(text: str, changed: str) -> None:
    assert japanese_punctuation(text) == changed


STEPS = {
    "invisible": remove_invisible,
    "space": tidy_space,
    "nfkc": lambda text: nfkc(text, KEEP),
    "nfkc without keep": lambda text: nfkc(text, ""),
    "punctuation": japanese_punctuation,
}


@pytest.mark.parametrize("step", STEPS)
@given(TEXT | DENSE)
def test_a_second_time_changes_nothing(step: str, text: str) -> None:
    once = STEPS[step](text)
    assert STEPS[step](once) == once


@given(TEXT | DENSE)
def test_nothing_invisible_is_left(text: str) -> None:
    left = remove_invisible(text)
    assert not [one for one in left if unicodedata.category(one) == "Cc" and one not in "\t\n"]
    assert not re.search("[\u200b-\u200f\u2028-\u202e\ufeff]", left)
    # What can be seen is all there, in order.
    seen = re.compile(r"[\w、。]")
    assert seen.findall(left) == seen.findall(text)


@given(TEXT | DENSE)
def test_tidy_text_has_no_space_at_line_ends_and_keeps_what_is_no_space(text: str) -> None:
    tidy = tidy_space(text)
    assert not re.search("[ \t\u3000](\n|\\Z)|\n\n\n|\\A\n|\n\\Z", tidy)
    assert re.sub("[ \t\u3000\n]", "", tidy) == re.sub("[ \t\u3000\n]", "", text)


@given(st.text(st.sampled_from(KEEP) | st.characters(exclude_categories=["Cs"]), max_size=40))
def test_kept_characters_are_kept_and_everything_between_is_normal(text: str) -> None:
    changed = nfkc(text, KEEP)
    between = re.split(f"[{re.escape(KEEP)}]+", changed)
    assert [one for one in changed if one in KEEP] == [one for one in text if one in KEEP]
    assert all(unicodedata.is_normalized("NFKC", part) for part in between)


def nfkc_between(text: str, keep: str) -> str:
    """What is between kept characters, all of it normalised by the library."""
    parts = re.split(f"([{re.escape(keep)}]+)", text) if keep else [text]
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    return "".join(parts)


# What combines with what stands before it: marks, vowels and finals of Hangul, some beyond U+FFFF.
JOINING = st.text(
    "かｶaeᄀ가①…\u3099\uff9e\u0301\u0323\u1161\u11a8\u09c7\u09be\U00011131\U00011127\U0002f800", max_size=12
)


@given(TEXT | DENSE | JOINING, st.sampled_from([KEEP, "", "か①", "\u3099", "\U0002f800a"]))
def test_normalising_only_where_it_is_needed_gives_the_same(text: str, keep: str) -> None:
    assert nfkc(text, keep) == nfkc_between(text, keep)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.text("]^-\\①aあ…", max_size=6))
def test_any_characters_can_be_kept(text: str, keep: str) -> None:
    changed = nfkc(text, keep)
    assert all(changed.count(one) >= text.count(one) for one in keep)
    if not keep:
        assert changed == unicodedata.normalize("NFKC", text)


@given(TEXT | DENSE)
def test_punctuation_changes_commas_and_full_stops_and_nothing_else(text: str) -> None:
    changed = japanese_punctuation(text)
    assert len(changed) == len(text)
    assert {(before, after) for before, after in zip(text, changed, strict=True) if before != after} <= {
        ("，", "、"),
        ("．", "。"),
    }


def test_a_long_run_of_spaces_takes_no_longer_than_other_text() -> None:
    began = time.process_time()
    assert tidy_space("表" + " " * 300_000 + "x") == "表" + " " * 300_000 + "x"
    assert time.process_time() - began < 5  # 5 ms; twenty minutes when it was quadratic
