"""Files that are read, batches of documents, and run files of a corpus."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.artifact import Artifact
from configs.load import validate
from configs.places import override, parse_yaml
from configs.schema.corpus import Limits, Source
from configs.schema.run import Run
from corpus.batch import Batch, BatchBuilder
from corpus.build import build_corpus
from corpus.read.open import read
from corpus.read.source import Piece, Reading
from corpus.tally import Tally, Unreadable
from tests.corpus.corpora import SMALL_TASKS, SOURCES, RunOf


@dataclass(frozen=True)
class Read:
    """What came of reading a piece."""

    documents: list[dict[str, Any]]
    put_aside: list[Unreadable]
    hashes: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """The texts alone."""
        return [document["text"] for document in self.documents]

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        """Position, reason and detail of what was put aside."""
        return [(one.position, one.reason, one.detail) for one in self.put_aside]


@dataclass(frozen=True)
class Desk:
    """A folder of files that are read one by one, as the corpus stage reads them."""

    root: Path

    def put(self, name: str, content: bytes | str) -> Path:
        """Lay a file down."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(
        self,
        name: str,
        content: bytes | str | None = None,
        *,
        document_bytes: int = 50_000_000,
        limits: Limits | None = None,
        bounds: tuple[int, int] | None = None,
        **source: Any,
    ) -> Read:
        """Read a file, or the records that begin within `bounds`."""
        if content is not None:
            self.put(name, content)
        path = self.root / name
        start, end = bounds or (0, path.stat().st_size if path.exists() else 0)
        origin = {} if "dataset" in source else {"path": str(self.root)}
        settings = Source(**{"language": "ja", **origin, **source})
        limits = limits or Limits(document_bytes=document_bytes)
        reading = Reading(Piece("mail", name, path, start, end), settings, limits, Tally(), {})
        documents = [document for batch in read(reading) for document in batch.to_pylist()]
        return Read(documents, reading.tally.quarantine, reading.hashes)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty desk."""
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    """A batch of some texts; `meta` is that of all of them."""

    def batch(*texts: str, language: str = "ja", meta: str | None = None) -> Batch:
        builder = BatchBuilder("manuals", "a.jsonl", "MIT", language)
        for position, text in enumerate(texts):
            builder.add(text, position, "utf-8", meta=meta)
        taken = builder.take()
        assert taken is not None
        return taken

    return batch


SUBJECTS = [
    "定量ポンプ",
    "流量センサー",
    "吸込側の弁",
    "制御盤",
    "圧力計",
    "予備の膜",
    "電源の配線",
    "吐出側の管",
    "作業台",
    "治具",
]
PLACES = [
    "第一工場で",
    "検査室で",
    "出荷の前に",
    "月曜日の朝に",
    "組立の後に",
    "校正の前に",
    "倉庫で",
    "現場で",
    "夜勤のうちに",
]
ACTIONS = [
    "点検する",
    "取り替える",
    "締め直す",
    "記録する",
    "洗い流す",
    "調べる",
    "組み付ける",
    "確かめる",
    "動かさない",
    "外しておく",
]
WORDS = [
    "pump",
    "valve",
    "sensor",
    "pressure",
    "pipe",
    "check",
    "before",
    "after",
    "clean",
    "record",
    "every",
    "the",
    "a",
]
LETTERHEAD = "蓼原精機株式会社　社外秘の文書です"
FOOTER = "この文書の写しを社外に持ち出すときは、必ず総務課の許可を受けること。"
SECRET = "あいことばはひみつ"
"""Stands in every document of the mixed sources, broken ones too, and must never be seen in a log."""


def prose(seed: int, sentences: int = 12) -> str:
    """Japanese that no other seed gives."""
    random = Random(seed)
    lines = [
        f"{random.randrange(100)}号機の{random.choice(SUBJECTS)}は{random.choice(PLACES)}{random.choice(ACTIONS)}。"
        for _ in range(sentences)
    ]
    return "\n".join([*lines, f"第{seed}号、{SECRET}である。"])


def _mixed_manuals(root: Path) -> None:
    root.mkdir()
    encodings = ["utf-8", "cp932", "euc_jp", "iso2022_jp"]
    for number in range(12):
        contact = f"第{number}係の連絡先は user{number}@example.com、電話 03-0000-{1000 + number} まで。"
        text = f"{LETTERHEAD}\n{prose(number, 16)}\n{contact}\n{FOOTER}\n"
        (root / f"{number:02d}.txt").write_bytes(text.encode(encodings[number % 4]))
    (root / "copy.txt").write_bytes((root / "01.txt").read_bytes())
    (root / "revised.txt").write_text((root / "00.txt").read_text() + "以上のとおり改める。\n")
    (root / "short.txt").write_text(f"{SECRET}。")
    (root / "form.txt").write_text(f"{LETTERHEAD}\n\n{FOOTER}\n")
    (root / "empty.txt").write_text("")
    (root / "binary.txt").write_bytes(SECRET.encode() + bytes(range(32)) * 4)
    (root / "report.doc").write_bytes(SECRET.encode())
    (root / "page.html").write_text(f"<body><nav>{SECRET}</nav><p>{prose(40)}</p><footer>{SECRET}</footer></body>")


def _mixed_mail(root: Path) -> None:
    root.mkdir()
    records = [
        json.dumps({"text": prose(100 + n), "subject": f"件 user@example.com {n}", "id": n}, ensure_ascii=False)
        for n in range(30)
    ]
    records[5] = f'{{"text": "{SECRET}'
    records[9] = json.dumps({"body": SECRET}, ensure_ascii=False)
    records[12] = json.dumps({"text": prose(100), "subject": "forwarded"}, ensure_ascii=False)
    records[13] = json.dumps({"text": prose(40), "subject": "manuals/page.html by mail"}, ensure_ascii=False)
    (root / "mail.jsonl").write_text("\n".join(records) + "\n")
    archive = "".join(json.dumps({"text": prose(200 + n)}, ensure_ascii=False) + "\n" for n in range(8))
    # Level 0, so that every version of zlib gives the same bytes and the same break.
    packed = gzip.compress(archive.encode(), 0, mtime=0)
    (root / "archive.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    pq.write_table(pa.table({"text": [prose(300 + n) for n in range(5)]}), root / "table.parquet")


def _mixed_english(root: Path) -> None:
    root.mkdir()
    for number in range(8):
        random = Random(number)
        lines = [" ".join(random.choices(WORDS, k=9)).capitalize() + "." for _ in range(10)]
        (root / f"{number}.txt").write_text("\n".join([*lines, f"No. {number}: {SECRET}"]))


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three small sources in every format, with everything that can be wrong with them."""
    root = tmp_path_factory.mktemp("mixed")
    _mixed_manuals(root / "manuals")
    _mixed_mail(root / "mail")
    _mixed_english(root / "english")
    return root


@pytest.fixture(scope="session")
def run_of() -> Callable[..., Run]:
    """A run over the sources in a folder, in this order, that writes into `directory`."""

    def run(root: Path, directory: Path, *names: str, overrides: tuple[str, ...] = ()) -> Run:
        lines = "".join(
            f"    {name}: {{path: {root / name}, language: {'en' if name == 'english' else 'ja'}, "
            f"meta_keys: [subject]}}\n"
            for name in names
        )
        text = (
            f"run: {{name: test, dir: {directory}, seed: 5}}\n"
            f"corpus:\n  workers: 1\n  held_out: {{share: 0.2}}\n  sources:\n{lines}"
            f"pretrain: {{base: none, stages: {{all: {{tokens: 1, mixture: {{{names[0]}: 1}}}}}}}}\n"
        )
        placed = parse_yaml(text, "run.yaml")
        for assignment in overrides:
            override(placed, assignment)
        return validate(placed, Run)

    return run


@pytest.fixture(scope="session")
def built(mixed: Path, run_of: RunOf, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The corpus of small tasks, undisturbed."""
    return build_corpus(run_of(mixed, tmp_path_factory.mktemp("built"), *SOURCES, overrides=SMALL_TASKS))
