"""The base that a run names: a local folder, or a name on the Hugging Face hub, of which what is needed is fetched."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import configs
from configs.atomic_file import read_json
from configs.errors import UserError
from configs.hub import HubName, explained, is_hub_name
from configs.raw_input import RawFile, find_files
from configs.schema.run import Run

SHAPES = Path(configs.__file__).parent / "shapes"
"""config.json of the recipes' bases, by hub name."""
INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"

_log = logging.getLogger(__name__)

_CONFIG = "config.json"
_SMALL = (_CONFIG, "generation_config.json", INDEX)
_TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.*",
    "additional_chat_templates/*.jinja",
    "vocab.*",
    "merges.txt",
    "*.model",
)
# Other programs' copies lie in folders, such as original/ or onnx/; in a pattern * takes / too.
_NOT_IN_FOLDERS = ("*/*.model", "tokenizer*/*")
_WEIGHTS = (".bin", ".pt", ".pth", ".gguf", ".safetensors")


@dataclass(frozen=True)
class Base:
    """A model, or the tokenizer of one, as the run file names it."""

    key: str
    """Of the run file, for messages."""
    name: str
    revision: str | None
    run_dir: Path
    with_weights: bool
    """Whether weights are needed, too."""

    @classmethod
    def of_model(cls, run: Run) -> Base:
        """The model that is trained on."""
        return cls("pretrain.base", run.pretrain.base, run.pretrain.revision, run.run.dir, True)

    @classmethod
    def of_tokenizer(cls, run: Run) -> Base:
        """The model whose tokenizer is extended."""
        if run.tokenizer.base is None:
            return replace(cls.of_model(run), with_weights=False)
        return cls("tokenizer.base", run.tokenizer.base, run.tokenizer.revision, run.run.dir, False)

    @property
    def input(self) -> tuple[RawFile, ...] | str:
        """What identifies it: its files if it is a folder here, name and commit if it lies on the hub."""
        if self._is_folder:
            return find_files(self.name, what=self.key)
        return self._hub.fixed(self.run_dir)

    def pin(self) -> None:
        """See that it can be used, by the names of its files, and that the run knows which commit it means.

        What describes a model on the hub is fetched; later the hub is not asked again.

        Raises:
            UserError: if there is neither such a folder nor such a name in reach, or its weights cannot be read.
        """
        if self._is_folder:
            self._refuse_without_weights(None)
        elif self._hub.commit(self.run_dir) is None:
            commit = self._hub.look_up()
            self._fetch(commit, _SMALL + _TOKENIZER, _NOT_IN_FOLDERS)
            self._refuse_without_weights(commit)
            self._hub.pin(self.run_dir, commit)

    def _refuse_without_weights(self, commit: str | None) -> None:
        names = self._names(commit) if self.with_weights else None
        if names is not None and not {SINGLE, INDEX} & names:
            others = sorted(name for name in names if name.endswith(_WEIGHTS))
            where = self.name if commit is None else f"{self.name}@{commit}"
            raise UserError(
                f"{self.key}: {where} has no {SINGLE} and no {INDEX} (weights found: "
                f"{', '.join(others[:3]) or 'none'}); only safetensors are read, because the others can run code when "
                "they are opened: load it once with transformers where that may happen, and save_pretrained it"
            )

    def folder_without_weights(self) -> Path:
        """The folder with its configuration and its tokenizer.

        Raises:
            UserError: if it is not in reach.
        """
        if self._is_folder:
            return Path(self.name)
        return self._fetch(self._commit(), _SMALL + _TOKENIZER, _NOT_IN_FOLDERS)

    def folder(self) -> Path:
        """The folder with everything: config, tokenizer, weights.

        Raises:
            UserError: if it is not in reach, or has no weights that can be read.
        """
        folder = self.folder_without_weights()
        self._refuse_without_weights(None if self._is_folder else self._commit())
        missing = [] if self._is_folder else [name for name in weight_names(folder) if not (folder / name).exists()]
        if missing:
            _log.info("fetching %d file(s) of weights: %s", len(missing), self._hub.fixed(self.run_dir))
            self._fetch(self._commit(), missing)
        return folder

    def config_folder(self) -> Path:
        """A folder with its config.json, and nothing more fetched than that file.

        Bases of the recipes have theirs in configs/shapes, so that nothing is fetched for them.

        Raises:
            UserError: if it is not in reach.
        """
        if self._is_folder:
            return Path(self.name)
        if (SHAPES / self.name / _CONFIG).is_file():
            return SHAPES / self.name
        try:
            return self._fetch(self._hub.commit(self.run_dir) or self._hub.look_up(), (_CONFIG,))
        except UserError as error:
            raise UserError(f"{error}; its {_CONFIG} is enough here") from error

    @property
    def _is_folder(self) -> bool:
        if Path(self.name).is_dir():
            if self.revision is not None:
                raise UserError(
                    f"{self._revision_key}: {self.name!r} is a folder here, which has no revisions; remove the key"
                )
            return True
        if not is_hub_name(self.name):
            raise UserError(f"{self.key}: no such folder: {self.name!r} (relative paths start at {Path.cwd()})")
        return False

    @property
    def _revision_key(self) -> str:
        return self.key.replace(".base", ".revision")

    @property
    def _hub(self) -> HubName:
        return HubName(self.key, "model", self.name, self.revision)

    def _commit(self) -> str:
        self.pin()
        commit = self._hub.commit(self.run_dir)
        assert commit is not None
        return commit

    def _names(self, commit: str | None) -> set[str] | None:
        """Names of its files, those in folders left out; none if nobody knows them all."""
        if commit is None:
            return {path.name for path in Path(self.name).iterdir()}
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError

        try:
            files = get_cached_repo_tree(self.name, revision=commit)
        except CachedRepoTreeNotFoundError:  # fetched by an old version of the client
            return None
        return {file.path for file in files if "/" not in file.path}

    def _fetch(self, commit: str, patterns: Sequence[str], never: Sequence[str] = ()) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        if not sys.stderr.isatty():
            disable_progress_bars()
        with explained(self._hub):
            folder = snapshot_download(
                self.name, revision=commit, allow_patterns=list(patterns), ignore_patterns=list(never)
            )
        return Path(folder)


def weight_names(folder: Path) -> list[str]:
    """Names of a model's weight files: those that its index names, or the only one."""
    if not (folder / INDEX).exists():
        return [SINGLE]
    index = read_json(folder / INDEX)
    if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
        raise UserError(f"{folder / INDEX}: has no weight_map, which says where each tensor is; copy it again")
    return sorted(set(index["weight_map"].values()))
