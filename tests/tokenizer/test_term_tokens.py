from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.sp_models import TEXTS, V1, V3, sp_bpe, sp_unigram
from tokenizer.byte_bpe import ByteBpe
from tokenizer.extendable import Extendable, Extension
from tokenizer.invariants import check
from tokenizer.learn import extend
from tokenizer.open import open_tokenizer
from tokenizer.term_tokens import ACROSS_WORDS, Term, following, term_tokens, with_terms
from tokenizer.units import count_units, to_batch

# Across morphemes, across one another, with characters that no base of a test has as a piece, one of four bytes.
LISTED = (
    "定量ポンプの点検",
    "ポンプの点検では",
    "品質保証課",
    "保証課が保管",
    "較正の結果",
    "鑽孔機",
    "𠮷野弁",
    "弁",
    "検表に",
)


@pytest.fixture(scope="module", params=["byte-level", "SentencePiece BPE", "SentencePiece Unigram"])
def any_base(request: pytest.FixtureRequest) -> Extendable:
    """A base of each kind."""
    if request.param == "byte-level":
        found: ByteBpe = request.getfixturevalue("gpt2")
        return found
    return sp_bpe() if request.param == "SentencePiece BPE" else sp_unigram()


def made(base: Extendable, terms: list[str], budget: int = 40) -> tuple[Extension, Extension, dict[str, str]]:
    """The extension by terms, the same with what is learned beside them, and what was refused."""
    wanted = [Term(term, 10) for term in terms if term.encode() not in base.bytes_of.values()]
    found, refused = term_tokens(base, wanted, 10_000)
    closed = with_terms(base, found)
    words = extend(closed, [to_batch(count_units(TEXTS, closed))], budget, 2)
    return found, following(base, found, words), refused


def test_each_term_is_one_token_and_stays_it_beside_what_is_learned(any_base: Extendable) -> None:
    found, both, refused = made(any_base, list(LISTED))
    assert refused == {}
    assert len(both.tokens) > len(found.tokens)
    assert both.tokens[: len(found.tokens)] == found.tokens
    plain = any_base.extended(both).without_shortcut()
    assert [len(plain.encode(term)) for term in LISTED] == [1] * len(LISTED)
    assert check(any_base, any_base.extended(both), [*TEXTS, *LISTED, "".join(LISTED)]) == []


def test_a_term_is_one_token_in_a_sentence_where_the_base_cuts_at_its_ends(any_base: Extendable) -> None:
    _, both, _ = made(any_base, ["品質保証課"])
    extended = any_base.extended(both)
    contents = [extended.bytes_of[number] for number in extended.encode("、品質保証課、")]
    assert "品質保証課".encode() in contents


def test_what_terms_have_in_common_is_one_token(gpt2: ByteBpe) -> None:
    alone, _, _ = made(gpt2, ["品質保証課"])
    both, _, _ = made(gpt2, ["品質保証課", "品質管理"])
    assert both.tokens.count("品質".encode()) == alone.tokens.count("品質".encode()) == 1
    assert "保証".encode() in alone.tokens  # joined within morphemes first


def test_a_unigram_needs_nothing_but_the_terms_and_characters_it_lacks() -> None:
    base = sp_unigram()
    found, _, _ = made(base, ["品質保証課", "鑽孔機"])
    assert all(len(content.decode()) == 1 or content.decode() in ("品質保証課", "鑽孔機") for content in found.tokens)
    low, high = min(base.score_of.values()), max(base.score_of.values())
    assert all(low <= score <= high for score in found.scores)


def test_a_rare_term_of_a_unigram_wins_against_frequent_parts() -> None:
    base = sp_unigram()
    parts = [Term("鑽孔", 10**11), Term("較正", 10**11)]
    found, refused = term_tokens(base, [*parts, Term("鑽孔較正", 1)], 10**12)
    assert refused == {}
    plain = base.extended(found).without_shortcut()
    assert [len(plain.encode(text)) for text in ("鑽孔", "較正", "鑽孔較正")] == [1, 1, 1]
    score_of = dict(zip(found.tokens, found.scores, strict=True))
    assert score_of["鑽孔較正".encode()] > score_of["鑽孔".encode()] + score_of["較正".encode()]


def test_a_term_that_the_pre_tokeniser_cuts_is_refused_and_the_others_stay(gpt2: ByteBpe) -> None:
    found, _, refused = made(gpt2, ["弁-12型", "点検表"])
    assert refused == {"弁-12型": ACROSS_WORDS}
    assert "点検表".encode() in found.tokens
    assert not any("型".encode() in content for content in found.tokens)


def test_any_beginning_of_the_tokens_is_an_extension(any_base: Extendable) -> None:
    found, both, _ = made(any_base, list(LISTED))
    for count in range(0, len(found.tokens), 5):
        assert check(any_base, any_base.extended(both.beginning(count)), TEXTS) == []


@given(st.lists(st.text(alphabet="点検表ポンプ弁のは較正鑽𠮷ABー", min_size=1, max_size=8), max_size=6, unique=True))
@settings(max_examples=15, deadline=None)
def test_whatever_the_terms_all_invariants_hold_and_each_is_a_token_or_refused(
    any_base: Extendable, terms: list[str]
) -> None:
    terms = [term for term in terms if not term.isascii()]
    _, both, refused = made(any_base, terms, budget=8)
    extended = any_base.extended(both)
    assert check(any_base, extended, [*terms, "".join(terms), "の".join(terms)]) == []
    plain = extended.without_shortcut()
    known = any_base.bytes_of.values()
    kept = [term for term in terms if term not in refused and term.encode() not in known]
    assert [term for term in kept if len(plain.encode(term)) != 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SmolLM2", "Mistral v1", "Mistral v3"])
def test_real_bases_make_one_token_of_real_terms(name: str, tmp_path: Path) -> None:
    folder = Path("models/smollm2-135m-instruct")
    if name != "SmolLM2":
        folder = tmp_path
        shutil.copy(V1 if name == "Mistral v1" else V3, tmp_path / "tokenizer.model")
    elif not folder.exists():
        pytest.skip("the model is not there; see the quickstart")
    base = open_tokenizer(folder)
    texts = [path.read_text(errors="ignore") for path in sorted(Path("configs/quickstart").rglob("*.txt"))]
    # Whatever stands between marks: names of things, and half sentences across many morphemes.
    words = {word for text in texts for word in re.findall(r"[^\W\d_]{2,20}", text) if not word.isascii()}
    wanted = [term for term in sorted(words)[::9] if term.encode() not in base.bytes_of.values()]
    assert len(wanted) > 100
    found, refused = term_tokens(base, [Term(term, 10) for term in wanted], 100_000)
    extended = base.extended(found)
    assert check(base, extended, [*texts, *wanted]) == []
    plain = extended.without_shortcut()
    assert [term for term in wanted if term not in refused and len(plain.encode(term)) != 1] == []
    assert len(refused) <= len(wanted) // 10
