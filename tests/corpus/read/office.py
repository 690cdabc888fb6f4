"""Small office documents, zip and tar files, mails and web archives, written part by part."""

from __future__ import annotations

import io
import tarfile
import zipfile
from email.message import EmailMessage
from typing import Any

import openpyxl

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"


def zipped(parts: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file; every time the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 2, 3, 4, 6)), content, compression)
    return out.getvalue()


def tarred(parts: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def docx(body: str, **notes: str) -> bytes:
    """A Word document; `body` is the XML in w:body."""
    parts: dict[str, str | bytes] = {
        "word/document.xml": f'<w:document xmlns:w="{W}" xmlns:mc="{MC}"><w:body>{body}</w:body></w:document>'
    }
    for name, xml in notes.items():
        parts[f"word/{name}.xml"] = f'<w:notes xmlns:w="{W}">{xml}</w:notes>'
    return zipped(parts)


def wp(*texts: str) -> str:
    """A paragraph of runs."""
    return "<w:p>" + "".join(f"<w:r><w:t>{text}</w:t></w:r>" for text in texts) + "</w:p>"


def pptx(*slides: str, notes: dict[int, str] | None = None) -> bytes:
    """A presentation whose slides stand in the file in the opposite order."""
    count = len(slides)
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="rId{n}"/>' for n in range(count))
    targets = "".join(f'<Relationship Id="rId{n}" Target="slides/slide{count - n}.xml"/>' for n in range(count))
    parts: dict[str, str | bytes] = {
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{P}" xmlns:r="{R}">{ids}</p:presentation>',
        "ppt/_rels/presentation.xml.rels": f'<Relationships xmlns="{RELS}">{targets}</Relationships>',
    }
    for number, slide in enumerate(slides):
        name = f"slide{count - number}.xml"
        parts[f"ppt/slides/{name}"] = f'<p:sld xmlns:p="{P}" xmlns:a="{A}">{slide}</p:sld>'
        if notes and number in notes:
            parts[f"ppt/slides/_rels/{name}.rels"] = (
                f'<Relationships xmlns="{RELS}"><Relationship Id="r1" Type="{R}/notesSlide" '
                f'Target="../notesSlides/notes{number}.xml"/></Relationships>'
            )
            parts[f"ppt/notesSlides/notes{number}.xml"] = (
                f'<p:notes xmlns:p="{P}" xmlns:a="{A}">{notes[number]}</p:notes>'
            )
    return zipped(parts)


def ap(text: str) -> str:
    """A paragraph of a slide."""
    return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"


def odt(body: str) -> bytes:
    """An OpenDocument text."""
    names = f'xmlns:text="{TEXT}" xmlns:table="{TABLE}" xmlns:office="{OFFICE}"'
    return zipped({"content.xml": f"<office:document-content {names}>{body}</office:document-content>"})


def xlsx(**sheets: list[list[Any]]) -> bytes:
    """A workbook."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def epub(chapters: dict[str, str], spine: list[str], properties: str = "") -> bytes:
    """A book."""
    items = "".join(
        f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml" '
        f'properties="{properties if name == "nav" else ""}"/>'
        for name in chapters
    )
    order = "".join(f'<itemref idref="{name}"/>' for name in spine)
    parts: dict[str, str | bytes] = {
        "META-INF/container.xml": '<container><rootfile full-path="OEBPS/book.opf"/></container>',
        "OEBPS/book.opf": f"<package><manifest>{items}</manifest><spine>{order}</spine></package>",
    }
    parts |= {f"OEBPS/text/{name}.xhtml": f"<html><body>{body}</body></html>" for name, body in chapters.items()}
    return zipped(parts)


def mail(subject: str, body: str, **attachments: bytes) -> bytes:
    """A mail in UTF-8; names of attachments have __ for the dot."""
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content(body)
    for name, content in attachments.items():
        message.add_attachment(
            content, maintype="application", subtype="octet-stream", filename=name.replace("__", ".")
        )
    return message.as_bytes()


def pdf(*pages: list[str]) -> bytes:
    """A PDF of ASCII lines."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode())
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for number, lines in enumerate(pages):
        shown = "".join(f"BT /F1 10 Tf 50 {780 - 14 * n} Td ({line}) Tj ET\n" for n, line in enumerate(lines))
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {5 + 2 * number} 0 R>>".encode()
        )
        objects.append(f"<</Length {len(shown)}>>stream\n{shown}endstream".encode())
    out = b"%PDF-1.4\n"
    offsets = []
    for number, one in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj".encode() + one + b"endobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    return out + f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()


def warc_record(
    url: str, body: bytes, http: str | None = "text/html", *, kind: str = "response", **fields: str
) -> bytes:
    """A record; `http` is the content type that the server named, none for a record without HTTP."""
    if http is not None:
        status = fields.pop("status", "200 OK")
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        body = f"HTTP/1.1 {status}\r\nContent-Type: {http}\r\n{lines}\r\n".encode() + body
        declared = "application/http; msgtype=response"
    else:
        declared = fields.pop("type", "text/plain")
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nContent-Type: {declared}\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n"
