"""`python -m tests.corpus.read_mutations FOLDER FIRST LAST`: read damaged files one after the other, in one process.

Prints the number before it reads, and at the end the largest memory; the system ends it where one takes too long.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa

from configs.schema.corpus import Limits, Source
from corpus.batch import SCHEMA
from corpus.read.open import read
from corpus.read.source import Piece, Reading
from corpus.tally import Tally
from pretrain.convert.memory import PeakMemory
from tests.corpus.mutations import mutated

# Of this process; a process apart has document_s, by the clock.
CPU_S = 10
LIMITS = Limits(document_bytes=5_000_000, document_s=8, archive_bytes=200_000_000)


def main(folder: Path, first: int, last: int) -> None:
    """Read them."""
    memory = PeakMemory()
    reasons: Counter[str] = Counter()
    for number in range(first, last):
        name, content = mutated(number)
        path = folder / f"{number}-{name}"
        path.write_bytes(content)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        reading = Reading(
            Piece("m", path.name, path, 0, len(content)), Source(path="x", language="ja"), LIMITS, Tally()
        )
        batches = list(read(reading))
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.unlink()
        aside = reading.tally.quarantine
        if not batches and not aside:
            raise SystemExit(f"{number}: {name}: neither read nor put aside")
        pa.Table.from_batches(batches, SCHEMA).validate(full=True)
        ids = [identifier for batch in batches for identifier in batch.column("id").to_pylist()]
        if len(set(ids)) != len(ids):
            raise SystemExit(f"{number}: {name}: two documents of one id")
        reasons.update(one.reason for one in aside)
        reasons["documents"] += len(ids)
        reasons["files read whole"] += bool(ids) and not aside
    apart = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    sys.stdout.write(
        json.dumps({"memory_kb": memory.peak // 1024, "apart_kb": apart, "reasons": dict(reasons.most_common())}) + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
