"""Training on a disk that has less room than it seems to have, as under a quota."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.checkpoint import disk_space
from pretrain.checkpoint.directory import complete
from pretrain.stage import checkpoints_dir
from pretrain.train import train

MakeRun = Callable[..., Run]


@pytest.mark.parametrize("asynchronous", ["true", "false"])
def test_a_disk_that_fills_while_a_checkpoint_is_written_ends_with_a_message_and_keeps_the_one_before(
    packed: MakeRun, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, asynchronous: str
) -> None:
    run = packed(f"pretrain.checkpoint={{every_steps: 2, keep_last: 9, asynchronous: {asynchronous}}}")
    full, root = disk("1m"), checkpoints_dir(run)
    root.parent.mkdir(parents=True, exist_ok=True)
    root.symlink_to(full, target_is_directory=True)
    monkeypatch.setattr(disk_space, "_free", lambda _: 1 << 40)
    with pytest.raises(UserError, match=r"/step-\d+\.partial-\w+/part-\S+: no space left on the device; free some and"):
        train(run)
    assert not list(full.rglob("*.partial*"))
    before = [path.name for path in complete(full)]
    assert before[0] == "step-00000002"
    disk("40m")
    train(run)
    assert [path.name for path in complete(full)] == [f"step-{step:08d}" for step in range(2, 13, 2)]
