"""Tokenizers of any kind to compare with: a folder, a tokenizer.json, a SentencePiece model, or a name on the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from configs.errors import UserError
from configs.hub import HubName, explained, is_hub_name

Count = Callable[[str], int]
"""Tokens of a text, without special tokens."""
_MODELS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_FILES = ("tokenizer.json", *_MODELS)


def fertility_of(names: Sequence[str], texts: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float | None]]:
    """Characters per token of each tokenizer, by group of texts.

    Raises:
        UserError: if one of them is not there, or cannot be read.
    """
    return {name: _fertility(counter(name), texts) for name in names}


def _fertility(count: Count, texts: Mapping[str, Sequence[str]]) -> dict[str, float | None]:
    return {group: _ratio(count, some) for group, some in texts.items()}


def _ratio(count: Count, texts: Iterable[str]) -> float | None:
    characters = tokens = 0
    for text in texts:
        characters += len(text)
        tokens += count(text)
    return characters / tokens if tokens else None


def counter(name: str) -> Count:
    """What counts the tokens of a text with one tokenizer.

    Raises:
        UserError: if it is not there, or cannot be read.
    """
    path = Path(name)
    if path.is_dir():
        path = _in_folder(path)
    elif not path.exists():
        path = _in_folder(_fetched(name))
    return _sentencepiece(path) if path.suffix == ".model" else _fast(path)


def _in_folder(folder: Path) -> Path:
    found = next((folder / name for name in _FILES if (folder / name).exists()), None)
    if found is None:
        raise UserError(f"--against {folder}: has none of {', '.join(_FILES)}")
    return found


def _fetched(name: str) -> Path:
    if not is_hub_name(name):
        raise UserError(f"--against {name}: no such file or folder (relative paths start at {Path.cwd()})")
    from huggingface_hub import snapshot_download

    hub = HubName("--against", "model", name, None)
    with explained(hub):
        return Path(snapshot_download(name, revision=hub.look_up(), allow_patterns=list(_FILES)))


def _fast(path: Path) -> Count:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more exact
        raise UserError(f"--against {path}: is no tokenizer that the tokenizers library reads: {error}") from None
    tokenizer.encode_special_tokens = True
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _sentencepiece(path: Path) -> Count:
    from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_file=str(path))
    except RuntimeError:
        raise UserError(f"--against {path}: is no SentencePiece model; copy it again") from None
    return lambda text: len(processor.encode(text))
