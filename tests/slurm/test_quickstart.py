"""The quickstart's chain on two nodes: the text of the repository, SmolLM2-135M, every stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.place import Place

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "models" / "smollm2-135m-instruct"


@pytest.mark.slurm
@pytest.mark.soak
@pytest.mark.timeout(5400)
@pytest.mark.skipif(not BASE.exists(), reason="the base model is not there; `make setup` fetches it")
def test_it_goes_from_submit_to_an_exported_model(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a short sequence for each node in a step, as many steps as show that it learns, and short texts at last."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    fewer = (
        "pretrain.seq_len=512",
        "pretrain.batch_tokens=1024",
        "pretrain.stages.all.tokens=6144",
        "pretrain.optim.warmup_tokens=1024",
        "export.gate.greedy_tokens=8",
        "export.continuation_tokens=8",
    )
    jobs = ("slurm.corpus_jobs=2", "slurm.time=1:00:00")
    run = Place(Path("configs/quickstart.yaml"), cluster, f"run.dir={tmp_path}/run", *fewer, *jobs)
    run.submit()
    run.until_over(5000)
    assert "model.safetensors" in run.model()
    assert run.status()["train"]["nodes"] == "node[1-2]"
    assert run.status()["train"]["training"]["step"] == 6
    first, *_, last = run.metrics("step")
    assert last["loss_nats"] < first["loss_nats"]
