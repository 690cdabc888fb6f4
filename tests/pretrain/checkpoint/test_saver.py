from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import UserError
from configs.schema.pretrain import Checkpoint
from pretrain.checkpoint import saver as saver_module
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import complete
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.saver import Saver, with_moments
from pretrain.engines.base import Engine, StatePart
from tests.pretrain.checkpoint.made import VECTOR, WHOLE, Holding, part


def _nothing() -> None: ...


def _engine(*parts: StatePart) -> Engine:
    return Holding(*parts)  # type: ignore[return-value]  # the saver asks for nothing else


def _both() -> tuple[torch.Tensor, Engine]:
    tensor = WHOLE.clone()
    whole = Box.whole(tensor.shape)
    return tensor, _engine(part("w", tensor, whole), part("v", VECTOR, Box.whole(VECTOR.shape), "exp_avg"))


class Gate:
    """Holds back the thread that writes, where a saver's module calls `name`, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        function = getattr(saver_module, name)

        def waiting(*arguments: Any, **named: Any) -> Any:
            self.reached.set()
            assert self.open.wait(60)
            return function(*arguments, **named)

        monkeypatch.setattr(saver_module, name, waiting)


def test_training_goes_on_while_files_are_written_and_what_is_written_is_the_state_of_the_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor, engine = _both()
    gate = Gate(monkeypatch, "write_files")
    with Saver(tmp_path, {"belongs_to": "us"}, _nothing) as saver:
        saver.start(engine, 3, {"tokens": 7})
        assert gate.reached.wait(60)
        tensor.zero_()  # the next step
        assert complete(tmp_path) == []
        gate.open.set()
        checkpoint = saver.wait()
    assert checkpoint is not None
    assert checkpoint.manifest["config"] == {"tokens": 7, "belongs_to": "us"}
    assert torch.equal(CheckpointReader(checkpoint).read("w", Box.whole((6, 4)), "master"), WHOLE)


def test_written_beside_training_or_while_it_waits_the_bytes_are_the_same(tmp_path: Path) -> None:
    written = []
    for asynchronous in (True, False):
        root = tmp_path / str(asynchronous)
        root.mkdir()
        with Saver(root, {}, _nothing, asynchronous=asynchronous) as saver:
            for step in (1, 2):
                saver.start(_both()[1], step, {"step": step})
            saver.wait()
        written.append({path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()})
    assert written[0] == written[1]
    assert len(written[0]) == 2 * 3 + 1  # two checkpoints of boxes, index and manifest; the pointer


def test_looking_how_it_goes_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, "write_files")
    with Saver(tmp_path, {}, _nothing) as saver:
        saver.poll()
        saver.start(_both()[1], 1, {})
        assert gate.reached.wait(60)
        saver.poll()
        assert complete(tmp_path) == []
        gate.open.set()
        assert saver._save is not None
        assert saver._save.ended.wait(60)
        saver.poll()
        assert saver._save is None
        assert len(complete(tmp_path)) == 1


def test_the_next_save_waits_for_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, "commit")
    with Saver(tmp_path, {}, _nothing) as saver:
        saver.start(_both()[1], 1, {})
        assert gate.reached.wait(60)
        threading.Timer(0.1, gate.open.set).start()
        saver.start(_both()[1], 2, {})
        assert complete(tmp_path)[0].name == "step-00000001"
        saver.wait()
    assert [path.name for path in complete(tmp_path)] == ["step-00000001", "step-00000002"]


def test_old_ones_go_after_each_commit_and_trouble_with_them_does_not_stop_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []

    def prune() -> None:
        seen.append(len(complete(tmp_path)))
        raise PermissionError(13, "Permission denied")

    with Saver(tmp_path, {}, prune) as saver:
        saver.start(_both()[1], 1, {})
        saver.start(_both()[1], 2, {})
        saver.wait()
    assert seen == [1, 2]
    assert "older checkpoints were not removed: Permission denied" in caplog.text


def test_before_a_save_the_newest_is_the_one_that_the_run_goes_on_from(tmp_path: Path) -> None:
    assert Saver(tmp_path, {}, _nothing).wait() is None
    with Saver(tmp_path, {}, _nothing) as saver:
        saver.start(_both()[1], 1, {})
        first = saver.wait()
        assert saver.wait() == first
    assert Saver(tmp_path, {}, _nothing, newest=first).wait() == first


def _refuse(*_: Any, **__: Any) -> Iterator[None]:
    raise UserError("part: no space left on the device")


@pytest.mark.parametrize("name", ["write_files", "commit"])
@pytest.mark.parametrize(
    "surface",
    [Saver.poll, Saver.wait, lambda saver: saver.start(_both()[1], 2, {})],
    ids=["after a step", "at the end", "at the next save"],
)
def test_what_goes_wrong_in_the_thread_is_seen_at_once_and_raised_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, surface: Callable[[Saver], object]
) -> None:
    monkeypatch.setattr(saver_module, name, _refuse)
    with Saver(tmp_path, {}, _nothing) as saver:
        assert saver.failed is None
        saver.start(_both()[1], 1, {})
        assert saver._save is not None
        assert saver._save.thread is not None
        saver._save.thread.join(60)
        assert str(saver.failed) == "part: no space left on the device"
        with pytest.raises(UserError, match="part: no space left on the device"):
            surface(saver)
        assert saver.failed is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "saved"),
    [
        pytest.param(UserError("too many steps were skipped"), ["step-00000001"], id="the user's: it ends well"),
        pytest.param(KeyboardInterrupt(), [], id="Ctrl-C: it is called off"),
        pytest.param(RuntimeError(), [], id="a bug: it is called off"),
    ],
)
def test_a_save_that_goes_on_when_training_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, saved: list[str]
) -> None:
    gate = Gate(monkeypatch, "write_files")

    def stopped() -> None:
        with Saver(tmp_path, {}, _nothing) as saver:
            saver.start(_both()[1], 1, {})
            assert gate.reached.wait(60)
            threading.Timer(0.1, gate.open.set).start()
            raise error

    with pytest.raises(type(error)):
        stopped()
    assert [path.name for path in complete(tmp_path)] == saved
    assert not list(tmp_path.glob("*.partial-*"))


def test_no_room_for_the_next_checkpoint_is_refused_before_anything_is_written(
    disk: Callable[[str], Path],
) -> None:
    root = disk("100k")
    large = torch.zeros(20_000)
    engine = _engine(part("w", large, Box.whole(large.shape)))
    with Saver(root, {}, _nothing) as saver:
        saver.start(engine, 1, {})
        saver.wait()
        with pytest.raises(UserError, match=r"the next checkpoint takes 0\.1 MB, the file system has 0\.1 MB left"):
            saver.start(engine, 2, {})
    assert [path.name for path in complete(root)] == ["step-00000001"]


def test_the_room_for_a_run_is_reckoned_with_the_moments_that_are_to_come(disk: Callable[[str], Path]) -> None:
    root = disk("400k")
    large = torch.zeros(30_000)
    engine = _engine(part("w", large, Box.whole(large.shape)))
    with Saver(root, {}, _nothing) as saver:
        saver.prepare(engine, lambda name: False, Checkpoint(keep_last=1), [1, 2])  # 2 x 120 kB
        saver.prepare(engine, lambda name: True, Checkpoint(keep_last=1), [1])  # 3 x 120 kB
        with pytest.raises(UserError, match=r"up to 2 checkpoints of 0\.4 MB at a time"):
            saver.prepare(engine, lambda name: True, Checkpoint(keep_last=1), [1, 2])


def test_parts_as_they_will_be_with_moments() -> None:
    whole = Box.whole(VECTOR.shape)
    parts = [part("a", VECTOR, whole), part("a", VECTOR, whole, "exp_avg"), part("b", VECTOR, whole)]
    kinds = [(one.name, one.kind) for one in with_moments(parts, lambda name: name == "a")]
    assert kinds == [("a", "master"), ("a", "exp_avg"), ("a", "exp_avg_sq"), ("b", "master")]
