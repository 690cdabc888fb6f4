"""Bases and datasets by name: what is fetched of them, and what is said when nothing comes.

The hub is a server of the tests; everything that talks to it is a process with the real, unmodified clients.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaForCausalLM

from tests.tsugiki.conftest import REPOSITORY, made_by
from tests.tsugiki.hub_place import TOKEN, Place, base_files, hub_place

_NEEDED = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "tool_use.jinja",
}
_BY_NAME = ("pretrain.base=team/base", "corpus.sources.inhouse={dataset: team/texts, language: ja, license: MIT}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A hub and a run of the module's own."""
    with hub_place(tmp_path_factory.mktemp("hub")) as made:
        yield made


_FETCH = """
import json, sys
from pathlib import Path
from configs.load import load
from configs.schema.run import Run
from tokenizer.base import Base
base = Base.of_model(load(Path(sys.argv[1]), Run, [word for word in sys.argv[2:] if word != "--set"]))
steps = (base.pin, base.folder_without_weights, base.folder)
def names(folder):
    return sorted(path.name for path in (folder or Path("/nowhere")).rglob("*") if path.is_file())
print(json.dumps([names(step()) for step in steps]))
"""


def test_of_a_base_in_parts_those_are_fetched_that_its_index_names(place: Place, tmp_path: Path) -> None:
    model: Any = LlamaForCausalLM.from_pretrained(place.root / "base")
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    files = {name: data for name, data in base_files(place.root).items() if name != "model.safetensors"}
    parts = {path.name: path.read_bytes() for path in tmp_path.glob("model*")}
    assert len(parts) > 2
    stray = {"model-00001-of-00009.safetensors": b"", "model.safetensors.old": b""}
    place.hub.model("team/parts", {**files, **parts, **stray})
    place.hub.asked.clear()
    words = [sys.executable, "-c", _FETCH, *place.words("parts", "pretrain.base=team/parts")]
    environment = place.hub.environment(place.root / "parts-home", PYTHONPATH=str(REPOSITORY))
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    pinned, without, whole = json.loads(done.stdout)
    index = "model.safetensors.index.json"
    small = sorted((_NEEDED - {"model.safetensors"}) | {index})
    assert (pinned, without) == ([], small)
    assert whole == sorted({*small, *parts})
    assert place.hub.fetched() == set(whole)


def test_the_plan_asks_no_hub(place: Place) -> None:
    place.hub.asked.clear()
    command = [sys.executable, "-m", "tsugiki", "plan", *place.words("planned", *_BY_NAME)]
    environment = place.hub.environment(place.root / "plan-home")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert "base (team/base@main)" in done.stdout
    assert "inhouse (team/texts@main:train)" in done.stdout
    assert place.hub.asked == []
    assert not (place.root / "planned").exists()


@pytest.mark.slow
def test_names_on_the_hub_do_what_folders_do_and_nothing_needless_is_fetched(place: Place) -> None:
    commits = [place.hub.repositories[name].refs["main"] for name in ("models/team/base", "datasets/team/texts")]
    place.hub.repositories["datasets/team/texts"].broken["data/train.jsonl"] = [200]
    first = place.run(place.words("first", *_BY_NAME), HF_TOKEN=TOKEN)
    assert first.returncode == 0, first.stderr
    fetched = place.hub.fetched()
    assert fetched - {"README.md"} == {*_NEEDED, "train.jsonl"}
    assert any(one.authorised for one in place.hub.asked)
    assert not any(one.authorised for one in place.hub.asked if one.host.startswith("localhost"))
    assert TOKEN not in first.stdout + first.stderr
    run_dir = place.root / "first"
    fixed = [f"team/base@{commits[0]}", f"team/texts@{commits[1]}:train"]
    assert json.loads((run_dir / "checkpoints" / "manifest.json").read_bytes())["inputs"]["base"] == {"fixed": fixed[0]}
    assert json.loads((run_dir / "tokenizer" / "manifest.json").read_bytes())["inputs"]["base"] == {"fixed": fixed[0]}
    assert json.loads((run_dir / "corpus" / "manifest.json").read_bytes())["inputs"]["inhouse"] == {"fixed": fixed[1]}
    assert f"`team/base` at commit `{commits[0]}`" in (run_dir / "model" / "hf" / "README.md").read_text()

    # A branch that has moved: the run keeps to its commit, a new one that pins it too, and the cache is enough.
    place.hub.model("team/base", {**base_files(place.root), "tokenizer.json": b"{}"})
    place.hub.asked.clear()
    assert place.run(place.words("first", *_BY_NAME)).stderr.endswith("everything is complete\n")
    assert place.hub.asked == []
    pinned = (*_BY_NAME, f"pretrain.revision={commits[0]}")
    place.hub.repositories["models/team/base"].private = True
    second = place.run(place.words("second", *pinned))
    assert second.returncode == 0, second.stderr
    assert not {one.path for one in place.hub.asked if "team/base" in one.path}
    one, other = made_by(run_dir), made_by(place.root / "second")
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


@pytest.mark.slow
def test_of_two_processes_one_fetches_the_base(place: Place) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    place.hub.model("team/two", base_files(place.root))
    place.hub.asked.clear()
    both = ("pretrain.engine=deepspeed", "pretrain.parallel={processes: 2, zero: 3}")
    done = place.run(place.words("two", "pretrain.base=team/two", *both), "two-home")
    assert done.returncode == 0, done.stderr
    weights = [one for one in place.hub.asked if one.method == "GET" and one.path.endswith("model.safetensors")]
    assert len(weights) == 1
    assert len(list((place.root / "two" / "checkpoints" / "step-00000012").glob("part-*.safetensors"))) == 2


_BRING = "or fetch it elsewhere (`hf download team/base --local-dir DIR`) and name the folder\n"


def _refused(place: Place, home: str, base: str = "team/base", **more: str) -> str:
    """What `tsugiki run` says of a base that it does not get."""
    done = place.run(place.words(f"no-{home}", f"pretrain.base={base}"), home, **more)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_without_network_it_is_said_what_is_missing_and_where(place: Place) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        err = _refused(place, "unreached", HF_ENDPOINT=address)
    cache = place.root / "unreached" / "hub"
    assert err == (
        f"tsugiki: pretrain.base: the model 'team/base': the hub {address} is out of reach or broke off "
        f"(ConnectError), and the cache {cache} does not hold all of it; run the same command again when "
        f"it answers (whole files are kept), {_BRING}"
    )


def test_where_the_hub_may_not_be_asked_it_is_said_which_variable_forbids_it(place: Place) -> None:
    err = _refused(place, "offline", HF_HUB_OFFLINE="1")
    cache = place.root / "offline" / "hub"
    assert err.endswith(
        f"is not in the cache {cache}, and HF_HUB_OFFLINE forbids asking the hub; unset it once, {_BRING}"
    )


def test_a_hub_that_is_down_is_told_by_its_status(place: Place) -> None:
    place.hub.down = True
    err = _refused(place, "down")
    place.hub.down = False
    assert err.endswith(f"the hub {place.hub.address} answers HTTP 503; run the same command again later\n")


def test_a_disk_that_is_too_small_for_the_cache_is_told_as_such(place: Place, disk: Callable[[str], Path]) -> None:
    err = _refused(place, "small", HF_HUB_CACHE=str(disk("8k")))
    assert "no space left on the device; free some and run the same command again" in err


@pytest.mark.slow
def test_a_download_that_breaks_off_goes_on_where_it_was_and_in_the_end_is_told(place: Place) -> None:
    place.hub.model("team/broken", base_files(place.root))
    breaks = place.hub.repositories["models/team/broken"].broken
    breaks["tokenizer.json"] = [100] * 100
    err = _refused(place, "broken", "team/broken")
    assert "is out of reach or broke off (RemoteProtocolError)" in err
    breaks["tokenizer.json"] = [100]
    words = place.words("no-broken", "pretrain.base=team/broken", "corpus.sources.inhouse.path=no/such/folder")
    healed = place.run(words, "broken")
    assert "corpus.sources.inhouse.path: no such file or folder" in healed.stderr
    assert "broke off" not in healed.stderr
