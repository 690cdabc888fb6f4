"""Where a run goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain import ranks
from pretrain.checkpoint.directory import complete, point_to, remove_partial, set_aside, step_of
from pretrain.checkpoint.identity import refuse_stranger
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.whole import latest


def resume(root: Path, belongs: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> Artifact | None:
    """The checkpoint to go on from, or None where none was written yet; clears away what a killed attempt left.

    Collective.

    Args:
        belongs: identity of the run.
        shapes: HF names and shapes of the model's tensors.
    Raises:
        UserError: on all ranks, if it is another run's, or there are some and none of them is whole.
    """
    ranks.done_by_first(lambda: remove_partial(root))
    found = latest(root)
    ranks.done_by_first(lambda: _go_back_to(root, found, belongs, shapes))
    return found


def _go_back_to(
    root: Path, found: Artifact | None, belongs: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    there = complete(root)
    if found is None:
        if there:
            raise UserError(
                f"{root}: none of its {len(there)} checkpoints is whole (what is wrong with each stands above); "
                "put one back from a copy, or remove them all to begin anew"
            )
        return
    reader = CheckpointReader(found)
    refuse_stranger(found, reader.shapes, belongs, shapes)
    reader.close()
    for damaged in there:
        if step_of(damaged) > step_of(found.dir):
            set_aside(damaged)
    # A kill between the last rename and the pointer left it at the one before.
    point_to(root, found.dir)
