"""What the model in training would write: greedy continuations of a few prompts, in any engine and layout.

No weight is gathered for it, and no keys and values are kept: each token costs a forward pass over all prompts and
what was written after them so far, as documents of one micro-batch. Prompts that do not fit into one are in several,
so that a sample never needs more memory than a step of training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import Engine
from pretrain.engines.next_tokens import Choice, NextTokens
from pretrain.micro_batch import NO_LABEL, MicroBatch

_ASKED = 0
"""A label that says no more than that a position has one."""


def samples(engine: Engine, run: Run, form: DocumentFormat) -> list[dict[str, Any]]:
    """Samples for `samples.jsonl`; collective, and the same on every rank.

    Returns:
        For each prompt of the run file: `prompt`; `ids` and `text` of the continuation, to the end of the document at
        most; `next`, the likeliest tokens right after the prompt, each with `id`, `token` and `probability`.
    Raises:
        UserError: if a prompt with its continuation is longer than a sequence.
    """
    settings = run.pretrain.evaluate.samples
    choice = Choice(form.tokenizer.size, min(settings.top, form.tokenizer.size))
    prompts = [[*form.begin, *form.tokenizer.encode(prompt)] for prompt in settings.prompts]
    _refuse_long(prompts, settings.tokens, run.pretrain.seq_len)
    made: list[dict[str, Any]] = []
    for some in _groups(prompts, settings.tokens, run.pretrain.seq_len * run.pretrain.micro_batch):
        written, first = continued(engine, some, settings.tokens, choice, form.end)
        for ids, ids_K, probabilities_K in zip(written, first.ids_NK, first.probabilities_NK, strict=True):
            likeliest = zip(ids_K.tolist(), probabilities_K.tolist(), strict=True)
            made.append(
                {
                    "prompt": settings.prompts[len(made)],
                    "ids": ids,
                    "text": _text(form, ids),
                    "next": [
                        {"id": one, "token": _text(form, [one]), "probability": share} for one, share in likeliest
                    ],
                }
            )
    return made


def continued(
    engine: Engine, prompts: Sequence[Sequence[int]], tokens: int, choice: Choice, end: int | None = None
) -> tuple[list[list[int]], NextTokens]:
    """Continue prompts by the likeliest token, again and again; collective.

    Args:
        prompts: ids of each, at least one.
        tokens: forward passes at most; there are fewer if every continuation has reached its end before.
        end: token after which a continuation is over, and which is its last then; none has no such token.
    Returns:
        Ids of each continuation, and what was likeliest right after each prompt.
    """
    documents = [list(prompt) for prompt in prompts]
    first: NextTokens | None = None
    for _ in range(tokens):
        likeliest = engine.next_tokens(_micro_batch(documents), choice)
        first = first or likeliest
        for document, one in zip(documents, likeliest.ids_NK[:, 0].tolist(), strict=True):
            document.append(one)
        if all(end in document[len(prompt) :] for document, prompt in zip(documents, prompts, strict=True)):
            break
    assert first is not None
    return [_to_end(document[len(prompt) :], end) for document, prompt in zip(documents, prompts, strict=True)], first


def _to_end(ids: list[int], end: int | None) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


def _micro_batch(documents: Sequence[Sequence[int]]) -> MicroBatch:
    """Documents of which the last token of each is asked what follows."""
    bounds = torch.tensor([0, *map(len, documents)]).cumsum(0)
    tokens_T = torch.tensor(list(chain.from_iterable(documents)))
    labels_T = torch.full_like(tokens_T, NO_LABEL)
    labels_T[bounds[1:] - 1] = _ASKED
    positions_T = torch.cat([torch.arange(len(document)) for document in documents])
    return MicroBatch(tokens_T, labels_T, positions_T, bounds.to(torch.int32), torch.zeros_like(tokens_T))


def _groups(prompts: Sequence[list[int]], tokens: int, most: int) -> Iterator[list[list[int]]]:
    """Prompts in their order, as many at a time as fit into `most` positions when they are continued."""
    group: list[list[int]] = []
    size = 0
    for prompt in prompts:
        length = len(prompt) + tokens
        if group and size + length > most:
            yield group
            group, size = [], 0
        group.append(prompt)
        size += length
    if group:
        yield group


def _refuse_long(prompts: Sequence[list[int]], tokens: int, seq_len: int) -> None:
    for number, prompt in enumerate(prompts):
        if len(prompt) + tokens > seq_len:
            raise UserError(
                f"pretrain.evaluate.samples.prompts.{number}: its {len(prompt)} tokens and {tokens} more do not fit "
                f"into a sequence ({seq_len} tokens); shorten it, or lower pretrain.evaluate.samples.tokens"
            )


def _text(form: DocumentFormat, ids: Sequence[int]) -> str:
    # An id between two tokens may stand for none, and a continuation may end within a character.
    return b"".join(form.tokenizer.bytes_of.get(one, b"\xff") for one in ids).decode("utf-8", errors="replace")
