"""Tar archives, read in one go."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from configs.schema.corpus import Limits
from tests.corpus.read.office import tarred, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

FILES = {"a.txt": "点検を".encode("euc_jp") * 300, "b/二.txt": "乙".encode(), "c.png": b"\x89PNG"}


@pytest.mark.parametrize(
    ("ending", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.xz", "w:xz"), ("tar.bz2", "w:bz2")]
)
def test_members_are_documents_however_it_is_packed(desk: Desk, ending: str, mode: str) -> None:
    read = desk.read(f"x.{ending}", tarred(FILES, mode))
    assert [(one["path"], one["encoding"]) for one in read.documents] == [
        (f"x.{ending}!/a.txt", "euc_jp"),
        (f"x.{ending}!/b/二.txt", "utf-8"),
    ]
    assert [one.reason for one in read.put_aside] == ["unknown_format"]
    assert list(read.hashes) == [f"x.{ending}"]


def test_a_member_that_breaks_off_is_put_aside_and_those_before_it_are_read(desk: Desk) -> None:
    whole = tarred({"a.txt": b"x" * 600, "b.txt": b"y" * 5000})
    read = desk.read("a.tar", whole[:3000])
    assert read.texts == ["x" * 600]
    assert {one.reason for one in read.put_aside} <= {"truncated", "damaged"}
    assert read.put_aside


def test_a_damaged_header_ends_the_archive_and_is_told(desk: Desk) -> None:
    whole = bytearray(tarred({"a.txt": b"x" * 600, "b.txt": b"y" * 600}))
    whole[1024 + 512 + 3] ^= 0xFF  # in the header of the second
    read = desk.read("a.tar", bytes(whole))
    assert read.texts == ["x" * 600]
    assert [one.reason for one in read.put_aside] == ["damaged"]


def test_links_and_names_that_lead_elsewhere_are_put_aside(desk: Desk) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name in ("../up.txt", "b.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    read = desk.read("a.tar", out.getvalue())
    assert read.texts == ["abc"]
    assert [one.reason for one in read.put_aside] == ["no_file", "unsafe_name"]


def test_a_header_that_claims_megabytes_is_not_read(desk: Desk) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 500_000_000
    read = desk.read("a.tar", info.tobuf(tarfile.USTAR_FORMAT) + bytes(2048))
    assert [(one.reason, one.detail) for one in read.put_aside] == [
        ("damaged", "tar: a header of 500000000 bytes, the limit is 1048576")
    ]


def test_what_is_passed_over_counts_too(desk: Desk) -> None:
    content = tarred({f"{n}.png": bytes(4_000_000) for n in range(4)} | {"z.txt": b"x"}, "w:gz")
    read = desk.read("a.tar.gz", content, limits=Limits(archive_ratio=1))
    assert [one.reason for one in read.put_aside] == ["unknown_format"] * 3 + ["archive_limit"]


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100], ids=["empty", "none"])
def test_what_is_no_archive_is_put_aside(desk: Desk, content: bytes) -> None:
    assert len(desk.read("a.tar", content).put_aside) == 1


def test_a_zip_in_a_tar_is_read(desk: Desk) -> None:
    assert desk.read("a.tar", tarred({"b.zip": zipped({"c.txt": "点検"})})).texts == ["点検"]
