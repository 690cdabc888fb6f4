"""E-mail: subject and body are a document, and so is each attachment of a format that is read."""

from __future__ import annotations

import email.policy
import io
from collections.abc import Iterator
from email.header import decode_header
from email.message import EmailMessage, MIMEPart

from corpus.batch import Batch
from corpus.decode import Decoded, UndecodableError, decode
from corpus.read.archive import Member, budget_of, put_aside_rest, read_members
from corpus.read.budget import BudgetError
from corpus.read.formats.html import extract_page
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, UnreadableError, attempt

# Nested deeper, or of more parts, no mail is; the parser takes time quadratic in both.
_MAX_PARTS = 1000
_ENDINGS = {"text/plain": "txt", "text/html": "html", "message/rfc822": "eml", "application/pdf": "pdf"}


def read_eml(reading: Reading) -> Iterator[Batch]:
    """The message, then its attachments in their order."""
    content = reading.whole_file()
    if content is None:
        return
    found = attempt(_body, content, reading)
    if found is None:
        return
    builder = reading.builder()
    builder.add(found.text, 0, found.encoding)
    batch = builder.take()
    assert batch is not None
    yield batch
    try:
        with budget_of(reading, len(content)) as budget:
            yield from read_members(reading, _attachments(content), budget, (OSError, ValueError))
    except BudgetError as error:
        put_aside_rest(reading, error)


def _body(content: bytes, reading: Reading) -> Extracted:
    message = _parsed(content)
    part = message.get_body(("plain", "html"))
    subject = _subject(message)
    if part is None:
        if not subject and not message.keys():
            raise UnreadableError("damaged", "no header of a mail")
        return Extracted(subject, "utf-8")
    body = _bytes(part)
    charset = part.get_content_charset()
    if part.get_content_subtype() == "html":
        page = extract_page(body, charset, reading.limits)
        decoded = Decoded(page.text, page.encoding)
    else:
        decoded = decode(body, charset) if body else Decoded("", "utf-8")
    text = decoded.text.replace("\r\n", "\n").strip("\n")
    return Extracted("\n\n".join(filter(None, (subject, text))), decoded.encoding)


def _parsed(content: bytes) -> EmailMessage:
    if content.lower().count(b"content-type:") > _MAX_PARTS:
        raise UnreadableError("too_large", f"more than {_MAX_PARTS} parts")
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _bytes(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _subject(message: EmailMessage) -> str:
    """Also of mail that was sent with bytes in its header, or with a word cut between two of its pieces."""
    raw = next((value for name, value in message.raw_items() if name.lower() == "subject"), "")
    joined, charsets = b"", []
    for piece, charset in decode_header(str(raw)):
        joined += piece.encode("utf-8", "surrogateescape") if isinstance(piece, str) else piece
        charsets.append(charset)
    try:
        text = decode(joined, *charsets).text if joined else ""
    except UndecodableError:
        return ""
    return " ".join(text.split())


def _attachments(content: bytes) -> Iterator[Member]:
    for number, part in enumerate(_parsed(content).iter_attachments()):
        name = part.get_filename() or f"part-{number}.{_ENDINGS.get(part.get_content_type(), 'bin')}"
        # Names alone: a folder in one is the sender's.
        name = name.replace("\\", "/").rsplit("/", 1)[-1].encode("utf-8", "backslashreplace").decode()
        yield Member(f"{number}-{name}", 0, lambda part=part: io.BytesIO(_attached(part)))  # type: ignore[misc]


def _attached(part: MIMEPart) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and inner else b""  # type: ignore[union-attr]
    return _bytes(part)


FORMAT = Format("eml", ("eml",), read_eml)
