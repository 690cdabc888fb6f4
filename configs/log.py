"""Log lines for people: `12:03:44 corpus.dedup  shard 0041/1200  kept 81.2 %`. Never document text."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

_PACKAGES = ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        rank = os.environ.get("RANK", "0")
        who = record.name if rank == "0" else f"{record.name}[{rank}]"
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{self.formatTime(record, '%H:%M:%S')} {who}  {level}{record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the time: a progress bar stands in for it, so that lines go above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def set_up(level: int = logging.INFO) -> None:
    """Send our packages' log to stderr; other libraries' loggers stay as they are."""
    handler = _Stderr()
    handler.setFormatter(_Line())
    for package in _PACKAGES:
        logger = logging.getLogger(package)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
