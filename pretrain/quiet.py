"""Keep transformers' own progress bars and notices out of ours."""

from __future__ import annotations

from transformers.utils import logging


def quiet_transformers() -> None:
    """Errors only, and no bars: each load of a small model would otherwise print lines of its own."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
