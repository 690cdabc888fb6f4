"""A corpus that was cut otherwise, killed, out of disk or changed: the same bytes, or a refusal."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus import workers
from corpus.build import build_corpus
from corpus.dedup import phases
from tests.corpus.corpora import PARTS, REPOSITORY, SMALL_TASKS, SOURCES, RunOf, bytes_of, rows_of


@pytest.mark.parametrize("task_bytes", [5000, 256_000_000])
def test_any_size_of_task_gives_the_same_corpus(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path, task_bytes: int
) -> None:
    run = run_of(mixed, tmp_path, *SOURCES, overrides=(f"corpus.limits.task_bytes={task_bytes}",))
    other = build_corpus(run)
    assert other.counts == built.counts
    for part in PARTS:
        # A document of repeated lines alone stands at the beginning of its batch among the dropped ones.
        one, another = (sorted(rows_of(corpus, part), key=lambda row: str(row["id"])) for corpus in (built, other))
        assert one == another
    assert [row["id"] for row in rows_of(other, "kept")] == [row["id"] for row in rows_of(built, "kept")]
    assert other.path("quarantine.jsonl").read_bytes() == built.path("quarantine.jsonl").read_bytes()


def test_the_number_of_workers_does_not_change_a_byte(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So little work is done in this process otherwise.
    monkeypatch.setattr(workers, "_WORTH_A_PROCESS_BYTES", 0)
    build_corpus(run_of(mixed, tmp_path, *SOURCES, overrides=(*SMALL_TASKS, "corpus.workers=2")))
    assert bytes_of(tmp_path / "corpus") == bytes_of(built.dir)


@pytest.mark.slow
def test_deduplication_by_several_processes_in_many_pieces_gives_the_same_bytes(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_WORTH_A_PROCESS_BYTES", 0)
    monkeypatch.setattr(phases, "_BUNDLE_BYTES", 30_000)
    little = ("corpus.workers=3", "corpus.dedup.memory_gb=3e-4")
    build_corpus(run_of(mixed, tmp_path, *SOURCES, overrides=(*SMALL_TASKS, *little)))
    assert bytes_of(tmp_path / "corpus") == bytes_of(built.dir)


@pytest.mark.parametrize("memory_gb", [2e-5])
def test_however_little_memory_deduplication_has_not_a_byte_is_different(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path, memory_gb: float
) -> None:
    build_corpus(run_of(mixed, tmp_path, *SOURCES, overrides=(*SMALL_TASKS, f"corpus.dedup.memory_gb={memory_gb}")))
    assert bytes_of(tmp_path / "corpus") == bytes_of(built.dir)


MOMENTS = [
    *("after bands", "after components", "after candidates", "after near"),
    *(
        "after measure",
        "after decide",
        "after count_lines",
        "after repeated_lines",
        "after held_out_bounds",
        "after held_out_pieces",
        "after overlap",
        "after write",
        "before manifest",
    ),
    *("after marker 1", "before marker 4", "before marker 14"),
]


@pytest.fixture(scope="module")
def killed(mixed: Path, run_of: RunOf, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs that were killed, by the moment."""
    root = tmp_path_factory.mktemp("killed")
    runs = {moment: run_of(mixed, root / moment, *SOURCES, overrides=SMALL_TASKS) for moment in MOMENTS}
    settings = root / "runs.json"
    settings.write_text(json.dumps({moment: run.model_dump(mode="json") for moment, run in runs.items()}))
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killed_builds.py")), str(settings)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert json.loads(ended.stdout) == dict.fromkeys(MOMENTS, -9)
    return runs


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_not_a_byte_is_different(
    built: Artifact, killed: dict[str, Run], moment: str
) -> None:
    directory = killed[moment].run.dir / "corpus"
    assert not (directory / "manifest.json").exists()
    markers = {path: path.stat().st_mtime_ns for path in (directory / ".tasks").glob("*.json")}
    shards = {path: path.stat().st_mtime_ns for path in directory.glob("measures/*.parquet")}
    again = build_corpus(killed[moment])
    assert bytes_of(directory) == bytes_of(built.dir)
    assert again.digest == built.digest
    if moment != "before marker 4":
        # What was finished was not done again.
        assert markers
        assert {path: path.stat().st_mtime_ns for path in shards} == shards


def test_a_finished_corpus_is_not_built_again(
    built: Artifact, mixed: Path, run_of: RunOf, caplog: pytest.LogCaptureFixture
) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.dir.rglob("*")}
    with caplog.at_level(logging.INFO, "corpus"):
        again = build_corpus(run_of(mixed, built.dir.parent, *SOURCES, overrides=SMALL_TASKS))
    assert again == built
    assert {path: path.stat().st_mtime_ns for path in built.dir.rglob("*")} == before
    assert [record.getMessage() for record in caplog.records] == [f"{built.dir} is complete"]


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        pytest.param(("corpus.dedup.threshold=0.7",), "dedup.threshold: 0.8 -> 0.7", id="a key"),
        pytest.param(("run.seed=6",), "seed: 5 -> 6", id="the seed"),
        pytest.param(
            ("corpus.sources.english.license=MIT",), 'sources.english.license: "" -> "MIT"', id="a source's licence"
        ),
    ],
)
def test_another_run_file_is_refused_in_the_same_directory(
    built: Artifact, mixed: Path, run_of: RunOf, overrides: tuple[str, ...], complaint: str
) -> None:
    run = run_of(mixed, built.dir.parent, *SOURCES, overrides=(*SMALL_TASKS, *overrides))
    with pytest.raises(UserError) as caught:
        build_corpus(run)
    assert str(caught.value).startswith(f"{built.dir}: was made differently: {complaint}. ")


def test_how_the_work_is_done_may_change(built: Artifact, mixed: Path, run_of: RunOf) -> None:
    assert (
        build_corpus(run_of(mixed, built.dir.parent, *SOURCES, overrides=(*SMALL_TASKS, "corpus.workers=7"))) == built
    )


def test_changed_sources_are_refused_and_touched_ones_accepted(mixed: Path, run_of: RunOf, tmp_path: Path) -> None:
    shutil.copytree(mixed / "mail", tmp_path / "mail")
    run = run_of(tmp_path, tmp_path / "run", "mail", overrides=SMALL_TASKS)
    built = build_corpus(run)
    for path in (tmp_path / "mail").iterdir():
        os.utime(path, ns=(1, 1))
    assert build_corpus(run) == built
    changed = (tmp_path / "mail" / "mail.jsonl").read_text().replace("号機", "号室")
    (tmp_path / "mail" / "mail.jsonl").write_text(changed)
    os.utime(tmp_path / "mail" / "mail.jsonl", ns=(1, 1))
    with pytest.raises(UserError, match=r"mail changed 'mail\.jsonl'\. "):
        build_corpus(run)


def test_a_full_disk_is_told_and_with_more_space_the_corpus_is_the_same(
    run_of: RunOf, tmp_path: Path, disk: Callable[[str], Path]
) -> None:
    small = disk("200k")
    generator = random.Random(1)
    (tmp_path / "manuals").mkdir()
    for number in range(30):
        text = "".join(chr(generator.randrange(0x3041, 0x3090)) for _ in range(3000))
        (tmp_path / "manuals" / f"{number}.txt").write_text(text + "。" * 30)
    run, elsewhere = (run_of(tmp_path, root, "manuals") for root in (small / "run", tmp_path / "elsewhere"))
    with pytest.raises(UserError) as caught:
        build_corpus(run)
    assert str(caught.value).startswith(f"{small / 'run/corpus'}/")
    assert str(caught.value).endswith(
        ".parquet: no space left on the device; free some and run the same command again, finished work is kept"
    )
    assert list(small.rglob("*.partial")) == []
    disk("20m")
    assert build_corpus(run).digest == build_corpus(elsewhere).digest
