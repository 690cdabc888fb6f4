"""A shard of text becomes a shard of tokens, the same however it is cut for the work."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.artifact import Claim
from corpus.batch import pieces
from pretrain import tokenise_task
from pretrain.document_format import DocumentFormat
from pretrain.indexed_tokens import IndexedTokens
from pretrain.tokenise_task import TokeniseArgument, tokenise_shard
from tests.tiny import ENGLISH, JAPANESE, write_base


@given(texts=st.lists(st.text("aあ", max_size=9), max_size=9), first=st.integers(0, 3), most=st.integers(1, 12))
def test_pieces_are_the_documents_in_order_and_no_larger_than_allowed(texts: list[str], first: int, most: int) -> None:
    column = pa.array(texts, pa.large_string()).slice(first)
    cut = [piece.to_pylist() for piece in pieces(column, most)]
    assert [text for piece in cut for text in piece] == texts[first:]
    assert all(len(piece) == 1 or sum(len(text.encode()) for text in piece) <= most for piece in cut)
    assert all(cut)


@pytest.mark.parametrize(("threads", "piece_bytes"), [(1, 1_000_000), (1, 1), (3, 50), (3, 1)])
def test_threads_and_pieces_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, piece_bytes: int
) -> None:
    base = write_base(tmp_path / "base")
    texts = [f"{text} {number}" for number in range(40) for text in (*JAPANESE, *ENGLISH)]
    shard = tmp_path / "web-00000.parquet"
    pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), shard)
    monkeypatch.setattr(tokenise_task, "_PIECE_BYTES", piece_bytes)
    counts = tokenise_shard(Claim(tmp_path, "task", "digest"), TokeniseArgument(shard, base, None, threads))
    expected = DocumentFormat.from_folder(base, None).encode(texts)
    tokens = IndexedTokens(tmp_path / "web-00000")
    assert [tokens.tokens(n, 0, len(ids)).tolist() for n, ids in enumerate(expected)] == expected
    assert counts == {"documents": len(texts), "tokens": sum(map(len, expected))}
