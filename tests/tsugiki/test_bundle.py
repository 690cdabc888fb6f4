"""A bundle is made, and installed where there is no network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from tsugiki.__main__ import main
from tsugiki.bundle.build import RUNNING, Wanted, bundle
from tsugiki.bundle.texts import apptainer_definition, install_script
from tsugiki.bundle.wheels import collect

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


@pytest.mark.slow
def test_a_bundle_without_torch_installs_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bundle"
    words = ["bundle", "--out", str(out), "--python", RUNNING, "--no-torch", "--extras", "none"]
    assert main(words) == 0, capsys.readouterr().err
    made = Artifact.open(out, kind="bundle", check="sha256")
    names = [path.name for path in made.below("wheels")]
    assert any(name.startswith("tsugiki-") for name in names)
    assert not any(name.startswith(("torch-", "nvidia")) for name in names)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("[!.]*")}
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before

    # No index, and a proxy that is not there: what is not in the bundle cannot be had.
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "https_proxy": "http://127.0.0.1:9"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    # Compiling ahead takes longer than all the rest, and little of it is run here.
    environment |= {**nowhere, "PYTHON": sys.executable, "PIP_NO_COMPILE": "1"}
    place = tmp_path / "installed"
    installed = subprocess.run(
        ["sh", str(out / "install.sh"), str(place)], env=environment, capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    # It runs from there, and not from this checkout.
    asked = [str(place / "bin" / "tsugiki"), "plan", str(QUICKSTART), "--set", f"run.dir={tmp_path}/run", "--json"]
    planned = subprocess.run(
        asked, env=environment, cwd=QUICKSTART.parents[1], capture_output=True, text=True, check=False
    )
    assert planned.returncode == 0, planned.stderr
    where = [str(place / "bin" / "python"), "-c", "import pyarrow, tsugiki; print(pyarrow.__file__, tsugiki.__file__)"]
    found = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert all(path.startswith(str(place)) for path in found.split())

    # A flipped byte is found before anything is installed.
    wheel = next(path for path in made.below("wheels") if path.name.startswith("tsugiki-"))
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    refused = subprocess.run(
        ["sh", str(out / "install.sh"), str(tmp_path / "other")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert f"wheels/{wheel.name}: FAILED" in refused.stdout + refused.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(Wanted(python="3"), "--python 3: expected a version such as 3.12"), (Wanted(cuda="cu128"), "--cuda cu128: exp")],
)
def test_words_that_are_no_versions_are_refused(tmp_path: Path, wanted: Wanted, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bundle(tmp_path / "out", wanted)
    assert not (tmp_path / "out").exists()


def test_a_wheel_that_was_cut_off_is_found_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a full disk leaves it; pip, which is not asked again here, gave its status 0."""
    from tsugiki.bundle import wheels

    def downloads(*words: str, **_: object) -> None:
        with zipfile.ZipFile(tmp_path / "wheels.partial" / f"tsugiki-{words[0]}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("a", "b" * 1000)
        if words[0] == "download":
            path = tmp_path / "wheels.partial" / "cut-1-py3-none-any.whl"
            path.write_bytes((path.parent / "tsugiki-wheel-py3-none-any.whl").read_bytes()[:500])

    monkeypatch.setattr(wheels, "_pip", downloads)
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\nunidic-lite==1.0.8\n")
    with pytest.raises(UserError, match=r"cut-1-py3-none-any\.whl: damaged .*remove it and run the same command again"):
        collect(Path(__file__).parents[2], tmp_path, "3.12", (), (), None, torch=True)
    assert not (tmp_path / "wheels").exists()


@pytest.mark.parametrize("torch", [True, False])
def test_the_script_is_one_that_sh_reads(torch: bool) -> None:
    script = install_script("3.12", torch=torch)
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert ("--system-site-packages" in script) is not torch
    assert "Bootstrap: localimage" in apptainer_definition("3.12", torch=torch)
