"""Tokens of another tokenizer are found out, although every id is in the vocabulary."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from configs.artifact import Claim
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.indexed_tokens import IndexedTokens, write_documents
from pretrain.own_tokens import look_at, suspicion
from pretrain.pack import pack_tokens
from pretrain.stage import tokens_dir
from tests.tokenizer.sp_models import V1, V3
from tokenizer.open import open_tokenizer

MakeRun = Callable[..., Run]
QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart"
ENGLISH = "english/*.txt"
JAPANESE = "inhouse/products/*.html"


def written(folder: Path, documents: list[list[int]]) -> Path:
    lengths = np.array([len(document) for document in documents])
    flat = np.concatenate([np.array(document) for document in documents])
    write_documents(Claim(folder, "task", "digest"), "mine", [(flat, lengths)], np.dtype(np.int32))
    return folder / "mine"


def of_tokenizer(model: Path, folder: Path, pattern: str) -> IndexedTokens:
    """Texts of the quickstart, cut into twelve documents, as a base's own tokenizer encodes them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(QUICKSTART.glob(pattern)))
    encoder = SentencePieceProcessor(model_file=str(model))
    documents = [[1, *encoder.encode(text[at : at + 1000]), 2] for at in range(0, 12_000, 1000)]
    return IndexedTokens(written(folder, documents))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two real tokenizers; every id of v1 is one of v3, too."""
    made = {}
    for name, model in (("v1", V1), ("v3", V3)):
        made[name] = tmp_path_factory.mktemp(name)
        shutil.copy(model, made[name] / "tokenizer.model")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [ENGLISH, JAPANESE], ids=["English", "Japanese"])
def test_documents_come_back_under_their_own_tokenizer_and_under_no_other(
    folders: dict[str, Path], tmp_path: Path, pattern: str
) -> None:
    opened = of_tokenizer(V1, tmp_path, pattern)
    v1, v3 = folders["v1"], folders["v3"]
    assert look_at(opened, 0, 12, [v1]) == {"looked_at": 12, "came_back": 12}
    assert look_at(opened, 0, 12, [v3]) == {"looked_at": 12, "came_back": 0}
    assert look_at(opened, 3, 12, [v3, v1]) == {"looked_at": 9, "came_back": 9}


@pytest.mark.parametrize(
    ("lengths", "looked_at"),
    [
        pytest.param([63] * 9, 0, id="too short"),
        pytest.param([64] * 9, 9, id="just long enough"),
        pytest.param([70] * 200, 64, id="some of many"),
    ],
)
def test_few_of_many_documents_are_looked_at_and_none_that_is_short(
    packed_root: Path, tmp_path: Path, lengths: list[int], looked_at: int
) -> None:
    opened = IndexedTokens(written(tmp_path, [[300] * length for length in lengths]))
    assert look_at(opened, 0, len(lengths), [packed_root / "base"])["looked_at"] == looked_at


@pytest.mark.parametrize(
    ("shards", "suspected"),
    [
        pytest.param([(7, 0)], False, id="too few"),
        pytest.param([(4, 0), (4, 3)], True, id="less than half"),
        pytest.param([(4, 0), (4, 4)], False, id="half"),
        pytest.param([(0, 0)], False, id="none"),
    ],
)
def test_a_source_is_suspected_if_most_of_enough_documents_do_not_come_back(
    shards: list[tuple[int, int]], suspected: bool
) -> None:
    why = suspicion([{"looked_at": looked_at, "came_back": came_back} for looked_at, came_back in shards])
    assert (why is not None) is suspected
    assert why is None or why.startswith("of 8 documents 3 come back ")


def test_foreign_tokens_are_refused_before_training_and_may_be_accepted(
    packed: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = written(tmp_path, [[(number * 7 + 11 * k) % 300 + 3 for k in range(80)] for number in range(10)])
    words = (
        f"pretrain.token_sources={{mine: {prefix}}}",
        "pretrain.stages={all: {tokens: 3072, mixture: {mine: 1, inhouse: 1}}}",
    )
    run = packed(*words)
    for made in (tokens_dir(run), run.run.dir / "packed"):
        shutil.rmtree(made)
    with pytest.raises(UserError) as refused:
        pack_tokens(run)
    assert str(refused.value) == (
        f"pretrain.token_sources.mine: {prefix}.bin: of 10 documents 0 come back when their tokens are turned into "
        "text and encoded again by the run's tokenizer or its base's, so another tokenizer seems to have made them; "
        f"tokenise the documents anew with {run.run.dir}/tokenizer/hf, or set pretrain.foreign_tokens to accept if "
        "these tokens were cut in another way on purpose"
    )
    assert not [*tokens_dir(run).glob("*.bin"), *tokens_dir(run).glob("manifest.json")]
    with caplog.at_level(logging.WARNING):
        pack_tokens(packed(*words, "pretrain.foreign_tokens=accept"))
    assert "accepted, because pretrain.foreign_tokens says so" in caplog.text


def test_tokens_of_the_runs_tokenizer_and_of_its_base_are_taken(packed: MakeRun, tmp_path: Path) -> None:
    run = packed()
    for folder in (run.run.dir / "tokenizer" / "hf", Path(run.pretrain.base)):
        tokenizer = open_tokenizer(folder)
        texts = [
            "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。" * 3 + f"番号は{number}。" for number in range(9)
        ]
        prefix = written(tmp_path, [tokenizer.encode(text) for text in texts])
        found = look_at(IndexedTokens(prefix), 0, 9, [run.run.dir / "tokenizer" / "hf", Path(run.pretrain.base)])
        assert found == {"looked_at": 9, "came_back": 9}
