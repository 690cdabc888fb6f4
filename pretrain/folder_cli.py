"""`tsugiki pretrain sft-check|chat-vector`: verbs of a model folder, which need no run file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.cli import say


def add_folder_verbs(commands: Any) -> None:
    """Add the verbs."""
    check = commands.add_parser("sft-check", help="fine-tune a model folder for a few steps in every usual way")
    check.add_argument("folder", type=Path, metavar="DIR", help="Hugging Face folder, e.g. model/hf of a run")
    check.add_argument(
        "--data", type=Path, metavar="FILE", help='JSON lines {"messages": [...]} (default: eight of ours)'
    )
    check.add_argument("--steps", type=_steps, default=10, metavar="N", help="steps of each training (default: 10)")
    check.add_argument("--lora-only", action="store_true", help="for a model whose full fine-tuning does not fit")
    check.add_argument("--json", action="store_true", help="print for machines")
    check.set_defaults(do=_sft_check)
    vector = commands.add_parser("chat-vector", help="add what instruction tuning changed in the base: a chat model")
    vector.add_argument("folder", type=Path, metavar="TRAINED", help="Hugging Face folder of the trained model")
    vector.add_argument("--instruct", required=True, type=Path, metavar="DIR", help="the base after its tuning")
    vector.add_argument("--base", required=True, type=Path, metavar="DIR", help="what training and tuning began from")
    vector.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to write, not there yet")
    vector.add_argument("--ratio", type=float, default=1.0, metavar="N", help="how much of it (default: 1)")
    vector.add_argument(
        "--new-rows",
        choices=("none", "mean"),
        default="none",
        help="what the embeddings of new tokens get: nothing, or the mean of what the old get (default: none)",
    )
    vector.add_argument("--json", action="store_true", help="print for machines")
    vector.set_defaults(do=_chat_vector)


def _steps(text: str) -> int:
    if (steps := int(text)) < 2:
        raise argparse.ArgumentTypeError("a loss can fall only in two steps or more")
    return steps


def _sft_check(arguments: argparse.Namespace) -> None:
    import json
    import sys
    from contextlib import redirect_stdout

    from configs import log
    from configs.errors import UserError
    from pretrain.sft_check.check import sft_check

    log.set_up()
    with redirect_stdout(sys.stderr):  # libraries print there, as DeepSpeed does where it is installed
        found = sft_check(arguments.folder, arguments.data, arguments.steps, lora_only=arguments.lora_only)
    if arguments.json:
        say(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=1))
    else:
        for one in found:
            say(f"{'passed' if one.passed else 'FAILED'}  {one.name:<14} {one.told}")
    failed = [one.name for one in found if not one.passed]
    if failed:
        raise UserError(f"{arguments.folder}: not ready for fine-tuning: {', '.join(failed)}")


def _chat_vector(arguments: argparse.Namespace) -> None:
    import json

    from configs import log

    log.set_up()
    from pretrain.chat_vector.add import add_chat_vector

    report = add_chat_vector(
        arguments.folder,
        instruct=arguments.instruct,
        base=arguments.base,
        out=arguments.out,
        ratio=arguments.ratio,
        new_rows=arguments.new_rows,
    )
    say(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if arguments.json else report.line())
