"""`tsugiki pretrain estimate`: figures of known models, what fits, what is suggested, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import configs
from configs.load import load
from configs.schema.run import Run
from pretrain.estimate.build import Estimate, estimate, refusal
from pretrain.estimate.duration import Rates, jobs, limit_seconds
from tsugiki.__main__ import main

GUESSED = Rates()
RECIPES = sorted((Path(configs.__file__).parent / "recipes").glob("*.yaml"))
BY_NAME = {path.stem: path for path in RECIPES}

PUBLISHED = {"8b": 8_030_261_248, "70b": 70_553_706_496}
"""Parameters as the bases' model pages count them."""


@pytest.fixture(autouse=True)
def without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def of_recipe(name: str, *changes: str, rates: Rates = GUESSED) -> Estimate:
    return estimate(load(BY_NAME[name], Run, changes), None, rates)


def test_there_is_a_recipe_for_each_size_of_cluster() -> None:
    assert set(BY_NAME) == {
        *("8b-1-node", "8b-4-nodes", "8b-16-nodes"),
        *("70b-4-nodes", "70b-16-nodes", "70b-32-nodes"),
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_a_recipe_fits_its_gpus(name: str) -> None:
    found = of_recipe(name)
    assert refusal(found) is None
    assert found["memory"]["device_bytes"] <= found["limit_bytes"] == 0.8 * 79 * 2**30
    assert found["suggestion"] is None  # nothing clearly faster was overlooked
    assert found["parameters"] == PUBLISHED[name.split("-")[0]]
    nodes = int(name.split("-")[1])
    assert found["layout"]["nodes"] * found["layout"]["processes"] == nodes * 8
    assert found["jobs"] >= 1


def test_what_a_fast_run_needs_is_what_its_tokens_need() -> None:
    found = of_recipe("8b-1-node", rates=Rates(tokens_per_s=80_000, disk_gb_per_s=4, gpu_hour_price=2.5))
    tokens = found["steps"] * 8_388_608
    assert 22e9 <= tokens < 22e9 + 8_388_608
    assert found["tokens"] == tokens
    time = found["time"]
    assert time["seconds"] == tokens / 80_000
    assert time["gpu_hours"] == pytest.approx(8 * tokens / 80_000 / 3600)
    assert time["kwh"] == pytest.approx(time["gpu_hours"] * 0.7)
    assert time["cost"] == pytest.approx(time["gpu_hours"] * 2.5)
    assert found["checkpoint"]["bytes"] == 12 * PUBLISHED["8b"]
    assert found["checkpoint"]["seconds"] == pytest.approx(12 * PUBLISHED["8b"] / 4e9)


def test_published_runs_say_how_fast_a_run_nobody_measured_is() -> None:
    found = of_recipe("8b-16-nodes")["time"]
    low, high = found["seconds_range"]
    assert low <= found["seconds"] <= high
    assert 0.3 < found["utilisation"] < 0.6
    assert any("Qwen3-8B" in source for source in found["sources"])


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    found = of_recipe("8b-4-nodes", "pretrain.parallel={processes: 8}")
    assert found["fits"] is False
    why = refusal(found)
    assert why is not None
    assert "80 % of h100 is 63.2 GiB; this fits: engine megatron, " in why
    assert found["suggestion"]["bytes"] <= found["limit_bytes"] < found["memory"]["device_bytes"]


def test_more_nodes_are_suggested_where_no_layout_fits() -> None:
    found = of_recipe("70b-4-nodes", "slurm.nodes=1", "pretrain.parallel={processes: 2, tensor: 2, sequence: true}")
    assert found["suggestion"] is None
    assert found["more_nodes"]["nodes"] == 2
    assert found["more_nodes"]["bytes"] <= found["limit_bytes"]
    assert "nothing fits on so few GPUs; on 2 nodes this does: engine " in str(refusal(found))


def test_what_a_suggestion_takes_of_the_nodes_own_memory_is_told() -> None:
    found = of_recipe("70b-4-nodes", "slurm.nodes=1", "pretrain.parallel={processes: 8, tensor: 8, sequence: true}")
    assert "offload optimizer" in found["suggestion"]["layout"]
    # fp32 weights, moments, gradients, and the copy that a checkpoint is written from.
    assert found["suggestion"]["host_bytes_per_node"] == pytest.approx(28 * found["parameters"], rel=1e-3)
    assert "GiB of each node's own memory)" in str(refusal(found))


OFFLOADED = (
    "slurm.nodes=1",
    "pretrain.engine=deepspeed",
    "pretrain.parallel={processes: 8, zero: '3', offload: optimizer}",
    "pretrain.recompute=layers",
)


def test_a_nodes_own_memory_is_compared_where_the_run_file_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    free = of_recipe("70b-4-nodes", *OFFLOADED)
    needed = free["memory"]["host_bytes_per_node"] / 2**30
    assert (free["fits"], free["node_bytes"]) == (True, None)
    enough, short = math.ceil(needed), math.floor(needed)
    assert of_recipe("70b-4-nodes", *OFFLOADED, f"slurm.memory_gib={enough}")["fits"] is True
    found = of_recipe("70b-4-nodes", *OFFLOADED, f"slurm.memory_gib={short}")
    assert found["fits"] is False
    assert found["memory"]["device_bytes"] < found["limit_bytes"]
    why = f"needs {needed:,.0f} GiB of each node's own memory, slurm.memory_gib is {short:,}; "
    assert str(refusal(found)).startswith(why)
    # What is suggested instead keeps to it as well: no offload on one node, but more nodes.
    assert found["suggestion"] is None
    assert found["more_nodes"]["host_bytes_per_node"] <= found["node_bytes"]
    words = [word for change in OFFLOADED for word in ("--set", change)]
    assert main(["pretrain", "estimate", str(BY_NAME["70b-4-nodes"]), *words]) == 0
    assert "set slurm.memory_gib to have it compared" in " ".join(capsys.readouterr().out.split())


def test_too_little_memory_of_a_node_is_seen_without_a_gpu() -> None:
    run = load(BY_NAME["70b-4-nodes"], Run, (*OFFLOADED, "slurm.gpu=null", "slurm.memory_gib=64"))
    found = estimate(run, None, GUESSED)
    assert found["fits"] is False
    assert "per GPU" not in str(refusal(found))


def test_a_checkpoint_that_training_waits_for_needs_no_copy_on_the_host() -> None:
    copied, waited = (of_recipe("8b-1-node", f"pretrain.checkpoint.asynchronous={word}") for word in ("true", "false"))
    assert copied["memory"]["host_bytes_per_node"] == pytest.approx(12 * PUBLISHED["8b"], rel=1e-3)
    assert waited["memory"]["host_bytes_per_node"] == 0
    assert waited["memory"]["device_bytes"] == copied["memory"]["device_bytes"]


def test_overlap_pads_the_buckets_of_the_first_stage_and_stays_in_what_is_suggested() -> None:
    plain, overlapped = (
        of_recipe("8b-4-nodes", f"pretrain.parallel={{processes: 8, overlap: {word}}}") for word in ("false", "true")
    )
    assert "overlap true" in overlapped["layout"]["shown"]
    assert "overlap true" in overlapped["suggestion"]["layout"]
    assert "overlap" not in plain["suggestion"]["layout"]
    more = overlapped["memory"]["device"]["weights"] - plain["memory"]["device"]["weights"]
    assert 0 <= more < 1e-3 * plain["memory"]["device"]["weights"]


def test_a_clearly_faster_layout_is_suggested_though_the_asked_one_fits() -> None:
    found = of_recipe("8b-4-nodes", "pretrain.recompute=layers")
    assert found["fits"] is True
    assert found["suggestion"]["speed_up"] == pytest.approx(8 / 6, rel=0.05)
    assert "recompute" not in found["suggestion"]["layout"]


def test_an_impossible_layout_is_a_problem_and_not_an_estimate() -> None:
    found = of_recipe("8b-4-nodes", "pretrain.parallel={processes: 8, tensor: 16, sequence: true}")
    assert "memory" not in found
    assert "8 key/value heads are not divisible by parallel.tensor (16)" in str(refusal(found))


def test_a_folder_with_nothing_but_a_config_is_enough(tmp_path: Path) -> None:
    shape = Path(configs.__file__).parent / "shapes" / "meta-llama" / "Llama-3.1-8B" / "config.json"
    (tmp_path / "config.json").write_bytes(shape.read_bytes())
    assert of_recipe("8b-4-nodes", f"pretrain.base={tmp_path}")["parameters"] == PUBLISHED["8b"]


def test_added_tokens_count() -> None:
    found = of_recipe("8b-4-nodes", "tokenizer={add: 1000, init: {pad_to_multiple: 64}}")
    assert found["embedding_rows"] == {"base": 128_256, "trained": 129_280}
    assert found["parameters"] == PUBLISHED["8b"] + 2 * 1024 * 4096


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        pytest.param((), 3, id="the two newest, and the one that is written"),
        pytest.param(("pretrain.checkpoint.keep_best=4",), 7, id="the best besides"),
        pytest.param(("pretrain.guards.rollback_after=5",), 5, id="those to go back to besides"),
        pytest.param(("pretrain.checkpoint.keep_last=99",), 11, id="never more than there are"),
    ],
)
def test_the_disk_that_is_named_is_what_training_will_ask_for(changes: tuple[str, ...], kept: int) -> None:
    found = of_recipe("8b-1-node", *changes)  # 2,623 steps, saved every 250 and at the end
    assert found["checkpoint"]["disk_bytes"] == kept * found["checkpoint"]["bytes"]


def test_jobs_leave_time_for_two_steps_and_a_checkpoint() -> None:
    # 100 s of 10 steps; 2 * (10 + 5) of each job are kept back.
    assert jobs(100, 10, 5, limit=130) == 1
    assert jobs(100, 10, 5, limit=129) == 2
    assert jobs(100, 10, 5, limit=30) is None


def test_time_limits_are_slurms() -> None:
    assert [limit_seconds(text) for text in ("24:00:00", "2-00:30:01", "0:01:00")] == [86_400, 174_601, 60]


def test_the_command_prints_for_machines_and_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(BY_NAME["70b-16-nodes"])
    assert main(["pretrain", "estimate", recipe, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["pretrain", "estimate", recipe]) == 0
    screen = capsys.readouterr().out
    assert f"{found['parameters']:,} parameters" in screen
    assert f"{found['memory']['device_bytes'] / 2**30:,.1f} GiB" in screen
    assert "fits in 80 % of h100" in screen


def test_the_command_fails_where_it_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "estimate", str(BY_NAME["8b-4-nodes"]), "--gpu", "l4"]) == 1
    assert "80 % of l4 is 17.6 GiB" in capsys.readouterr().err


def test_a_measured_run_says_how_fast_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["pretrain", "estimate", str(BY_NAME["8b-1-node"]), "--json", "--measured", str(tmp_path)]
    speeds = [9_000.0, 60_000.0, 80_000.0, 70_000.0]
    lines = [json.dumps({"kind": "speed", "step": step, "tokens_per_s": speed}) for step, speed in enumerate(speeds)]
    assert main(command) == 1
    assert f"{tmp_path}/speed.jsonl: does not exist; name the folder" in capsys.readouterr().err
    (tmp_path / "speed.jsonl").write_text("\n".join(lines[:1]))
    assert main(command) == 1
    assert "at least two measurements of speed" in capsys.readouterr().err
    (tmp_path / "speed.jsonl").write_text("\n".join(lines))
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["time"]["tokens_per_s"] == 70_000


@pytest.mark.parametrize("speed", ["0", "-1", "inf", "nan", "fast"])
def test_a_speed_that_is_none_is_refused_in_words(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["pretrain", "estimate", str(BY_NAME["8b-1-node"]), f"--tokens-per-s={speed}"])
    assert left.value.code == 2
    assert f"argument --tokens-per-s: must be a number above 0, got '{speed}'\n" in capsys.readouterr().err


def test_a_base_nobody_has_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "estimate", str(BY_NAME["8b-1-node"]), "--set", "pretrain.base=nobody/nothing"]) == 1
    assert "and name the folder; its config.json is enough here\n" in capsys.readouterr().err
