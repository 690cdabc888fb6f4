"""What instruction tuning changed, added to a model that was trained on with more tokens."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import UserError
from pretrain.chat_vector.add import Report, add_chat_vector
from pretrain.cli import verbs
from pretrain.convert import rehash
from pretrain.convert.convert import convert
from pretrain.convert.target import Options
from tests.pretrain.convert.test_rehash import flip
from tests.tiny import write_base

NEW = ("定量", "ポンプ", "弁")
TEMPLATE = "{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")


@dataclass(frozen=True)
class Three:
    """A base, its instruct model, and the base trained on with new tokens."""

    base: Path
    instruct: Path
    trained: Path
    out: Path

    def add(self, **more: Any) -> Report:
        return add_chat_vector(self.trained, instruct=self.instruct, base=self.base, out=self.out, **more)

    def weights(self) -> tuple[dict[str, torch.Tensor], ...]:
        folders = (self.trained, self.instruct, self.base, self.out)
        return tuple(load_file(folder / "model.safetensors") for folder in folders)

    @property
    def old_rows(self) -> int:
        return len(json.loads((self.base / "tokenizer.json").read_text())["model"]["vocab"])


def write_three(root: Path, *, tied: bool, dtype: torch.dtype = torch.float32) -> Three:
    base = write_base(root / "base", tied=tied)
    for name in ("instruct", "trained"):
        shutil.copytree(base, root / name)
    change(root / "instruct", 1, 0, dtype)
    change(root / "trained", 2, len(NEW), dtype)
    change(root / "base", 0, 0, dtype)
    settings = json.loads((root / "instruct" / "tokenizer_config.json").read_text())
    (root / "instruct" / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": TEMPLATE}))
    generation = {"eos_token_id": [1, 2]}
    (root / "instruct" / "generation_config.json").write_text(json.dumps(generation))
    definition = json.loads((root / "trained" / "tokenizer.json").read_text())
    first = len(definition["model"]["vocab"])
    for number, token in enumerate(NEW):
        definition["added_tokens"].append(
            {
                "id": first + number,
                "content": token,
                **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False),
            }
        )
    (root / "trained" / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False))
    return Three(root / "base", root / "instruct", root / "trained", root / "out")


def change(folder: Path, seed: int, more_rows: int, dtype: torch.dtype) -> None:
    """Give a folder other weights, and more rows."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        rows = tensor.shape[0] + (more_rows if name in EMBEDDINGS else 0)
        tensors[name] = torch.randn((rows, *tensor.shape[1:]), generator=generator).to(dtype)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["vocab_size"] += more_rows
    config["dtype"] = str(dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def three(request: pytest.FixtureRequest, tmp_path: Path) -> Three:
    return write_three(tmp_path, tied=request.param)


@pytest.mark.parametrize("ratio", [1.0, 0.25, -1.0])
def test_the_difference_is_added_and_new_rows_stay_as_they_are(three: Three, ratio: float) -> None:
    report = three.add(ratio=ratio)

    trained, instruct, base, out = three.weights()
    assert report.new_rows == len(NEW)
    assert out.keys() == trained.keys()
    for name in trained:
        old = three.old_rows if name in EMBEDDINGS else trained[name].shape[0]
        expected = trained[name].clone()
        expected[:old] += ratio * (instruct[name] - base[name])
        assert torch.allclose(out[name], expected, rtol=0, atol=1e-6)
        assert torch.equal(out[name][old:], trained[name][old:])
        assert not torch.allclose(out[name][:old], trained[name][:old], atol=1e-2)


def test_new_rows_get_the_mean_of_what_the_old_get(three: Three) -> None:
    three.add(ratio=0.5, new_rows="mean")

    trained, instruct, base, out = three.weights()
    for name in EMBEDDINGS:
        if name in trained:
            mean = (instruct[name] - base[name]).double().mean(0).float()
            got = out[name][three.old_rows :] - trained[name][three.old_rows :]
            assert torch.allclose(got, (0.5 * mean).expand_as(got), rtol=0, atol=1e-6)


def test_half_the_bits_are_rounded_once(tmp_path: Path) -> None:
    three = write_three(tmp_path, tied=True, dtype=torch.bfloat16)
    three.add()

    trained, instruct, base, out = three.weights()
    name = "model.layers.0.mlp.down_proj.weight"
    exact = trained[name].float() + (instruct[name].float() - base[name].float())
    assert torch.equal(out[name], exact.to(torch.bfloat16))


def test_nothing_of_the_vector_leaves_what_was_there(three: Three) -> None:
    three.add(ratio=0.0)

    trained, _, _, out = three.weights()
    assert all(torch.equal(out[name], trained[name]) for name in trained)


def test_the_result_loads_and_talks_as_the_instruct_model_does(three: Three) -> None:
    three.add()

    model: Any = AutoModelForCausalLM.from_pretrained(three.out)
    tokenizer = AutoTokenizer.from_pretrained(three.out)
    assert tokenizer.chat_template == TEMPLATE
    assert model.generation_config.eos_token_id == [1, 2]
    assert tokenizer.convert_tokens_to_ids(NEW[0]) == three.old_rows
    assert model.get_input_embeddings().weight.shape[0] == three.old_rows + len(NEW)


def test_a_second_time_nothing_is_done(three: Three) -> None:
    assert not three.add().complete_before
    assert three.add().complete_before
    with pytest.raises(UserError, match="is there already"):
        three.add(ratio=0.5)


def test_an_input_that_another_of_its_size_and_time_took_the_place_of_is_noticed(three: Three) -> None:
    three.add()
    flip(three.instruct / "model.safetensors", -1)
    with pytest.raises(UserError, match="is there already, and not from this input as it is now"):
        three.add()


@pytest.mark.parametrize("what", ["trained", "instruct", "base"])
def test_a_byte_of_an_input_that_differs_from_its_manifest_is_damage(
    three: Three, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehash, "_SMALL_BYTES", 0)  # looked at beside the work, as large ones are
    convert(getattr(three, what), "hf", three.out.with_name("ours"), Options())
    ours = replace(three, **{what: three.out.with_name("ours")})
    flip(ours.out.with_name("ours") / "model.safetensors", -1)
    with pytest.raises(UserError, match=r"ours/model\.safetensors: its bytes changed since it was written"):
        ours.add()
    assert not three.out.exists()
    assert not list(three.out.parent.glob("out.partial-*/*.safetensors"))


def test_padding_of_the_base_counts_as_no_token(tmp_path: Path) -> None:
    three = write_three(tmp_path, tied=True)
    for folder in (three.base, three.instruct):
        change(folder, 5 if folder == three.base else 6, 2, torch.float32)
    three.add()

    trained, _, _, out = three.weights()
    name = EMBEDDINGS[0]
    assert torch.equal(out[name][three.old_rows :], trained[name][three.old_rows :])


def test_another_tokenizer_is_refused_with_the_tokens(three: Three) -> None:
    definition = json.loads((three.instruct / "tokenizer.json").read_text())
    vocab = definition["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    (three.instruct / "tokenizer.json").write_text(json.dumps(definition))

    with pytest.raises(
        UserError, match=r"2 tokens of the instruct model have another id in .*'[ab]' \(\d+, here \d+\)"
    ):
        three.add()
    assert not three.out.exists()


def test_another_shape_is_refused_by_name(three: Three) -> None:
    config = json.loads((three.instruct / "config.json").read_text())
    config["intermediate_size"] *= 2
    (three.instruct / "config.json").write_text(json.dumps(config))

    with pytest.raises(UserError, match=r"mlp\.down_proj\.weight is \[32, 48\].*needs \[32, 96\]"):
        three.add()
    assert not three.out.exists()


def test_three_that_are_not_one_model_are_refused(tmp_path: Path) -> None:
    three = write_three(tmp_path / "tied", tied=True)
    untied = write_three(tmp_path / "untied", tied=False)

    with pytest.raises(UserError, match=r"lm_head\.weight is \[\d+, 32\] in .*, absent in the trained model"):
        add_chat_vector(three.trained, instruct=untied.instruct, base=untied.base, out=three.out)
    assert not three.out.exists()


@pytest.mark.parametrize("ratio", [float("nan"), float("inf")])
def test_a_ratio_that_is_no_number_is_refused(three: Three, ratio: float) -> None:
    with pytest.raises(UserError, match="--ratio"):
        three.add(ratio=ratio)


def test_the_verb_prints_for_machines(three: Three, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    verbs(parser)
    folders = ["--instruct", three.instruct, "--base", three.base, "--out", three.out]
    arguments = parser.parse_args(["chat-vector", *map(str, [three.trained, *folders]), "--ratio", "0.5", "--json"])

    arguments.do(arguments)

    found = json.loads(capsys.readouterr().out)
    assert (found["out"], found["new_rows"], found["complete_before"]) == (str(three.out), len(NEW), False)
