"""PDF: the text layer, or the user's own OCR."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from configs.schema.corpus import Limits
from corpus.read.apart import pdf_pages
from tests.corpus.read.office import pdf

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

LINES = [["The pump is checked every month.", "Report to the office."], ["Close the valve first."]]
SCAN = pdf([], [])


def test_the_text_of_all_pages_is_one_document(desk: Desk) -> None:
    (document,) = desk.read("a.pdf", pdf(*LINES)).documents
    assert document["text"].split("\n") == [line for page in LINES for line in page]
    assert document["encoding"] == "pdf"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"no pdf", "damaged", id="no PDF"),
        pytest.param(b"%PDF-1.4\n" + bytes(500), "damaged", id="damaged"),
        pytest.param(SCAN, "no_text_layer", id="scan"),
    ],
)
def test_what_has_no_text_is_put_aside_with_the_way_out(desk: Desk, content: bytes, reason: str) -> None:
    (found,) = desk.read("a.pdf", content).reasons
    assert found[1] == reason
    if reason == "no_text_layer":
        assert found[2] == "0 characters on 2 pages; set ocr of this source to a command"


def ocr(program: str) -> tuple[str, ...]:
    """A command of a few lines."""
    return (sys.executable, "-c", program, "{path}")


def test_a_scan_goes_to_the_command_of_the_user(desk: Desk) -> None:
    program = "import sys; sys.stdout.buffer.write(('点検 ' + str(len(open(sys.argv[1], 'rb').read()))).encode())"
    (document,) = desk.read("a.pdf", SCAN, ocr=ocr(program)).documents
    assert (document["text"], document["encoding"]) == (f"点検 {len(SCAN)}", "utf-8")
    # What has a text layer does not.
    assert desk.read("b.pdf", pdf(*LINES), ocr=ocr("raise SystemExit(3)")).documents


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        pytest.param(ocr("raise SystemExit(3)"), "ended with 3", id="fails"),
        pytest.param(ocr("import time; time.sleep(60)"), "took more than 1 s", id="hangs"),
        pytest.param(("/none/such", "{path}"), "cannot be started: No such file or directory", id="is not there"),
        pytest.param(ocr("print('x' * 2000)"), "2001 bytes of OCR, corpus.limits.document_bytes is 1900", id="floods"),
    ],
)
def test_a_command_that_fails_puts_its_file_aside(desk: Desk, command: tuple[str, ...], detail: str) -> None:
    assert [one[2] for one in desk.read("a.pdf", SCAN, ocr=command, ocr_s=1, document_bytes=1900).reasons] == [detail]


def test_more_text_than_a_document_may_have_is_put_aside() -> None:
    content = pdf(*LINES)
    (first, _) = pdf_pages(content, Limits(document_bytes=100))
    with pytest.raises(Exception, match="too_large: more than 60 bytes of text by page 2"):
        pdf_pages(content, Limits(document_bytes=60))
    assert first.startswith("The pump")
