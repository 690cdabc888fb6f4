from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from corpus.ray_folder import ray_folder
from tests.corpus.corpora import REPOSITORY

_HOLDS = """
import sys
from pathlib import Path
from corpus.ray_folder import ray_folder
with ray_folder(Path(sys.argv[1])) as folder:
    (folder / "r").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


def process_with_a_folder(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """One that holds it until its input ends."""
    command = [sys.executable, "-c", _HOLDS, str(root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_and_what_one_holds_is_not(tmp_path: Path) -> None:
    (tmp_path / "tsugiki-ray-half-removed").mkdir()
    (tmp_path / "of-others").mkdir()
    killed, left = process_with_a_folder(tmp_path)
    killed.kill()
    killed.communicate()
    assert (left / "r").is_dir()
    alive, its = process_with_a_folder(tmp_path)
    with ray_folder(tmp_path) as mine:
        assert mine.stat().st_mode & 0o777 == 0o700
        assert set(tmp_path.iterdir()) == {tmp_path / "of-others", its, mine}
    alive.communicate("")
    assert alive.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["of-others"]
