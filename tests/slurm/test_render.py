from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slurm.render import STAGES, BatchStage, render
from tests.tiny import tiny_run
from tsugiki.__main__ import main

GOLDEN = Path(__file__).parents[1] / "golden" / "slurm"
RUN_FILE = Path("configs/my run.yaml")

LAYOUTS = {
    "single": (),
    "multi-node": (
        "pretrain.engine=deepspeed",
        "pretrain.parallel={processes: 8}",
        "pretrain.batch_tokens=2048",
        "slurm={partition: gpu, account: proj, nodes: 4, gpus_per_node: 8, cpus_per_task: 12, memory_gib: 900, "
        "time: '2-00:00:00'}",
    ),
}


def scripts(tmp_path: Path, layout: str) -> dict[str, str]:
    """The scripts of a run that does not name this test's folder."""
    run = tiny_run(tmp_path, "run.dir=runs/tiny", *LAYOUTS[layout])
    return {stage.name: render(run, RUN_FILE, stage) for stage in STAGES}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_script_is_the_golden_one(tmp_path: Path, layout: str, stage: BatchStage) -> None:
    assert scripts(tmp_path, layout)[stage.name] == (GOLDEN / layout / f"{stage.name}.sbatch").read_text()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bash_accepts_every_script(tmp_path: Path, layout: str) -> None:
    for name, text in scripts(tmp_path, layout).items():
        checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, f"{name}: {checked.stderr}"


def test_the_command_line_writes_a_script_per_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(tmp_path)
    assert main(["slurm", "render", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]) == 0
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == [
        "1-corpus.sbatch",
        "2-tokenizer.sbatch",
        "3-pack.sbatch",
        "4-train.sbatch",
        "5-export.sbatch",
    ]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in written]


def test_a_run_file_with_a_space_reaches_every_process_whole(tmp_path: Path) -> None:
    """With a stand-in for srun that runs one of its processes: the words arrive as they were given."""
    script = scripts(tmp_path, "multi-node")["train"]
    launch = script[script.index("srun ") :].replace("python -m", "printf '%s|'")
    stand_in = (
        'srun() { while [[ $1 == --* ]]; do shift; done; SLURM_PROCID=3 SLURM_NTASKS=32 SLURM_LOCALID=3 "$@"; }\n'
    )
    seen = subprocess.run(["bash", "-c", stand_in + launch], text=True, capture_output=True, check=True)
    assert seen.stdout == "pretrain|train|configs/my run.yaml|"
