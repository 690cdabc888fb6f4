"""Runs that go back on several processes, or are killed while they do: the same is left out, with the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.rollbacks import ROLLBACKS, add_rollback, read_rollbacks, read_undone
from pretrain.stage import checkpoints_dir
from tests.pretrain.poison import GUARDS, LEFT_OUT, lines_of, trained_with_poison
from tests.pretrain.test_train import files_of
from tests.tiny import tiny_run
from tsugiki.processes import run_together

MakeRun = Callable[..., Run]
REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def started(root: Path, words: list[str], kill: tuple[str, str, int] = ("", "", 0), rank: int = 0) -> list[str]:
    """The command that trains with poison, of which a rank is killed when a function is called for the n-th time."""
    given = [kill[0], kill[1], str(kill[2]), str(rank), str(root), *words]
    return [sys.executable, "-m", "tests.pretrain.poison", *given]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo"}

MOMENTS = [
    pytest.param("pretrain.going_back", "add_rollback", 1, 0, id="before it is written down"),
    pytest.param("pretrain.checkpoint.undone", "remove", 1, 1, id="before what is undone is removed"),
    pytest.param("shutil", "rmtree", 1, 1, id="while what is undone is removed"),
    pytest.param("pretrain.start", "resume", 2, 1, id="before it looks for a checkpoint"),
    pytest.param("pretrain.step", "lr_by_group", 9, 1, id="while steps before are taken again"),
    pytest.param("pretrain.loop", "pass_over", 10, 1, id="before the steps are left out"),
    pytest.param("pretrain.step", "lr_by_group", 11, 1, id="after the steps are left out"),
    pytest.param("pretrain.train", "_finish", 1, 1, id="after the last step"),
]


@pytest.mark.parametrize(("where", "name", "times", "written"), MOMENTS)
def test_killed_while_it_goes_back_it_ends_with_the_same_bytes(
    gone_back: Run, packed: MakeRun, packed_root: Path, where: str, name: str, times: int, written: int
) -> None:
    # Of what is saved before the trouble ends, step 3 is gone back to and step 6 undone.
    words = [GUARDS, "pretrain.checkpoint={every_steps: 3, keep_last: 9, asynchronous: false}"]
    run = packed(*words)
    command = started(packed_root, [f"run.dir={run.run.dir}", *words], (where, name, times))
    killed = subprocess.run(command, env=ENVIRONMENT, cwd=REPOSITORY, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    root = checkpoints_dir(run)
    assert len(read_rollbacks(root)) == written
    trained_with_poison(run)
    assert files_of(root) == files_of(checkpoints_dir(gone_back))


LAYOUTS = {
    "zero 1": ("deepspeed", "{processes: 2, zero: 1}"),
    "tensor 2": ("megatron", "{processes: 2, tensor: 2}"),
    "pipeline 2": ("megatron", "{processes: 2, pipeline: 2}"),
}
TOGETHER = [GUARDS, f"pretrain.engine={LAYOUTS['zero 1'][0]}", f"pretrain.parallel={LAYOUTS['zero 1'][1]}"]
"""Of a run on two processes."""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_processes_go_back_together_and_leave_out_the_same(
    gone_back: Run, packed: MakeRun, packed_root: Path, layout: str
) -> None:
    engine, parallel = LAYOUTS[layout]
    pytest.importorskip(engine)
    ends: list[dict[str, bytes]] = []
    undone: list[dict[str, Any]] = []
    for declared in (False, True):
        words = [GUARDS, f"pretrain.engine={engine}", f"pretrain.parallel={parallel}"]
        run = packed(*words)
        if declared:
            add_rollback(checkpoints_dir(run), LEFT_OUT, undone)
        run_together(started(packed_root, [f"run.dir={run.run.dir}", *words]), 2, ENVIRONMENT)
        undone = read_undone(checkpoints_dir(run))
        ends.append(files_of(checkpoints_dir(run)))
        for kind in ("order", "rollback"):
            assert lines_of(run, kind) == lines_of(gone_back, kind)
        losses = [line["loss_nats"] for line in lines_of(run, "step")]
        assert losses == pytest.approx([line["loss_nats"] for line in lines_of(gone_back, "step")], rel=1e-4)
        shutil.rmtree(run.run.dir)
    assert ends[0] == ends[1]


KILLED = [
    pytest.param(0, ("pretrain.going_back", "add_rollback", 1), {0}, id="the first, before it is written down"),
    # The first process may have written it by the time it misses the other.
    pytest.param(1, ("pretrain.going_back", "steps_before", 1), {0, 1}, id="the second, before it is written down"),
    pytest.param(0, ("pretrain.start", "resume", 2), {1}, id="the first, before it looks for a checkpoint"),
    pytest.param(1, ("pretrain.start", "resume", 2), {1}, id="the second, before it looks for a checkpoint"),
]


@pytest.fixture(scope="module")
def together(packed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What two processes leave that nobody disturbs."""
    pytest.importorskip("deepspeed")
    run_dir = tmp_path_factory.mktemp("together") / "run"
    shutil.copytree(packed_root / "run", run_dir)
    words = [f"run.dir={run_dir}", *TOGETHER]
    run_together(started(packed_root, words), 2, ENVIRONMENT)
    return files_of(checkpoints_dir(tiny_run(packed_root, *words)))


@pytest.mark.parametrize(("rank", "kill", "written"), KILLED)
def test_one_of_two_processes_is_killed_while_they_go_back_and_they_end_with_the_same_bytes(
    together: dict[str, bytes],
    packed: MakeRun,
    packed_root: Path,
    rank: int,
    kill: tuple[str, str, int],
    written: set[int],
) -> None:
    run = packed(*TOGETHER)
    words = [f"run.dir={run.run.dir}", *TOGETHER]
    with pytest.raises(UserError, match=f"process {rank} was ended by SIGKILL"):
        run_together(started(packed_root, words, kill, rank), 2, ENVIRONMENT)
    root = checkpoints_dir(run)
    assert len(read_rollbacks(root)) in written
    assert not (root / "manifest.json").exists()
    run_together(started(packed_root, words), 2, ENVIRONMENT)
    assert files_of(root) == together


def test_gone_back_on_one_process_two_go_on_and_leave_out_the_same(
    gone_back: Run, packed: MakeRun, packed_root: Path
) -> None:
    pytest.importorskip("deepspeed")
    run = packed(GUARDS)
    words = [f"run.dir={run.run.dir}", GUARDS]
    killed = started(packed_root, words, ("pretrain.start", "resume", 2))
    subprocess.run(killed, env=ENVIRONMENT, cwd=REPOSITORY, capture_output=True, check=False)
    root = checkpoints_dir(run)
    written = (root / ROLLBACKS).read_bytes()
    assert not (root / "manifest.json").exists()
    engine, parallel = LAYOUTS["zero 1"]
    words += [f"pretrain.engine={engine}", f"pretrain.parallel={parallel}"]
    run_together(started(packed_root, words), 2, ENVIRONMENT)
    assert (root / ROLLBACKS).read_bytes() == written == (checkpoints_dir(gone_back) / ROLLBACKS).read_bytes()
    for kind in ("order", "rollback"):
        assert lines_of(run, kind) == lines_of(gone_back, kind)
    losses = [line["loss_nats"] for line in lines_of(run, "step")]
    assert losses == pytest.approx([line["loss_nats"] for line in lines_of(gone_back, "step")], rel=1e-4)
