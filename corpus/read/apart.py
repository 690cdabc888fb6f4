"""Readers in a process of their own: C and C++ over bytes that anybody wrote may crash, hang or take all memory.

One process serves many files, so that starting it costs nothing; it is started again after a failure.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import struct
import subprocess
import sys
import time
from functools import cache
from typing import Any

from configs.schema.corpus import Limits
from corpus.read.whole import UnreadableError

_QUESTION = struct.Struct("<cQQ")
_ANSWER = struct.Struct("<Q")
# The search path of this process: it must find the same code, whatever the working directory is.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from corpus.read.apart_process import serve; serve(int(sys.argv[2]))"
)


class _Process:
    """The process, if it runs."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def ask(self, kind: bytes, content: bytes, limits: Limits) -> bytes:
        """The answer to one file.

        Raises:
            TimeoutError: if it does not come in time.
            ConnectionError: if the process ends instead.
        """
        process = self._started()
        try:
            return self._asked(process, kind, content, limits)
        except BaseException:
            self.close()
            raise

    def _started(self) -> subprocess.Popen[bytes]:
        if self._running is None or self._running.poll() is not None:
            self.close()
            command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(os.getpid())]
            self._running = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._running

    def _asked(self, process: subprocess.Popen[bytes], kind: bytes, content: bytes, limits: Limits) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        until = time.monotonic() + limits.document_s
        # It reads all before it works, so that writing never waits for it.
        process.stdin.write(_QUESTION.pack(kind, len(content), limits.document_bytes))
        process.stdin.write(content)
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            answer, expected = b"", None
            while expected is None or len(answer) < expected:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise TimeoutError
                block = os.read(process.stdout.fileno(), 1 << 20)
                if not block:
                    raise ConnectionError
                answer += block
                if expected is None and len(answer) >= _ANSWER.size:
                    expected = _ANSWER.size + int(_ANSWER.unpack_from(answer)[0])
        return answer[_ANSWER.size :]

    def close(self) -> None:
        """End it."""
        process, self._running = self._running, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:  # what was not written yet is of no use any more
                continue


@cache
def _process() -> _Process:
    return _Process()


def pdf_pages(content: bytes, limits: Limits) -> list[str]:
    """The text of each page of a PDF, as PDFium gives it.

    Raises:
        UnreadableError: if it is damaged, encrypted, of too much text, or not read in time.
    """
    pages: list[str] = _answer(b"d", content, limits)["pages"]
    return pages


def page_text_apart(html: str, limits: Limits) -> str:
    """As `page_text`, for a page that may take long.

    Raises:
        UnreadableError: if it takes too long, or too much memory.
    """
    text: str = _answer(b"h", html.encode("utf-8", "surrogatepass"), limits)["text"]
    return text


def _answer(kind: bytes, content: bytes, limits: Limits) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(_process().ask(kind, content, limits))
    except TimeoutError:
        raise UnreadableError("too_slow", f"not read in {limits.document_s:g} s, corpus.limits.document_s") from None
    except ConnectionError:
        raise UnreadableError("damaged", "its reader crashed, or needed too much memory") from None
    if "reason" in answer:
        raise UnreadableError(answer["reason"], answer["detail"])
    return answer
