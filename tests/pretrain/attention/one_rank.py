"""One of several processes that choose a kernel; the first in the order works on rank 0 alone."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from configs.errors import UserError
from configs.program import leave
from configs.schema.pretrain import AttentionKernel
from pretrain import ranks
from pretrain.attention import sdpa
from pretrain.attention.choose import choose
from pretrain.attention.kernels import Kernel
from pretrain.attention.need import Attend, Need
from pretrain.engines import process_group


def only_here(need: Need) -> Attend:
    if ranks.rank() == 1:
        raise RuntimeError("no such driver")
    return sdpa.attend


def proof(attend: Attend, need: Need) -> str | None:
    return None


def main(out: Path) -> None:
    ranks.join()
    kernels: dict[AttentionKernel, Kernel] = {
        "varlen": Kernel(only_here),
        "flex": Kernel(lambda need: sdpa.attend),
        "sdpa": Kernel(lambda need: sdpa.attend),
    }
    need = Need(torch.device("meta"), torch.float32, 2, 1, 8, sliced=False)
    seen = [asdict(choose("auto", need, kernels, proof))]
    try:
        choose("varlen", need, kernels, proof)
    except UserError as error:
        seen.append({"error": str(error)})
    (out / f"rank{ranks.rank()}.json").write_text(json.dumps(seen))
    process_group.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave(0)
