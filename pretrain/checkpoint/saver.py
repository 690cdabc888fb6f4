"""Saving beside training: every rank copies its state to host memory and goes on; a thread writes it.

No rank waits for another while its files are written. The thread of rank 0 waits for the files of all, commits, and
removes what is no longer kept; the ranks agree about how it went after the next step, or when asked to wait.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from configs.artifact import Artifact
from configs.errors import AgreedError, UserError, from_os_error
from configs.schema.pretrain import Checkpoint
from pretrain import ranks
from pretrain.checkpoint import disk_space
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import partial_dir
from pretrain.checkpoint.host_copy import HostCopy
from pretrain.checkpoint.part_file import PartFile, bytes_on_disk, lay_out, write_files, write_part
from pretrain.engines.base import Engine, Kind, StatePart

_log = logging.getLogger(__name__)

_PARTS_TIMEOUT_S = 1800.0
_PARTS_AT_THE_END_S = 30.0
"""So long rank 0 waits for the others' files when the run ends before the save does."""

_ENDED, _GOES_ON, _FAILED = range(3)
"""How a save goes on one rank; over all ranks it goes as the largest says."""


@dataclass
class _Save:
    """One save on this rank."""

    directory: Path
    written: threading.Event = field(default_factory=threading.Event)
    """This rank's files are on the disk, or will never be."""
    ended: threading.Event = field(default_factory=threading.Event)
    """This rank has nothing more to do for it."""
    stop: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    checkpoint: Artifact | None = None
    """On rank 0, once it is committed."""
    thread: threading.Thread | None = None


class Saver:
    """Writes the checkpoints of a run. Used as a context: leaving it ends or calls off the save
    that goes on. Making one is collective.

    Args:
        root: directory of the checkpoints.
        belongs: identity of the run, for the manifests.
        prune: removes the checkpoints that are no longer kept; called on rank 0 after each commit, in its thread.
        newest: the checkpoint that the run goes on from.
        asynchronous: whether the loop goes on while files are written.
    """

    def __init__(
        self,
        root: Path,
        belongs: Mapping[str, Any],
        prune: Callable[[], None],
        *,
        newest: Artifact | None = None,
        asynchronous: bool = True,
    ) -> None:
        self._root, self._belongs, self._prune = root, dict(belongs), prune
        self._asynchronous = asynchronous
        self._attempt = ranks.from_first(uuid.uuid4().hex[:8])
        self._copy = HostCopy()
        self._save: _Save | None = None
        self._newest = newest

    @property
    def failed(self) -> BaseException | None:
        """Why the save that goes on cannot succeed, as far as this rank knows; `poll` then raises on all ranks."""
        return self._save.error if self._save is not None else None

    def prepare(
        self,
        engine: Engine,
        trained: Callable[[str], bool],
        settings: Checkpoint,
        saves: Sequence[int],
        *,
        goes_back: bool = False,
    ) -> None:
        """See that the disk has room for what the run will keep, and take the host memory. Collective.

        Args:
            trained: whether a tensor of this name has moments, now or later.
            saves: optimizer steps after which the whole run saves.
            goes_back: whether some are kept for a rollback.
        Raises:
            UserError: on all ranks, if there is too little room.
        """
        parts = list(with_moments(engine.local_state(), trained))
        files = lay_out(ranks.rank(), parts)
        here = bytes_on_disk(ranks.rank(), files, disk_space.block_bytes(self._root))
        disk_space.refuse_run(self._root, sum(ranks.of_all(here)), settings, saves, goes_back=goes_back)
        if self._asynchronous:
            self._copy.reserve(sum(part.box.count for part in parts))

    def start(self, engine: Engine, step: int, state: Mapping[str, Any]) -> None:
        """Save the state after `step`; when this returns, training may go on. Collective; waits for the save before.

        Args:
            state: what a resumed run needs besides; JSON data.
        Raises:
            UserError: on all ranks, if the save before failed on any, or there is no room for this one.
        """
        self.wait()
        parts = list(engine.local_state())
        files = lay_out(ranks.rank(), parts)
        here = bytes_on_disk(ranks.rank(), files, disk_space.block_bytes(self._root))
        disk_space.refuse_save(self._root, here)
        directory = partial_dir(self._root, step, self._attempt)
        save = self._save = _Save(directory)
        manifest = {**state, **self._belongs}
        if not self._asynchronous:
            self._do(save, lambda: write_part(directory, ranks.rank(), parts), step, manifest)
            self.wait()
            return
        self._copy.take(part.tensor for part in parts)

        def data(file: PartFile) -> Iterator[memoryview]:
            return self._copy.bytes(file.start, file.start + file.data_bytes)

        def write() -> None:
            write_files(directory, ranks.rank(), files, data, stop=save.stop)

        # A daemon, because a program that must end does not wait for it; __exit__ does.
        save.thread = threading.Thread(
            target=self._do, args=(save, write, step, manifest), name="checkpoint", daemon=True
        )
        save.thread.start()

    def _do(self, save: _Save, write: Callable[[], None], step: int, manifest: Mapping[str, Any]) -> None:
        try:
            write()
            save.written.set()
            if ranks.rank() == 0:
                save.checkpoint = commit(
                    self._root,
                    step,
                    self._attempt,
                    ranks.size(),
                    manifest,
                    timeout_s=_PARTS_TIMEOUT_S,
                    stop=save.stop,
                )
                self._remove_old()
        except BaseException as error:
            save.error = error
        finally:
            save.written.set()
            save.ended.set()

    def _remove_old(self) -> None:
        try:
            self._prune()
        except OSError as error:  # the new one is there all the same
            _log.warning("%s: older checkpoints were not removed: %s", self._root, error.strerror)

    def poll(self) -> None:
        """Look how the save goes that goes on, if there is one; made for every step. Collective.

        Raises:
            UserError: on all ranks, if it failed on any.
        """
        if self._save is None:
            return
        here = _FAILED if self.failed is not None else _GOES_ON if not self._save.ended.is_set() else _ENDED
        if ranks.largest(here) != _GOES_ON:
            self.wait()

    def wait(self) -> Artifact | None:
        """Wait until the save that goes on is committed; gives the newest checkpoint. Collective.

        Raises:
            UserError: on all ranks, if it failed on any; what was written is removed.
        """
        save = self._save
        if save is None:
            return self._newest
        self._save = None
        save.written.wait()
        error = _agreed(save.error)
        if error is None:
            if save.thread is not None:
                save.thread.join()
            self._newest = ranks.from_first(save.checkpoint)
            error = _agreed(save.error)
        if error is not None:
            self._call_off(save)
            raise error
        return self._newest

    def _call_off(self, save: _Save) -> None:
        save.stop.set()
        if save.thread is not None:
            save.thread.join()
        if ranks.rank() == 0 and save.checkpoint is None:
            shutil.rmtree(save.directory, ignore_errors=True)

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """After an error of the user's the save still ends well if it can; after anything else it is called off."""
        save, self._save = self._save, None
        if save is None:
            return
        if (kind is None or issubclass(kind, UserError)) and save.thread is not None:
            save.written.wait()
            save.thread.join(_PARTS_AT_THE_END_S)
        if save.checkpoint is None:
            self._call_off(save)


def _agreed(mine: BaseException | None) -> BaseException | None:
    """An error of any rank, on all: the words of the first that has one, but on a rank with a bug the bug."""
    mendable = from_os_error(mine) if isinstance(mine, OSError) else None
    here = mendable or mine
    told = [words for words in ranks.of_all(None if here is None else str(here)) if words is not None]
    if here is not None and not isinstance(here, UserError):
        return here
    return AgreedError(told[0]) if told else None


def with_moments(parts: Iterable[StatePart], trained: Callable[[str], bool]) -> Iterator[StatePart]:
    """The parts as they will be once the optimizer has made its moments; their shapes, not yet their values."""
    for part in parts:
        if part.kind == "master":
            kinds: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq") if trained(part.name) else ("master",)
            yield from (replace(part, kind=kind) for kind in kinds)
