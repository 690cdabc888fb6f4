from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from configs.errors import ConfigError, UserError
from configs.load import load
from configs.schema.site import SITES, Site, site_named
from slurm.render import render
from slurm.script import STAGES, Job, scripts_of
from tests.slurm.cluster import Cluster
from tests.tiny import tiny_run
from tsugiki.__main__ import main

GOLDEN = Path(__file__).parents[1] / "golden" / "slurm"
RUN_FILE = Path("configs/my run.yaml")

NODES = (
    "pretrain.engine=deepspeed",
    "pretrain.parallel={processes: 8}",
    "pretrain.batch_tokens=2048",
    "slurm={partition: gpu, nodes: 4, gpus_per_node: 8, cpus_per_task: 12, memory_gib: 900, time: '2-00:00:00'}",
)
SITE_NAMES = sorted(path.stem for path in SITES.glob("*.yaml"))
LAYOUTS = {
    "single": ("slurm.corpus_jobs=3",),
    "torchrun": (*NODES, "slurm.launcher=torchrun", "corpus.engine=ray", "slurm.corpus_jobs=4"),
} | {site: (*NODES, f"slurm.site={site}") for site in SITE_NAMES}
LAYOUTS["hyperpod"] += ("corpus.engine=ray", "slurm.corpus_jobs=2")


def scripts(tmp_path: Path, layout: str) -> dict[str, str]:
    """The scripts of a run that does not name this test's folder."""
    run = tiny_run(tmp_path, "run.dir=runs/tiny", *LAYOUTS[layout])
    job = Job(run, RUN_FILE, site_named(run.slurm.site), "/opt/python", ("pretrain.optim.lr=2e-5",))
    return {one.name: render(job, one) for stages in scripts_of(run).values() for one in stages}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_script_is_the_golden_one(tmp_path: Path, layout: str) -> None:
    for name, text in scripts(tmp_path, layout).items():
        assert text == (GOLDEN / layout / f"{name}.sbatch").read_text(), name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bash_and_shellcheck_accept_every_script(tmp_path: Path, layout: str) -> None:
    # SC2016: what stands in single quotes is filled in by the shell of each process.
    checkers = [["bash", "-n"]]
    if shutil.which("shellcheck") is not None:
        checkers.append(["shellcheck", "--exclude=SC2016", "-"])
    for name, text in scripts(tmp_path, layout).items():
        for checker in checkers:
            checked = subprocess.run(checker, input=text, text=True, capture_output=True, check=False)
            assert checked.returncode == 0, f"{name}: {checked.stdout}{checked.stderr}"


@pytest.mark.slurm
@pytest.mark.parametrize("layout", LAYOUTS)
def test_slurm_accepts_every_script(tmp_path: Path, layout: str, cluster: Cluster) -> None:
    for name, rendered in scripts(tmp_path, layout).items():
        # The cluster here has one partition, and fewer nodes than the run asks for.
        text = re.sub("--partition=.*", "--partition=gpu", rendered).replace("--nodes=4", "--nodes=2")
        script = tmp_path / f"{name}.sbatch"
        script.write_text(text)
        cluster.ask("sbatch", "--test-only", str(script))
        script.write_text(text.replace("--time=", "--time=soon"))
        with pytest.raises(AssertionError, match="time"):
            cluster.ask("sbatch", "--test-only", str(script))


def test_the_command_line_writes_a_script_per_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(tmp_path)
    assert main(["slurm", "render", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]) == 0
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == [f"{k}-{stage.name}.sbatch" for k, stage in enumerate(STAGES, start=1)]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in written]
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("rank_status", "status"), [(0, 0), (75, 0), (1, 1), (2, 2)])
def test_saved_but_not_finished_is_no_failure_of_a_process(tmp_path: Path, rank_status: int, status: int) -> None:
    """With a stand-in for srun that runs one of its processes: the words arrive whole, and its status comes back."""
    script = scripts(tmp_path, "plain")["train"]
    launch = script[script.index("srun --ntasks=32") : script.index(" &\ntraining=")]
    launch = launch.replace("/shared/tsugiki/.venv/bin/python -m", "saying")
    saying = f'export -f saying; saying() {{ printf \'%s|\' "$RANK of $WORLD_SIZE" "$@"; return {rank_status}; }};'
    srun = 'srun() { while [[ $1 == --* ]]; do shift; done; SLURM_PROCID=3 SLURM_NTASKS=32 SLURM_LOCALID=3 "$@"; }\n'
    saying = saying.replace("export -f saying; ", "") + " export -f saying\n"
    seen = subprocess.run(["bash", "-c", saying + srun + launch], text=True, capture_output=True, check=False)
    assert seen.stdout == "3 of 32|pretrain|train|configs/my run.yaml|--set|pretrain.optim.lr=2e-5|"
    assert seen.returncode == status


def test_the_port_to_meet_at_is_one_that_no_other_job_of_the_node_has(tmp_path: Path) -> None:
    """Neither at the node's own address, here 127.0.0.2, nor at 127.0.0.1."""
    lines = scripts(tmp_path, "plain")["train"].splitlines()
    search = [line for line in lines if "taken" in line]
    with socket.create_server(("127.0.0.2", 0)) as one:
        port = one.getsockname()[1]
        with socket.create_server(("127.0.0.1", port + 1)):
            begins = f"MASTER_ADDR=127.0.0.2; MASTER_PORT={port}"
            text = "\n".join(["set -euo pipefail", begins, *search, 'echo "$MASTER_PORT"'])
            found = subprocess.run(["bash", "-c", text], text=True, capture_output=True, check=True)
    assert len(search) == 2
    assert int(found.stdout) >= port + 2


@pytest.mark.parametrize(("allowed", "asked"), [("true", ["requeue 7"]), ("false", ["requeue 7", "cancel 7"])])
def test_where_the_first_node_of_a_ray_cluster_goes_the_others_say_so(
    tmp_path: Path, allowed: str, asked: list[str]
) -> None:
    """With stand-ins for Slurm's commands, and for the ten seconds between two looks."""
    script = scripts(tmp_path, "torchrun")["corpus"]
    watch = script[script.index("  looks=60") : script.index("' watch ")]
    watch = watch.replace("sleep 10", "sleep 0.01").replace("sleep 70", "exit")
    commands = {
        "scontrol": f"echo $1 $2 >> {tmp_path}/asked; {allowed}",
        "scancel": f"echo cancel $1 >> {tmp_path}/asked",
    }
    for name, does in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as head:
        meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(head.getsockname()[1]), "SLURM_JOB_ID": "7"}
        environment = {**os.environ, **meet, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        watching = subprocess.Popen(["bash", "-c", watch], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(14):  # more looks than it takes to give up
            head.accept()[0].close()
        assert not (tmp_path / "asked").exists()
    said, _ = watching.communicate()
    assert (tmp_path / "asked").read_text().splitlines() == asked
    told = "tsugiki: 127.0.0.1, the first node of the job, has died; submit the run again" in said.splitlines()
    assert told == ("cancel 7" in asked)


@pytest.mark.parametrize("site", SITE_NAMES)
def test_every_site_says_what_it_is_for(site: str) -> None:
    assert (SITES / f"{site}.yaml").read_text().startswith("# ")
    assert site_named(site) != Site()


def test_a_site_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no site 'plian' .*known: hyperpod, llm-jp, parallelcluster, plain;"):
        site_named("plian")


def test_mistakes_in_a_site_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "partitoin: gpu\ncontainer:\n  by: docker\n  image: a\nenvironment: {HF_TOKEN: abc}\noptions: [exclusive]\n"
        "network: {nccl: {NCCL_IB_HCA: mlx5}}\n"
    )
    with pytest.raises(ConfigError) as raised:
        load(path, Site)
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems] == [
        "site.yaml:1:1: partitoin: unknown key; did you mean 'partition'?",
        "site.yaml:3:7: container.by: expected one of apptainer, pyxis, singularity, got 'docker'",
        "site.yaml:7:17: network.nccl: names are written without NCCL_, as in IB_HCA, which NCCL_IB_HCA is not",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environment: {HF_TOKEN: abc}", "HF_TOKEN looks like a secret"),
        ("environment: {1A: b}", "'1A' is no name of a variable"),
        ("options: [exclusive]", "'exclusive' does not"),
    ],
)
def test_what_a_site_must_not_say(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / "site.yaml", Site)


def test_a_script_passes_on_no_variable_that_it_does_not_name(tmp_path: Path) -> None:
    for text in scripts(tmp_path, "single").values():
        assert "#SBATCH --export=PATH,HOME,USER," in text
        assert "TOKEN" not in text
