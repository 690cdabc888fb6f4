"""Compressed files: everything before a break is given, and the break is told."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus.read.compressed import BrokenStreamError, compression_of, decompressed, without_compression

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    **{"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress},
    **{"xz": lzma.compress, "bz2": bz2.compress},
}
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"

# Not regular, so that a compressor has something to do and every cut falls somewhere else.
RECORDS = [json.dumps({"text": f"第{n}号 {n * n % 9973} {n * 7919 % 10007}"}, ensure_ascii=False) for n in range(400)]
CONTENT = "".join(f"{record}\n" for record in RECORDS).encode()


def given_before_the_break(content: bytes, compression: str) -> tuple[bytes, str]:
    """What is given, and what the break says."""
    parts = []
    stream = decompressed(io.BytesIO(content), compression)
    try:
        for block in stream:
            parts.append(block)
    except BrokenStreamError as error:
        return b"".join(parts), str(error)
    return b"".join(parts), ""


@pytest.mark.parametrize("compression", sorted(COMPRESS))
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3))
def test_any_content_comes_back_also_from_several_streams_in_one_file(compression: str, parts: list[bytes]) -> None:
    compressed = b"".join(COMPRESS[compression](part) for part in parts)
    assert given_before_the_break(compressed, compression) == (b"".join(parts), "")


def test_content_that_is_not_compressed_is_given_as_it_is() -> None:
    assert given_before_the_break(CONTENT, None) == (CONTENT, "")  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", sorted(COMPRESS))
@given(st.data())
def test_cut_anywhere_the_beginning_is_given_and_the_break_told(compression: str, data: st.DataObject) -> None:
    whole = COMPRESS[compression](CONTENT)
    cut = data.draw(st.integers(1, len(whole) - 1))
    found, told = given_before_the_break(whole[:cut], compression)
    assert CONTENT.startswith(found)
    assert told == f"{compression}: ends in the middle of its data"


@pytest.mark.parametrize("compression", sorted(COMPRESS))
@given(st.data())
def test_a_flipped_bit_that_changes_the_content_is_told(compression: str, data: st.DataObject) -> None:
    whole = bytearray(COMPRESS[compression](CONTENT))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    found, told = given_before_the_break(bytes(whole), compression)
    assert told or found == CONTENT


@pytest.mark.parametrize(
    ("content", "compression", "found", "told"),
    [
        pytest.param(SKIPPABLE_FRAME + COMPRESS["zst"](b"x"), "zst", b"x", "", id="zst, skippable frame first"),
        pytest.param(COMPRESS["zst"](b"x") + SKIPPABLE_FRAME, "zst", b"x", "", id="zst, skippable frame last"),
        pytest.param(b"plain text", "gz", b"", "gz: damaged before byte 10", id="not gz at all"),
        pytest.param(b"plain text", "zst", b"", "zst: damaged before byte 10", id="not zst at all"),
        pytest.param(COMPRESS["gz"](b"x") + b"rest", "gz", b"x", "gz: damaged before byte 25", id="gz and a rest"),
        pytest.param(b"", "gz", b"", "", id="nothing"),
        pytest.param(COMPRESS["xz"](b"x") + bytes(8) + COMPRESS["xz"](b"y"), "xz", b"xy", "", id="xz, padded between"),
        pytest.param(b"plain text" * 2, "xz", b"", "xz: damaged before byte 20", id="not xz at all"),
        pytest.param(b"plain text", "bz2", b"", "bz2: damaged before byte 10", id="not bz2 at all"),
    ],
)
def test_odd_files_are_read_as_far_as_they_go(content: bytes, compression: str, found: bytes, told: str) -> None:
    assert given_before_the_break(content, compression) == (found, told)


@pytest.mark.parametrize("ending", sorted(COMPRESS))
@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_a_truncated_file_of_records_gives_those_before_the_break(desk: Desk, ending: str, share: float) -> None:
    whole = COMPRESS[ending](CONTENT)
    read = desk.read(f"a.jsonl.{ending}", whole[: max(1, int(len(whole) * share))])
    complete = len(read.documents)
    assert read.texts == [json.loads(record)["text"] for record in RECORDS[:complete]]
    # The last line is a piece of a record; its position is where that record would begin.
    position = sum(len(record.encode()) + 1 for record in RECORDS[:complete])
    assert read.reasons == [(position, "truncated", f"{ending}: ends in the middle of its data")]
    assert read.hashes


@pytest.mark.parametrize("ending", sorted(COMPRESS))
def test_what_follows_a_break_belongs_to_the_hash_too(desk: Desk, ending: str) -> None:
    whole = COMPRESS[ending](CONTENT) + b"no frame of any kind " * 2000
    read = desk.read(f"a.jsonl.{ending}", whole)
    assert len(read.documents) == len(RECORDS)
    assert [one.reason for one in read.put_aside] == ["truncated"]
    assert read.hashes == {f"a.jsonl.{ending}": hashlib.sha256(whole).hexdigest()}


@pytest.mark.parametrize(
    ("name", "compression", "without"),
    [
        ("mail/2019.jsonl.gz", "gz", "mail/2019.jsonl"),
        ("a.jsonl.ZST", "zst", "a.jsonl"),
        ("a.zstd", "zst", "a"),
        ("a.jsonl", None, "a.jsonl"),
        ("gz", "gz", "gz"),
        ("a.txt.xz", "xz", "a.txt"),
        ("b.bz2", "bz2", "b"),
        ("c.tgz", "gz", "c.tar"),
        ("c.TXZ", "xz", "c.tar"),
        ("a.gzip", None, "a.gzip"),
    ],
)
def test_the_ending_names_the_compression(name: str, compression: str | None, without: str) -> None:
    assert (compression_of(name), without_compression(name)) == (compression, without)
