"""What training will read: tokens by language, from the stages of the run file and their mixtures."""

from __future__ import annotations

from collections import defaultdict

from configs.schema.run import Run


def tokens_by_language(run: Run) -> dict[str, float]:
    """Tokens of all stages by the language of their sources; what is tokens already has no language and is left out."""
    tokens: dict[str, float] = defaultdict(float)
    for stage in run.pretrain.stages.values():
        whole = sum(stage.mixture.values())
        for name, weight in stage.mixture.items():
            if name in run.corpus.sources:
                tokens[run.corpus.sources[name].language] += stage.tokens * weight / whole
    return dict(tokens)
