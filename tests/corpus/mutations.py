"""Damaged files by number: the same number gives the same bytes for ever."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from functools import cache
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.corpus.read import office

_TEXT = "点検表に結果を記入し、課長の確認を受ける。異常があれば、ポンプを止めて報告すること。\n" * 6
_HEAD = "<html><head><meta charset=utf-8><title>題</title></head>"
_PAGE = f"{_HEAD}<body><nav>上</nav><p>{_TEXT}</p><table><tr><td>弁<td>3</table>"
_RECORDS = "".join(
    json.dumps({"text": f"第{n}号。{_TEXT}", "url": "http://a/"}, ensure_ascii=False) + "\n" for n in range(6)
)


@cache
def _whole() -> dict[str, bytes]:
    """A sound file of every format."""
    table = io.BytesIO()
    pq.write_table(pa.table({"text": [f"第{n}号。{_TEXT}" for n in range(4)]}), table)
    encoded = {
        f"{encoding}.txt": _TEXT.encode(encoding) for encoding in ("utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16")
    }
    warc = office.warc_record("http://a/", _PAGE.encode()) * 3
    files = {
        **encoded,
        "a.html": _PAGE.encode(),
        "a.sgml": f"<title>題<sect>一<p>{_TEXT}<verb>x</verb>".encode("euc_jp"),
        "a.jsonl": _RECORDS.encode(),
        "a.jsonl.gz": gzip.compress(_RECORDS.encode(), mtime=0),
        "a.jsonl.zst": zstandard.compress(_RECORDS.encode()),
        "a.parquet": table.getvalue(),
        "a.docx": office.docx(office.wp(_TEXT) + "<w:tbl><w:tr><w:tc>" + office.wp("弁") + "</w:tc></w:tr></w:tbl>"),
        "a.pptx": office.pptx(office.ap(_TEXT), office.ap("二"), notes={0: office.ap("話す")}),
        "a.odt": office.odt(f"<text:p>{_TEXT}<text:s text:c='4'/></text:p>"),
        "a.xlsx": office.xlsx(点検=[["品名", "数"], ["弁", 3], ["管", 4.5]]),
        "a.epub": office.epub({"one": f"<p>{_TEXT}</p>", "two": "<p>二</p>"}, ["one", "two"]),
        "a.eml": office.mail("点検の件", _TEXT, b__docx=office.docx(office.wp("添付")), c__txt=_TEXT.encode("cp932")),
        "a.pdf": office.pdf(*([f"Line {n} of the page {page}." for n in range(8)] for page in range(3))),
        "a.warc": warc,
        "a.warc.gz": gzip.compress(warc, mtime=0) * 2,
    }
    packed: dict[str, str | bytes] = {f"b/{name}": content for name, content in files.items()}
    files["a.zip"] = office.zipped(packed)
    files["a.tar"] = office.tarred({name: bytes(content) for name, content in files.items() if name.startswith("a.")})
    files["a.tgz"] = gzip.compress(files["a.tar"], mtime=0)
    return files


Damage = Callable[[Random, str, bytes], tuple[str, bytes]]


def _truncated(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    return name, content[: random.randrange(len(content) + 1)]


def _flipped(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    changed = bytearray(content)
    for _ in range(random.choice([1, 1, 3, 30]) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return name, bytes(changed)


def _wrong_ending(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    return f"x.{random.choice(sorted(_whole())).split('.', 1)[1]}", content


def _spliced(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    at = random.randrange(len(content) + 1)
    start = random.randrange(len(content) + 1)
    piece = random.choice(
        [content[start : start + 300], random.randbytes(60), bytes(80), b"\xff" * 20, b"\xed\xa0\xbd" * 5]
    )
    return name, content[:at] + piece + content[at + random.choice([0, len(piece)]) :]


def _nested(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    for level in range(random.choice([1, 2, 3, 4, 6])):
        if random.random() < 0.6:
            name, content = f"{level}.zip", office.zipped({name: content})
        else:
            name, content = f"{level}.tar.gz", office.tarred({name: content}, "w:gz")
    return name, content


def _traversal(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    where = random.choice(
        ["../../{}", "/etc/{}", "C:\\{}", "a/../../{}", "..\\..\\{}", "a\x01{}", "é" * 900 + "{}"]
    ).format(name)
    if random.random() < 0.5:
        return "t.zip", office.zipped({where: content, name: content})
    return "t.tar", office.tarred({where: content, name: content})


def _deep(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    depth = random.choice([50, 1000, 20_000])
    tag = random.choice(["div", "ul><li", "b", "table><tr><td", "ruby>揚<rt", "font size=1", "p", "blockquote"])
    body = f"<{tag}>" * depth + "文" + random.choice(["", f"</{tag.split('>')[0]}>" * depth])
    if random.random() < 0.3:
        body = "".join(f"<{random.choice('biu')} id={n}><p>" for n in range(depth // 20)) + "文"
    return ("d.html", body.encode()) if random.random() < 0.8 else ("d.docx", office.docx(body))


def _huge_line(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    line = random.choice(["あ", '{"text": "', "[", "x", "<p ", "\x1b$B"]) * random.choice([100_000, 700_000])
    return random.choice(["h.jsonl", "h.txt", "h.html", "h.eml", "h.jsonl.gz"]), line.encode()


def _surrogates(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    half = random.choice(["\\ud83d", "\\udc00", "\\ud83d\\ud83d"])
    return "s.jsonl", f'{{"text": "{_TEXT.strip()}{half}"}}\n{{"text": "次", "url": "{half}"}}\n{_RECORDS}'.encode()


def _nul(random: Random, name: str, content: bytes) -> tuple[str, bytes]:
    at = random.randrange(len(content) + 1)
    return name, content[:at] + bytes(random.choice([1, 2, 500])) + content[at:]


DAMAGES: tuple[Damage, ...] = (
    *(
        _truncated,
        _flipped,
        _flipped,
        _wrong_ending,
        _spliced,
        _nested,
        _traversal,
        _deep,
        _huge_line,
        _surrogates,
        _nul,
    ),
)


def mutated(number: int) -> tuple[str, bytes]:
    """Name and content of the damaged file of a number: one to three damages, the first by turns."""
    random = Random(number)
    name = random.choice(sorted(_whole()))
    content = _whole()[name]
    name, content = DAMAGES[number % len(DAMAGES)](random, name, content)
    for _ in range(random.choice([0, 0, 1, 2])):
        name, content = random.choice(DAMAGES[:6])(random, name, content)
    return name, content
