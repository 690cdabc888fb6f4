"""The model card, written from the manifests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from configs.artifact import Artifact
from configs.schema.run import Run
from pretrain.export_gate.result import GateResult

_TEMPLATE = Path(__file__).with_name("card.md.j2")
_MASKED = {"mask": "masked", "leave": "left as they were"}


def card(run: Run, checkpoints: Artifact, gate: GateResult) -> str:
    """README.md of the exported folder."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # Markdown
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    languages = sorted({source.language for source in run.corpus.sources.values()})
    return template.render(
        run=run,
        counts=checkpoints.counts,
        gate=gate,
        languages=languages,
        masked=_MASKED,
        commit=_commit(checkpoints.manifest["inputs"]["base"]),
    )


def _commit(base: Mapping[str, str]) -> str | None:
    """The commit of a base on the hub, from what the manifest says of it; none for a folder."""
    return base["fixed"].rpartition("@")[2] if "fixed" in base else None
