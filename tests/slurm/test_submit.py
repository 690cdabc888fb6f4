"""Submitting on a real Slurm: what is submitted, and that it is submitted once; the jobs themselves wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.tiny import tiny_run
from tsugiki.__main__ import main

pytestmark = pytest.mark.slurm


@pytest.fixture
def run_file(tmp_path: Path, cluster: Cluster) -> Iterator[str]:
    """Of a run whose jobs wait for ever, since the partition is down."""
    tiny_run(tmp_path)
    cluster.ask("scontrol", "update", "partition=gpu", "state=down")
    yield str(tmp_path / "run.yaml")
    cluster.ask("scontrol", "update", "partition=gpu", "state=up")


def complete(tmp_path: Path, *stages: str) -> None:
    """Leave what makes a stage complete."""
    for stage in stages:
        folder = tmp_path / "run" / stage
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")


def test_a_run_is_submitted_once_and_can_be_cancelled(
    run_file: str, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slurm", "submit", run_file, "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    jobs = json.loads(said[-1])
    assert json.loads((tmp_path / "run" / "slurm" / "jobs.json").read_text()) == {"jobs": jobs}
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "run" / "slurm").stat().st_mode & 0o777 == 0o700
    waits_for = cluster.ask("squeue", "--noheader", "--sort=i", "--format=%i %E").splitlines()
    first = int(jobs["corpus"][0])
    assert waits_for == [
        f"{first} (null)",
        *(f"{number} afterok:{number - 1}(unfulfilled)" for number in range(first + 1, first + 5)),
    ]

    assert main(["slurm", "submit", run_file]) == 1
    assert f"is submitted already, as {first}, " in capsys.readouterr().err
    assert main(["slurm", "status", run_file, "--json"]) == 0
    waiting = [(one["state"], one["reason"]) for one in json.loads(capsys.readouterr().out)]
    assert {state for state, _ in waiting} == {"waiting"}
    assert waiting[0] == ("waiting", "PartitionDown")
    # Which of its two reasons it tells depends on when it has last looked at the job.
    assert {reason for _, reason in waiting} <= {"PartitionDown", "Dependency"}

    assert main(["slurm", "cancel", run_file]) == 0
    assert cluster.ask("squeue", "--noheader") == ""
    assert main(["slurm", "status", run_file]) == 0
    assert capsys.readouterr().out.count(" cancelled ") == 5
    assert main(["slurm", "submit", run_file]) == 0


def test_where_a_site_forbids_requeue_several_jobs_train_one_after_the_other(
    run_file: str, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.yaml").write_text("requeue: false\n")
    words = ["--set", f"slurm={{site: {tmp_path}/site.yaml, jobs: 3}}"]
    assert main(["slurm", "submit", run_file, "--json", *words]) == 0
    jobs = json.loads(capsys.readouterr().out.splitlines()[-1])
    (pack,), (one, two, three), (export,) = jobs["pack"], jobs["train"], jobs["export"]
    waits_for = dict(line.split() for line in cluster.ask("squeue", "--noheader", "--format=%i %E").splitlines())
    after = {number: set(words.replace("(unfulfilled)", "").split(",")) for number, words in waits_for.items()}
    assert after[one] == {f"afterok:{pack}"}
    assert after[two] == {f"afterok:{pack}", f"afterany:{one}"}
    assert after[three] == {f"afterok:{pack}", f"afterany:{two}"}
    assert after[export] == {f"afterok:{three}"}


def test_what_slurm_refuses_leaves_no_job(
    run_file: str, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first three stages fit the cluster, and the training does not."""
    assert main(["slurm", "submit", run_file, "--set", "slurm.gpus_per_node=9"]) == 1
    assert "sbatch refuses: " in capsys.readouterr().err
    assert cluster.ask("squeue", "--noheader") == ""


def test_complete_stages_are_skipped_and_a_dry_run_submits_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_run(tmp_path)
    complete(tmp_path, "corpus", "tokenizer")
    run_file = str(tmp_path / "run.yaml")
    capsys.readouterr()
    assert main(["slurm", "submit", run_file, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pack": 1, "train": 1, "export": 1}
    assert main(["slurm", "submit", run_file, "--dry-run", "--json", "--from", "pack"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pack": 1, "train": 1, "export": 1}
    assert main(["slurm", "submit", run_file, "--from", "export"]) == 1
    assert "--from export: pack, train is not complete" in capsys.readouterr().err
    assert main(["slurm", "status", run_file]) == 1
    assert "no job was submitted for this run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_job_has_no_variable_of_its_submitter_that_is_not_named(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_run(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("PRIVATE_KEY", "hf_secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert main(["slurm", "render", str(tmp_path / "run.yaml")]) == 0
    script = tmp_path / "run" / "slurm" / "1-corpus.sbatch"
    lines = script.read_text().splitlines()
    launch = lines[-1][: lines[-1].index(" /")]  # srun and its options
    script.write_text("\n".join([*lines[:-1], f"env > {tmp_path}/job", f"{launch} env > {tmp_path}/step", ""]))
    job = cluster.ask("sbatch", "--parsable", "--wait", str(script)).strip()
    for seen in ("job", "step"):
        environment = (tmp_path / seen).read_text()
        assert f"HF_HOME={tmp_path}\n" in environment
        assert "hf_secret" not in environment
        assert "HF_HUB_OFFLINE=1\n" in environment
    kept = [path for path in (cluster.folder / "state").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"hf_secret" in path.read_bytes()]
    assert "hf_secret" not in cluster.ask("scontrol", "show", "job", job)
