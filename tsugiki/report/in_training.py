"""Samples that training wrote, as a table: a row for each step, a column for each prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def by_prompt(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table; prompts that were taken in or out in the course of a run leave gaps.

    Args:
        lines: of `samples.jsonl`.
    Returns:
        `prompts`, in the order of their first use; `rows`, each with `step`, `model`, and a sample or none by prompt.
    """
    prompts = list(dict.fromkeys(sample["prompt"] for line in lines for sample in line["samples"]))
    rows = []
    for line in lines:
        of_prompt = {sample["prompt"]: sample for sample in line["samples"]}
        samples = [of_prompt.get(prompt) for prompt in prompts]
        rows.append({"step": line["step"], "model": line["model"], "samples": samples})
    return {"prompts": prompts, "rows": rows}
