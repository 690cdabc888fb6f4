from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.lock import exclusive
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]
STAGES = ("corpus", "tokenizer", "tokens", "checkpoints", "model", "report")


def made_by(run_dir: Path) -> dict[str, bytes]:
    """Every file that must be the same in every run: what the manifests name, and the manifests."""
    files = {}
    for stage in STAGES:
        manifest = run_dir / stage / "manifest.json"
        for name in [*json.loads(manifest.read_bytes())["files"], "manifest.json"]:
            files[f"{stage}/{name}"] = (run_dir / stage / name).read_bytes()
    return files


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that went all the way; do not change it."""
    root = tmp_path_factory.mktemp("finished")
    tiny_run(root)
    assert main(["run", str(root / "run.yaml")]) == 0
    return root


def tsugiki(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    command = [sys.executable, "-m", "tsugiki", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def test_a_run_ends_with_one_screen_of_results(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(finished / "run.yaml")]) == 0
    screen = capsys.readouterr().out
    for words in (
        "28 in, 22 kept",
        "held_out 6",
        "with 20 new tokens",
        "bits per character, ja",
        "bits per character, en",
        "12 steps",
        "passed, logits of transformers' reload within",
        "ポンプの",
        "before",
        "after",
        "model/hf",
        "report.html",
    ):
        assert words in screen
    assert len(screen.splitlines()) <= 24


def test_the_report_for_machines_has_every_figure_and_they_add_up(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(finished / "run.yaml"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["documents_in"] == figures["documents_kept"] + sum(figures["dropped"].values()) == 28
    assert set(figures["chars_per_token"]) == {"base", "extended"}
    assert {"base", "trained"} <= set(figures["bits_per_character"]["ja"])
    assert {"base", "trained"} <= set(figures["bits_per_character"]["en"])
    assert figures["new_tokens"] == 20
    assert figures["tokens_trained"] > 0
    assert 0 <= figures["logits_max_abs_diff"] < 1e-3
    assert (Path(figures["hf_dir"]) / "model.safetensors").exists()
    assert Path(figures["report_html"]).exists()


def test_the_page_needs_nothing_from_elsewhere(finished: Path) -> None:
    page = (finished / "run" / "report" / "report.html").read_text()
    assert page.count("<svg") == 4
    assert not re.search(r"<(?:script|link|img|iframe)\b|@import|url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\"'\s<>)]+", page))
    assert {address for address in addresses if "w3.org" not in address and "matplotlib.org" not in address} <= {
        "http://purl.org/dc/elements/1.1/",
        "http://creativecommons.org/ns#",
        "http://purl.org/dc/dcmitype/StillImage",
    }


def test_run_again_it_says_that_everything_is_complete(finished: Path) -> None:
    before = made_by(finished / "run")
    again = tsugiki("run", str(finished / "run.yaml"))
    assert again.returncode == 0
    assert "everything is complete" in again.stderr
    assert "28 in, 22 kept" in again.stdout
    assert made_by(finished / "run") == before


def test_two_runs_from_scratch_are_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    assert main(["run", str(finished / "run.yaml"), "--set", f"run.dir={tmp_path}/run"]) == 0
    one, other = made_by(finished / "run"), made_by(tmp_path / "run")
    assert set(one) == set(other)
    # The page and the card of the export name directories; everything else is the same to the last byte.
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


def test_the_resolved_run_file_is_the_same_run(finished: Path) -> None:
    resolved = finished / "run" / "resolved.yaml"
    text = resolved.read_text()
    assert re.search(r"  seq_len: 64  # .*run\.yaml:\d+:\d+", text)
    assert "  micro_batch: 1  # default" in text
    assert main(["run", str(resolved)]) == 0


def test_verify_rehashes_everything(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(finished / "run")]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= len(STAGES)


@pytest.mark.parametrize(
    "file",
    [
        "corpus/kept/inhouse-00000.parquet",
        "tokenizer/hf/tokenizer.json",
        "tokens/inhouse-00000.bin",
        "checkpoints/step-00000012/part-00000.safetensors",
        "checkpoints/metrics.jsonl",
        "model/hf/model.safetensors",
        "report/report.html",
    ],
)
def test_verify_names_the_file_with_a_flipped_byte(
    finished: Path, tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished / "run", copy)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / file).write_bytes(content)
    assert main(["verify", str(copy)]) == 1
    assert f"{copy}/{file}: its bytes changed since it was written" in capsys.readouterr().err


def test_each_stage_runs_alone_and_the_run_goes_on_from_there(finished: Path, tmp_path: Path) -> None:
    words = ["--set", f"run.dir={tmp_path}/run"]
    file = str(finished / "run.yaml")
    for verb in (("corpus", "build"), ("tokenizer", "extend"), ("pretrain", "pack"), ("pretrain", "train")):
        assert main([*verb, file, *words]) == 0
    assert main(["run", file, *words]) == 0
    one, other = made_by(finished / "run"), made_by(tmp_path / "run")
    assert all(one[name] == other[name] for name in one if not name.startswith("report/"))


def test_a_stage_before_its_turn_says_what_is_missing(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", "pack", str(finished / "run.yaml"), "--set", f"run.dir={tmp_path}/run"]) == 1
    message = f"tsugiki: {tmp_path}/run/corpus: does not exist; run the stage that makes it first\n"
    assert capsys.readouterr().err.endswith(message)


def test_a_changed_run_file_on_an_existing_run_is_refused_before_anything_starts(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made_by(finished / "run")
    assert main(["run", str(finished / "run.yaml"), "--set", "tokenizer.min_count=4"]) == 1
    message = capsys.readouterr().err
    assert f"tsugiki: {finished}/run/tokenizer: was made by another run file: min_count: 3 -> 4. " in message
    assert "Name another run.dir, or remove" in message
    assert made_by(finished / "run") == before


def test_how_the_work_is_done_may_change(finished: Path) -> None:
    words = ["--set", "corpus.workers=2", "--set", "pretrain.checkpoint.every_steps=3"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 0


def test_two_at_once_in_one_directory_are_refused(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with exclusive(finished / "run"):
        assert main(["run", str(finished / "run.yaml")]) == 1
    assert f"process {os.getpid()} works here; wait for it" in capsys.readouterr().err


FIVE_MISTAKES = """\
run: {name: bad, dir: runs/bad, sead: 1}
corpus:
  sources: {a: {path: x, language: ja}}
pretrain:
  base: b
  seq_len: 10k
  stages:
    all: {tokens: 100, mixture: {a: 1}}
  optim:
    decay: cosin
    schedule: cosin
  seq_len: 4096
"""


def test_five_mistakes_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FIVE_MISTAKES)
    assert main(["plan", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:5] == [
        f"{file}:1:1: run.seed: required, but not given",
        f"{file}:1:33: run.sead: unknown key; did you mean 'seed'?",
        f"{file}:6:12: pretrain.seq_len: expected an integer, got '10k'",
        f"{file}:10:5: pretrain.optim.decay: unknown key; did you mean 'weight_decay'?",
        f"{file}:11:15: pretrain.optim.schedule: expected one of cosine, linear, constant, got 'cosin'",
    ]
    assert lines[5:] == [
        f"{file}:12:3: pretrain.seq_len: given twice, first on line 6",
        "6 problem(s); nothing was started",
    ]


def test_a_source_that_does_not_exist_is_told_before_anything_starts(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", f"run.dir={tmp_path}/run", "--set", "corpus.sources.inhouse.path=no/such/folder"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 1
    assert "tsugiki: corpus.sources.inhouse.path: no such file or folder: 'no/such/folder'" in capsys.readouterr().err
    assert list((tmp_path / "run").iterdir()) == [tmp_path / "run" / ".lock"]


def test_a_base_without_tokenizer_is_told(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / "base"
    shutil.copytree(finished / "base", base)
    (base / "tokenizer.json").unlink()
    words = ["--set", f"run.dir={tmp_path}/run", "--set", f"pretrain.base={base}"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 1
    assert f"tsugiki: {base}: has no tokenizer.json (found: tokenizer_config.json);" in capsys.readouterr().err


def _start(root: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tsugiki", "run", str(root / "run.yaml"), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=REPOSITORY)


def test_ctrl_c_ends_with_one_line_and_the_same_command_goes_on(finished: Path, tmp_path: Path) -> None:
    words = ["--set", f"run.dir={tmp_path}/run"]
    process = _start(finished, *words)
    ends = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "metrics.jsonl").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("tsugiki: stopped; finished work is kept, the same command goes on from there\n")
    assert main(["run", str(finished / "run.yaml"), *words]) == 0
    assert (tmp_path / "run" / "checkpoints" / "manifest.json").read_bytes() == (
        finished / "run" / "checkpoints" / "manifest.json"
    ).read_bytes()


def _killed_after(root: Path, seconds: float, *words: str) -> None:
    process = _start(root, *words)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()


def _moments(count: int) -> list[object]:
    """Moments spread over a run of some ten seconds, the first while it still imports."""
    return [pytest.param(0.5 + 9.5 * k / count, id=f"{k + 1} of {count}") for k in range(count)]


def _killed_at_any_moment(finished: Path, place: Path, seconds: float) -> None:
    words = ["--set", f"run.dir={place}/run"]
    _killed_after(finished, seconds, *words)
    assert main(["run", str(finished / "run.yaml"), *words]) == 0
    one, other = made_by(finished / "run"), made_by(place / "run")
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


@pytest.mark.parametrize("seconds", _moments(3))
def test_killed_at_any_moment_it_ends_with_the_same_bytes(finished: Path, tmp_path: Path, seconds: float) -> None:
    _killed_at_any_moment(finished, tmp_path, seconds)


@pytest.mark.soak
@pytest.mark.parametrize("seconds", _moments(40))
def test_killed_at_forty_moments_it_ends_with_the_same_bytes(finished: Path, tmp_path: Path, seconds: float) -> None:
    _killed_at_any_moment(finished, tmp_path, seconds)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for the corpus and the tokenizer, and not for what follows."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_clear_message_and_leaves_nothing_half_written(finished: Path, full_disk: Path) -> None:
    words = ("--set", f"run.dir={full_disk}/run")
    stopped = tsugiki("run", str(finished / "run.yaml"), *words)
    assert stopped.returncode == 1
    assert "Traceback" not in stopped.stderr
    assert "no space left on the device; free some and run the same command again" in stopped.stderr
    assert not list(full_disk.rglob("*.partial*"))
    subprocess.run(["mount", "-o", "remount,size=40m", str(full_disk)], check=True)
    assert tsugiki("run", str(finished / "run.yaml"), *words).returncode == 0
    one, other = made_by(finished / "run"), made_by(full_disk / "run")
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


@pytest.fixture
def not_ours(finished: Path) -> Iterator[Path]:
    """A folder that may be read and not written, with a run file; as root this process drops its rights meanwhile."""
    place = Path(tempfile.mkdtemp())
    shutil.copy(finished / "run.yaml", place)
    place.chmod(0o555)
    root = os.getuid() == 0
    if root:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield place
    finally:
        if root:
            os.seteuid(0)
        place.chmod(0o755)
        shutil.rmtree(place)


def test_no_permission_to_write_is_one_clear_message(not_ours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(not_ours / "run.yaml"), "--set", f"run.dir={not_ours}/run"]) == 1
    message = f"tsugiki: {not_ours}/run: no permission; give this user access, or name another directory\n"
    assert capsys.readouterr().err.endswith(message)
    assert [path.name for path in not_ours.iterdir()] == ["run.yaml"]


def test_several_processes_are_started_by_the_run_itself(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    words = ["--set", f"run.dir={tmp_path}/run", "--set", "pretrain.engine=deepspeed"]
    words += ["--set", "pretrain.parallel={processes: 2, zero: 1}"]
    done = tsugiki("run", str(finished / "run.yaml"), *words)
    assert done.returncode == 0, done.stderr
    losses = []
    for root in (finished, tmp_path):
        lines = (root / "run" / "checkpoints" / "metrics.jsonl").read_text().splitlines()
        losses.append([line["loss_nats"] for line in map(json.loads, lines) if line["kind"] == "step"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    parts = sorted(path.name for path in (tmp_path / "run" / "checkpoints" / "step-00000012").glob("*.safetensors"))
    assert parts == ["part-00000.safetensors", "part-00001.safetensors"]


def test_the_screen_can_be_drawn_and_fetches_nothing(finished: Path, tmp_path: Path) -> None:
    assert main(["report", str(finished / "run.yaml"), "--svg", str(tmp_path / "screen.svg")]) == 0
    drawn = (tmp_path / "screen.svg").read_text()
    assert drawn.startswith("<svg")
    assert "url(http" not in drawn
    assert "28&#160;in,&#160;22&#160;kept" in drawn
