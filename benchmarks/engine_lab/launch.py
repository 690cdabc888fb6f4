"""Real processes that do a job of `driver.py`, as a launcher would start them on one machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tsugiki.processes import free_port

REPOSITORY = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("driver.py")


def run(
    cases: Sequence[dict[str, Any]],
    out: Path,
    processes: int,
    *,
    timeout_s: float,
    python_path: str = "",
    program: Path = DRIVER,
) -> dict[str, list[Any]]:
    """What each rank saw of each case.

    Args:
        program: reads the cases and writes what a rank saw, as the driver does.
        out: a folder of the job's own; logs and results go there.
        python_path: comes before this repository in where modules are looked for.
    Raises:
        AssertionError: if a process fails or takes longer than allowed; none is left behind.
    """
    out.mkdir()
    job = out / "job.json"
    job.write_text(json.dumps(list(cases)))
    _run_all([sys.executable, str(program), str(job), str(out)], processes, out, timeout_s, python_path)
    ranks = [json.loads((out / f"rank{rank}.json").read_text()) for rank in range(processes)]
    return {name: [seen[name] for seen in ranks] for name in ranks[0]}


def _run_all(command: list[str], processes: int, out: Path, timeout_s: float, python_path: str) -> None:
    port = free_port()
    running = []
    for rank in range(processes):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(path for path in (python_path, str(REPOSITORY)) if path),
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONWARNINGS": "ignore",
        }
        with (out / f"rank{rank}.log").open("wb") as log:
            running.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=out, start_new_session=True)
            )
    try:
        ends = time.monotonic() + timeout_s
        while any(process.poll() is None for process in running):
            if time.monotonic() > ends or any(process.poll() for process in running):
                break
            time.sleep(0.05)
    finally:
        codes = [process.poll() for process in running]
        for process in running:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGUSR1)  # says where it stands
                time.sleep(0.5)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    logs = "\n".join((out / f"rank{rank}.log").read_text()[-4000:] for rank in range(processes))
    if codes != [0] * processes:
        raise AssertionError(f"exit codes {codes} (None: killed after {timeout_s} s)\n{logs}")
