"""How much text a token carries: characters per token, by language and by number of new tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tokenizer.extendable import Extendable, Extension

_POINTS = 8


def chars_per_token(tokenizer: Extendable, texts: Iterable[str]) -> float | None:
    """Characters of the texts divided by their tokens; None without text."""
    characters = tokens = 0
    for text in texts:
        characters += len(text)
        tokens += len(tokenizer.encode(text))
    return characters / tokens if tokens else None


def curve(
    base: Extendable, extension: Extension, texts: Mapping[str, Sequence[str]]
) -> list[dict[str, float | int | None]]:
    """Characters per token with the first k new tokens, for a few k from none to all.

    Any prefix of an extension is an extension, so this is what a smaller choice would have given.

    Args:
        texts: by language.
    Returns:
        For each point: `new_tokens`, and each language's characters per token.
    """
    total = len(extension.tokens)
    points = sorted({round(total * k / _POINTS) for k in range(_POINTS + 1)})
    return [
        {
            "new_tokens": count,
            **{
                language: chars_per_token(base.extended(extension.beginning(count)), some)
                for language, some in texts.items()
            },
        }
        for count in points
    ]
