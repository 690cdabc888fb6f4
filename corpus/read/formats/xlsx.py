"""Excel workbooks: a line per row, the cells' values as they are stored, tabs between them."""

from __future__ import annotations

import datetime
import io
import warnings
from typing import Any

from corpus.read.package import Package
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, UnreadableError, whole

_MAX_CELLS = 2_000_000
"""Empty ones between others included, which a file of a few bytes can have millions of."""


def extract(content: bytes, reading: Reading) -> Extracted:
    """Every sheet that is shown, under its name."""
    Package(content, reading)  # its bounds, before anything of it is unpacked
    import openpyxl

    limit, sheets, cells, length = reading.limits.document_bytes, [], 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and validations that it does not know
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                continue
            sheet.reset_dimensions()  # what a file says of its size is often wrong
            lines = [str(sheet.title)]
            for row in sheet.iter_rows(values_only=True):
                cells += len(row)
                line = "\t".join(_shown(value) for value in row).rstrip()
                length += len(line) + 1
                if cells > _MAX_CELLS or length > limit:
                    raise UnreadableError(
                        "too_large", f"more than {min(cells, _MAX_CELLS)} cells or {limit} characters"
                    )
                if line:
                    lines.append(line)
            if len(lines) > 1:
                sheets.append("\n".join(lines))
        book.close()
    return Extracted("\n\n".join(sheets), "utf-8")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return " ".join(str(value).split())


FORMAT = Format("xlsx", ("xlsx", "xlsm"), whole(extract))
