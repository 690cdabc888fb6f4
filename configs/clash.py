"""Refuse to start beside a stranger that owns one of our import names (PyPI has a `tokenizer`, a `configs`, …)."""

from __future__ import annotations

from importlib.metadata import packages_distributions

from configs.errors import UserError

OURS = "tsugiki"
NAMES = ("configs", "corpus", "tokenizer", "pretrain", "slurm")


def refuse_strangers() -> None:
    """Raise a UserError that names every other installed distribution with a package of our names."""
    owners = packages_distributions()
    strangers = [(name, owner) for name in NAMES for owner in set(owners.get(name, ())) if owner.lower() != OURS]
    if strangers:
        told = "; ".join(f"the installed package {owner!r} also provides {name!r}" for name, owner in sorted(strangers))
        raise UserError(f"{told}; uninstall it, or install tsugiki in a virtual environment of its own")
