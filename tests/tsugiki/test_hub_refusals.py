"""What the hub has and does not give, or gives and is no use: one message with the way out, before anything begins."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub import EXPIRED, Repository
from tests.tsugiki.conftest import REPOSITORY
from tests.tsugiki.hub_place import STRANGERS, TOKEN, Place, base_files, hub_place, texts

# Whole commands one after the other in one process, because most of the time of each would go into imports.
_COMMANDS = """
import contextlib, io, json, os, sys
from tsugiki.__main__ import main
for case in json.load(sys.stdin):
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(case["environment"])
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        status = main(["run", *case["words"]])
    print(json.dumps([status, err.getvalue()]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hub and a run of the module's own."""
    with hub_place(tmp_path_factory.mktemp("hub")) as made:
        yield made


@dataclass(frozen=True)
class Case:
    """A run that cannot be, and what is said."""

    overrides: tuple[str, ...]
    message: str
    token: str | None = None
    status: int = 1


_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_NO_SAFETENSORS = (
    "has no model.safetensors and no model.safetensors.index.json (weights found: pytorch_model.bin); only safetensors "
    "are read, because the others can run code when they are opened: load it once with transformers"
)


def _dataset(words: str) -> str:
    return f"corpus.sources.inhouse={{dataset: {words}, language: ja}}"


_CASES = {
    "no such model": Case(
        ("pretrain.base=nobody/nothing",),
        "pretrain.base: the model 'nobody/nothing' is neither a folder here (relative paths start at {cwd}) nor on the "
        f"hub {{hub}}; check the name, and if it is private, {_LOG_IN}\n",
    ),
    "no such model, with a token": Case(("pretrain.base=nobody/nothing",), "is neither a folder here", token=STRANGERS),
    "no name at all": Case(("pretrain.base=a/b/c",), "pretrain.base: no such folder: 'a/b/c' (relative paths start at"),
    "a name that no hub has": Case(
        ("pretrain.base=team/a--b",),
        "pretrain.base: the model 'team/a--b' cannot be on the hub, whose names are owner/name",
    ),
    "gated": Case(
        ("pretrain.base=team/gated",),
        f"pretrain.base: the model 'team/gated' is gated: ask for access at {{hub}}/team/gated, then {_LOG_IN}\n",
    ),
    "gated, with a stranger's token": Case(
        ("pretrain.base=team/gated",), "is gated: ask for access at {hub}/team/gated, then log in", token=STRANGERS
    ),
    "gated, with a member's token": Case(("pretrain.base=team/gated",), _NO_SAFETENSORS, token=TOKEN),
    "with a token that has expired": Case(
        ("pretrain.base=team/base",), f"the hub refuses this token (HTTP 401); {_LOG_IN}\n", token=EXPIRED
    ),
    "private": Case(("pretrain.base=team/private",), "is neither a folder here"),
    "no such branch": Case(
        ("pretrain.base=team/base", "pretrain.revision=v2"),
        "the model 'team/base' has no revision 'v2'; give a branch, a tag or a whole commit id of {hub}/team/base\n",
    ),
    "no such commit": Case(
        ("pretrain.base=team/base", f"pretrain.revision={'0' * 40}"), f"has no revision '{'0' * 40}'; give a branch"
    ),
    "pickles only": Case(("pretrain.base=team/pickles",), f"pretrain.base: team/pickles@{{pickles}} {_NO_SAFETENSORS}"),
    "a folder with pickles only": Case(
        ("pretrain.base={root}/pickles",), f"pretrain.base: {{root}}/pickles {_NO_SAFETENSORS}"
    ),
    "a revision of a folder": Case(
        ("pretrain.revision=main",), "pretrain.revision: '{root}/base' is a folder here, which has no revisions"
    ),
    "another tokenizer, which is missing": Case(
        ("tokenizer.base=nobody/nothing",), "tokenizer.base: the model 'nobody/nothing' is neither a folder here"
    ),
    "a revision of no tokenizer": Case(
        ("tokenizer.revision=main",), "tokenizer.revision: is that of tokenizer.base, which is not given", status=2
    ),
    "a revision of files": Case(
        ("corpus.sources.inhouse.revision=main",),
        "corpus.sources.inhouse.revision: only a dataset has revisions",
        status=2,
    ),
    "no such dataset": Case(
        (_dataset("nobody/nothing"),),
        "corpus.sources.inhouse.dataset: the dataset 'nobody/nothing' is neither a folder here",
    ),
    "a gated dataset": Case(
        (_dataset("team/gated"),),
        "corpus.sources.inhouse.dataset: cannot load 'team/gated', split 'train': DatasetNotFoundError: Dataset "
        f"'team/gated' is a gated dataset on the Hub. You must be authenticated to access it; if it is gated or "
        f"private, {_LOG_IN}\n",
    ),
    "no such branch of a dataset": Case(
        (_dataset("team/texts, revision: v2"),), "the dataset 'team/texts' has no revision 'v2'; give a branch"
    ),
    "a dataset that is a program": Case(
        (_dataset("team/program"),),
        "cannot load 'team/program', split 'train': RuntimeError: Dataset scripts are no longer supported, but found "
        "program.py; code of a dataset is not run: convert it to Parquet or JSON lines, or try the hub's own "
        "conversion with revision: refs/convert/parquet\n",
    ),
    "no such split": Case(
        (_dataset("team/texts, split: dev"),), "split 'dev': ValueError: Bad split: dev. Available splits: ['train']"
    ),
    "no such configuration": Case(
        (_dataset("team/texts, dataset_config: ja"),), "ValueError: BuilderConfig 'ja' not found."
    ),
}


@pytest.fixture(scope="module")
def told(place: Place) -> dict[str, tuple[int, str]]:
    """How each case ends, and what is said; all of them in one process."""
    only = {name: data for name, data in base_files(place.root).items() if name in ("config.json", "pytorch_model.bin")}
    place.hub.model("team/pickles", only)
    pickles = place.hub.repositories["models/team/pickles"]
    gated = Repository(pickles.refs, pickles.commits, gated=True, tokens={TOKEN})
    private = Repository(pickles.refs, pickles.commits, private=True)
    place.hub.repositories |= {"models/team/gated": gated, "models/team/private": private}
    place.hub.dataset("team/gated", {"data/train.jsonl": texts(place.root)})
    place.hub.repositories["datasets/team/gated"].gated = True
    place.hub.dataset("team/program", {"program.py": b"raise SystemExit\n", "data/train.jsonl": texts(place.root)})
    (place.root / "pickles").mkdir()
    (place.root / "pickles" / "pytorch_model.bin").touch()
    cases = [
        {
            "words": place.words(f"case-{number}", *(one.replace("{root}", str(place.root)) for one in case.overrides)),
            "environment": {"HF_TOKEN": case.token} if case.token else {},
        }
        for number, case in enumerate(_CASES.values())
    ]
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS],
        env=place.hub.environment(place.root / "told", PYTHONPATH=str(REPOSITORY)),
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(cases), done.stderr
    return {name: (status, err) for name, (status, err) in zip(_CASES, results, strict=True)}


@pytest.mark.parametrize("name", _CASES)
def test_what_the_hub_does_not_give_is_one_message_with_the_way_out(
    place: Place, told: dict[str, tuple[int, str]], name: str
) -> None:
    case, (status, err) = _CASES[name], told[name]
    pickles = place.hub.repositories["models/team/pickles"].refs["main"]
    assert case.message.format(cwd=Path.cwd(), hub=place.hub.address, root=place.root, pickles=pickles) in err
    assert status == case.status
    assert err.count("tsugiki: ") == (1 if status == 1 else 0)
    assert "Traceback" not in err
    assert not any(token in err for token in (TOKEN, STRANGERS, EXPIRED))
    left = {path.name for path in (place.root / f"case-{list(_CASES).index(name)}").glob("*")}
    assert left <= {".lock"}, "nothing is begun, and no commit remembered"
