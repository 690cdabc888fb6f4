from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.errors import UserError
from pretrain.convert.convert import convert
from pretrain.convert.model import Model
from pretrain.convert.target import Options
from tests.pretrain.convert.deepspeed.made import Made, written

MODEL, OPTIMIZER = "mp_rank_00_model_states.pt", "zero_pp_rank_{}_mp_rank_00_optim_states.pt"


class Touch:
    """What a pickle can do that is loaded without looking."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def checkpoint(models: dict[str, Model], tmp_path: Path) -> Path:
    """ZeRO 2 on three ranks."""
    return written(Made(models["tied"]), models["tied"], tmp_path / "in", Options(zero=2, ranks=3))


def refused(checkpoint: Path, match: str) -> None:
    """No result, half or whole, and a message that says why."""
    out = checkpoint.parent.parent / "out"
    with pytest.raises(UserError, match=match):
        convert(checkpoint, "hf", out, Options())
    assert not out.exists()
    assert not list(checkpoint.parent.parent.glob("out.partial-*/*.safetensors"))


def rewrite(path: Path, change: Callable[[Any], None]) -> None:
    """Change what a file holds."""
    state = torch.load(path, weights_only=False)
    change(state)
    torch.save(state, path)


def test_a_pickle_that_names_something_else_is_refused_and_not_run(checkpoint: Path, tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", checkpoint / MODEL
    rewrite(path, lambda state: state.update(client=Touch(trap)))
    refused(checkpoint, r"this pickle asks for \w+\.mkdir, which is not on the list.*load it with the program")
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists()  # what would have happened


def test_a_pickle_that_hides_it_in_an_optimizers_file_is_refused_too(checkpoint: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    rewrite(checkpoint / OPTIMIZER.format(2), lambda state: state["optimizer_state_dict"].update(x=[Touch(trap)]))
    refused(checkpoint, "optim_states.pt: this pickle asks for")
    assert not trap.exists()


def test_plain_client_state_and_loss_scalers_are_no_matter(checkpoint: Path) -> None:
    rewrite(checkpoint / MODEL, lambda state: state.update(epoch=3, seen=[1.5, "ja"], random=torch.get_rng_state()))
    convert(checkpoint, "hf", checkpoint.parent.parent / "out", Options())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_file_that_was_cut_off_is_named(checkpoint: Path, share: float) -> None:
    path = checkpoint / OPTIMIZER.format(1)
    os.truncate(path, int(path.stat().st_size * share))
    refused(checkpoint, re.escape(str(path)) + ": damaged, not a file that torch.save wrote")


def test_a_missing_rank_is_named(checkpoint: Path) -> None:
    (checkpoint / OPTIMIZER.format(1)).unlink()
    refused(checkpoint, r"3 rank\(s\) wrote it and \*_optim_states\.pt of rank 1 is missing; copy it here")


def test_all_ranks_missing_are_named(checkpoint: Path) -> None:
    for rank in range(3):
        (checkpoint / OPTIMIZER.format(rank)).unlink()
    refused(checkpoint, r"\*_optim_states\.pt of rank 0, 1, 2 is missing")


def test_a_rank_too_many_is_named(checkpoint: Path) -> None:
    (checkpoint / OPTIMIZER.format(3)).write_bytes((checkpoint / OPTIMIZER.format(0)).read_bytes())
    refused(checkpoint, r"of rank 3, but 3 rank\(s\) wrote this checkpoint; it is left over from another, remove it")


def test_two_files_of_a_rank_are_named(checkpoint: Path) -> None:
    path = checkpoint / OPTIMIZER.format(0)
    (checkpoint / f"bf16_{path.name}").write_bytes(path.read_bytes())
    refused(checkpoint, "are of rank 0; remove the older")


@pytest.mark.parametrize("name", ["mp_rank_01_model_states.pt", "layer_00-model_00-model_states.pt"])
def test_a_model_in_parts_is_refused(checkpoint: Path, name: str) -> None:
    (checkpoint / name).write_bytes((checkpoint / MODEL).read_bytes())
    refused(checkpoint, f"{name}: belongs to a model that is cut up by more than ZeRO")


def test_a_tensor_of_another_shape_is_named(checkpoint: Path) -> None:
    name = "model.layers.1.mlp.up_proj.weight"

    def turned(state: Any) -> None:
        state["param_shapes"][0][name] = torch.Size(state["param_shapes"][0][name][::-1])

    rewrite(checkpoint / MODEL, turned)
    refused(checkpoint, rf"{re.escape(name)} is \[24, 37\], the architecture needs \[37, 24\]")


def test_shapes_that_partitions_do_not_hold_are_named(checkpoint: Path) -> None:
    def larger(state: Any) -> None:
        state["param_shapes"][0]["model.norm.weight"] = torch.Size((2400,))

    rewrite(checkpoint / MODEL, larger)
    refused(checkpoint, r"3 partitions of [\d,]+ numbers are too small for group 0 of the parameters")


def test_a_shorter_partition_is_named(checkpoint: Path) -> None:
    def shorter(state: Any) -> None:
        flat = state["optimizer_state_dict"]["single_partition_of_fp32_groups"]
        flat[0] = flat[0][:-1].clone()

    rewrite(checkpoint / OPTIMIZER.format(1), shorter)
    refused(checkpoint, "its flat tensor 0 has .* the shapes do not belong to it")


def test_a_missing_parameter_and_one_too_many_are_named(checkpoint: Path) -> None:
    def renamed(state: Any) -> None:
        shapes = state["param_shapes"][0]
        state["param_shapes"][0] = {name.replace("1.mlp.up", "1.mlp.left"): shape for name, shape in shapes.items()}

    rewrite(checkpoint / MODEL, renamed)
    refused(checkpoint, r"it has no model\.layers\.1\.mlp\.up_proj.*no place for .*left_proj")


@pytest.mark.parametrize("key", ["param_shapes", "module", "dp_world_size"])
def test_what_deepspeed_always_writes_must_be_there(checkpoint: Path, key: str) -> None:
    rewrite(checkpoint / MODEL, lambda state: state.pop(key))
    refused(checkpoint, f"has no '{key}', which DeepSpeed's save_checkpoint writes")


def test_moments_of_several_ages_are_refused(checkpoint: Path) -> None:
    def older(state: Any) -> None:
        state["optimizer_state_dict"]["base_optimizer_state"]["state"][0]["step"] = torch.tensor(7.0)

    rewrite(checkpoint / OPTIMIZER.format(1), older)
    refused(checkpoint, "Adam has taken 7, 30 steps")


def test_what_nvme_offload_left_aside_is_refused(checkpoint: Path) -> None:
    (checkpoint / "offloaded_tensors").mkdir()
    refused(checkpoint, "part of the state is in offloaded_tensors, as NVMe offload left it")


def test_a_fused_adam_without_zero_is_refused(models: dict[str, Model], tmp_path: Path) -> None:
    folder = written(Made(models["tied"]), models["tied"], tmp_path / "in", Options(zero=0, dtype="bfloat16"))

    def fused(state: Any) -> None:
        groups = state["optimizer"].pop("fp32_groups")
        state["optimizer"]["fp32_groups_flat"] = [torch.cat([one.reshape(-1) for one in groups[0]])]

    rewrite(folder / MODEL, fused)
    refused(folder, "with a fused Adam, DeepSpeed does not write which numbers are of which parameter")


def test_without_zero_the_order_of_parameters_must_follow_from_their_shapes(
    models: dict[str, Model], tmp_path: Path
) -> None:
    # Of k and v, which have one shape, one is frozen: which one, the file does not say.
    model = models["untied"]
    frozen = [name for name in model.shapes if "k_proj" in name]
    folder = written(Made(model, frozen), model, tmp_path / "in", Options(zero=0))
    refused(folder, "does not write which parameter is which of the optimizer's 19.*ZeRO stage 1")
