"""What the comparison of engines covers, and that it fails when it should."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import AutoConfig

import benchmarks.__main__ as command_line
from benchmarks import engines
from benchmarks.engine_lab.comparison import Combination, Difference, Model, compare
from benchmarks.engine_lab.cover import Value, met
from benchmarks.engine_lab.inputs import NEW_ROWS, OLD_ROWS
from benchmarks.engine_lab.selection import APART, FACTORS, ROWS, SELECTION, impossible
from benchmarks.figures import failed
from configs.errors import UserError
from configs.schema.pretrain import Parallel
from pretrain.engines.megatron.layout import plan
from pretrain.models.family import SUPPORTED

RIGHT = Difference(losses=1e-4, norms=1.0, log_probabilities=1e-4, leak=False)


FAMILY_OF = {"plain": "llama", "QKV bias": "qwen2", "QK norm": "qwen3"}


def test_every_two_choices_meet_that_can() -> None:
    assert APART == (("layout", "rope"),)
    reached = set[frozenset[Value]]().union(*(met(row) for row in ROWS))
    left_out = {}
    for (one, values), (other, others) in itertools.combinations(FACTORS.items(), 2):
        for first, second in itertools.product(values, others):
            if frozenset({(one, first), (other, second)}) not in reached:
                left_out[one, first, other, second] = impossible({one: first, other: second})
    assert {key for key, why in left_out.items() if why is None and (key[0], key[2]) not in APART} == set()
    # What is left out by its reason, and no more of it than that.
    elsewhere = [key for key, why in left_out.items() if why and "one way" not in why]
    assert {f"{one} {first}, {other} {second}" for one, first, other, second in elsewhere} == {
        *(f"layout {name}, groups 1" for name in FACTORS["layout"] if "tensor" in name),
        *(f"layout {name}, vocabulary padded" for name in FACTORS["layout"] if "tensor" not in name),
        "way of rotation deepspeed, vocabulary padded",
        "way of rotation megatron, context, vocabulary padded",
        "groups 1, vocabulary padded",
    }


def test_the_selection_is_what_was_chosen() -> None:
    assert len({one.name for one in SELECTION}) == len(SELECTION) == len(ROWS) == 36
    assert {one.model.family for one in SELECTION} == set(SUPPORTED)
    for row, one in zip(ROWS, SELECTION, strict=True):
        model = one.model
        assert model.family in {FAMILY_OF[row["layers"]], "mistral" if row["layers"] == "plain" else ""}
        assert model.changes["num_key_value_heads"] == int(row["groups"])
        assert model.changes["tie_word_embeddings"] == (row["embeddings"] == "tied")
        assert model.packed == (row["documents"] == "packed")
        assert one.settings["recompute"] == ("layers" if row["recomputed"] == "yes" else "none")
        kind = model.changes.get("rope_parameters", {}).get("rope_type")
        assert (kind, model.rope_base) == {"usual": (None, None), "of the stage": (None, 100.0)}.get(
            row["rope"], (row["rope"], None)
        )


@pytest.mark.parametrize("one", [one for one in SELECTION if one.engine == "megatron"], ids=lambda one: one.name)
def test_the_vocabulary_is_padded_where_it_is_said_to_be(one: Combination) -> None:
    rows = OLD_ROWS + NEW_ROWS + one.model.even_vocabulary
    config = AutoConfig.for_model(
        "llama", vocab_size=rows, num_key_value_heads=int(one.model.changes["num_key_value_heads"])
    )
    layout = plan(config, Parallel(**one.settings["parallel"]), one.processes)
    assert (layout.padded_rows > rows) == ("padded" in one.model.name)


def test_a_group_that_tensor_ranks_cannot_share_is_indeed_refused() -> None:
    with pytest.raises(UserError, match=r"the model's 1 key/value heads are not divisible by parallel\.tensor \(2\)"):
        plan(AutoConfig.for_model("llama", num_key_value_heads=1), Parallel(tensor=2), 2)


@pytest.mark.parametrize(
    ("difference", "beyond"),
    [
        pytest.param(RIGHT, [], id="at the limits"),
        pytest.param(Difference(1.01e-4, 0.0, 0.0, leak=False), ["engines/a/losses", "engines/losses"], id="losses"),
        pytest.param(
            Difference(0.0, 0.0, 1.01e-4, leak=False),
            ["engines/a/log_probabilities", "engines/log_probabilities"],
            id="log-probabilities",
        ),
        pytest.param(Difference(math.nan, 0.0, 0.0, leak=False), ["engines/a/losses", "engines/losses"], id="NaN"),
        pytest.param(Difference(0.0, 0.0, 0.0, leak=True), ["engines/without_leak"], id="a leak"),
    ],
)
def test_what_is_beyond_a_limit_fails(
    difference: Difference, beyond: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = engines.figures({"a": difference})
    assert failed(figures) == beyond
    monkeypatch.setattr(command_line, "import_module", lambda _: SimpleNamespace(measure=lambda: figures))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "engines", "--json"])
    assert command_line.main() == (1 if beyond else 0)
    assert ("beyond the limit" in capsys.readouterr().err) == bool(beyond)


@pytest.mark.slow
def test_another_model_is_seen_as_different(tmp_path: Path) -> None:
    wide = Combination("another epsilon", Model("llama"), "single", 1, {"optim": {"eps": 1e-4}})
    turned = Combination("no base of the stage", Model("turned", rope_base=100.0), "single", 1, {"rope_base": None})
    unpacked = Combination("documents", Model("one document", packed=False), "single", 1)
    found = compare(tmp_path, [wide, turned, unpacked], 3, timeout_s=120)
    assert all(found[one.name].losses > engines.LOSSES for one in (wide, turned))
    assert found[wide.name].log_probabilities == 0.0
    assert found[turned.name].log_probabilities > engines.LOG_PROBABILITIES
    assert found[unpacked.name] == Difference(0.0, 0.0, 0.0, leak=False)
    assert not found[wide.name].leak
