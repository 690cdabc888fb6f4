"""`tsugiki pretrain chat-vector`: what instruction tuning changed in a base, added to a model trained on from it.

    out = trained + ratio * (instruct - base)

Rows of tokens that are new in the trained model have no counterpart: they get nothing, or the mean of what the old
rows get. Computed in fp32 piece by piece, and rounded once, to the trained model's number format.

Source: Huang et al., Chat Vector (arXiv:2310.04799).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoTokenizer

from configs.artifact import Artifact
from configs.errors import UserError
from configs.progress import Progress
from pretrain.chat_vector.tokens import first_new_id
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.stream import pieces
from pretrain.convert.hf import HfSource, files_of, open_hf, teller
from pretrain.convert.inputs import Identity, identity, of_several
from pretrain.convert.model import Model
from pretrain.convert.place import Place
from pretrain.convert.rehash import Rehash
from pretrain.convert.source import refuse_leftovers
from pretrain.convert.target import Written, write_files
from pretrain.hf_weights import described, write_weights
from pretrain.quiet import quiet_transformers

NewRows = Literal["none", "mean"]

_OF_VOCABULARY = ("model.embed_tokens.weight", "lm_head.weight")
_TEMPLATE, _GENERATION = "chat_template.jinja", "generation_config.json"


@dataclass(frozen=True)
class Report:
    """What was done."""

    out: str
    tensors: int
    new_rows: int
    """Of each embedding, that the base does not have."""
    seconds: float
    complete_before: bool

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)

    def line(self) -> str:
        """For people."""
        if self.complete_before:
            return f"{self.out}: is complete"
        return f"{self.out}: {self.tensors} tensors, {self.new_rows} new rows, in {self.seconds:.1f} s"


def add_chat_vector(
    trained: Path, *, instruct: Path, base: Path, out: Path, ratio: float = 1.0, new_rows: NewRows = "none"
) -> Report:
    """Write a folder with the vector added.

    Raises:
        UserError: if one of the three is damaged or of another shape or tokenizer, the target is in the way, or the
            disk is full; nothing has the name `out` then.
    """
    began = time.perf_counter()
    quiet_transformers()
    if not math.isfinite(ratio):
        raise UserError(f"--ratio {ratio}: expected a number")
    models = {"trained": Model.of(trained), "instruct": Model.of(instruct), "base": Model.of(base)}
    asked = {"chat_vector": {"ratio": ratio, "new_rows": new_rows}}
    place = Place(out, _identity(models, asked))
    result = place.complete()
    before = result is not None
    if result is None:
        result = _add(place, models, ratio, new_rows, asked)
    return Report(
        out=str(out),
        tensors=int(result.counts["tensors"]),
        new_rows=int(result.counts["new_rows"]),
        seconds=round(time.perf_counter() - began, 3),
        complete_before=before,
    )


def _identity(models: Mapping[str, Model], asked: Mapping[str, Any]) -> Identity:
    each = {name: identity("hf", asked, model.folder, model) for name, model in models.items()}
    return of_several(each, {name: dict(one.manifest["inputs"]) for name, one in each.items()})


def _add(
    place: Place, models: Mapping[str, Model], ratio: float, new_rows: NewRows, asked: Mapping[str, Any]
) -> Artifact:
    trained = models["trained"]
    known = {name: model.folder for name, model in models.items() if name != "trained"}
    first_new = first_new_id(trained.folder, known)
    with place.working() as working, ExitStack() as stack:
        rehash = stack.enter_context(closing(Rehash([model.folder for model in models.values()])))
        sources = {name: stack.enter_context(closing(open_hf(model.folder, model))) for name, model in models.items()}
        for name, source in sources.items():
            refuse_leftovers(source.shapes, models[name], models[name].folder)
        _refuse_other_shapes(models, first_new)
        tensors = described(trained.shapes, sources["trained"].dtype)
        numbers = sum(one.numel() * one.dtype.itemsize for one in tensors.values())
        place.refuse_full_disk(numbers)
        with Progress("chat vector", numbers, "MB") as progress, rehash.beside(place.forget):
            vector = _Vector(sources, ratio, new_rows, first_new)
            files = write_weights(working, tensors, vector.added, told=teller(progress))
        files |= write_files(working, {**files_of(trained), **_how_to_chat(models)})
        counts = {"tensors": len(tensors), "new_rows": trained.shapes[_OF_VOCABULARY[0]][0] - first_new}
        return place.publish(Written(files, counts), {"asked": dict(asked)})


def _refuse_other_shapes(models: Mapping[str, Model], first_new: int) -> None:
    wanted = models["trained"].shapes
    complaints = []
    for what in ("instruct", "base"):
        model = models[what]
        for name in sorted(wanted.keys() | model.shapes.keys()):
            here, there = model.shapes.get(name), wanted.get(name)
            if name in _OF_VOCABULARY and here is not None and there is not None and here[1:] == there[1:]:
                if here[0] < first_new:
                    complaints.append(f"{name} of {model.folder} has {here[0]} rows for {first_new} tokens")
            elif here != there:
                complaints.append(f"{name} is {_shown(here)} in {model.folder}, {_shown(there)} in the trained model")
    if complaints:
        rest = f"; and {len(complaints) - 4} more" if len(complaints) > 4 else ""
        raise UserError(f"{models['trained'].folder}: {'; '.join(complaints[:4])}{rest}; the three must be one model")


def _shown(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else str(list(shape))


class _Vector:
    """The trained model's numbers with the vector added."""

    def __init__(self, sources: Mapping[str, HfSource], ratio: float, new_rows: NewRows, first_new: int) -> None:
        self._sources, self._ratio, self._first_new = sources, ratio, first_new
        self._means: dict[str, torch.Tensor] = {}
        if new_rows == "mean":
            embeddings = [name for name in _OF_VOCABULARY if name in sources["trained"].shapes]
            self._means = {name: self._mean(name) for name in embeddings}

    def added(self, name: str, box: Box) -> torch.Tensor:
        """float32 values of a box."""
        out = self._sources["trained"].read(name, box, "master").to(torch.float32, copy=True)
        if name not in _OF_VOCABULARY:
            return out.add_(self._difference(name, box), alpha=self._ratio)
        old = max(0, min(box.sizes[0], self._first_new - box.offsets[0]))
        if old:
            rows = Box(box.offsets, (old, *box.sizes[1:]))
            out[:old].add_(self._difference(name, rows), alpha=self._ratio)
        if name in self._means:
            columns = slice(box.offsets[1], box.offsets[1] + box.sizes[1])
            out[old:].add_(self._means[name][columns], alpha=self._ratio)
        return out

    def _difference(self, name: str, box: Box) -> torch.Tensor:
        tuned, base = (self._sources[which].read(name, box, "master") for which in ("instruct", "base"))
        return tuned.to(torch.float32) - base.to(torch.float32)

    def _mean(self, name: str) -> torch.Tensor:
        """Of what the old rows get."""
        width = self._sources["trained"].shapes[name][1]
        total = torch.zeros(width, dtype=torch.float64)
        for box in pieces((self._first_new, width), itemsize=4):
            total += self._difference(name, box).sum(0, dtype=torch.float64)
        return (total / self._first_new).to(torch.float32)


def _how_to_chat(models: Mapping[str, Model]) -> dict[str, Callable[[RawIOBase], object]]:
    """The instruct model's chat template where the trained one has none, and its ends of generation."""
    jobs: dict[str, Callable[[RawIOBase], object]] = {}
    templates = {
        which: AutoTokenizer.from_pretrained(models[which].folder, local_files_only=True).chat_template
        for which in ("trained", "instruct")
    }
    if templates["trained"] is None and isinstance(templates["instruct"], str):
        template = templates["instruct"].encode()
        jobs[_TEMPLATE] = lambda out: out.write(template)
    if _GENERATION in models["instruct"].carried:
        settings = models["instruct"].carried[_GENERATION].read_bytes()
        jobs[_GENERATION] = lambda out: out.write(settings)
    return jobs
