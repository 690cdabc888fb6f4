"""The artifact protocol: what makes a directory a finished piece of work.

A directory is complete when, and only when, it holds `manifest.json`, which is written last. The manifest is
deterministic: kind, algorithm version, the config that matters, digests of the inputs, files with size and
SHA-256, counts. Times, hosts and library versions go to `run.jsonl` beside it, which nothing digests;
`plan.json` remembers how raw inputs looked when work began, so that a change is noticed.

While work goes on, each finished task leaves a marker in `.tasks/` with its files; a killed stage, started
again, does only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from configs.atomic_file import (
    HashingFile,
    atomic_file,
    canonical_json,
    read_json,
    remove_leftovers,
    sha256_of,
    write_json,
)
from configs.changes import changed_config, changed_files
from configs.errors import UserError
from configs.journal import note
from configs.raw_input import RawFile

MANIFEST, PLAN, TASKS = "manifest.json", "plan.json", ".tasks"


@dataclass(frozen=True)
class Artifact:
    """A complete directory."""

    dir: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, directory: Path, *, kind: str | None = None, check: Literal["size", "sha256"] = "size") -> Artifact:
        """Open a complete directory.

        Args:
            check: "size" compares names and sizes, "sha256" rehashes every file.
        Raises:
            UserError: if it is absent, unfinished, of another kind, or a file differs from the manifest.
        """
        if not (directory / MANIFEST).exists():
            state = "is not finished" if directory.exists() else "does not exist"
            raise UserError(f"{directory}: {state}; run the stage that makes it first")
        artifact = cls(directory, read_json(directory / MANIFEST))
        if kind is not None and artifact.manifest["kind"] != kind:
            raise UserError(f"{directory}: holds {artifact.manifest['kind']}, expected {kind}")
        for name, record in artifact.files.items():
            _check_file(directory / name, record, rehash=check == "sha256")
        return artifact

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, and so of everything it names."""
        return hashlib.sha256(canonical_json(self.manifest)).hexdigest()

    @property
    def counts(self) -> Mapping[str, Any]:
        """What the stage counted."""
        counts: Mapping[str, Any] = self.manifest["counts"]
        return counts

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Size and SHA-256 of every file, by name."""
        files: Mapping[str, Mapping[str, Any]] = self.manifest["files"]
        return files

    def path(self, name: str) -> Path:
        """The path of one of its files."""
        return self.dir / name

    def below(self, folder: str) -> list[Path]:
        """The files of one subfolder, by name."""
        return [self.dir / name for name in sorted(self.files) if name.startswith(f"{folder}/")]


# What a stage reads: another artifact, a set of raw files, or a word that identifies it, such as a hub revision.
Input = Artifact | tuple[RawFile, ...] | str


def _check_file(path: Path, record: Mapping[str, Any], *, rehash: bool) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise UserError(f"{path}: missing, though the manifest names it; remove the directory and run again") from None
    if found != record["bytes"]:
        raise UserError(
            f"{path}: {found} bytes, the manifest says {record['bytes']}; remove the directory and run again"
        )
    if rehash and sha256_of(path) != record["sha256"]:
        raise UserError(f"{path}: its bytes changed since it was written (SHA-256 differs from the manifest)")


@dataclass(frozen=True)
class Done:
    """A task that an earlier attempt finished."""

    result: Any


@dataclass(frozen=True)
class Claim:
    """The right to do one task; picklable, so that a worker process can hold it."""

    dir: Path
    key: str
    plan_digest: str
    written: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def file(self, name: str) -> Iterator[HashingFile]:
        """Write one file of the task, whole or not at all."""
        with atomic_file(self.dir / name) as out:
            yield out
        self.written[name] = out.record

    def finished(self) -> Done | None:
        """What the task gave, if it is done, by whomever."""
        path = self.dir / TASKS / f"{self.key}.json"
        marker = read_json(path) if path.exists() else None
        if marker is None or marker["plan"] != self.plan_digest or not self._holds(marker["files"]):
            return None
        return Done(marker["result"])

    def _holds(self, files: Mapping[str, Mapping[str, Any]]) -> bool:
        paths = {name: self.dir / name for name in files}
        return all(path.exists() and path.stat().st_size == files[name]["bytes"] for name, path in paths.items())

    def done(self, result: Any = None) -> Done:
        """Leave the marker; `result` is small JSON data that later steps need."""
        marker = {"plan": self.plan_digest, "files": self.written, "result": result}
        write_json(self.dir / TASKS / f"{self.key}.json", marker)
        # Through JSON, so that it equals the result that a later attempt reads from the marker.
        return Done(json.loads(canonical_json(result)))


@dataclass(frozen=True)
class Share:
    """One of several programs, perhaps on several machines, that do the tasks of a directory together."""

    number: int
    """From 0."""
    of: int


@dataclass
class Builder:
    """A directory in the making, or found complete."""

    dir: Path
    identity: dict[str, Any]
    plan_digest: str
    complete: Artifact | None = None
    share: Share | None = None
    """None does all tasks, and nobody else is at work."""
    written: dict[str, dict[str, Any]] = field(default_factory=dict)

    def task(self, key: str) -> Claim | Done:
        """Claim a task, or learn that it is done and what it gave."""
        claim = Claim(self.dir, key, self.plan_digest)
        return claim.finished() or claim

    @contextmanager
    def file(self, name: str) -> Iterator[HashingFile]:
        """Write one file that belongs to no task."""
        with atomic_file(self.dir / name) as out:
            yield out
        self.written[name] = out.record

    def adopt(self, name: str) -> None:
        """Take in a file that a library wrote by itself under its final name."""
        path = self.dir / name
        self.written[name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}

    def include(self, part: Artifact) -> None:
        """Take in a complete directory below this one, with its manifest."""
        folder = part.dir.relative_to(self.dir).as_posix()
        self.written.update({f"{folder}/{name}": dict(record) for name, record in part.files.items()})
        self.adopt(f"{folder}/{MANIFEST}")

    def finish(self, counts: Mapping[str, Any]) -> Artifact:
        """Write the manifest: from here on the directory is complete.

        Files that tasks wrote below `.tasks/` were for later tasks only and go.

        Args:
            counts: what the stage counted; must be the same however the work was cut.
        """
        files = dict(self.written)
        for marker_path in sorted((self.dir / TASKS).glob("*.json")):
            made = read_json(marker_path)["files"]
            files.update({name: record for name, record in made.items() if not name.startswith(f"{TASKS}/")})
        manifest = {**self.identity, "files": files, "counts": dict(counts)}
        remove_leftovers(self.dir)
        write_json(self.dir / MANIFEST, manifest)
        note(self.dir, "finished")
        shutil.rmtree(self.dir / TASKS, ignore_errors=True)
        # Through JSON, so that this object equals one that is opened later.
        return Artifact(self.dir, json.loads(canonical_json(manifest)))


def build(
    directory: Path, *, kind: str, version: int, config: Mapping[str, Any], inputs: Mapping[str, Input]
) -> Builder:
    """Begin, go on with, or find complete the directory that `config` makes of `inputs`.

    Args:
        version: of the algorithm; raised whenever the same config and inputs would give other bytes.
    Raises:
        UserError: if the directory holds the work of another config or of other inputs; names what changed.
    """
    plan = _plan(kind, version, config, inputs)
    identity = {name: plan[name] for name in ("kind", "version", "config", "inputs")}
    builder = Builder(directory, identity, hashlib.sha256(canonical_json(plan)).hexdigest())
    _refuse_changes(directory, plan, inputs)
    if (directory / MANIFEST).exists():
        builder.complete = Artifact.open(directory, kind=kind)
        shutil.rmtree(directory / TASKS, ignore_errors=True)
        return builder
    if not (directory / PLAN).exists():
        write_json(directory / PLAN, plan)
    note(directory, "started")
    return builder


def check(directory: Path, *, kind: str, version: int, config: Mapping[str, Any], inputs: Mapping[str, Input]) -> None:
    """Raise what `build` would raise, and touch nothing."""
    _refuse_changes(directory, _plan(kind, version, config, inputs), inputs)


def _plan(kind: str, version: int, config: Mapping[str, Any], inputs: Mapping[str, Input]) -> dict[str, Any]:
    raw = {
        name: {file.name: file.identity() for file in files}
        for name, files in inputs.items()
        if isinstance(files, tuple)
    }
    return {"kind": kind, "version": version, "config": _plain(config), "inputs": _digests(inputs), "raw": raw}


def _plain(config: Mapping[str, Any]) -> Any:
    return json.loads(canonical_json(config))


def _digests(inputs: Mapping[str, Input]) -> dict[str, Any]:
    """What the manifest says of each input. Raw files are named by the task results that hashed them."""
    digests: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, Artifact):
            digests[name] = {"manifest_sha256": value.digest}
        elif isinstance(value, tuple):
            digests[name] = {"files": len(value), "bytes": sum(file.bytes for file in value)}
        else:
            digests[name] = {"fixed": str(value)}
    return digests


def _refuse_changes(directory: Path, plan: Mapping[str, Any], inputs: Mapping[str, Input]) -> None:
    if not (directory / PLAN).exists():
        return
    before = read_json(directory / PLAN)
    if before["kind"] != plan["kind"]:
        raise UserError(f"{directory}: holds {before['kind']}, expected {plan['kind']}; name another run.dir or --out")
    changes = changed_config(before["config"], plan["config"])
    if before["version"] != plan["version"]:
        changes.append(f"algorithm version {before['version']} -> {plan['version']}")
    for name in sorted({*before["inputs"], *plan["inputs"]}):
        now = inputs.get(name)
        if isinstance(now, tuple) and name in before["raw"]:
            changes += changed_files(name, before["raw"][name], now, directory)
        elif before["inputs"].get(name) != plan["inputs"].get(name):
            changes.append(_changed_input(name, before["inputs"].get(name), plan["inputs"].get(name)))
    if changes:
        shown = "; ".join(changes[:8]) + (f"; and {len(changes) - 8} more" if len(changes) > 8 else "")
        raise UserError(
            f"{directory}: was made differently: {shown}. "
            f"Name another run.dir or --out, or remove {directory} and what follows from it"
        )


def _changed_input(name: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    words = [None if one is None else one.get("fixed") for one in (before, now)]
    return f"{name} was made anew" if None in words else f"{name}: {words[0]} -> {words[1]}"
