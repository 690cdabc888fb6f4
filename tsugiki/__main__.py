"""The `tsugiki` command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from configs.program import run_program


def main(argv: Sequence[str] | None = None) -> int:
    """The command within a process that has other work too; gives the exit status."""
    from configs import cli
    from tsugiki.cli import verbs

    return cli.main("tsugiki", verbs, argv)


def program() -> NoReturn:
    """The entry point of the installed command."""
    run_program("tsugiki", "tsugiki.cli")


if __name__ == "__main__":
    program()
