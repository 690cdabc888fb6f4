"""The gate of `--to hf`: the folder gets its name only if transformers finds in it what the source holds.

The checks are those of the export gate. Texts become tokens by the folder's own tokenizer; without one, tokens are
taken from the whole vocabulary, and the manifest says so.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from configs.atomic_file import read_json, write_json
from configs.errors import UserError, from_os_error
from configs.schema.export import Gate
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.stream import cast
from pretrain.convert.memory import PeakMemory
from pretrain.convert.model import Model
from pretrain.convert.source import DTYPES, StateSource
from pretrain.engines.base import Kind
from pretrain.export_gate.check import Trained, check
from pretrain.export_gate.comparison import Document
from pretrain.export_gate.texts import GateTexts

_log = logging.getLogger(__name__)

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
_CHARACTERS, _TOKENS, _LAST_TOKENS = 600, 512, 512


@dataclass(frozen=True)
class Gated:
    """What the gate found of a folder that passed, and what that took."""

    found: dict[str, Any] | None
    """For the manifest; none if there was no gate."""
    seconds: float
    peak_memory_above_start_bytes: int


class _Values:
    """Weights of a source as float32, rounded to a number format first if one is named."""

    has_moments = False

    def __init__(self, source: StateSource, dtype: torch.dtype | None = None) -> None:
        self._source, self._dtype = source, dtype

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        values = self._source.read(name, box, kind)
        return cast(values, self._dtype or values.dtype, name).to(torch.float32)


def pass_gate(
    folder: Path, source: StateSource, model: Model, dtype: str | None, settings: Gate, *, final: Path
) -> Gated:
    """Compare a written folder with its source.

    Args:
        dtype: what was asked for.
        final: name that the folder would get.
    Raises:
        UserError: if they differ; the folder is called `final`.rejected then, and its gate.json says why.
    """
    began, memory = time.perf_counter(), PeakMemory()
    asked = None if dtype is None else DTYPES[dtype]
    changed = asked is not None and any(source.dtype(name) != asked for name in model.shapes)
    trained = Trained(
        model.folder,
        _Values(source, asked),
        _Values(source) if changed else None,
        model.shapes,
        model.changes.get("rope_theta"),
        int(model.changes.get("max_position_embeddings", 0)),
    )
    failures, texts = _tokens(folder, model, settings.texts)
    found = check(folder, trained, None, texts, settings)
    found = replace(found, failures=(*failures, *found.failures))
    result = {**found.to_json(), "texts": len(texts.texts)}
    if not found.passed:
        rejected = final.with_name(f"{final.name}.rejected")
        write_json(folder / "gate.json", result)
        shutil.rmtree(rejected, ignore_errors=True)
        os.replace(folder, rejected)
        raise UserError(f"{rejected}: the folder is not what the source holds: {'; '.join(found.failures)}")
    _log.info("gate passed: logits differ by %.1e at most", found.logits.max_abs_diff)
    return Gated(result, round(time.perf_counter() - began, 3), memory.peak - memory.before)


def _tokens(folder: Path, model: Model, texts: Sequence[str]) -> tuple[list[str], GateTexts]:
    """What is wrong with the tokenizer, and the texts and tokens on which models are compared."""
    rows = int(model.config.vocab_size)
    path = next((model.carried[name] for name in _TOKENIZERS if name in model.carried), None)
    if path is None:
        return [], GateTexts((), _documents([_spread(rows)]))
    try:
        before, after = (AutoTokenizer.from_pretrained(one, trust_remote_code=False) for one in (path.parent, folder))
    except Exception as error:  # of any kind, from whatever the tokenizer's class is
        failure = f"tokenizer: transformers cannot load it ({str(error)[:200]})"
        return [failure], GateTexts((), _documents([_spread(rows)]))
    cut = tuple(text[:_CHARACTERS] for text in texts if text)
    last = min(len(after), rows)
    new = [list(range(at, min(at + _TOKENS, last))) for at in range(_first_new(path, last), last, _TOKENS)]
    failures = _differences(before, after, [*cut, *(str(after.decode(ids)) for ids in new)])
    return failures, GateTexts(cut, _documents([*(after.encode(text)[:_TOKENS] for text in cut), *new]))


def _documents(ids: Sequence[list[int]]) -> tuple[Document, ...]:
    return tuple(Document(one) for one in ids if len(one) > 1)


def _spread(rows: int) -> list[int]:
    return list(range(0, rows, max(1, rows // _TOKENS)))[:_TOKENS]


def _first_new(tokenizer: Path, size: int) -> int:
    """First token that a run of ours added; of other tokenizers nobody knows it, and the last ones are taken."""
    told = tokenizer.parent.parent / "new_rows.json"
    return int(read_json(told)["first_new_row"]) if told.exists() else max(0, size - _LAST_TOKENS)


def _differences(before: Any, after: Any, texts: Sequence[str]) -> list[str]:
    if len(before) != len(after):
        return [f"tokenizer: {len(after)} tokens, the source has {len(before)}"]
    for number, text in enumerate(texts):
        ids = after.encode(text)
        if ids != before.encode(text):
            return [f"tokenizer: text {number} has other ids"]
        if before.decode(ids) != after.decode(ids):
            return [f"tokenizer: text {number} decodes to another text"]
    return []


def read_texts(path: Path) -> tuple[str, ...]:
    """Texts of a file for the gate.

    Raises:
        UserError: if it is no JSON list of strings, or an empty one.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise from_os_error(error) or error from error
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one for one in found):
        raise UserError(f'{path}: expected a JSON list of texts, such as ["こんにちは。", "Good morning."]')
    return tuple(found)
