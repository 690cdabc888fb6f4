"""The tree of the repository with the first line of each file: `python docs/tree.py` puts it into README.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PACKAGES = ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki", "benchmarks", "docs")
SAMPLE = ROOT / "configs" / "quickstart"
_COLUMN = 44
_SHOWN = re.compile(r"(<!-- tree[^\n]*\n```text\n)(.*?)(```)", re.DOTALL)


def tree() -> str:
    """Folders, and their files with the first line of what they say of themselves."""
    return "\n".join(line for package in PACKAGES for line in _folder(ROOT / package, 0)) + "\n"


def shown() -> str:
    """The tree that README has."""
    found = _SHOWN.search(README.read_text(encoding="utf-8"))
    assert found is not None
    return found[2]


def _folder(folder: Path, depth: int) -> list[str]:
    lines = [f"{'  ' * depth}{folder.name}/"]
    if folder == SAMPLE:
        return [_line(lines[0], _heading(folder / "README.md"))]
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if (says := _says(path)) is not None:
            lines.append(_line("  " * (depth + 1) + path.name, says))
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("__")):
        lines += _folder(below, depth + 1)
    return lines if len(lines) > 1 else []


def _line(name: str, says: str) -> str:
    return f"{name:<{_COLUMN}}{says}"


def _says(path: Path) -> str | None:
    if path.suffix == ".py" and path.name != "__init__.py":
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        return docstring.split("\n")[0].removesuffix(".")
    if path.suffix in (".yaml", ".md"):
        return _heading(path)
    return None


def _heading(path: Path) -> str:
    with open(path, encoding="utf-8") as lines:
        return next(lines).lstrip("# ").strip().removesuffix(".")


if __name__ == "__main__":
    page = README.read_text(encoding="utf-8")
    README.write_text(_SHOWN.sub(lambda found: found[1] + tree() + found[3], page), encoding="utf-8")
