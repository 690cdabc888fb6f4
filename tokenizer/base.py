"""The base that a run names: a local folder, or a name on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import configs
from configs.errors import UserError
from configs.raw_input import RawFile, find_files

_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
SHAPES = Path(configs.__file__).parent / "shapes"
"""config.json of the recipes' bases, by hub name."""


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
        raise _no_such_folder(base)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise _not_in_reach(base, "copy the model", error) from error


def config_folder(base: str) -> Path:
    """A folder with the base's config.json, and nothing more fetched from the hub than that file.

    Bases of the recipes have theirs in configs/shapes, so that nothing is fetched for them.

    Raises:
        UserError: if there is neither such a folder nor such a name in reach.
    """
    if Path(base).is_dir():
        return Path(base)
    if base.startswith((".", "/", "~")) or base.count("/") > 1:
        raise _no_such_folder(base)
    if (SHAPES / base / "config.json").is_file():
        return SHAPES / base
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(base, "config.json")).parent
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise _not_in_reach(base, "copy its config.json", error) from error


def _no_such_folder(base: str) -> UserError:
    return UserError(f"pretrain.base: no such folder: {base!r} (relative paths start at {Path.cwd()})")


def _not_in_reach(base: str, instead: str, error: Exception) -> UserError:
    return UserError(
        f"pretrain.base: {base!r} is no folder below {Path.cwd()}, and the hub did not give it "
        f"({type(error).__name__}); check the name, or {instead} to a folder and name that"
    )
