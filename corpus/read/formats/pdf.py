"""PDF with a text layer; one without goes to the user's own OCR command, or to the quarantine."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from corpus.decode import decode
from corpus.read.apart import pdf_pages
from corpus.read.pages import pages_text
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, UnreadableError, whole

# A scan may carry a stamp or a page number as text.
_MIN_CHARACTERS_PER_PAGE = 10


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text layer, or what the OCR command prints.

    Raises:
        UnreadableError: if the file is damaged or encrypted, takes too long, or has no text layer.
    """
    pages = pdf_pages(content, reading.limits)
    characters = sum(len("".join(page.split())) for page in pages)
    if characters >= _MIN_CHARACTERS_PER_PAGE * max(1, len(pages)):
        return Extracted(pages_text(pages), "pdf")
    if not reading.source.ocr:
        raise UnreadableError(
            "no_text_layer", f"{characters} characters on {len(pages)} pages; set ocr of this source to a command"
        )
    return _recognised(content, reading)


def _recognised(content: bytes, reading: Reading) -> Extracted:
    source, limit = reading.source, reading.limits.document_bytes
    with tempfile.TemporaryDirectory(prefix="tsugiki-ocr-") as folder:
        # A file of its own: the piece may be a member of an archive, or compressed.
        path = Path(folder, "page.pdf")
        path.write_bytes(content)
        command = [part.replace("{path}", str(path)) for part in source.ocr]
        with open(Path(folder, "text"), "w+b") as out:
            try:
                ended = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.DEVNULL,
                    timeout=source.ocr_s,
                    cwd=folder,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise UnreadableError("ocr_failed", f"took more than {source.ocr_s:g} s") from None
            except OSError as error:
                raise UnreadableError("ocr_failed", f"cannot be started: {error.strerror}") from None
            if ended.returncode != 0:
                raise UnreadableError("ocr_failed", f"ended with {ended.returncode}")
            size = out.seek(0, 2)
            if size > limit:
                raise UnreadableError("too_large", f"{size} bytes of OCR, corpus.limits.document_bytes is {limit}")
            out.seek(0)
            decoded = decode(out.read())
    return Extracted(decoded.text, decoded.encoding, {"ocr": source.ocr[0]})


FORMAT = Format("pdf", ("pdf",), whole(extract))
