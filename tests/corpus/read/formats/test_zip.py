"""Zip archives: each member as a file of its own, and no more than the limits allow."""

from __future__ import annotations

import io
import json
import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from configs.schema.corpus import Limits
from corpus.batch import document_id
from tests.corpus.read.office import docx, tarred, wp, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def test_members_of_every_format_are_documents(desk: Desk) -> None:
    records = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ("甲", "乙"))
    content = zipped(
        {
            "a/一.txt": "点検".encode("euc_jp"),
            "a/": b"",
            "b.docx": docx(wp("報告")),
            "c.jsonl": records,
            "__MACOSX/._x": b"x",
        }
    )
    read = desk.read("x.zip", content, license="MIT")
    assert [(one["path"], one["position"], one["text"]) for one in read.documents] == [
        ("x.zip!/a/一.txt", 0, "点検"),
        ("x.zip!/b.docx", 0, "報告"),
        ("x.zip!/c.jsonl", 0, "甲"),
        ("x.zip!/c.jsonl", 16, "乙"),
    ]
    assert read.documents[0]["id"] == document_id("mail", "x.zip!/a/一.txt", 0)
    assert read.documents[0]["encoding"] == "euc_jp"
    assert read.put_aside == []
    assert list(read.hashes) == ["x.zip"]


def test_names_of_japanese_windows_are_read(desk: Desk) -> None:
    content = zipped({"xxxxxx.txt": "点検を行う。"}).replace(b"xxxxxx", "議事録".encode("cp932"))
    assert [one["path"] for one in desk.read("a.zip", content).documents] == ["a.zip!/議事録.txt"]


@pytest.mark.parametrize(
    "name", ["../a.txt", "a/../../b.txt", "/etc/a.txt", "C:/a.txt", "..\\a.txt", "a\n.txt", "x" * 1001 + ".txt"]
)
def test_a_name_that_leads_elsewhere_is_put_aside_and_the_next_member_read(desk: Desk, name: str) -> None:
    read = desk.read("a.zip", zipped({name: "x", "b.txt": "点検"}))
    assert read.texts == ["点検"]
    assert [(one.path, one.reason) for one in read.put_aside] == [("a.zip", "unsafe_name")]


def test_two_members_of_one_name_are_one_document(desk: Desk) -> None:
    content = zipped({"a.txt": "甲", "b.txt": "乙"}).replace(b"b.txt", b"a.txt")
    read = desk.read("a.zip", content)
    assert read.texts == ["甲"]
    assert [one.reason for one in read.put_aside] == ["same_name"]


def test_archives_in_archives_are_read_down_to_the_limit(desk: Desk) -> None:
    content = zipped({"a.txt": "底"})
    for level in range(2, 5):
        content = zipped({f"{level}.zip": content, f"{level}.txt": "段"})
    read = desk.read("a.zip", content, limits=Limits(archive_depth=3))
    assert read.texts == ["段", "段", "段"]
    assert [(one.path, one.reason) for one in read.put_aside] == [("a.zip!/4.zip!/3.zip!/2.zip", "archive_limit")]
    assert desk.read("a.zip", limits=Limits(archive_depth=4)).texts[0] == "底"


@pytest.mark.parametrize(("members", "read"), [(3, 3), (2, 2)])
def test_members_are_read_up_to_their_number(desk: Desk, members: int, read: int) -> None:
    content = zipped({"a.txt": "x", "b.zip": zipped({"c.txt": "x"})}, zipfile.ZIP_STORED)
    found = desk.read("a.zip", content, limits=Limits(archive_members=members))
    assert len(found.documents) == read - 1
    assert [one.reason for one in found.put_aside] == ([] if members == 3 else ["archive_limit"])


def test_members_of_archives_in_an_archive_count_together(desk: Desk) -> None:
    inner = zipped({"a.txt": "x", "b.txt": "y"})
    content = zipped({"1.zip": inner, "2.zip": inner, "c.txt": "z"})
    read = desk.read("a.zip", content, limits=Limits(archive_members=6))
    assert len(read.documents) == 4
    begins = content.rfind(b"PK\3\4")  # of the member that was too much
    assert [(one.path, one.reason, one.position) for one in read.put_aside] == [("a.zip", "archive_limit", begins)]
    assert len(desk.read("a.zip", limits=Limits(archive_members=7)).documents) == 5


def test_an_archive_gives_no_more_than_its_ratio(desk: Desk) -> None:
    bomb = zipped({f"{n}.txt": b"x" * 4_000_000 for n in range(4)})
    read = desk.read("a.zip", bomb, limits=Limits(archive_ratio=1))
    assert len(read.documents) == 2  # the third would be beyond the 10 MB that any archive may give
    assert [one.reason for one in read.put_aside] == ["archive_limit"]
    assert len(desk.read("a.zip", bomb, limits=Limits(archive_ratio=2000)).documents) == 4
    assert len(desk.read("a.zip", bomb, limits=Limits(archive_bytes=15_999_999, archive_ratio=2000)).documents) == 3


def test_a_bomb_of_bombs_stays_within_the_budget_of_the_outermost(desk: Desk) -> None:
    inner = zipped({f"{n}.txt": b"x" * 4_000_000 for n in range(3)})
    read = desk.read("a.zip", zipped({f"{n}.zip": inner for n in range(10)}), limits=Limits(archive_ratio=10))
    assert len(read.documents) == 2


def test_a_damaged_member_is_put_aside_and_the_others_read(desk: Desk) -> None:
    content = bytearray(zipped({"a.txt": random.Random(1).randbytes(400).hex(), "b.txt": "乙"}))
    content[200] ^= 0xFF
    read = desk.read("a.zip", bytes(content))
    assert read.texts == ["乙"]
    assert [one.path for one in read.put_aside] == ["a.zip!/a.txt"]


def test_a_locked_member_is_put_aside(desk: Desk) -> None:
    content = bytearray(zipped({"a.txt": "甲"}))
    content[6] |= 1
    content[content.find(b"PK\1\2") + 8] |= 1
    assert [one.reason for one in desk.read("a.zip", bytes(content)).put_aside] == ["encrypted"]


@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4 nothing", zipped({"a.txt": "x"})[:-30]], ids=["empty", "none", "cut"]
)
def test_what_is_no_archive_is_put_aside(desk: Desk, content: bytes) -> None:
    read = desk.read("a.zip", content)
    assert [one.reason for one in read.put_aside] in (["damaged"], ["empty"])


def test_a_directory_of_more_entries_than_may_be_is_not_read_at_all(desk: Desk) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number:04d}.png", b"")
    read = desk.read("a.zip", out.getvalue(), limits=Limits(archive_members=100))
    assert [(one.path, one.reason) for one in read.put_aside] == [("a.zip", "archive_limit")]


def test_a_tar_in_a_zip_is_read(desk: Desk) -> None:
    content = zipped({"a.tar.gz": tarred({"b.txt": "点検".encode()}, "w:gz")})
    assert [one["path"] for one in desk.read("a.zip", content).documents] == ["a.zip!/a.tar.gz!/b.txt"]
