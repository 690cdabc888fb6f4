"""Real tokenizers keep all promises when they are extended: those in packages, the quickstart's, and the user's own.

The environment variable TSUGIKI_TOKENIZERS names folders of tokenizers that may not be passed on, such as Qwen3's and
Llama 3.1's, separated as PATH is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.tokenizers_of import tekken, write_folder
from configs.schema.tokenizer import Tokenizer
from tests.tokenizer.sp_models import ANY_TEXT, FRAGMENTS, MIXED, V3
from tests.tokenizer.test_extend import SENTENCES
from tokenizer.extend_files import extend_by_files
from tokenizer.extendable import Extendable
from tokenizer.invariants import base_exceptions, check
from tokenizer.open import open_tokenizer
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel

pytestmark = pytest.mark.slow

SMOLLM2 = Path(__file__).parents[2] / "models" / "smollm2-135m-instruct"
VARIABLE = "TSUGIKI_TOKENIZERS"
OWN = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
Pair = tuple[Extendable, Extendable]


def _name(base: str) -> str:
    return Path(base).name or "own"


@pytest.fixture(scope="module", params=[str(SMOLLM2), "tekken", *(OWN or [""])], ids=_name)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A real base and its extension, made and proved as by the command line, and read from its folder."""
    if not request.param:
        pytest.skip(f"{VARIABLE} is not set; it names folders of tokenizers, as Qwen3's and Llama 3.1's")
    root: Path = tmp_path_factory.mktemp("real")
    base = write_folder(root / "base", tekken()) if request.param == "tekken" else Path(request.param)
    if base == SMOLLM2 and not base.exists():
        pytest.skip("the model is not there; see the quickstart")
    texts = root / "texts.jsonl"
    texts.write_text("\n".join(json.dumps({"text": "".join(SENTENCES) + f"第{number}号"}) for number in range(30)))
    made = extend_by_files(str(base), [str(texts)], root / "out", Tokenizer(add=40, min_count=3), 1)
    assert made.counts["new_tokens"] >= 10  # how many are left to learn depends on how much Japanese the base knows
    return open_tokenizer(base), open_tokenizer(made.dir / "hf")


def test_all_hold_on_what_has_tripped_tokenizers_up(pair: Pair) -> None:
    ours = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    assert check(*pair, [*SENTENCES, *(one + other for one in FRAGMENTS for other in FRAGMENTS), *ours]) == []


@given(texts=st.lists(ANY_TEXT | MIXED, min_size=20))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_all_hold_for_any_unicode_text(pair: Pair, texts: list[str]) -> None:
    assert check(*pair, texts) == []


def test_tekken_takes_terms_and_learns_across_morphemes(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", tekken())
    terms, texts = tmp_path / "terms.txt", tmp_path / "texts.jsonl"
    terms.write_text("定量ポンプ\n品質保証課\n点検表 # a form\n3号機\n")
    lines = ["".join(SENTENCES) + f"3号機、第{number}号" for number in range(40)]
    texts.write_text("\n".join(json.dumps({"text": line}) for line in lines))
    settings = Tokenizer(add=60, min_count=3, terms=(str(terms),), terms_min_count=10, boundaries="soft")
    made = extend_by_files(str(base), [str(texts)], tmp_path / "out", settings, 1)
    became = {one["text"]: one for one in map(json.loads, made.path("terms.jsonl").read_text().splitlines())}
    extended = open_tokenizer(made.dir / "hf")
    for term in ("定量ポンプ", "品質保証課", "点検表"):
        assert extended.without_shortcut().encode(term) == [became[term]["id"]]
    # Tekken cuts between a digit and what follows, which no token crosses.
    assert became["3号機"]["left_out"].startswith("the base's pre-tokeniser cuts it")
    assert check(open_tokenizer(base), extended, [*lines, *FRAGMENTS]) == []
    assert made.counts["invariants"] == "I1 I2 I3 I4 I5 I6 I8 hold; I9 is off, boundaries were soft"


def test_added_tokens_that_are_not_special_are_an_exception_of_the_base() -> None:
    model = SpModel.read(V3)
    base = SpBpe(definition_of(model, {}), "Mistral v3", model)
    assert base_exceptions(base, []) == {
        "I5": [
            "U+2581 becomes a space",
            "text that spells the added token [REFERENCE_DOC_19] is decoded with other spaces",
        ],
        "I7": ["tokenizer.model and tokenizer.json give 20 of 26 texts different ids"],
    }
