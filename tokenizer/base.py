"""The base that a run names: a local folder, or a name on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from configs.errors import UserError
from configs.raw_input import RawFile, find_files

_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


def base_input(base: str) -> tuple[RawFile, ...] | str:
    """What identifies the base: its files if it is a folder here, its name if it lies on the hub."""
    if Path(base).is_dir():
        return find_files(base, what="the base")
    return base


def base_folder(base: str) -> Path:
    """The folder of the base, fetched from the hub if it is none here.

    Raises:
        UserError: if there is neither such a folder nor such a name in reach.
    """
    if Path(base).is_dir():
        return Path(base)
    if base.startswith((".", "/", "~")) or base.count("/") > 1:
        raise UserError(f"pretrain.base: no such folder: {base!r} (relative paths start at {Path.cwd()})")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"pretrain.base: {base!r} is no folder below {Path.cwd()}, and the hub did not give it "
            f"({type(error).__name__}); check the name, or copy the model to a folder and name that"
        ) from error
