"""Training on a disk that has less room than it seems to have, as under a quota."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from configs.errors import AgreedError, UserError
from configs.schema.run import Run
from pretrain.checkpoint import disk_space
from pretrain.checkpoint.directory import complete
from pretrain.metrics import Metrics
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


def test_a_disk_that_takes_no_more_measurements_ends_the_run_on_all_ranks_with_their_file(
    packed: MakeRun,
    disk: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = packed("pretrain.checkpoint={every_steps: 4, keep_last: 9}", "pretrain.log.every_steps=1")
    root = checkpoints_dir(run)
    root.parent.mkdir(parents=True, exist_ok=True)
    root.symlink_to(disk("8m"), target_is_directory=True)
    write = Metrics.write

    def with_the_disk_full_from_step_6(self: Metrics, line: dict[str, Any], scalars: dict[str, float]) -> None:
        if line["step"] == 6:
            with suppress(OSError), open(root / "fill", "wb", buffering=0) as fill:
                while fill.write(b"0" * 4096):
                    pass
            line = {**line, "more": "." * 100_000}  # what the last blocks of the files have room for is used up
        write(self, line, scalars)

    with monkeypatch.context() as patch:
        patch.setattr(Metrics, "write", with_the_disk_full_from_step_6)
        with pytest.raises(
            AgreedError, match=r"/checkpoints/metrics\.jsonl: no space left on the device; free some and"
        ):
            train(run)
    assert complete(root)[0].name == "step-00000004"
    (root / "fill").unlink()
    with caplog.at_level("INFO", logger="pretrain"):
        train(run)
    assert f"goes on from step 4: {root}/step-00000004" in caplog.text
    assert [path.name for path in complete(root)] == ["step-00000004", "step-00000008", "step-00000012"]
