"""`tsugiki pretrain convert`: one format into another, whole or not at all.

OUT.partial-7f3a41bc/   work in progress, or what a killed attempt left; the same command goes on with it
OUT/                    the result, with its manifest.json
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from configs.progress import Progress
from configs.schema.export import Gate
from pretrain.checkpoint.identity import BELONGS, CONVERTED
from pretrain.convert.checkpoint import state_of
from pretrain.convert.deepspeed.target import bytes_of_numbers
from pretrain.convert.detect import detect, open_source, writer
from pretrain.convert.find_model import find_model
from pretrain.convert.gate import Gated, pass_gate
from pretrain.convert.inputs import identity
from pretrain.convert.memory import PeakMemory
from pretrain.convert.model import Model
from pretrain.convert.options import asked_for
from pretrain.convert.place import Place
from pretrain.convert.rehash import Rehash
from pretrain.convert.source import DTYPES, Format, StateSource, refuse_leftovers
from pretrain.convert.target import Options, Written
from pretrain.engines.base import Kind
from pretrain.quiet import quiet_transformers

_KINDS: tuple[Kind, ...] = ("master", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Report:
    """What was done."""

    source: Format
    target: Format
    out: str
    tensors: int
    bytes: int
    """Of all files of the result."""
    seconds: float
    """Without the gate."""
    peak_memory_bytes: int
    """Most that the process held until the gate, its libraries included."""
    peak_memory_above_start_bytes: int
    """The same without what it held, torch imported, before the source was opened."""
    gate: dict[str, Any] | None
    """What the gate found; none if there was none."""
    gate_seconds: float
    gate_peak_memory_above_start_bytes: int
    complete_before: bool
    """Whether the result was there already."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)

    def line(self) -> str:
        """For people."""
        if self.complete_before:
            return f"{self.out}: is complete, {self.tensors} tensors, {self.bytes / 1e6:,.1f} MB"
        return (
            f"{self.out}: {self.source} to {self.target}, {self.tensors} tensors, {self.bytes / 1e6:,.1f} MB in "
            f"{self.seconds:.1f} s, {self.peak_memory_above_start_bytes / 1e6:,.0f} MB of memory at most"
            f"{'; gate passed' if self.gate is not None else ''}"
        )


def convert(
    path: Path, to: Format, out: Path, options: Options, named: Path | None = None, *, gate: Gate | None = None
) -> Report:
    """Convert what lies at `path` into a folder `out`.

    Args:
        named: HF folder of the model, where the source does not say it.
        gate: what a Hugging Face folder must show before it gets its name; none lets it pass.
    Raises:
        UserError: if the source is damaged, incomplete or of another architecture, the target is in the way, or the
            disk is full; nothing has the name `out` then.
    """
    quiet_transformers()
    format_, folder = detect(path)
    model = find_model(format_, folder, named)
    asked = asked_for(to, options, gate)
    place = Place(out, identity(to, asked, folder, model))
    source = Opening(format_, [folder], lambda: open_checked(folder, model))
    return write_from(source, place, to, model, options=options, asked=asked, gate=gate)


@dataclass(frozen=True)
class Opening:
    """A source that is not open yet."""

    kind: Format
    folders: Sequence[Path]
    """Where its files are."""
    open: Callable[[], StateSource]


def open_checked(folder: Path, model: Model) -> StateSource:
    """A source that holds the tensors of the model and nothing else.

    Raises:
        UserError: if it does not.
    """
    source = open_source(folder, model)
    try:
        refuse_leftovers(source.shapes, model, folder)
    except BaseException:
        source.close()
        raise
    return source


def write_from(
    source: Opening,
    place: Place,
    to: Format,
    model: Model,
    *,
    options: Options,
    asked: Mapping[str, Any],
    gate: Gate | None,
) -> Report:
    """Write what a source gives to its place, unless it is there already.

    Args:
        source: is opened if it is needed.
        asked: what decides the bytes of the result beside the source.
        gate: as `convert` has it.
    """
    began = time.perf_counter()
    memory = PeakMemory()
    result = place.complete()
    before, gated = result is not None, Gated(None, 0.0, 0)
    if result is None:
        config: dict[str, Any] = {"asked": dict(asked), "source": source.kind}
        with place.working() as working, closing(Rehash(source.folders)) as rehash, closing(source.open()) as opened:
            written = _written(place, rehash, opened, working, to, model, options=options)
            peak = memory.peak
            if to == "checkpoint":
                config |= {**state_of(opened, model), BELONGS: {CONVERTED: source.kind}}
            if gate is not None:
                gated = pass_gate(working, opened, model, options.dtype, gate, final=place.out)
                written = replace(written, counts={**written.counts, "gate": gated.found})
            result = place.publish(written, config)
    else:
        peak = memory.peak
    return Report(
        source=source.kind,
        target=to,
        out=str(place.out),
        tensors=int(result.counts["tensors"]),
        bytes=sum(int(record["bytes"]) for record in result.files.values()),
        seconds=round(time.perf_counter() - began - gated.seconds, 3),
        peak_memory_bytes=peak,
        peak_memory_above_start_bytes=peak - memory.before,
        gate=result.counts.get("gate"),
        gate_seconds=gated.seconds,
        gate_peak_memory_above_start_bytes=gated.peak_memory_above_start_bytes,
        complete_before=before,
    )


def _written(
    place: Place, rehash: Rehash, source: StateSource, working: Path, to: Format, model: Model, *, options: Options
) -> Written:
    """What was written of an input without damage."""
    numbers = _bytes(source, model, to, options)
    place.refuse_full_disk(numbers)
    with Progress("convert", numbers, "MB") as progress, rehash.beside(place.forget):
        return writer(to)(source, working, model, options, progress)


def _bytes(source: StateSource, model: Model, to: Format, options: Options) -> int:
    """Of the numbers of the result, which in some formats takes a little more."""
    if to == "hf":
        asked = None if options.dtype is None else DTYPES[options.dtype]
        return sum(math.prod(shape) * (asked or source.dtype(name)).itemsize for name, shape in model.shapes.items())
    if to == "deepspeed":
        return bytes_of_numbers(source, model, options)
    return sum(
        4 * math.prod(shape) for name, shape in model.shapes.items() for kind in _KINDS if source.has(name, kind)
    )
