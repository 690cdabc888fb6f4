"""Files and folders that a command names itself, without a run file: each is a source of its own."""

from __future__ import annotations

from collections.abc import Sequence

from configs.raw_input import RawFile, find_files
from configs.schema.corpus import Source


def named_files(paths: Sequence[str], source: Source) -> tuple[dict[str, Source], dict[str, tuple[RawFile, ...]]]:
    """Sources `path0`, `path1` and so on in the order of the paths, and their files.

    Args:
        source: how the files are read; its path is not looked at.
    Raises:
        UserError: if a path does not exist.
    """
    raw = {f"path{at}": find_files(path, what="PATH") for at, path in enumerate(paths)}
    return {name: source.model_copy(update={"path": path}) for name, path in zip(raw, paths, strict=True)}, raw
