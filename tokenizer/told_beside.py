"""What the manifest beside an extended tokenizer says that I9 is not asked of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from configs.artifact import MANIFEST
from configs.atomic_file import read_json


@dataclass(frozen=True)
class Crossing:
    """What may stand across morphemes by intent."""

    tokens: frozenset[int] = frozenset()
    """Ids of new tokens, those of terms."""
    all_tokens: bool = False
    """Whether boundaries were soft, so that any may."""

    @classmethod
    def beside(cls, hf: Path) -> Crossing:
        """By the directory that the folder `hf/` of an extended tokenizer lies in, if it is one of tsugiki's."""
        if hf.name != "hf" or not (hf.parent / MANIFEST).exists():
            return cls()
        manifest = read_json(hf.parent / MANIFEST)
        if manifest["kind"] not in ("tokenizer", "tokenizer_of_files"):
            return cls()
        tokens = frozenset(manifest["counts"].get("terms", {}).get("not_held_to_I9", ()))
        return cls(tokens, manifest["config"].get("boundaries") == "soft")
