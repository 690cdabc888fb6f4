"""What must not be trained on: the items of evaluation sets, and the held-out documents."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from configs.errors import UserError
from configs.raw_input import RawFile
from configs.schema.decontaminate import Decontaminate, EvaluationSet
from corpus.batch import utf8_of
from corpus.kernels.overlap import NOTHING, Items, folded, grams_of
from corpus.kernels.utf8 import UInt64
from corpus.read.compressed import compression_of
from corpus.stage import key_of_set

CONTAMINATED = "contaminated."
HELD_OUT = "held_out"
# Of a shorter document half is a phrase that others have too.
_MIN_HELD_OUT_CHARACTERS = 50
# Documents of one office share words and short phrases, so longer pieces tell: 0.82 of them are left where one
# character in 60 was changed.
_HELD_OUT_NGRAM, _HELD_OUT_SHARE = 12, 0.8

SetItems = dict[str, list[str]]
"""The items of each set, in the order of the run file."""


def evaluation_items(settings: Decontaminate, files: Mapping[str, Sequence[RawFile]]) -> SetItems:
    """The items of all sets, each once.

    Args:
        files: of each set, as `corpus.stage.evaluation_files` gives them.
    Raises:
        UserError: if a file cannot be read, or no record has one of the fields.
    """
    items: SetItems = {}
    for name, one in settings.sets.items():
        what = key_of_set(name)
        found: dict[str, None] = {}
        fields: set[str] = set()
        for file in files[what]:
            for record in _records(file.path, what):
                fields |= set(record)
                found |= dict.fromkeys(_texts(record, one))
        if not found:
            raise UserError(
                f"{what}.fields: no record has text in one of {', '.join(one.fields)}; "
                f"the fields are {', '.join(sorted(fields)) or 'none'}"
            )
        items[name] = list(found)
    return items


def _texts(record: Mapping[str, Any], one: EvaluationSet) -> Iterator[str]:
    for field in one.fields:
        value = record.get(field)
        yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _records(path: Path, what: str) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
        return
    try:
        for number, line in enumerate(_content(path).splitlines(), start=1):
            if line.strip():
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise UserError(f"{what}: {path}:{number}: expected a JSON object on every line")
                yield record
    except (ValueError, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError) as error:
        raise UserError(f"{what}: {path}: not JSON lines ({type(error).__name__})") from None


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    match compression_of(path.name):
        case "gz":
            return gzip.decompress(data)
        case "xz":
            return lzma.decompress(data)
        case "zst":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def held_out_grams(texts: Iterable[str]) -> list[UInt64]:
    """The pieces of each held-out text that is long enough to be looked for."""
    return [grams_of(one, _HELD_OUT_NGRAM) for one in map(folded, texts) if len(one) >= _MIN_HELD_OUT_CHARACTERS]


@dataclass(frozen=True)
class Overlap:
    """Looks for items in documents."""

    settings: Decontaminate
    looked_for: Mapping[str, int]
    """How many items of each set are long enough to be looked for."""
    sets: Items
    """The items of the sets, in the order of the run file."""
    held_out: Items

    @classmethod
    def of(cls, items: SetItems, held_out: Sequence[UInt64], settings: Decontaminate) -> Overlap:
        """What looks for these items.

        Args:
            items: of each set of the settings.
            held_out: as `held_out_grams` gives them.
        """
        short = {name: [folded(text) for text in found] for name, found in items.items()}
        chosen = {
            name: [text for text in found if len(text) >= settings.min_characters] for name, found in short.items()
        }
        grams_I = [grams_of(text, settings.ngram) for found in chosen.values() for text in found]
        return cls(
            settings,
            {name: len(found) for name, found in chosen.items()},
            Items.of(grams_I, settings.ngram, settings.min_share),
            Items.of(held_out, _HELD_OUT_NGRAM, _HELD_OUT_SHARE),
        )

    def reasons(self, texts: pa.LargeStringArray) -> pa.StringArray:
        """For each document the set of the first item that it has, as a reason; null for a clean one."""
        column = utf8_of(texts)
        names = [CONTAMINATED + name for name in self.settings.sets for _ in range(self.looked_for[name])]
        found = [None if item == NOTHING else names[item] for item in self.sets.first_in(*column, self.settings.ngram)]
        held_out_N = self.held_out.first_in(*column, _HELD_OUT_NGRAM)
        held_out = [None if item == NOTHING else CONTAMINATED + HELD_OUT for item in held_out_N]
        return pc.coalesce(pa.array(found, pa.string()), pa.array(held_out, pa.string()))


def with_contamination(batch: pa.RecordBatch, overlap: Overlap) -> pa.RecordBatch:
    """Documents that stay get a reason where they have an item; the others keep theirs."""
    at = batch.schema.get_field_index("reason")
    reasons = pc.coalesce(batch.column(at), overlap.reasons(batch.column("text")))
    changed: pa.RecordBatch = batch.set_column(at, "reason", reasons)
    return changed
