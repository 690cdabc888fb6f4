"""Names that a run file gives to things."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

# Files of the corpus are named after it.
SourceName = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]{0,62}$")]
