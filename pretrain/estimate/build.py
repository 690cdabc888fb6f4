"""The whole estimate of a run file, as plain data."""

from __future__ import annotations

from typing import Any

from configs.schema.device import Device, device_named
from configs.schema.run import Run
from pretrain.estimate.duration import Rates, Work, checkpoints, duration, jobs, limit_seconds
from pretrain.estimate.memory import memory
from pretrain.estimate.setup import Model, Setup
from pretrain.estimate.suggest import Suggestion, limit_bytes, nodes_needed, suggest
from pretrain.estimate.throughput import kept_share

Estimate = dict[str, Any]

_CLEARLY = 1.1
"""A layout is only suggested instead of one that fits if it is so many times as fast."""


def estimate(run: Run, gpu: str | None, rates: Rates) -> Estimate:
    """Parameters, memory, time and layout of a run, before anything of it exists but the base's config.json.

    Args:
        gpu: a name of configs/tables/devices.yaml; none takes the run file's, and without one nothing is checked.
    Raises:
        UserError: if the base's configuration is not in reach or not supported, or the GPU unknown.
    """
    name = gpu or run.slurm.gpu
    device = device_named(name) if name is not None else None
    model, setup = Model.of(run), Setup.of(run)
    work = Work.of(run, model)
    saved = checkpoints(run, model, work, rates)
    found: Estimate = {
        "run": run.run.name,
        "base": run.pretrain.base,
        "parameters": model.parameters.count,
        "embedding_rows": {"base": model.base_rows, "trained": int(model.config.vocab_size)},
        "layout": {"nodes": setup.nodes, "processes": setup.parallel.processes, "shown": setup.shown()},
        "problems": setup.problems(model.config),
        "gpu": name,
        "limit_bytes": None if device is None else limit_bytes(device),
        "node_bytes": setup.node_bytes,
        "steps": work.steps,
        "tokens": work.tokens,
        "flops": work.flops,
        "checkpoint": saved,
    }
    if not found["problems"]:
        needed = memory(model, setup)
        found["memory"] = {
            "fullest_stage": needed.stage,
            "device": needed.device,
            "device_bytes": needed.device_bytes,
            "host": needed.host,
            "host_bytes_per_node": needed.host_bytes_per_node(setup),
        }
        found["time"] = duration(work, model, setup, device, rates)
        if found["time"]:
            limit = limit_seconds(run.slurm.time)
            found["jobs"] = jobs(found["time"]["seconds"], work.steps, saved["seconds"], limit)
    found["fits"] = _fits(found)
    if device is not None:
        found |= _suggestion(model, setup, device, fits=found["fits"])
    return found


def _fits(found: Estimate) -> bool | None:
    """Whether it can run; None where no GPU says how much memory there is."""
    if found["problems"] or _too_much(found):
        return False
    return None if found["limit_bytes"] is None else True


def _too_much(found: Estimate) -> list[str]:
    """The memories of which there is too little, in words."""
    here, gib = found["memory"], 2**30
    wrong = []
    if found["limit_bytes"] is not None and here["device_bytes"] > found["limit_bytes"]:
        limit = f"80 % of {found['gpu']} is {found['limit_bytes'] / gib:.1f} GiB"
        wrong.append(f"needs {here['device_bytes'] / gib:.1f} GiB per GPU, {limit}")
    if found["node_bytes"] is not None and here["host_bytes_per_node"] > found["node_bytes"]:
        limit = f"slurm.memory_gib is {found['node_bytes'] / gib:,.0f}"
        wrong.append(f"needs {here['host_bytes_per_node'] / gib:,.0f} GiB of each node's own memory, {limit}")
    return wrong


def _suggestion(model: Model, setup: Setup, device: Device, *, fits: bool) -> Estimate:
    """Another layout if the asked one does not fit, or one that gives away clearly less speed."""
    other = suggest(model, setup, device)
    if other is None:
        return {"suggestion": None, "more_nodes": _shown(nodes_needed(model, setup, device))}
    speed_up = kept_share(other.setup) / kept_share(setup)
    if fits and (speed_up < _CLEARLY or other.setup.engine != setup.engine):
        return {"suggestion": None}
    return {"suggestion": {**_shown(other), "speed_up": speed_up if fits else None}}


def _shown(one: Suggestion | None) -> Estimate:
    if one is None:
        return {}
    return {
        "nodes": one.setup.nodes,
        "layout": one.setup.shown(),
        "bytes": one.bytes,
        "host_bytes_per_node": one.host_bytes_per_node,
    }


def needs(suggested: Estimate) -> str:
    """What a suggested layout takes, in words."""
    per_gpu, per_node = suggested["bytes"] / 2**30, suggested["host_bytes_per_node"] / 2**30
    return f"{per_gpu:,.1f} GiB per GPU, {per_node:,.0f} GiB of each node's own memory"


def refusal(found: Estimate) -> str | None:
    """Why the run cannot be, and what would be possible; None if it can."""
    if found["fits"] is not False:
        return None
    why = "; ".join(found["problems"] or _too_much(found))
    return f"{why}; {_possible(found)}"


def _possible(found: Estimate) -> str:
    if other := found.get("suggestion"):
        return f"this fits: {other['layout']} ({needs(other)})"
    if more := found.get("more_nodes"):
        return f"nothing fits on so few GPUs; on {more['nodes']} nodes this does: {more['layout']} ({needs(more)})"
    if found["limit_bytes"] is None:
        return "name the kind of GPU (--gpu, or slurm.gpu) to see what is possible"
    return "no layout was found that fits; a shorter seq_len or a smaller micro_batch needs less"
