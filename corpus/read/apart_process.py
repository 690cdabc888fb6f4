"""The process of `corpus.read.apart`: reads files from standard input and answers with their text."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

import pypdfium2

from corpus.read.page import page_text

_MAX_MEMORY_BYTES = 4 << 30
_PR_SET_PDEATHSIG = 1
_PASSWORD = 4
"""FPDF_ERR_PASSWORD of PDFium."""


def serve(parent: int) -> None:
    """Answer until there is nothing more to read."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = struct.Struct("<cQQ")
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := questions.read(question.size)) == question.size:
        kind, size, max_bytes = question.unpack(head)
        answer = json.dumps(_answer(kind, questions.read(size), max_bytes)).encode()
        answers.write(struct.pack("<Q", len(answer)))
        answers.write(answer)
        answers.flush()


def _answer(kind: bytes, content: bytes, max_bytes: int) -> dict[str, Any]:
    try:
        if kind == b"h":
            return {"text": page_text(content.decode("utf-8", "surrogatepass"))}
        return _pages(content, max_bytes)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            return {"reason": "encrypted", "detail": "opens with a password only"}
        return {"reason": "damaged", "detail": "PdfiumError"}
    except MemoryError:
        return {"reason": "too_large", "detail": f"needs more than {_MAX_MEMORY_BYTES} bytes of memory"}
    except Exception as error:  # of the bindings, over damaged bytes
        return {"reason": "damaged", "detail": type(error).__name__}


def _pages(content: bytes, max_bytes: int) -> dict[str, Any]:
    pages, size = [], 0
    document = pypdfium2.PdfDocument(content)
    try:
        for number in range(len(document)):
            page = document[number]
            text_page = page.get_textpage()
            # Half a character, in the table of a broken font, becomes a question mark.
            text = text_page.get_text_range().encode("utf-8", "replace").decode()
            text_page.close()
            page.close()
            size += len(text.encode())
            if size > max_bytes:
                return {"reason": "too_large", "detail": f"more than {max_bytes} bytes of text by page {number + 1}"}
            pages.append(text)
    finally:
        document.close()
    return {"pages": pages}
