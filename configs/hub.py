"""What a run names on the Hugging Face hub: the one commit it uses, and why the hub does not give it.

A branch moves; a run does not. The first time that a run needs a name, the commit behind it is written to `hub.json`
in the run's directory, and from then on the run means that commit, on every machine and without asking the hub again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from configs.atomic_file import read_json, write_json
from configs.errors import UserError, from_os_error

COMMITS = "hub.json"
"""Commits by kind, name and revision; removed, the run's names are looked up anew."""

_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


@dataclass(frozen=True)
class HubName:
    """A model or a dataset on the hub, as a run file names it."""

    key: str
    """Of the run file, for messages."""
    kind: Literal["model", "dataset"]
    name: str
    revision: str | None
    """Branch, tag or commit; none is the branch main."""

    @property
    def _entry(self) -> str:
        return f"{self.kind} {self.name}@{self.revision or 'main'}"

    def commit(self, run_dir: Path) -> str | None:
        """The commit that the run uses, if it is known already."""
        path = run_dir / COMMITS
        found: str | None = read_json(path).get(self._entry) if path.exists() else None
        return found

    def fixed(self, run_dir: Path) -> str:
        """What identifies it in manifests: its name and the commit, or the revision until that is known."""
        return f"{self.name}@{self.commit(run_dir) or self.revision or 'main'}"

    def look_up(self) -> str:
        """The commit that the hub, or where it is out of reach the cache, knows by this revision.

        Raises:
            UserError: if neither does.
        """
        with explained(self):
            from huggingface_hub import HfApi

            return HfApi().resolve_revision(self.name, repo_type=self.kind, revision=self.revision).resolved

    def pin(self, run_dir: Path, commit: str) -> None:
        """From now on the run uses this commit."""
        path = run_dir / COMMITS
        known = read_json(path) if path.exists() else {}
        write_json(path, {**known, self._entry: commit})


def is_hub_name(text: str) -> bool:
    """Whether it can be a name on the hub: it has the form of one, and nothing here is called so.

    >>> is_hub_name("llm-jp/llm-jp-3-1.8b"), is_hub_name("./llm-jp"), is_hub_name("a/b/c")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None and not Path(text).exists()


@contextmanager
def explained(what: HubName) -> Iterator[None]:
    """Errors of the hub's clients become one message with the way out; never one with a token in it.

    Raises:
        UserError: in their place.
    """
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    try:
        yield
    except (HTTPError, HFValidationError, RevisionResolutionError, OSError) as error:
        # A full disk and the like are no matter of the hub.
        disk = from_os_error(error) if isinstance(error, OSError) else None
        raise disk or UserError(why_not(what, error)) from error


def why_not(what: HubName, error: Exception) -> str:
    """What an error of the hub's clients means, and what to do; nothing of its own words, which may be long."""
    from huggingface_hub import constants, errors

    called = f"{what.key}: the {what.kind} {what.name!r}"
    page = f"{constants.ENDPOINT}/{'datasets/' if what.kind == 'dataset' else ''}{what.name}"
    cause = error.__cause__ if isinstance(error.__cause__, errors.HfHubHTTPError) else error
    if isinstance(cause, errors.GatedRepoError):
        return f"{called} is gated: ask for access at {page}, then {_LOG_IN}"
    if isinstance(cause, errors.RepositoryNotFoundError):
        return (
            f"{called} is neither a folder here (relative paths start at {Path.cwd()}) nor on the hub "
            f"{constants.ENDPOINT}; check the name, and if it is private, {_LOG_IN}"
        )
    if isinstance(cause, errors.RevisionNotFoundError):
        return f"{called} has no revision {what.revision!r}; give a branch, a tag or a whole commit id of {page}"
    if isinstance(cause, errors.HFValidationError):
        return f"{called} cannot be on the hub, whose names are owner/name, and is no folder here ({Path.cwd()})"
    if isinstance(cause, errors.HfHubHTTPError):
        status = cause.response.status_code
        if status in (401, 403):
            return f"{called}: the hub refuses this token (HTTP {status}); {_LOG_IN}"
        return f"{called}: the hub {constants.ENDPOINT} answers HTTP {status}; run the same command again later"
    if constants.is_offline_mode():
        return (
            f"{called} is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids asking the hub; "
            f"unset it once, or {_bring(what)}"
        )
    return (
        f"{called}: the hub {constants.ENDPOINT} is out of reach or broke off "
        f"({type(error.__cause__ or error).__name__}), and the cache {constants.HF_HUB_CACHE} does not hold all of it; "
        f"run the same command again when it answers (whole files are kept), or {_bring(what)}"
    )


def _bring(what: HubName) -> str:
    kind = " --repo-type dataset" if what.kind == "dataset" else ""
    return f"fetch it elsewhere (`hf download {what.name}{kind} --local-dir DIR`) and name the folder"
