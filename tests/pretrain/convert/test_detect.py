from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.convert.detect import detect
from tests.pretrain.checkpoint.made import checkpoint


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("files", "format_", "below"),
    [
        pytest.param(("config.json", "model.safetensors"), "hf", "", id="one file"),
        pytest.param(("config.json", "model.safetensors.index.json"), "hf", "", id="index of shards that are missing"),
        pytest.param(("hf/config.json", "hf/model.safetensors"), "hf", "hf", id="what export writes"),
        pytest.param(("zero_pp_rank_0_mp_rank_00_model_states.pt",), "deepspeed", "", id="tag of ZeRO 3"),
        pytest.param(("mp_rank_00_model_states.pt", "hf/config.json"), "deepspeed", "", id="config beside"),
        pytest.param(("__0_0.distcp", ".metadata", "metadata.json"), "megatron", "", id="an iteration"),
    ],
)
def test_a_format_is_found_by_what_lies_in_the_folder(
    tmp_path: Path, files: tuple[str, ...], format_: str, below: str
) -> None:
    assert detect(_touch(tmp_path, *files)) == (format_, tmp_path / below)


def test_the_pointer_of_deepspeed_and_of_megatron_is_followed(tmp_path: Path) -> None:
    ds, core = tmp_path / "ds", tmp_path / "core"
    _touch(ds, "global_step7/mp_rank_00_model_states.pt", "global_step9/mp_rank_00_model_states.pt")
    (ds / "latest").write_text("global_step7\n")
    _touch(core, "iter_0000012/__0_0.distcp", "iter_0000120/__0_0.distcp")
    (core / "latest_checkpointed_iteration.txt").write_text("12")
    assert detect(ds) == ("deepspeed", ds / "global_step7")
    assert detect(core) == ("megatron", core / "iter_0000012")


def test_of_a_run_the_newest_complete_checkpoint_is_taken(tmp_path: Path) -> None:
    root = tmp_path / "run" / "checkpoints"
    for step in (2, 11):
        checkpoint(root, step)
    _touch(root, "step-00000012.partial-a/part-00000.json")
    for path in (tmp_path / "run", root, root / "step-00000011"):
        assert detect(path) == ("checkpoint", root / "step-00000011")
    assert detect(root / "step-00000002") == ("checkpoint", root / "step-00000002")


def test_what_is_none_of_them_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of the formats hf, checkpoint, deepspeed, megatron: a Hugging Face"):
        detect(_touch(tmp_path, "config.json"))
    with pytest.raises(UserError, match=r"pytorch_model\.bin: is a pickle, .* write it with save_pretrained"):
        detect(_touch(tmp_path, "pytorch_model.bin"))
    with pytest.raises(UserError, match=r"config\.json: is a file, not a folder"):
        detect(tmp_path / "config.json")
    with pytest.raises(UserError, match=r"elsewhere: does not exist"):
        detect(tmp_path / "elsewhere")
