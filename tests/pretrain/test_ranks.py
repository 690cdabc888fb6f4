"""What the first process does for all: its result, and its failure, reach the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from configs.errors import UserError
from tsugiki.processes import run_together

_PROGRAM = """
import sys
from configs.errors import AgreedError, UserError
from configs.program import leave
from pretrain import ranks

def fail(error):
    raise error

ranks.join()
seen = [ranks.done_by_first(lambda: 7)]
for error in (UserError("mend it"), ValueError("a bug")):
    try:
        ranks.done_by_first(lambda: fail(error))
    except Exception as raised:
        seen += [type(raised).__name__, str(raised)]
sys.stdout.write(f"{ranks.rank()} {seen}\\n")
leave(0)
"""


def test_what_fails_on_the_first_is_raised_by_all_and_nobody_is_left_waiting(capfd: pytest.CaptureFixture[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "GLOO_SOCKET_IFNAME": "lo"}
    run_together([sys.executable, "-W", "ignore", "-c", _PROGRAM], 2, environment)
    assert sorted(capfd.readouterr().out.splitlines()) == [
        "0 [7, 'UserError', 'mend it', 'ValueError', 'a bug']",
        "1 [7, 'AgreedError', 'mend it', 'AgreedError', 'a bug']",
    ]


def test_an_error_of_the_only_process_stays_what_it_is() -> None:
    from pretrain import ranks

    def fail() -> None:
        raise UserError("mend it")

    with pytest.raises(UserError, match="mend it"):
        ranks.done_by_first(fail)
