"""Readers in a process apart: what would crash, hang or flood this process is put aside, and the next file read."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from configs.schema.corpus import Limits
from corpus.read import apart
from corpus.read.apart import page_text_apart, pdf_pages
from corpus.read.formats.html import text_of_page
from corpus.read.page import is_costly, page_text
from corpus.read.whole import UnreadableError
from tests.corpus.read.office import pdf

if TYPE_CHECKING:
    from tests.corpus.conftest import Desk

PAGE = "<body><nav>x</nav><p>ポンプの<ruby>揚程<rt>ようてい</rt></ruby>を測る。</p></body>"
# Of 32 kB; read by this process it would be 4 GB.
FLOOD = "".join(f"<b id={n}><p>" for n in range(2500))


def test_a_page_read_apart_is_the_same_page() -> None:
    assert page_text_apart(PAGE, Limits()) == page_text(PAGE)


def test_a_page_that_takes_too_long_is_put_aside_and_the_next_one_read(desk: Desk) -> None:
    limits = Limits(document_s=1)
    (reason,) = desk.read("a.html", FLOOD, limits=limits).reasons
    assert reason == (0, "too_slow", "not read in 1 s, corpus.limits.document_s")
    assert pdf_pages(pdf(["The pump."]), Limits())[0].strip() == "The pump."


def test_a_process_that_is_killed_is_started_again() -> None:
    pdf_pages(pdf(["one"]), Limits())
    running = apart._process()._running
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert pdf_pages(pdf(["two"]), Limits())[0].strip() == "two"


def test_a_process_that_ends_in_the_middle_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    apart._process().close()
    monkeypatch.setattr(apart, "_PROGRAM", "import sys; sys.stdin.buffer.read(17)")
    with pytest.raises(UnreadableError, match="damaged: its reader crashed"):
        pdf_pages(pdf(["one"]), Limits())
    monkeypatch.undo()
    assert pdf_pages(pdf(["two"]), Limits())[0].strip() == "two"


@pytest.mark.parametrize(
    ("html", "costly"),
    [
        pytest.param("<p>" * 1000 + "<b>" * 1000, False, id="1,000 open of 2,000 tags"),
        pytest.param("<p>" * 1001 + "<b>" * 1000, True, id="of 2,001"),
        pytest.param("<p><b>文</b></p>" * 20_000, False, id="closed again"),
        pytest.param("<ul><li>" * 2000, True, id="lists in lists"),
        pytest.param("<div>" * 20_000, False, id="other elements"),
        pytest.param(f"<p {'a' * 19_990}>", False, id="long tag"),
        pytest.param(f"<p {'a' * 20_000}>", True, id="longer tag"),
        pytest.param("a" * 2_000_000, False, id="long text"),
        pytest.param("a" * 2_000_001, True, id="longer text"),
    ],
)
def test_pages_that_may_cost_too_much_are_known_by_their_tags(html: str, costly: bool) -> None:
    assert is_costly(html) == costly


def test_a_long_page_is_read_apart_and_whole() -> None:
    html = f"<p>{'あ' * 2_000_001}</p>"
    assert len(text_of_page(html, Limits())) == 2_000_001
