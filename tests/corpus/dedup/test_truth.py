"""Deduplication against the truth: every pair compared exactly, on Japanese with planted near-copies."""

from __future__ import annotations

import numpy as np
import pytest

from tests.corpus.dedup.test_near import kept, verdict_of
from tests.corpus.dedup.truth import planted, true_similarities


@pytest.mark.parametrize("seed", range(2))
def test_of_pairs_at_or_above_the_threshold_995_in_1000_are_not_both_kept_and_who_goes_has_a_twin(seed: int) -> None:
    texts = planted(seed, 600, 600)
    similarity_NN = true_similarities(texts)
    stays_N = np.zeros(len(texts), np.bool_)
    stays_N[kept(verdict_of(texts))] = True
    one, other = np.nonzero(np.triu(similarity_NN >= 0.8, 1))
    assert one.size > 500
    assert (stays_N[one] & stays_N[other]).mean() < 0.005
    nearest_N = np.where(stays_N[None, :], similarity_NN, 0).max(axis=1)
    assert (nearest_N[~stays_N] < 0.7).mean() < 0.005
