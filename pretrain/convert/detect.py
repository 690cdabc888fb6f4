"""Which format a folder is of, by what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from configs.artifact import MANIFEST
from configs.errors import UserError
from pretrain.checkpoint.directory import KIND, complete
from pretrain.convert.model import Model
from pretrain.convert.recorded import manifest_of
from pretrain.convert.source import FORMATS, Format, StateSource
from pretrain.convert.target import Writer

_MEGATRON_POINTER = "latest_checkpointed_iteration.txt"


@dataclass(frozen=True)
class _Known:
    """A format: how it is recognised, and the functions that read and write it, imported when they are needed."""

    folder: Callable[[Path], Path | None]
    """The folder in which its files are, if the path that was given is of this format."""
    opener: str
    """`module:function` of (that folder, model) that gives a StateSource."""
    writer: str
    """`module:function`, a Writer."""


def _checkpoint(path: Path) -> Path | None:
    if manifest_of(path).get("kind") == KIND:
        return path
    for root in (path, path / "checkpoints"):
        if found := complete(root):
            return found[-1]
    return None


def _hf(path: Path) -> Path | None:
    for folder in (path, path / "hf"):  # the latter in what `tsugiki pretrain export` writes
        if (folder / "config.json").exists() and any(folder.glob("*.safetensors*")):
            return folder
    return None


def _deepspeed(path: Path) -> Path | None:
    return _named_by(path / "latest", "{}", "*_model_states.pt") or _holds(path, "*_model_states.pt")


def _megatron(path: Path) -> Path | None:
    # megatron.training names the iteration by a number, or says `release` of what it did not train.
    pointer = path / _MEGATRON_POINTER
    named = _named_by(pointer, "iter_{:0>7}", "*.distcp") or _named_by(pointer, "{}", "*.distcp")
    return named or _holds(path, "*.distcp")


def _named_by(pointer: Path, name: str, pattern: str) -> Path | None:
    if not pointer.is_file():
        return None
    return _holds(pointer.parent / name.format(pointer.read_text(errors="replace").strip()), pattern)


def _holds(folder: Path, pattern: str) -> Path | None:
    return folder if any(folder.glob(pattern)) else None


_KNOWN: dict[Format, _Known] = {
    "checkpoint": _Known(
        _checkpoint, "pretrain.convert.checkpoint:open_checkpoint", "pretrain.convert.checkpoint:write"
    ),
    "deepspeed": _Known(
        _deepspeed, "pretrain.convert.deepspeed.source:open_deepspeed", "pretrain.convert.deepspeed.target:write"
    ),
    "megatron": _Known(
        _megatron, "pretrain.convert.megatron.source:open_megatron", "pretrain.convert.megatron.target:write"
    ),
    "hf": _Known(_hf, "pretrain.convert.hf:open_hf", "pretrain.convert.hf:write"),
}


def detect(path: Path) -> tuple[Format, Path]:
    """The format of what lies at a path, and the folder in which its files are.

    Raises:
        UserError: if there is nothing, or nothing that is known.
    """
    if not path.is_dir():
        raise UserError(f"{path}: {'is a file, not a folder' if path.exists() else 'does not exist'}")
    for format_, known in _KNOWN.items():
        folder = known.folder(path)
        if folder is not None:
            return format_, folder
    _refuse_half(path)
    raise UserError(
        f"{path}: none of the formats {', '.join(FORMATS)}: a Hugging Face folder holds config.json and *.safetensors, "
        f"a checkpoint of this program {MANIFEST}, DeepSpeed's *_model_states.pt (or `latest`), "
        "Megatron's *.distcp (or latest_checkpointed_iteration.txt)"
    )


def _refuse_half(path: Path) -> None:
    """Say what is wrong with what looks like a format and is none that can be read."""
    if any(path.glob("part-*.safetensors")) and not (path / MANIFEST).exists():
        raise UserError(
            f"{path}: is a checkpoint that is not whole, it has no {MANIFEST}, which is written last; take another one"
        )
    for pointer in (path / "latest", path / _MEGATRON_POINTER):
        if pointer.is_file():
            raise UserError(
                f"{pointer}: names {pointer.read_text(errors='replace').strip()!r}, and no such checkpoint is here; "
                "copy it here, or name the folder of another one"
            )
    pickled = sorted(path.glob("*.bin"))
    if pickled and (path / "config.json").exists():
        raise UserError(
            f"{pickled[0]}: is a pickle, which is a program, and is not read; if you trust it, load the folder with "
            "transformers and write it with save_pretrained, which writes *.safetensors"
        )


def open_source(path: Path, model: Model) -> StateSource:
    """Open what lies at a path; close it when it is no longer needed.

    Raises:
        UserError: as `detect`, and if it is damaged.
    """
    format_, folder = detect(path)
    return cast(StateSource, _function(_KNOWN[format_].opener)(folder, model))


def writer(format_: Format) -> Writer:
    """What writes a format."""
    return cast(Writer, _function(_KNOWN[format_].writer))


def _function(name: str) -> Callable[..., object]:
    module, function = name.split(":")
    found: Callable[..., object] = getattr(import_module(module), function)
    return found
