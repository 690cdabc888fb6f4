"""The logits of the folder, as transformers reloads it, beside those of the weights it was made from.

Shapes: T tokens of a document, V vocabulary rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own customary name
from transformers import PretrainedConfig, PreTrainedModel

from pretrain.attention.documents import Documents
from pretrain.attention.interface import register
from pretrain.attention.need import Need
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.engines import hf_model
from pretrain.engines.base import StateReader
from pretrain.export_gate.layer_by_layer import causal_mask, logits
from pretrain.export_gate.result import Logits


@dataclass(frozen=True)
class Document:
    """Token ids on which models are compared."""

    ids: list[int]
    prompt: int | None = None
    """The tokens after so many were generated greedily by the folder; none if it is no such text."""


def of_trained(
    config: PretrainedConfig, weights: StateReader, shapes: dict[str, tuple[int, ...]], documents: Sequence[Document]
) -> Iterator[torch.Tensor]:
    """Logits of weights that are not in a folder, with the attention that training used."""
    return logits(
        config,
        register("sdpa", Need.of(config, torch.float32, hf_model.CPU)),
        lambda name: weights.read(name, Box.whole(shapes[name]), "master"),
        [document.ids for document in documents],
        lambda length: {"documents": Documents.of([0, length])},
    )


def of_folder(config: PretrainedConfig, folder: Path, documents: Sequence[Document]) -> Iterator[torch.Tensor]:
    """Logits of a folder too large to be loaded at once; not with the attention that training used."""
    reader = HfFolderReader(folder)
    ids = [document.ids for document in documents]
    return logits(config, "eager", lambda name: reader.read(name, Box.whole(reader.shape(name))), ids, causal_mask)


def of_reloaded(model: PreTrainedModel, documents: Sequence[Document]) -> Iterator[torch.Tensor]:
    """Logits of a folder that transformers has loaded."""
    for document in documents:
        with torch.no_grad():
            found: torch.Tensor = model(input_ids=torch.tensor([document.ids]), use_cache=False).logits
        yield found[0]


@dataclass(frozen=True)
class Comparison:
    """The largest differences over all documents, and the greedy tokens that differ."""

    logits: Logits
    generated: int
    """Tokens that the folder generated."""
    gaps: tuple[float, ...]
    """Where the trained weights would have written another token: by how much its logit is larger."""

    @classmethod
    def over(
        cls,
        documents: Sequence[Document],
        trained: Iterable[torch.Tensor],
        folder: Iterable[torch.Tensor],
        unrounded: Iterable[torch.Tensor] | None,
    ) -> Comparison:
        """Compare.

        Args:
            unrounded: logits of the weights before they were rounded; none if they were not.
        """
        difference, largest, cast, lost, predicted = 0.0, 0.0, 0.0, 0.0, 0
        generated, gaps = 0, []
        exact = iter(unrounded) if unrounded is not None else None
        for document, ours_TV, theirs_TV in zip(documents, trained, folder, strict=True):
            difference = max(difference, _largest(ours_TV - theirs_TV))
            largest = max(largest, _largest(ours_TV))
            next_T = torch.tensor(document.ids[1:])
            if exact is not None:
                exact_TV = next(exact)
                cast = max(cast, _largest(ours_TV - exact_TV))
                lost += _nll(ours_TV, next_T) - _nll(exact_TV, next_T)
                predicted += len(next_T)
            if document.prompt is not None:
                written_TV, tokens_T = ours_TV[document.prompt - 1 : -1], next_T[document.prompt - 1 :]
                gap_T = written_TV.max(-1).values - written_TV.gather(1, tokens_T[:, None])[:, 0]
                generated += len(tokens_T)
                gaps += [gap for gap in gap_T.tolist() if gap > 0]
        return cls(Logits(difference, largest, cast, lost / max(predicted, 1)), generated, tuple(gaps))


def _largest(values: torch.Tensor) -> float:
    return float(values.abs().max())


def _nll(logits_TV: torch.Tensor, next_T: torch.Tensor) -> float:
    return float(F.cross_entropy(logits_TV[:-1], next_T, reduction="sum"))
