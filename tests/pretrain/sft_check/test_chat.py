"""A folder answers in its own chat template; one that could not be fine-tuned with it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.sft_check.chat import answer
from pretrain.sft_check.conversations import OURS, read
from pretrain.sft_check.model import Subject
from tests.tiny import write_base

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def subject(folder: Path, template: str | None) -> Subject:
    write_base(folder)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return Subject(folder, read(OURS), 2, 256)


def test_the_folders_own_template_asks_and_the_model_answers(tmp_path: Path) -> None:
    one = subject(tmp_path, CHATML)
    assert one.tokenizer().chat_template == CHATML
    told = answer(one)
    assert "tokens generated" in told
    assert "no chat template" not in told
    assert "padding is the end of text" in told


def test_without_a_template_a_plain_one_asks_and_it_is_told(tmp_path: Path) -> None:
    assert "the folder has no chat template, a plain one was used" in answer(subject(tmp_path, None))


def test_a_template_that_asks_otherwise_than_it_answers_is_refused(tmp_path: Path) -> None:
    other = CHATML.replace("{% if", "{% if not add_generation_prompt %}end{% endif %}{% if").replace(
        "{% for m", "{% if add_generation_prompt %}Asked: {% endif %}{% for m", 1
    )
    with pytest.raises(UserError, match="writes another beginning when it asks than when the answer is there"):
        answer(subject(tmp_path, other))
