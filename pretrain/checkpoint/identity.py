"""What a checkpoint belongs to, so that one of another run is refused before a model is built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from configs.artifact import Artifact
from configs.atomic_file import canonical_json, sha256_of
from configs.errors import UserError
from pretrain.sample_plan import SamplePlan
from tokenizer.base import weight_names

BELONGS = "belongs_to"
"""Key of the identity in a checkpoint's manifest."""

CONVERTED = "converted_from"
"""Key in the identity of a checkpoint that a conversion made, which belongs to no run: the format it was made from."""


def identity(base: Path, tokenizer: Artifact, order: SamplePlan, first_samples: int) -> dict[str, str]:
    """Digests of what a run must have in common with its checkpoints.

    Args:
        base: folder of the base model.
        first_samples: how many samples the first step takes; their order depends on the seed and on the sources,
            and stays when a run is extended.
    """
    weights = [(name, (base / name).stat().st_size) for name in weight_names(base)]
    described = {"config": sha256_of(base / "config.json"), "weights": weights}
    return {
        "base": hashlib.sha256(canonical_json(described)).hexdigest(),
        "tokenizer": tokenizer.digest,
        "order": order.digest(0, first_samples),
    }


_MEANS = {"base": "another base model", "tokenizer": "another tokenizer", "order": "other data, or another seed"}


def refuse_stranger(
    checkpoint: Artifact,
    stored: Mapping[str, tuple[int, ...]],
    belongs: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """See that a checkpoint belongs to this run.

    Args:
        stored: HF names and shapes of the checkpoint's tensors.
        belongs: identity of this run.
        shapes: HF names and shapes of the model's tensors.
    Raises:
        UserError: if it was made from something else, or holds other tensors than the model has.
    """
    theirs = checkpoint.manifest["config"].get(BELONGS, {})
    if CONVERTED in theirs:
        raise UserError(
            f"{checkpoint.dir}: was made by `pretrain convert` and knows no place in the order of samples, so no run "
            "goes on from it. To train its weights, convert it with --to hf and name that folder as pretrain.base"
        )
    others = [_MEANS[name] for name, digest in belongs.items() if theirs.get(name) != digest]
    differing = [
        f"{name} is {list(stored.get(name, ())) or 'missing'}, the model needs {list(shape)}"
        for name, shape in sorted(shapes.items())
        if stored.get(name) != shape
    ]
    differing += [f"the model has no {name}" for name in sorted(set(stored) - set(shapes))]
    if others or differing:
        reasons = [f"made with {', '.join(others)}"] if others else []
        reasons += differing[:3] + ([f"and {len(differing) - 3} more tensors"] if len(differing) > 3 else [])
        raise UserError(
            f"{checkpoint.dir}: a checkpoint of another run: {'; '.join(reasons)}. "
            "Remove it to go on without it, or name another run.dir"
        )
