"""That docs/slurm.md says what is so."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from configs.load import load
from configs.places import parse_yaml
from configs.schema.run import Run
from configs.schema.site import SITES, Site
from tests.slurm.cluster import Cluster
from tests.slurm.new_cluster import new_cluster, on_path
from tests.slurm.place import Place
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]
GUIDE = (REPOSITORY / "docs" / "slurm.md").read_text(encoding="utf-8")
FIRST = Path("configs/quickstart-4-nodes.yaml")


def blocks(kind: str) -> list[str]:
    """The guide's blocks of code in a language."""
    return re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)


def commands() -> list[str]:
    """Those that make the first model, in their order."""
    return [line.split("#")[0].strip() for line in "".join(blocks("sh")).splitlines()]


@pytest.mark.slurm
def test_every_command_of_the_guide_runs_in_its_order(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_run(tmp_path)
    cluster.ask("scontrol", "update", "partition=gpu", "state=down")  # no job of it is to run here
    try:
        assert len(commands()) == 6
        for command in commands():
            if " logs " in command:
                (job,) = json.loads((tmp_path / "run" / "slurm" / "jobs.json").read_text())["jobs"]["train"]
                (tmp_path / "run" / "slurm" / f"{job}-train.log").write_text("a line of a job\n")
            words = shlex.split(command.replace(str(FIRST), str(tmp_path / "run.yaml")).replace("--watch", ""))
            assert main(words[1:]) == 0, f"{command}: {capsys.readouterr().err}"
        assert "a line of a job" in capsys.readouterr().out
        assert cluster.ask("squeue", "--noheader") == ""
    finally:
        cluster.ask("scontrol", "update", "partition=gpu", "state=up")


@pytest.mark.slurm
@pytest.mark.soak
def test_the_commands_of_the_guide_make_a_model_on_four_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_run(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    with new_cluster(nodes=4) as cluster:
        on_path(cluster, monkeypatch)
        run = Place(tmp_path / "run.yaml", cluster, "slurm.nodes=4")
        for command in commands():
            words = shlex.split(command.replace(str(FIRST), run.words[0]))[1:]
            assert main([*words, *run.words[1:]]) == 0, run.log()
        said = capsys.readouterr().out
        assert "model.safetensors" in run.model()
        assert run.status()["train"]["nodes"] == "node[1-4]"
    assert said.endswith("no job of it is waiting or running\n")
    assert "train      running" in said


def test_the_first_run_is_the_quickstart_on_four_nodes() -> None:
    first, quickstart = load(REPOSITORY / FIRST, Run), load(REPOSITORY / "configs" / "quickstart.yaml", Run)
    assert (first.corpus, first.tokenizer, first.export) == (quickstart.corpus, quickstart.tokenizer, quickstart.export)
    apart = {"engine", "batch_tokens", "checkpoint", "stop"}
    assert first.pretrain.model_dump(exclude=apart) == quickstart.pretrain.model_dump(exclude=apart)
    assert first.slurm.nodes == 4


def test_the_program_is_installed_as_the_guide_says() -> None:
    setup, activate = [line.split("#")[0].strip() for line in "".join(blocks("shell")).splitlines()]
    assert f"\n{setup}\n" in (REPOSITORY / ".ci" / "run").read_text()
    asks = f"{activate.replace('.venv', sys.prefix)} && tsugiki slurm submit --help"
    assert "--dry-run" in subprocess.run(["bash", "-c", asks], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(tsugiki [^`]+)`", GUIDE))))
def test_a_command_within_the_text_is_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.split()[1:]
    verb = list(itertools.takewhile(str.islower, words))
    with pytest.raises(SystemExit) as ended:
        main([*verb, "--help"])
    assert ended.value.code == 0
    assert f"{' '.join(verb)} " in capsys.readouterr().out


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
