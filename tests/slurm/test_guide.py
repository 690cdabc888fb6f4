"""That docs/slurm.md says what is so."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from configs.load import load
from configs.places import parse_yaml
from configs.schema.site import SITES, Site
from tests.slurm.cluster import Cluster
from tests.tiny import tiny_run
from tsugiki.__main__ import main

GUIDE = (Path(__file__).parents[2] / "docs" / "slurm.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The guide's blocks of code in a language."""
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.slurm
def test_every_command_of_the_guide_runs_in_its_order(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_run(tmp_path)
    cluster.ask("scontrol", "update", "partition=gpu", "state=down")  # no job of it is to run here
    try:
        commands = [line.split("#")[0] for line in "".join(blocks("sh")).splitlines()]
        assert len(commands) == 6
        for command in commands:
            if " logs " in command:
                (job,) = json.loads((tmp_path / "run" / "slurm" / "jobs.json").read_text())["jobs"]["corpus"]
                (tmp_path / "run" / "slurm" / f"{job}-corpus.log").write_text("a line of a job\n")
            words = shlex.split(command.replace("configs/quickstart.yaml", str(tmp_path / "run.yaml")))
            assert main(words[1:]) == 0, f"{command}: {capsys.readouterr().err}"
        assert "a line of a job" in capsys.readouterr().out
        assert cluster.ask("squeue", "--noheader") == ""
    finally:
        cluster.ask("scontrol", "update", "partition=gpu", "state=up")


def test_the_run_file_of_the_guide_is_one(tmp_path: Path) -> None:
    (shown,) = blocks("yaml")
    values = parse_yaml(shown, "the guide").values
    words = [f"{section}={json.dumps(value)}" for section, value in (("slurm", values["slurm"]),)]
    words += [f"pretrain.{key}={json.dumps(value)}" for key, value in values["pretrain"].items()]
    run = tiny_run(tmp_path, *words, "pretrain.engine=deepspeed", "pretrain.batch_tokens=2048")
    assert (run.slurm.site, run.slurm.nodes, run.pretrain.stop.before_end_s) == ("plain", 4, 600)


def test_the_guide_names_every_key_and_every_site() -> None:
    keys = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| `")))
    )
    assert keys >= set(Site.model_fields)
    for path in SITES.glob("*.yaml"):
        assert load(path, Site)
        assert f"`{path.name}`" in GUIDE
