"""The true similarity of all pairs of a small corpus, in plain Python, and near-copies planted in it by a seed."""

from __future__ import annotations

from collections import defaultdict
from random import Random

import numpy as np

from benchmarks.text import japanese
from corpus.kernels.utf8 import Float64


def true_similarities(texts: list[str]) -> Float64:
    """Jaccard similarity of the sets of character 5-grams of every pair, as the definition says it.

    Returns:
        float64, (N, N).
    """
    having: dict[str, list[int]] = defaultdict(list)
    size_N = np.zeros(len(texts))
    for row, text in enumerate(texts):
        grams = {text[at : at + 5] for at in range(max(len(text) - 4, 1))}
        size_N[row] = len(grams)
        for gram in grams:
            having[gram].append(row)
    common_NN = np.zeros((len(texts), len(texts)), np.int32)
    shared: dict[tuple[int, ...], int] = defaultdict(int)
    for rows in having.values():
        shared[tuple(rows)] += 1
    for group, grams_of_group in shared.items():
        rows_G = np.array(group)
        common_NN[rows_G[:, None], rows_G[None, :]] += grams_of_group
    union_NN: Float64 = np.maximum(size_N[:, None] + size_N[None, :] - common_NN, 1)
    return np.divide(common_NN, union_NN, dtype=np.float64)


def planted(seed: int, documents: int, copies: int) -> list[str]:
    """Japanese documents and near-copies of them, copies of copies among them, in an order of chance."""
    random = Random(seed)
    whole = [text for text in japanese(documents * 3_000 // 1_000_000 + 1) if len(text) >= 60]
    texts = []
    for _ in range(documents):
        text = random.choice(whole)
        start = random.randrange(max(len(text) - 200, 1))
        texts.append(text[start : start + random.choice((120, 300, 700, 1500, 3000))])
    letters = sorted(set("".join(texts)))
    for _ in range(copies):
        texts.append(_near_copy(random, random.choice(texts), letters))
    random.shuffle(texts)
    return texts


def _near_copy(random: Random, text: str, letters: list[str]) -> str:
    """Some characters replaced, spread over the text; or a piece of it cut out, or moved to its end."""
    kind = random.randrange(4)
    if kind < 2:
        share = random.uniform(0, 0.05)
        return "".join(random.choice(letters) if random.random() < share else letter for letter in text)
    start = random.randrange(len(text))
    end = start + int(len(text) * random.uniform(0, 0.3))
    return text[:start] + text[end:] + (text[start:end] if kind == 3 else "")
