"""Workbooks: a line per row."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from corpus.read.formats import xlsx as reader
from tests.corpus.read.office import xlsx, zipped

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk


def test_sheets_are_lines_with_tabs_and_values_as_people_write_them(desk: Desk) -> None:
    day, moment = datetime.datetime(2024, 4, 1), datetime.datetime(2024, 4, 1, 9, 30)
    content = xlsx(
        点検=[["品名", "数", "日"], ["弁\n大", 3.0, day], [None, None, None], ["管", 2.5, moment]],
        空=[],
        二=[["末", True]],
    )
    (document,) = desk.read("a.xlsx", content).documents
    assert document["text"] == "点検\n品名\t数\t日\n弁 大\t3\t2024-04-01\n管\t2.5\t2024-04-01 09:30:00\n\n二\n末\tTrue"


def test_the_reading_of_a_name_is_no_text(desk: Desk) -> None:
    with zipfile.ZipFile(io.BytesIO(xlsx(名簿=[["渡辺"]]))) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
        sheet = archive.read("xl/worksheets/sheet1.xml")
    reading = "<rPh sb='0' eb='2'><t>ワタナベ</t></rPh></is>".encode()
    assert b"</is>" in sheet
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</is>", reading)
    assert desk.read("a.xlsx", zipped(parts)).texts == ["名簿\n渡辺"]


@pytest.mark.parametrize(("cells", "stays"), [(10, True), (9, False)])
def test_empty_cells_between_others_count(desk: Desk, cells: int, stays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_MAX_CELLS", cells)
    read = desk.read("a.xlsx", xlsx(s=[["a", None, None, None, "b"], ["c", None, None, None, "d"]]))
    assert len(read.documents) == stays
    assert [one.reason for one in read.put_aside] == ([] if stays else ["too_large"])


def test_a_workbook_whose_parts_are_damaged_is_put_aside(desk: Desk) -> None:
    content = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<workbook/>"})
    (reason,) = desk.read("a.xlsx", content).reasons
    assert reason[1] == "damaged"
    assert re.fullmatch(r"\w+", reason[2])
