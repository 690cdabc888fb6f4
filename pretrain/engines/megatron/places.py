"""From megatron-core's local parameters to boxes of Hugging Face tensors, through the family's table of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box, boxes_of_flat_range
from pretrain.engines.megatron.layout import Layout
from pretrain.engines.shards import Place, Shard
from pretrain.models.rows import Row, local_box


class CorePlaces:
    """Cuts stretches of this tensor rank's parameters into boxes of HF tensors.

    Args:
        aliases: core names that are a copy of another, e.g. a tied output layer.
    """

    def __init__(self, rows: Sequence[Row], layout: Layout, tp_rank: int, aliases: Mapping[str, str]) -> None:
        self._rows = {row.core: row for row in rows}
        for alias, name in aliases.items():
            self._rows[alias] = self._rows[name]
        self._aliases = set(aliases)
        self._layout, self._tp_rank = layout, tp_rank

    def local(self, name: str) -> Box:
        """What of the unfolded core parameter this tensor rank holds."""
        row = self._rows[name]
        of_vocabulary = row.shape[0] == self._layout.vocab_rows and row.tp_dim == 0
        return local_box(
            row,
            self._tp_rank,
            self._layout.tensor,
            padded_rows=self._layout.padded_rows if of_vocabulary else None,
        )

    def copies(self) -> frozenset[str]:
        """Parameters that this rank only has a copy of: another tensor rank, or another stage, answers for them."""
        uncut = {name for name, row in self._rows.items() if row.tp_dim is None and self._tp_rank > 0}
        return frozenset(uncut | self._aliases)

    def check(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        """Every parameter of this rank must be as large as its row says.

        Raises:
            UserError: names the parameters that are not.
        """
        wrong = [name for name, parameter in parameters.items() if parameter.numel() != self.local(name).count]
        if wrong:
            raise UserError(f"megatron-core shards these parameters in another way than expected: {', '.join(wrong)}")

    def __call__(self, shard: Shard, first: int, flat: torch.Tensor) -> Iterator[Place]:
        row, local = self._rows[shard.name], self.local(shard.name)
        at = 0
        for box in boxes_of_flat_range(local.sizes, first, first + flat.numel()):
            block = flat[at : at + box.count].view(box.sizes)
            at += box.count
            offsets = tuple(here + start for here, start in zip(box.offsets, local.offsets, strict=True))
            core = Box(offsets, box.sizes)
            for piece in row.to_hf(core):
                view = block[piece.core.within(core)]
                yield Place(piece.name, row.hf_shapes[piece.name], piece.hf, view)
